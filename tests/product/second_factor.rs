//! The second factor, as people set it up, use it, lose it and are asked for it.

use crate::passwords::{Hands, count, try_password, world_at};
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Role};
use identity::{Policy, SecondFactorRule, code_at};
use jiff::SignedDuration;
use testkit::{Browser, PASSWORD, Page, TestApp};

/// A policy in which everybody needs one.
fn all() -> Policy {
    Policy { second_factor: SecondFactorRule::All, ..Policy::default() }
}

/// The secret that the page shows.
fn secret(page: &Page) -> String {
    let (_, rest) = page.body.split_once("enrol-secret\">").unwrap();
    rest.split('<').next().unwrap().replace(' ', "")
}

fn codes(page: &Page) -> Vec<String> {
    let codes = page.body.split("<li><code>").skip(1);
    codes.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

async fn post(browser: &mut Browser, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
    let csrf = browser.get(from).await.expect(StatusCode::OK).csrf();
    browser.post_raw(to, &[&[("csrf", csrf.as_str())], fields].concat()).await
}

/// Sets a second factor up at a browser that is signed in; returns its secret and recovery codes.
async fn set_up(browser: &mut Browser, hands: &Hands) -> (String, Vec<String>) {
    let page = browser.get("/second-factor").await.expect(StatusCode::OK);
    let secret = secret(&page);
    let code = code_at(&secret, hands.now()).unwrap();
    let fields = [("csrf", page.csrf()), ("code", code), ("password", PASSWORD.to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = browser.post_raw("/second-factor", &fields).await.expect(StatusCode::OK);
    (secret, codes(&done))
}

async fn enter(browser: &mut Browser, code: &str) -> StatusCode {
    post(browser, "/sign-in/code", "/sign-in/code", &[("code", code)]).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_factor_a_password_alone_opens_nothing() {
    let (world, hands) = world_at(Policy::default()).await;
    let (mut ada, mut elsewhere) = (world.signed_in("ada").await, world.signed_in("ada").await);
    let (secret, codes) = set_up(&mut ada, &hands).await;
    assert_eq!(codes.len(), 10);
    ada.get("/ask").await.expect(StatusCode::OK);
    elsewhere.get("/ask").await.expect(StatusCode::SEE_OTHER);

    hands.forward(SignedDuration::from_secs(60));
    let mut again = world.browser();
    let (_, led) = try_password(&mut again, "ada", PASSWORD).await;
    assert_eq!(led.as_deref(), Some("/sign-in/code?next=/"));
    for page in ["/ask", "/account", "/second-factor", "/second-factor/picture.svg", "/sign-in/password"] {
        let led = again.get(page).await.expect(StatusCode::SEE_OTHER).location.unwrap();
        assert!(led.starts_with("/sign-in/code?next="), "{page}: {led}");
    }
    assert_eq!(enter(&mut again, "000000").await, StatusCode::UNAUTHORIZED);
    let code = code_at(&secret, hands.now()).unwrap();
    assert_eq!(enter(&mut again, &format!("{} {}", &code[..3], &code[3..])).await, StatusCode::SEE_OTHER);
    again.get("/ask").await.expect(StatusCode::OK);

    let events = world.events().await;
    assert!(events.iter().all(|entry| !entry.to_json().contains(&secret) && !entry.to_json().contains(&code)));
    assert_eq!(count(&world, Action::SecondFactorEnrolled).await, 1);
    let stored = world.app.store.second_factor(world.app.store.user_by_name("ada").await.unwrap().unwrap().id).await;
    assert!(!String::from_utf8_lossy(&stored.unwrap().unwrap().sealed.unwrap()).contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_works_once() {
    let (world, hands) = world_at(Policy::default()).await;
    let mut ada = world.signed_in("ada").await;
    let (secret, codes) = set_up(&mut ada, &hands).await;
    // The code with which it was set up is spent, too.
    let code = code_at(&secret, hands.now()).unwrap();
    let mut again = world.browser();
    try_password(&mut again, "ada", PASSWORD).await;
    assert_eq!(enter(&mut again, &code).await, StatusCode::UNAUTHORIZED);

    hands.forward(SignedDuration::from_secs(30));
    let code = code_at(&secret, hands.now()).unwrap();
    assert_eq!(enter(&mut again, &code).await, StatusCode::SEE_OTHER);
    let mut thief = world.browser();
    try_password(&mut thief, "ada", PASSWORD).await;
    assert_eq!(enter(&mut thief, &code).await, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&mut thief, &codes[0].to_uppercase()).await, StatusCode::SEE_OTHER, "a recovery code");
    let mut third = world.browser();
    try_password(&mut third, "ada", PASSWORD).await;
    assert_eq!(enter(&mut third, &codes[0]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(count(&world, Action::RecoveryCodeUsed).await, 1);
    assert!(ada.get("/account").await.body.contains("9 of your recovery codes are left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_is_throttled() {
    let (world, hands) = world_at(Policy::default()).await;
    let mut ada = world.signed_in("ada").await;
    let (secret, _) = set_up(&mut ada, &hands).await;
    hands.forward(SignedDuration::from_secs(60));
    let mut thief = world.browser();
    try_password(&mut thief, "ada", PASSWORD).await;
    for guess in 0..8 {
        assert_eq!(enter(&mut thief, &format!("00000{guess}")).await, StatusCode::UNAUTHORIZED);
    }
    let code = code_at(&secret, hands.now()).unwrap();
    assert_eq!(enter(&mut thief, &code).await, StatusCode::TOO_MANY_REQUESTS, "even the right one");
    assert_eq!(try_password(&mut thief, "ada", PASSWORD).await.0, StatusCode::TOO_MANY_REQUESTS, "nor from the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_one_sets_it_up_before_anything_else() {
    let policy = Policy { second_factor: SecondFactorRule::Admins, ..Policy::default() };
    let (world, hands) = world_at(policy).await;
    for (name, needs) in [("ada", false), ("clara", false), ("dora", true), ("emil", true)] {
        let (_, led) = try_password(&mut world.browser(), name, PASSWORD).await;
        assert_eq!(led.as_deref(), Some(if needs { "/second-factor?next=/" } else { "/" }), "{name}");
    }
    let mut dora = world.browser();
    try_password(&mut dora, "dora", PASSWORD).await;
    assert!(dora.get("/people").await.expect(StatusCode::SEE_OTHER).location.unwrap().starts_with("/second-factor?"));
    let picture = dora.get("/second-factor/picture.svg").await.expect(StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    assert_eq!(picture.headers["cache-control"], "no-store");
    post(&mut dora, "/second-factor", "/second-factor", &[("code", "000000")]).await.expect(StatusCode::UNAUTHORIZED);
    let (secret, _) = set_up(&mut dora, &hands).await;
    dora.get("/people").await.expect(StatusCode::OK);
    let refused = dora.post("/second-factor/remove", &[("password", PASSWORD)]).await;
    refused.expect(StatusCode::BAD_REQUEST);
    hands.forward(SignedDuration::from_secs(30));
    let mut again = world.browser();
    try_password(&mut again, "dora", PASSWORD).await;
    assert_eq!(enter(&mut again, &code_at(&secret, hands.now()).unwrap()).await, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_it_a_password_may_be_shorter_until_it_is_gone() {
    let (world, hands) = world_at(Policy::default()).await;
    let mut ada = world.signed_in("ada").await;
    let short = [("current", PASSWORD), ("new", "wet boots"), ("repeat", "wet boots")];
    ada.post("/account/password", &short).await.expect(StatusCode::BAD_REQUEST);
    set_up(&mut ada, &hands).await;
    ada.post("/account/password", &short).await.expect(StatusCode::SEE_OTHER);

    let mut dora = world.signed_in("dora").await;
    let ada_id = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let reset = [("action", "reset_second_factor")];
    dora.post(&format!("/people/{ada_id}"), &reset).await.expect(StatusCode::SEE_OTHER);
    let mut again = world.browser();
    let (_, led) = try_password(&mut again, "ada", "wet boots").await;
    assert_eq!(led.as_deref(), Some("/sign-in/password?next=/"), "too short now");
    assert_eq!(count(&world, Action::SecondFactorReset).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_session_sets_up_and_takes_away_nothing() {
    let (world, hands) = world_at(Policy::default()).await;
    let mut ada = world.signed_in("ada").await;
    let page = ada.get("/second-factor").await;
    let code = code_at(&secret(&page), hands.now()).unwrap();
    let fields = [("code", code.as_str()), ("password", "not her password")];
    post(&mut ada, "/second-factor", "/second-factor", &fields).await.expect(StatusCode::UNAUTHORIZED);
    set_up(&mut ada, &hands).await;
    for address in ["/second-factor/codes", "/second-factor/remove"] {
        ada.post(address, &[("password", "not her password")]).await.expect(StatusCode::BAD_REQUEST);
    }
    ada.post("/second-factor/remove", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    assert!(world.browser().sign_in("ada", PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_belongs_to_the_session_and_the_person() {
    let (world, hands) = world_at(all()).await;
    world.user("gus", Role::Staff, Label::Internal).await;
    let (mut one, mut other) = (world.browser(), world.browser());
    try_password(&mut one, "ada", PASSWORD).await;
    try_password(&mut other, "gus", PASSWORD).await;
    let (mine, theirs) = (one.get("/second-factor").await, other.get("/second-factor").await);
    assert_ne!(secret(&mine), secret(&theirs));
    assert_eq!(secret(&mine), secret(&one.get("/second-factor").await));
    let code = code_at(&secret(&theirs), hands.now()).unwrap();
    let refused = post(&mut one, "/second-factor", "/second-factor", &[("code", &code)]).await;
    refused.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_programs_need_none() {
    let world = TestApp::with_policy(all()).await;
    world.program_of("ada").await.get("/v1/models").await;
    assert_eq!(count(&world, Action::TokenRefused).await, 0);
}
