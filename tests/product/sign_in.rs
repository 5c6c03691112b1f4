//! Sessions, forms and headers.

use axum::http::StatusCode;
use testkit::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_and_a_wrong_password_get_one_answer() {
    let world = TestApp::new().await;
    let mut browser = world.browser();
    let csrf = browser.get("/sign-in").await.csrf();
    let fields = |name: &'static str| {
        [("name", name), ("password", "nothing of the kind"), ("csrf", csrf.as_str())].map(|(a, b)| (a, b.to_owned()))
    };
    let answer = async |browser: &mut testkit::Browser, name: &'static str| {
        let csrf = browser.get("/sign-in").await.csrf();
        let mut given = fields(name);
        given[2].1.clone_from(&csrf);
        let given: Vec<(&str, &str)> = given.iter().map(|(a, b)| (*a, b.as_str())).collect();
        browser.post_raw("/sign-in", &given).await.expect(StatusCode::UNAUTHORIZED).body
    };
    let known = answer(&mut browser, "ada").await;
    let unknown = answer(&mut browser, "nobody").await;
    assert!(known.contains("Name or password is not right"));
    assert!(unknown.contains("Name or password is not right"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_throttled_and_recorded() {
    let world = TestApp::new().await;
    let mut browser = world.browser();
    for _ in 0..8 {
        assert!(!browser.sign_in("ada", "a guess of some length").await);
    }
    assert!(!browser.sign_in("ada", PASSWORD).await, "even the right one has to wait now");
    let events = world.events().await;
    let count = |action: audit::Action| events.iter().filter(|entry| entry.event.action == action).count();
    assert_eq!(count(audit::Action::SignInFailed), 8);
    assert_eq!(count(audit::Action::SignInThrottled), 1);
    assert!(events.iter().all(|entry| !entry.to_json().contains("a guess of some length")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_the_session_token_does_nothing() {
    let world = TestApp::new().await;
    let mut ada = world.signed_in("ada").await;
    ada.post_raw("/ask", &[("question", "anything")]).await.expect(StatusCode::FORBIDDEN);
    ada.post_raw("/sign-out", &[("csrf", "made up")]).await.expect(StatusCode::FORBIDDEN);
    ada.get("/ask").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_on_the_server() {
    let world = TestApp::new().await;
    let mut ada = world.signed_in("ada").await;
    let copy = world.signed_in("ada").await;
    ada.post("/sign-out", &[]).await.expect(StatusCode::SEE_OTHER);
    let led = ada.get("/ask").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(led.location.as_deref(), Some("/sign-in?next=/ask"));
    let mut copy = copy;
    copy.get("/ask").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_sessions() {
    let world = TestApp::new().await;
    let (mut ada, mut elsewhere) = (world.signed_in("ada").await, world.signed_in("ada").await);
    let wrong =
        [("current", "not the current one"), ("new", "five wet boots drying"), ("repeat", "five wet boots drying")];
    ada.post("/account/password", &wrong).await.expect(StatusCode::BAD_REQUEST);
    let short = [("current", PASSWORD), ("new", "short"), ("repeat", "short")];
    ada.post("/account/password", &short).await.expect(StatusCode::BAD_REQUEST);
    let right = [("current", PASSWORD), ("new", "five wet boots drying"), ("repeat", "five wet boots drying")];
    ada.post("/account/password", &right).await.expect(StatusCode::SEE_OTHER);
    elsewhere.get("/ask").await.expect(StatusCode::SEE_OTHER);
    assert!(ada.sign_in("ada", "five wet boots drying").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_strict_and_no_cookie_is_loose() {
    let world = TestApp::new().await;
    let mut browser = world.browser();
    let page = browser.get("/sign-in").await;
    assert!(page.headers["content-security-policy"].starts_with("default-src 'self'"));
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["cache-control"], "no-store");
    let cookie = &page.headers["set-cookie"];
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}
