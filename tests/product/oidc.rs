//! Sign-in at an OpenID provider that signs real tokens.

use crate::passwords::count;
use audit::Action;
use axum::http::StatusCode;
use domain::{Clearance, Label, Role};
use identity::{GroupRule, OidcProvider, OidcSettings, Policy};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::{Browser, PROVIDER_CLIENT, Page, Provider, Signs, TestApp};

fn settings(provider: &Provider) -> OidcSettings {
    let rule = |name: &str, group: Option<&str>, role, clearance| GroupRule {
        dn: name.to_owned(),
        group: group.map(str::to_owned),
        role,
        clearance,
    };
    OidcSettings {
        name: "the harbour's identity service".to_owned(),
        issuer: provider.address.clone(),
        client_id: PROVIDER_CLIENT.0.to_owned(),
        client_secret: PROVIDER_CLIENT.1.to_owned(),
        redirect: "https://carrel.test/sign-in/oidc/return".to_owned(),
        description: None,
        authorities: Vec::new(),
        scopes: "profile groups".to_owned(),
        name_claim: "preferred_username".to_owned(),
        display_claim: "name".to_owned(),
        groups_claim: "groups".to_owned(),
        rules: vec![
            rule("pilots", Some("pilots"), None, Some(Label::Confidential)),
            rule("all", None, Some(Role::Staff), Some(Label::Internal)),
        ],
    }
}

async fn with_provider() -> (TestApp, Provider) {
    let provider = Provider::start().await;
    let oidc = Some(Arc::new(OidcProvider::new(settings(&provider)).unwrap()));
    (TestApp::with_policy(Policy { oidc, ..Policy::default() }).await, provider)
}

fn gus() -> Value {
    json!({ "sub": "7", "preferred_username": "gus", "name": "Gus Falk", "groups": ["all", "pilots", "others"] })
}

/// Goes there and comes back, as whom the claims say.
async fn sign_in(browser: &mut Browser, provider: &Provider, claims: &Value) -> Page {
    let there = browser.get("/sign-in/oidc?next=/library").await.expect(StatusCode::SEE_OTHER).location.unwrap();
    let back = provider.sign_in(&there, claims);
    browser.get(&back).await
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_the_provider_vouches_for_is_signed_in_with_their_groups() {
    let (world, provider) = with_provider().await;
    for signs in [Signs::Rsa, Signs::Ecdsa] {
        provider.sign(signs);
        let mut browser = world.browser();
        assert!(browser.get("/sign-in").await.body.contains("the harbour&#39;s identity service"));
        let led = sign_in(&mut browser, &provider, &gus()).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(led.location.as_deref(), Some("/library"), "{signs:?}");
        browser.get("/library").await.expect(StatusCode::OK);
    }
    let user = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    assert_eq!((user.role, user.clearance), (Role::Staff, Clearance(Label::Confidential)));
    assert_eq!(world.app.store.groups_of(user.id).await.unwrap()[0].name, "pilots");

    let fewer = json!({ "sub": "7", "preferred_username": "renamed", "name": "Gus F.", "groups": ["all"] });
    sign_in(&mut world.browser(), &provider, &fewer).await.expect(StatusCode::SEE_OTHER);
    let user = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    assert_eq!((user.display_name.as_str(), user.clearance), ("Gus F.", Clearance(Label::Internal)));
    assert!(world.app.store.groups_of(user.id).await.unwrap().is_empty());
    assert!(!world.browser().sign_in("gus", "!").await && !world.browser().sign_in("gus", "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_as_it_should_be_opens_nothing() {
    let (world, provider) = with_provider().await;
    let with = |name: &str, value: Value| {
        let mut claims = gus();
        claims[name] = value;
        claims
    };
    for (claims, why) in [
        (with("iss", json!("http://elsewhere")), "another provider"),
        (with("aud", json!("another client")), "another client"),
        (with("aud", json!(["carrel", "another"])), "no azp"),
        (with("exp", json!(1_700_000_000)), "expired"),
        (with("exp", Value::Null), "no end"),
        (with("nonce", json!("another")), "another sign-in"),
    ] {
        let page = sign_in(&mut world.browser(), &provider, &claims).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{why}");
    }
    for signs in [Signs::Unknown, Signs::Nothing, Signs::Shared] {
        provider.sign(signs);
        let page = sign_in(&mut world.browser(), &provider, &gus()).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{signs:?}");
    }
    assert_eq!(count(&world, Action::OidcFailed).await, 9);
    assert!(world.app.store.user_by_name("gus").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_began_can_end_it_and_once() {
    let (world, provider) = with_provider().await;
    let (mut gus_there, mut thief) = (world.browser(), world.browser());
    let there = gus_there.get("/sign-in/oidc").await.location.unwrap();
    thief.get("/sign-in/oidc").await;
    let back = provider.sign_in(&there, &gus());
    let refused = Some("/sign-in?said=provider-refused");
    assert_eq!(thief.get(&back).await.location.as_deref(), refused, "another browser's state");
    assert_eq!(world.browser().get(&back).await.location.as_deref(), refused, "no state at all");
    assert_eq!(gus_there.get(&back).await.location.as_deref(), Some("/"));
    assert_eq!(gus_there.get(&back).await.location.as_deref(), refused, "spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_role_no_account_and_no_account_is_taken_over() {
    let (world, provider) = with_provider().await;
    for claims in [
        json!({ "sub": "8", "preferred_username": "hana", "groups": ["pilots"] }),
        json!({ "sub": "8", "preferred_username": "hana" }),
        json!({ "sub": "9", "preferred_username": "dora", "groups": ["all"] }),
    ] {
        let page = sign_in(&mut world.browser(), &provider, &claims).await;
        assert_eq!(page.location.as_deref(), Some("/sign-in?said=provider-refused"), "{claims}");
    }
    assert!(world.app.store.user_by_name("hana").await.unwrap().is_none());
    assert!(world.browser().sign_in("dora", testkit::PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_way_to_one() {
    let world = TestApp::new().await;
    world.browser().get("/sign-in/oidc").await.expect(StatusCode::NOT_FOUND);
    let back = world.browser().get("/sign-in/oidc/return?code=x&state=y").await;
    back.expect(StatusCode::NOT_FOUND);
    let provider = Provider::start().await;
    for (issuer, reason) in [("http://10.0.0.5", "https://"), ("ftp://x", "https://"), ("", "is no address")] {
        let settings = OidcSettings { issuer: issuer.to_owned(), ..settings(&provider) };
        assert!(OidcProvider::new(settings).unwrap_err().contains(reason), "{issuer}");
    }
    let elsewhere = json!({
        "issuer": provider.address, "authorization_endpoint": format!("{}/authorize", provider.address),
        "token_endpoint": "https://elsewhere.example/token", "jwks_uri": format!("{}/keys", provider.address),
    });
    let settings = OidcSettings { description: Some(elsewhere.to_string().into_bytes()), ..settings(&provider) };
    assert!(OidcProvider::new(settings).unwrap_err().contains("another address"));
}
