//! Security keys as a second factor: registered, used, lost, stolen, and what is refused. A key in software stands for
//! the authenticator and the browser before it; a real browser is in browser_keys.rs.

use crate::passwords::{Hands, count, try_password, world_at};
use audit::Action;
use axum::http::StatusCode;
use identity::{Identity, PasswordCost, Policy, RelyingParty, SecondFactorRule, code_at};
use jiff::SignedDuration;
use testkit::{Browser, KeyAnswer, KeyKind, PASSWORD, Page, SecurityKey, TestApp};

const ORIGIN: &str = "https://carrel.port.example";

fn policy() -> Policy {
    Policy { relying_party: Some(RelyingParty::new(ORIGIN).unwrap()), ..Policy::default() }
}

async fn world() -> (TestApp, Hands) {
    world_at(policy()).await
}

/// What a page asks the authenticator.
fn question(page: &Page) -> serde_json::Value {
    let (_, rest) = page.body.split_once("data-options=\"").unwrap_or_else(|| panic!("no question in {}", page.body));
    let options = rest.split_once('"').unwrap().0.replace("&#34;", "\"").replace("&quot;", "\"");
    serde_json::from_str(&options).unwrap()
}

fn challenge(page: &Page) -> String {
    question(page)["challenge"].as_str().unwrap().to_owned()
}

async fn send(browser: &mut Browser, page: &Page, to: &str, fields: &[(&str, String)]) -> Page {
    let csrf = [("csrf", page.csrf())];
    let fields: Vec<(&str, &str)> = csrf.iter().chain(fields).map(|(name, value)| (*name, value.as_str())).collect();
    browser.post_raw(to, &fields).await
}

async fn register(browser: &mut Browser, key: &SecurityKey, name: &str) -> Page {
    let page = browser.get("/second-factor").await.expect(StatusCode::OK);
    let answer = key.create(&challenge(&page)).registration();
    let fields = [&[("name", name.to_owned()), ("password", PASSWORD.to_owned())][..], &answer].concat();
    send(browser, &page, "/second-factor/keys", &fields).await
}

