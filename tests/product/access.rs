//! Rights: a change holds for the next request, and a label is not read from below.

use crate::story::ask;
use crate::with_handbook;
use axum::http::StatusCode;
use domain::{Label, Permission};

const SEARCH: &str = "/search?q=annual+leave";

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_holds_for_the_next_request() {
    let (world, handbook) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    let (conversation, _) = ask(&mut ada, "How many days of annual leave do I get in my first year?").await;
    let found = ada.get(SEARCH).await;
    assert!(found.body.contains("24 days"));
    let document = found.link("/documents/");

    world.grant(&handbook, "ada", None).await;
    assert!(!ada.get(SEARCH).await.body.contains("24 days"));
    ada.get(&document).await.expect(StatusCode::NOT_FOUND);
    let old = ada.get(&conversation).await.expect(StatusCode::OK).body;
    assert!(!old.contains("24 days") && !old.contains("Employee Handbook"), "not even in the old answer: {old}");

    world.grant(&handbook, "ada", Some(Permission::Read)).await;
    assert!(ada.get(SEARCH).await.body.contains("24 days"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_up() {
    let (world, handbook) = with_handbook().await;
    world
        .submit(
            &handbook,
            "salaries.txt",
            b"Band six is paid between 60 and 70 thousand crowns.",
            Some(Label::Confidential),
        )
        .await;
    world.ingest().await;
    world.user("frida", domain::Role::Staff, Label::Confidential).await;
    world.grant(&handbook, "frida", Some(Permission::Read)).await;

    let (mut ada, mut frida) = (world.signed_in("ada").await, world.signed_in("frida").await);
    let search = "/search?q=salary+band+six+crowns";
    let found = frida.get(search).await;
    assert!(found.body.contains("crowns"));
    assert!(found.body.contains("confidential"), "the page carries the label");
    assert!(!ada.get(search).await.body.contains("thousand"));
    let library = ada.get("/library").await.body;
    assert!(!library.contains("2 documents"), "counts tell nothing either: {library}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_is_not_found_by_the_next_search() {
    let (world, _) = with_handbook().await;
    let mut clara = world.signed_in("clara").await;
    let document = clara.get(SEARCH).await.link("/documents/");
    let document = document.split('?').next().unwrap();
    clara.get(&format!("{document}/delete")).await.expect(StatusCode::OK);
    clara.post(&format!("{document}/delete"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(!clara.get(SEARCH).await.body.contains("24 days"));
    clara.get(document).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(world.app.index.passages(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_label_holds_for_the_next_search() {
    let (world, _) = with_handbook().await;
    world.user("frida", domain::Role::Curator, Label::Secret).await;
    let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap();
    world.grant(&handbook, "frida", Some(Permission::Manage)).await;
    let (mut ada, mut frida) = (world.signed_in("ada").await, world.signed_in("frida").await);
    let document = ada.get(SEARCH).await.link("/documents/");
    let label = format!("{}/label", document.split('?').next().unwrap());
    ada.post(&label, &[("label", "public")]).await.expect(StatusCode::FORBIDDEN);
    frida.post(&label, &[("label", "secret")]).await.expect(StatusCode::SEE_OTHER);
    assert!(!ada.get(SEARCH).await.body.contains("24 days"));
    assert!(frida.get(SEARCH).await.body.contains("24 days"));
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_belong_to_who_had_them() {
    let (world, handbook) = with_handbook().await;
    world.grant(&handbook, "ben", Some(Permission::Read)).await;
    let (mut ada, mut ben) = (world.signed_in("ada").await, world.signed_in("ben").await);
    let (conversation, page) = ask(&mut ada, "How long is the working day?").await;
    let plain = conversation.split('#').next().unwrap();
    ben.get(plain).await.expect(StatusCode::NOT_FOUND);
    ben.post(&format!("{plain}/delete"), &[]).await.expect(StatusCode::NOT_FOUND);
    let answer = page.split("data-answer=\"").nth(1).unwrap().split('"').next().unwrap();
    ben.get(&format!("/answers/{answer}/events")).await.expect(StatusCode::NOT_FOUND);
    world.signed_in("dora").await.get(plain).await.expect(StatusCode::NOT_FOUND);
    ada.post(&format!("{plain}/delete"), &[]).await.expect(StatusCode::SEE_OTHER);
    ada.get(plain).await.expect(StatusCode::NOT_FOUND);
}
