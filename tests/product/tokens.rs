//! Tokens for programs: made, used and taken away.

use crate::with_handbook;
use audit::Action;
use axum::http::{Method, StatusCode};
use domain::{Label, Role, TokenId};
use identity::{NewToken, TokenScope, UserChange};
use serde_json::json;
use sha2::{Digest, Sha256};
use storage::ApiToken;
use testkit::TestApp;

async fn actions(world: &TestApp, action: Action) -> Vec<audit::Event> {
    let events = world.events().await.into_iter().map(|entry| entry.event);
    events.filter(|event| event.action == action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_makes_a_token_on_the_account_page_and_takes_it_away() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    let fields = [("name", "planner"), ("days", "30"), ("scope", "chat")];
    let made = ada.post("/account/tokens", &fields).await.expect(StatusCode::OK).body;
    let secret = made.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(secret.starts_with("crl_") && secret.len() == 47, "{secret}");
    let page = ada.get("/account").await.expect(StatusCode::OK).body;
    assert!(page.contains("planner") && !page.contains(&secret), "it is shown once");
    let _ = world.program(Some(&secret)).get("/v1/models").await.expect(StatusCode::OK);
    let other = json!({ "model": "carrel", "input": "x" });
    let _ = world.program(Some(&secret)).post("/v1/embeddings", &other).await.expect(StatusCode::FORBIDDEN);

    let created = actions(&world, Action::TokenCreated).await.remove(0);
    assert_eq!((created.actor.name.as_str(), created.object.as_ref().unwrap().name.as_str()), ("ada", "planner"));
    let log: String = world.events().await.iter().map(audit::Entry::to_json).collect();
    assert!(!log.contains(&secret), "the log never holds a secret");

    let token = created.object.unwrap().id;
    let revoke = format!("/account/tokens/{token}/revoke");
    world.signed_in("ben").await.post(&revoke, &[]).await.expect(StatusCode::NOT_FOUND);
    ada.post_raw(&revoke, &[]).await.expect(StatusCode::FORBIDDEN);
    ada.post(&revoke, &[]).await.expect(StatusCode::SEE_OTHER);
    let _ = world.program(Some(&secret)).get("/v1/models").await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(actions(&world, Action::TokenRevoked).await.len(), 1);

    for wrong in
        [[("name", ""), ("days", "30"), ("scope", "chat")], [("name", "x"), ("days", "9999"), ("scope", "chat")]]
    {
        ada.post("/account/tokens", &wrong).await.expect(StatusCode::BAD_REQUEST);
    }
    let none = ada.post("/account/tokens", &[("name", "x"), ("days", "30")]).await.expect(StatusCode::BAD_REQUEST);
    assert!(none.body.contains("Choose at least one thing"), "{}", none.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let (world, _) = with_handbook().await;
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap();
    let now = world.app.store.environment().now();
    let expired = "crl_expired-a-moment-ago";
    let token = ApiToken {
        id: TokenId::new(world.app.store.environment()),
        user: ada.id,
        name: "old".to_owned(),
        scopes: vec!["chat".to_owned()],
        secret_hash: Sha256::digest(expired.as_bytes()).into(),
        created_at: now,
        expires_at: now,
        last_used_at: None,
    };
    let mut act = world.app.store.begin().await.unwrap();
    act.insert_token(&token).await.unwrap();
    act.commit_housekeeping().await.unwrap();

    let frida = world.user("frida", Role::Staff, Label::Internal).await;
    let disabled = world.token("frida").await;
    let _ = world.program(Some(&disabled)).get("/v1/models").await.expect(StatusCode::OK);
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    let (console, operation) = (audit::Actor::console(), domain::OperationId::new(world.app.store.environment()));
    world.app.identity.change_user(frida.id, &change, &console, operation).await.unwrap();
    let new = NewToken { name: "x".to_owned(), scopes: vec![TokenScope::Chat], days: 1 };
    let frida = world.app.store.user(frida.id).await.unwrap().unwrap();
    assert!(world.app.identity.issue_token(&frida, &new, &console, operation).await.is_err());

    let mut bodies = Vec::new();
    for secret in [None, Some("crl_unknown"), Some("sk-something-else"), Some(expired), Some(disabled.as_str())] {
        let told = world.program(secret).get("/v1/models").await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(told.headers["www-authenticate"], "Bearer");
        bodies.push(told.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let refused = actions(&world, Action::TokenRefused).await;
    assert_eq!(refused.len(), 4, "a request without any token is not one with a wrong one");
    assert_eq!(refused.iter().filter(|event| event.object.is_some()).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_gives_no_rights_and_another_origin_takes_none() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    ada.get("/v1/models").await.expect(StatusCode::UNAUTHORIZED);
    let program = world.program_of("ada").await;
    let body = json!({ "model": "carrel", "input": "quay" }).to_string();
    let elsewhere = [("origin", "http://planner.elsin"), ("sec-fetch-site", "cross-site")];
    let _ = program.send(Method::POST, "/v1/embeddings", &elsewhere, body).await.expect(StatusCode::OK);
    // A token is no session either.
    assert_eq!(program.get("/ask").await.status, StatusCode::SEE_OTHER);
}
