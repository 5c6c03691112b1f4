//! Narrowing a search by what is known of documents: within one's rights, and never beyond them.

use crate::with_handbook;
use axum::http::StatusCode;
use domain::{Label, Permission};

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_narrowed_by_kind_path_day_and_own_fields() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "reports/2026/tide.txt", b"The tide table counts ferries at the north pier.", None).await;
    world
        .submit(&handbook, "drafts/tide.html", b"<p>The tide table draft counts ferries at the south pier.</p>", None)
        .await;
    world.ingest().await;
    let mut ada = world.signed_in("ada").await;
    let mut found = async |narrow: &str| {
        let page = ada.get(&format!("/search?q=tide+table+ferries{narrow}")).await.body;
        (page.contains("north pier"), page.contains("south pier"))
    };
    assert_eq!(found("").await, (true, true));
    assert_eq!(found("&type=text%2Fhtml").await, (false, true));
    assert_eq!(found("&path=reports%2F").await, (true, false));
    assert_eq!(found("&since=2000-01-01&until=2001-01-01").await, (false, false));
    assert_eq!(found("&since=2000-01-01").await, (true, true));
    assert_eq!(found("&field=case%3D4711").await, (false, false));
    ada.get("/search?q=x&since=yesterday").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_never_shows_what_rights_hide() {
    let (world, _) = with_handbook().await;
    let closed = world.collection("closed").await;
    world.submit(&closed, "secrets/reactor.txt", b"The reactor code word is heliotrope.", Some(Label::Internal)).await;
    world.ingest().await;
    world.grant(&closed, "clara", Some(Permission::Read)).await;
    let address = "/search?q=reactor+code+word&path=secrets%2F";
    let mut ada = world.signed_in("ada").await;
    let page = ada.get(address).await.body;
    assert!(!page.contains("heliotrope"));
    let mut clara = world.signed_in("clara").await;
    assert!(clara.get(address).await.body.contains("heliotrope"), "who may read it finds it by the same filter");
}