fn codes(page: &Page) -> Vec<String> {
    page.body.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// Past the password; the page of the second step.
async fn at_the_step(world: &TestApp, name: &str) -> (Browser, Page) {
    let mut browser = world.browser();
    let (_, led) = try_password(&mut browser, name, PASSWORD).await;
    assert_eq!(led.as_deref(), Some("/sign-in/code?next=/"));
    let page = browser.get("/sign-in/code").await.expect(StatusCode::OK);
    (browser, page)
}

async fn present(browser: &mut Browser, page: &Page, credential: &[u8], answer: &KeyAnswer) -> Page {
    send(browser, page, "/sign-in/key", &answer.assertion(credential)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_registered_and_opens_what_a_password_does_not() {
    for kind in [KeyKind::P256, KeyKind::Ed25519, KeyKind::Rsa] {
        let (world, hands) = world().await;
        let mut ada = world.signed_in("ada").await;
        let mut key = SecurityKey::new(kind, ORIGIN);
        let asked = question(&ada.get("/second-factor").await);
        assert_eq!((&asked["rp"]["id"], &asked["attestation"]), (&"carrel.port.example".into(), &"none".into()));
        let done = register(&mut ada, &key, " blue   key ").await.expect(StatusCode::OK);
        assert_eq!(codes(&done).len(), 10, "recovery codes come with the first");
        let account = ada.get("/account").await.expect(StatusCode::OK).body;
        assert!(account.contains("blue key") && !account.contains("with an authenticator app"), "{account}");

        hands.forward(SignedDuration::from_secs(60));
        let (mut again, page) = at_the_step(&world, "ada").await;
        again.get("/ask").await.expect(StatusCode::SEE_OTHER);
        let asked = question(&page);
        assert_eq!(asked["rpId"], "carrel.port.example");
        assert_eq!(asked["allowCredentials"].as_array().unwrap().len(), 1);
        let answer = key.get(&challenge(&page));
        let led = present(&mut again, &page, &key.credential, &answer).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(led.location.as_deref(), Some("/"));
        again.get("/ask").await.expect(StatusCode::OK);
        for action in [Action::SecondFactorEnrolled, Action::SecurityKeyRegistered, Action::SecurityKeyUsed] {
            assert_eq!(count(&world, action).await, 1, "{action}");
        }
        assert_eq!(count(&world, Action::SecurityKeyRefused).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_for_one_sign_in_and_in_time() {
    let (world, hands) = world().await;
    let mut ada = world.signed_in("ada").await;
    // Without a counter, so that nothing but the challenge stands against a replay.
    let mut key = SecurityKey::new(KeyKind::P256, ORIGIN);
    key.count = 0;
    register(&mut ada, &key, "key").await.expect(StatusCode::OK);

    let (mut first, page) = at_the_step(&world, "ada").await;
    let (mut thief, elsewhere) = at_the_step(&world, "ada").await;
    let answer = key.get(&challenge(&page));
    let stolen = present(&mut thief, &elsewhere, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    assert!(stolen.body.contains("took too long, or was used before"), "{}", stolen.body);
    present(&mut first, &page, &key.credential, &answer).await.expect(StatusCode::SEE_OTHER);
    let (mut third, fresh) = at_the_step(&world, "ada").await;
    present(&mut third, &fresh, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    // What was refused spends its challenge, too: the same page cannot be answered a second time.
    let forged = KeyAnswer { signature: vec![0; 70], ..key.get(&challenge(&fresh)) };
    present(&mut third, &fresh, &key.credential, &forged).await.expect(StatusCode::UNAUTHORIZED);
    let right = key.get(&challenge(&fresh));
    present(&mut third, &fresh, &key.credential, &right).await.expect(StatusCode::UNAUTHORIZED);

    let slow = third.get("/sign-in/code").await;
    let answer = key.get(&challenge(&slow));
    hands.forward(SignedDuration::from_secs(5 * 60));
    present(&mut third, &slow, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    // The page that says so asks anew.
    let slow = third.get("/sign-in/code").await;
    let answer = key.get(&challenge(&slow));
    present(&mut third, &slow, &key.credential, &answer).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(count(&world, Action::SecurityKeyRefused).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_answers_are_refused_counted_and_recorded_with_their_reason() {
    let (world, _) = world().await;
    let (mut ada, mut ben) = (world.signed_in("ada").await, world.signed_in("ben").await);
    let mut key = SecurityKey::new(KeyKind::P256, ORIGIN);
    let mut bens = SecurityKey::new(KeyKind::P256, ORIGIN);
    register(&mut ada, &key, "key").await.expect(StatusCode::OK);
    register(&mut ben, &bens, "key").await.expect(StatusCode::OK);
    let (mut thief, mut page) = at_the_step(&world, "ada").await;
    let mut tried = 0;
    let origin = key.origin.clone();
    type Forgery = fn(&mut SecurityKey, &str) -> KeyAnswer;
    let forgeries: [(Forgery, &str); 6] = [
        (|key, challenge| KeyAnswer { signature: vec![0x30, 0], ..key.get(challenge) }, "signature is not right"),
        (
            |key, challenge| {
                key.origin = "https://evil.example".to_owned();
                key.get(challenge)
            },
            "another address",
        ),
        (
            |key, challenge| {
                key.rp_id = "evil.example".to_owned();
                key.get(challenge)
            },
            "another server",
        ),
        (
            |key, challenge| {
                key.flags = 0;
                key.get(challenge)
            },
            "nobody touched it",
        ),
        (
            |key, challenge| {
                let mut cut = key.get(challenge);
                cut.data.truncate(30);
                cut
            },
            "cut short",
        ),
        (|key, _| key.get("AAAA"), "took too long, or was used before"),
    ];
    for (forge, reason) in forgeries {
        let answer = forge(&mut key, &challenge(&page));
        (key.origin, key.rp_id, key.flags) = (origin.clone(), "carrel.port.example".to_owned(), 1);
        let refused = present(&mut thief, &page, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
        assert!(refused.body.contains(reason), "{reason}: {}", refused.body);
        page = refused;
        tried += 1;
        assert_eq!(count(&world, Action::SecurityKeyRefused).await, tried);
    }
    // Another person's key is none of ada's, whatever it signs.
    let answer = bens.get(&challenge(&page));
    let refused = present(&mut thief, &page, &bens.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    assert!(refused.body.contains("not registered for your account"), "{}", refused.body);
    let events = world.events().await;
    let reasons: Vec<_> = events
        .iter()
        .filter(|entry| entry.event.action == Action::SecurityKeyRefused)
        .map(|e| &e.event.detail["reason"])
        .collect();
    assert!(reasons.iter().all(|reason| reason.is_string()), "{reasons:?}");
    // Seven failures; the eighth ends it, as with codes and passwords.
    let answer = KeyAnswer { signature: vec![1], ..key.get(&challenge(&refused)) };
    let page = present(&mut thief, &refused, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    let answer = key.get(&challenge(&page));
    present(&mut thief, &page, &key.credential, &answer).await.expect(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_goes_backwards_is_refused_and_recorded() {
    let (world, _) = world().await;
    let mut ada = world.signed_in("ada").await;
    let mut key = SecurityKey::new(KeyKind::P256, ORIGIN);
    key.count = 40;
    register(&mut ada, &key, "key").await.expect(StatusCode::OK);
    for (counts, status) in
        [(50, StatusCode::SEE_OTHER), (50, StatusCode::UNAUTHORIZED), (10, StatusCode::UNAUTHORIZED)]
    {
        let (mut browser, page) = at_the_step(&world, "ada").await;
        key.count = counts - 1;
        let answer = key.get(&challenge(&page));
        present(&mut browser, &page, &key.credential, &answer).await.expect(status);
    }
    let (mut browser, page) = at_the_step(&world, "ada").await;
    key.count = 0;
    let answer = key.get(&challenge(&page));
    let refused = present(&mut browser, &page, &key.credential, &answer).await.expect(StatusCode::UNAUTHORIZED);
    assert!(refused.body.contains("there may be a copy of it"), "{}", refused.body);
    let events = world.events().await;
    let refused = events.iter().rfind(|entry| entry.event.action == Action::SecurityKeyRefused).unwrap();
    assert_eq!(refused.event.detail["counter"], serde_json::json!({ "stored": 50, "shown": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_and_an_app_stand_side_by_side_and_go_one_by_one() {
    let (world, hands) = world().await;
    let mut ada = world.signed_in("ada").await;
    let (blue, red) = (SecurityKey::new(KeyKind::P256, ORIGIN), SecurityKey::new(KeyKind::Ed25519, ORIGIN));
    register(&mut ada, &blue, "blue").await.expect(StatusCode::OK);
    let led = register(&mut ada, &red, "red").await.expect(StatusCode::SEE_OTHER).location.unwrap();
    assert!(led.starts_with("/account?said=key-added"), "{led}");
    for (key, name, reason) in
        [(&red, "green", "registered already"), (&SecurityKey::new(KeyKind::P256, ORIGIN), "RED", "of this name")]
    {
        let refused = register(&mut ada, key, name).await.expect(StatusCode::BAD_REQUEST);
        assert!(refused.body.contains(reason), "{}", refused.body);
    }
    let mut ben = world.signed_in("ben").await;
    register(&mut ben, &blue, "mine").await.expect(StatusCode::BAD_REQUEST);

    // An app beside them; the recovery codes are those of the beginning.
    let page = ada.get("/second-factor").await;
    let secret = page.body.split_once("enrol-secret\">").unwrap().1.split('<').next().unwrap().replace(' ', "");
    let fields = [("code", code_at(&secret, hands.now()).unwrap()), ("password", PASSWORD.to_owned())];
    send(&mut ada, &page, "/second-factor", &fields).await.expect(StatusCode::SEE_OTHER);
    let account = ada.get("/account").await.body;
    assert!(
        account.contains("with an authenticator app") && account.contains("10 of your recovery codes"),
        "{account}"
    );

    let user = world.app.store.user_by_name("ada").await.unwrap().unwrap();
    let keys = world.app.store.security_keys_of(user.id).await.unwrap();
    let remove = |at: usize| format!("/second-factor/keys/{}/remove", keys[at].id);
    ada.post(&remove(0), &[("password", "wrong")]).await.expect(StatusCode::BAD_REQUEST);
    ben.post(&remove(0), &[("password", PASSWORD)]).await.expect(StatusCode::NOT_FOUND);
    ada.post(&remove(0), &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    ada.post("/second-factor/app/remove", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    ada.post(&remove(1), &[("password", PASSWORD)]).await.expect(StatusCode::BAD_REQUEST);
    ada.post("/second-factor/app/remove", &[("password", PASSWORD)]).await.expect(StatusCode::NOT_FOUND);
    let (_, page) = at_the_step(&world, "ada").await;
    assert_eq!(question(&page)["allowCredentials"].as_array().unwrap().len(), 1);
    assert!(page.body.contains("Recovery code"), "there is no app to take a code from: {}", page.body);

    ada.post("/second-factor/remove", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    assert!(world.app.store.security_keys_of(user.id).await.unwrap().is_empty());
    assert!(world.browser().sign_in("ada", PASSWORD).await, "a password is enough again");
    assert_eq!(count(&world, Action::SecurityKeyRemoved).await, 1);
    assert_eq!(count(&world, Action::CodeSecretRemoved).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_replaced_by_a_recovery_code_or_an_admin() {
    let rule = SecondFactorRule::All;
    let (world, _) = world_at(Policy { second_factor: rule, ..policy() }).await;
    // Whoever needs a second factor may begin with a key, and gets nowhere else before.
    let mut ada = world.browser();
    let (_, led) = try_password(&mut ada, "ada", PASSWORD).await;
    assert_eq!(led.as_deref(), Some("/second-factor?next=/"));
    ada.get("/ask").await.expect(StatusCode::SEE_OTHER);
    let page = ada.get("/second-factor").await.expect(StatusCode::OK);
    let key = SecurityKey::new(KeyKind::P256, ORIGIN);
    let answer = key.create(&challenge(&page)).registration();
    let fields = [&[("name", "key".to_owned())][..], &answer].concat();
    let done = send(&mut ada, &page, "/second-factor/keys", &fields).await.expect(StatusCode::OK);
    ada.get("/ask").await.expect(StatusCode::OK);

    let (mut lost, page) = at_the_step(&world, "ada").await;
    let code = codes(&done)[0].clone();
    send(&mut lost, &page, "/sign-in/code", &[("code", code)]).await.expect(StatusCode::SEE_OTHER);
    lost.get("/ask").await.expect(StatusCode::OK);
    lost.post("/second-factor/remove", &[("password", PASSWORD)]).await.expect(StatusCode::BAD_REQUEST);
    let user = world.app.store.user_by_name("ada").await.unwrap().unwrap();
    let (console, operation) = (audit::Actor::console(), world.operation());
    world.app.identity.reset_second_factor(user.id, &console, operation).await.unwrap();
    assert!(world.app.store.security_keys_of(user.id).await.unwrap().is_empty());
    lost.get("/ask").await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_name_or_with_another_says_that_keys_do_not_work() {
    let nameless = TestApp::new().await;
    let mut ada = nameless.signed_in("ada").await;
    let page = ada.get("/second-factor").await.expect(StatusCode::OK);
    assert!(page.body.contains("sign_in.origin") && !page.body.contains("data-options"), "{}", page.body);
    let key = SecurityKey::new(KeyKind::P256, ORIGIN);
    let answer = key.create("AAAA").registration();
    let fields = [&[("name", "key".to_owned()), ("password", PASSWORD.to_owned())][..], &answer].concat();
    let refused = send(&mut ada, &page, "/second-factor/keys", &fields).await.expect(StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("does not know its own name"), "{}", refused.body);

    // A key of before the server got another name.
    let (mut world, _) = world().await;
    let mut ada = world.signed_in("ada").await;
    register(&mut ada, &key, "key").await.expect(StatusCode::OK);
    let renamed = Some(RelyingParty::new("https://new.port.example").unwrap());
    let renamed = Policy { relying_party: renamed, cost: PasswordCost::LEAST, ..policy() };
    world.app.identity = Identity::new(world.app.store.clone(), renamed).unwrap();
    let mut browser = world.browser();
    try_password(&mut browser, "ada", PASSWORD).await;
    let page = browser.get("/sign-in/code").await.expect(StatusCode::OK);
    assert!(
        page.body.contains("registered at another address") && !page.body.contains("data-options"),
        "{}",
        page.body
    );
}
