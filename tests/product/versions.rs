//! Versions of a document: what was current once can still be read, by those who may read it now.

use crate::{HANDBOOK, with_handbook};
use audit::Action;
use axum::http::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_opened_and_downloaded_and_says_so() {
    let (world, handbook) = with_handbook().await;
    let changed = HANDBOOK.replace("24 days", "26 days");
    world.submit(&handbook, "handbook.md", changed.as_bytes(), None).await;
    world.ingest().await;
    let id = world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap().id;
    let mut ada = world.signed_in("ada").await;
    let page = format!("/documents/{id}");
    let newest = ada.get(&page).await.expect(StatusCode::OK).body;
    assert!(newest.contains("26 days") && newest.contains(&format!("{page}?version=1")), "{newest}");
    assert!(!newest.contains("is the current one"));
    let older = ada.get(&format!("{page}?version=1")).await.expect(StatusCode::OK).body;
    assert!(older.contains("24 days") && !older.contains("26 days"));
    assert!(older.contains("This is version 1 of") && older.contains(&format!("<a href=\"{page}\">Version 2</a>")));
    let original = ada.get(&format!("{page}/original?version=1")).await.expect(StatusCode::OK);
    assert_eq!(original.body, HANDBOOK);
    assert_eq!(ada.get(&format!("{page}/original")).await.body, changed);
    ada.get(&format!("{page}?version=3")).await.expect(StatusCode::NOT_FOUND);
    ada.get(&format!("{page}/original?version=3")).await.expect(StatusCode::NOT_FOUND);
    world.signed_in("ben").await.get(&format!("{page}/original?version=1")).await.expect(StatusCode::NOT_FOUND);

    let events = world.events().await;
    let opened: Vec<_> = events
        .iter()
        .filter(|entry| matches!(entry.event.action, Action::DocumentOpened | Action::DocumentRefused))
        .map(|entry| (entry.event.action, entry.event.detail["version"].as_u64()))
        .collect();
    let (yes, no) = (Action::DocumentOpened, Action::DocumentRefused);
    let expected = [(yes, 2), (yes, 1), (yes, 1), (yes, 2), (no, 3), (no, 3), (no, 1)]
        .map(|(action, version)| (action, Some(version)));
    assert_eq!(opened, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_waits_says_so() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "later.txt", b"Read me later.", None).await;
    let id = world.app.store.document_by_source(handbook.id, "later.txt").await.unwrap().unwrap().id;
    let mut ada = world.signed_in("ada").await;
    let page = ada.get(&format!("/documents/{id}")).await.expect(StatusCode::OK).body;
    assert!(page.contains("Not read yet"), "{page}");
    assert_eq!(ada.get(&format!("/documents/{id}/original")).await.body, "Read me later.");
}
