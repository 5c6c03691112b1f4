//! The first page of a new site: two people with the code of the console, once.

use axum::http::StatusCode;
use testkit::{Browser, Page, TestApp};

const ADMIN_PASSWORD: &str = "seven slow tugs at dawn";
const AUDITOR_PASSWORD: &str = "a lamp in the pilot house";

fn fields<'a>(code: &'a str, changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("code", code),
        ("organisation", "Port Elsin"),
        ("label", "Open"),
        ("label", "Official"),
        ("label", "Restricted"),
        ("label", "Closed"),
        ("admin_name", "dora"),
        ("admin_display", "Dora Lindqvist"),
        ("admin_password", ADMIN_PASSWORD),
        ("admin_again", ADMIN_PASSWORD),
        ("auditor_name", "emil"),
        ("auditor_display", "Emil Brandt"),
        ("auditor_password", AUDITOR_PASSWORD),
        ("auditor_again", AUDITOR_PASSWORD),
        ("collection", "Handbook"),
        ("collection_label", "public"),
        ("collection_readers", "everybody"),
        ("collection_group", ""),
        ("collection", "Cranes"),
        ("collection_label", "confidential"),
        ("collection_readers", "group"),
        ("collection_group", "crane-crew"),
        ("collection", ""),
        ("collection_label", "internal"),
        ("collection_readers", "nobody"),
        ("collection_group", ""),
    ];
    for (name, value) in changed {
        for field in all.iter_mut().filter(|(field, _)| field == name) {
            field.1 = value;
        }
    }
    all
}

async fn send(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let csrf = browser.get("/setup").await.expect(StatusCode::OK).csrf();
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend_from_slice(fields);
    browser.post_raw("/setup", &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_begin_a_site_and_nobody_does_again() {
    let (world, code) = TestApp::not_set_up().await;
    let mut browser = world.browser();
    for page in ["/", "/ask", "/sign-in", "/documents/none"] {
        assert_eq!(browser.get(page).await.location.as_deref(), Some("/setup"), "{page}");
    }
    assert_eq!(browser.get("/healthz").await.body, "ok\n");
    browser.post_raw("/sign-in", &[("name", "x")]).await.expect(StatusCode::NOT_FOUND);

    let done = send(&mut browser, &fields(&code.to_lowercase(), &[])).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location.as_deref(), Some("/sign-in?said=set-up"));
    browser.get("/setup").await.expect(StatusCode::NOT_FOUND);
    browser.post_raw("/setup", &fields(&code, &[])).await.expect(StatusCode::NOT_FOUND);
    let page = browser.get("/sign-in").await.expect(StatusCode::OK).body;
    assert!(page.contains("The reading desk of Port Elsin"), "{page}");

    let mut dora = world.browser();
    assert!(dora.sign_in("dora", ADMIN_PASSWORD).await);
    let people = dora.get("/people").await.expect(StatusCode::OK).body;
    assert!(people.contains("Dora Lindqvist") && people.contains("Emil Brandt"), "{people}");
    assert!(people.contains(">Official</option>") && !people.contains(">internal</option>"), "labels have their names");
    dora.get("/audit").await.expect(StatusCode::FORBIDDEN);
    let mut emil = world.browser();
    assert!(emil.sign_in("emil", AUDITOR_PASSWORD).await);
    emil.get("/audit").await.expect(StatusCode::OK);
    emil.get("/people").await.expect(StatusCode::FORBIDDEN);

    let library = emil.get("/library").await.body;
    assert!(library.contains("Handbook") && !library.contains("Cranes"), "{library}");
    world.user("frida", domain::Role::Staff, domain::Label::Internal).await;
    let later = world.signed_in("frida").await.get("/library").await.body;
    assert!(later.contains("Handbook") && !later.contains("Cranes"), "everybody includes who comes later: {later}");

    let stored = world.app.store.setting("organisation").await.unwrap();
    assert_eq!(stored, Some("Port Elsin".into()), "a restart knows it as well");
    let log: Vec<String> = world.events().await.iter().map(|entry| entry.to_json()).collect();
    assert!(log.iter().any(|event| event.contains("setup.finished")));
    assert!(!log.iter().any(|event| event.contains(ADMIN_PASSWORD) || event.contains(&code)), "no secret is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_said_and_makes_nothing() {
    let (world, code) = TestApp::not_set_up().await;
    let mut browser = world.browser();
    for (changed, sentence) in [
        (&[("auditor_name", "Dora")][..], "two different people"),
        (&[("auditor_again", "something else")], "passwords of the auditor differ"),
        (&[("admin_password", "short"), ("admin_again", "short")], "characters"),
        (&[("organisation", "  ")], "the organisation needs a name"),
        (&[("label", "Same")], "four different names"),
        (&[("collection", "Same")], "different names"),
        (&[("collection_group", "no group!")], "a name has 1 to 64"),
        (&[("collection_label", "purple")], "is not a label"),
    ] {
        let page = send(&mut browser, &fields(&code, changed)).await.expect(StatusCode::BAD_REQUEST);
        assert!(page.body.to_lowercase().contains(&sentence.to_lowercase()), "{sentence}: {}", page.body);
        assert!(!page.body.contains(ADMIN_PASSWORD), "no password comes back");
    }
    let same = [("auditor_password", ADMIN_PASSWORD), ("auditor_again", ADMIN_PASSWORD)];
    send(&mut browser, &fields(&code, &same)).await.expect(StatusCode::BAD_REQUEST);
    browser.post_raw("/setup", &fields(&code, &[])).await.expect(StatusCode::FORBIDDEN);
    assert!(!world.app.store.has_users().await.unwrap());
    assert!(
        world.app.store.collections().await.unwrap().is_empty() && world.app.store.groups().await.unwrap().is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_code_is_held_up_and_recorded() {
    let (world, code) = TestApp::not_set_up().await;
    let mut browser = world.browser();
    for _ in 0..10 {
        let page = send(&mut browser, &fields("ABCD-EFGH-JKLM-NPQR", &[])).await.expect(StatusCode::UNAUTHORIZED);
        assert!(page.body.contains("not the code"), "{}", page.body);
    }
    send(&mut browser, &fields(&code, &[])).await.expect(StatusCode::TOO_MANY_REQUESTS);
    let refused = world.events().await.iter().filter(|entry| entry.event.action == audit::Action::SetupRefused).count();
    assert_eq!(refused, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_from_the_console_counts_as_set_up() {
    let (world, code) = TestApp::not_set_up().await;
    let mut browser = world.browser();
    browser.get("/setup").await.expect(StatusCode::OK);
    world.user("ada", domain::Role::Admin, domain::Label::Internal).await;
    browser.get("/setup").await.expect(StatusCode::NOT_FOUND);
    browser.post_raw("/setup", &fields(&code, &[])).await.expect(StatusCode::NOT_FOUND);
    browser.get("/sign-in").await.expect(StatusCode::OK);
}
