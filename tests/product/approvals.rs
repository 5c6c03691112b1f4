//! Acts that need a second person.

use crate::passwords::{count, world_at};
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Permission, Role};
use identity::{ApprovalRules, Policy};
use jiff::SignedDuration;
use testkit::{Browser, TestApp};

fn rules() -> Policy {
    let approvals =
        ApprovalRules { audit_export: true, grants_from: Some(Label::Confidential), ..ApprovalRules::default() };
    Policy { approvals, ..Policy::default() }
}

/// The address of the first form of the page that does this.
async fn form(browser: &mut Browser, act: &str) -> Option<String> {
    let page = browser.get("/approvals").await.expect(StatusCode::OK).body;
    let mut addresses = page.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    addresses.find(|address| address.ends_with(&format!("/{act}"))).map(str::to_owned)
}

async fn permission(world: &TestApp, collection: &domain::Collection, name: &str) -> Option<Permission> {
    let grants = world.app.store.grants(collection.id).await.unwrap();
    grants.into_iter().find(|grant| grant.name == name).map(|grant| grant.permission)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wider_grant_on_labelled_documents_waits_for_another_admin() {
    let (world, hands) = world_at(rules()).await;
    world.user("fynn", Role::Admin, Label::Internal).await;
    let board = world.collection("Board").await;
    let grant = format!("/collections/{}/grants", board.id);
    let ben = world.app.store.user_by_name("ben").await.unwrap().unwrap().id.to_string();
    let read = [("principal", ben.as_str()), ("permission", "read")];
    let (mut dora, mut fynn) = (world.signed_in("dora").await, world.signed_in("fynn").await);

    // Nothing there is labelled so high: no second person is needed, and none to take something away.
    dora.post(&grant, &read).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(permission(&world, &board, "ben").await, Some(Permission::Read));
    world.submit(&board, "plan.md", b"# Plan\n\nSell the crane.\n", Some(Label::Confidential)).await;
    dora.post(&grant, &[("principal", &ben), ("permission", "none")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(permission(&world, &board, "ben").await, None);

    let led = dora.post(&grant, &read).await.expect(StatusCode::SEE_OTHER).location;
    assert_eq!(led.as_deref(), Some("/approvals?said=asked"));
    assert_eq!(permission(&world, &board, "ben").await, None);
    assert_eq!(form(&mut dora, "agree").await, None, "not her own");
    let agree = form(&mut fynn, "agree").await.unwrap();
    for name in ["dora", "emil", "clara"] {
        world.signed_in(name).await.post(&agree, &[]).await.expect(StatusCode::NOT_FOUND);
    }
    world.signed_in("ada").await.post(&agree, &[]).await.expect(StatusCode::FORBIDDEN);
    fynn.post(&agree, &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(permission(&world, &board, "ben").await, Some(Permission::Read));
    fynn.post(&agree, &[]).await.expect(StatusCode::NOT_FOUND);

    // Too late is too late.
    dora.post(&grant, &[("principal", &ben), ("permission", "manage")]).await.expect(StatusCode::SEE_OTHER);
    let agree = form(&mut fynn, "agree").await.unwrap();
    for _ in 0..73 {
        hands.forward(SignedDuration::from_mins(60));
    }
    let mut fynn = world.signed_in("fynn").await;
    fynn.post(&agree, &[]).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(permission(&world, &board, "ben").await, Some(Permission::Read));
    assert_eq!(count(&world, Action::ApprovalRequested).await, 2);
    assert_eq!(count(&world, Action::ApprovalExecuted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_no_longer_ask_gets_nothing_through_another() {
    let world = TestApp::with_policy(rules()).await;
    world.user("fynn", Role::Admin, Label::Internal).await;
    let board = world.collection("Board").await;
    world.submit(&board, "plan.md", b"# Plan\n\nSell the crane.\n", Some(Label::Secret)).await;
    world.grant(&board, "clara", Some(Permission::Manage)).await;
    let ben = world.app.store.user_by_name("ben").await.unwrap().unwrap().id.to_string();
    let mut clara = world.signed_in("clara").await;
    let read = [("principal", ben.as_str()), ("permission", "read")];
    clara.post(&format!("/collections/{}/grants", board.id), &read).await.expect(StatusCode::SEE_OTHER);
    world.grant(&board, "clara", None).await;
    let mut fynn = world.signed_in("fynn").await;
    let agree = form(&mut fynn, "agree").await.unwrap();
    fynn.post(&agree, &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(permission(&world, &board, "ben").await, None);
    let refuse = form(&mut fynn, "refuse").await.unwrap();
    fynn.post(&refuse, &[]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_agreed_to_and_done_once() {
    let world = TestApp::with_policy(rules()).await;
    let (mut emil, mut dora) = (world.signed_in("emil").await, world.signed_in("dora").await);
    let export = [("format", "csv"), ("person", "ada")];
    let led = emil.post("/audit/export", &export).await.expect(StatusCode::SEE_OTHER).location;
    assert_eq!(led.as_deref(), Some("/approvals?said=asked"));
    let agree = form(&mut dora, "agree").await.unwrap();
    let id = agree.split('/').nth(2).unwrap().to_owned();
    let with = |person: &'static str| [("format", "csv"), ("person", person), ("approval", id.as_str())];
    emil.post("/audit/export", &with("ada")).await.expect(StatusCode::NOT_FOUND);
    dora.post(&agree, &[]).await.expect(StatusCode::SEE_OTHER);
    emil.post("/audit/export", &with("ben")).await.expect(StatusCode::NOT_FOUND);
    let file = emil.post("/audit/export", &with("ada")).await.expect(StatusCode::OK);
    assert!(file.headers["content-disposition"].contains("carrel-audit"));
    emil.post("/audit/export", &with("ada")).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(count(&world, Action::AuditExported).await, 1);

    emil.post("/audit/export", &export).await.expect(StatusCode::SEE_OTHER);
    let withdraw = form(&mut emil, "withdraw").await.unwrap();
    dora.post(&withdraw, &[]).await.expect(StatusCode::NOT_FOUND);
    emil.post(&withdraw, &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(form(&mut dora, "agree").await, None);
}
