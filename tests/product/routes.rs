//! Every route as every role.

use crate::with_handbook;
use axum::http::StatusCode;

/// What a person of a role gets.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Gets {
    Page,
    Forbidden,
    NotFound,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_as_every_role() {
    use Gets::{Forbidden, NotFound, Page};
    let (world, handbook) = with_handbook().await;
    let document = world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap().id;
    let (collection, document) = (format!("/collections/{}", handbook.id), format!("/documents/{document}"));
    let original = format!("{document}/original");
    let delete = format!("{document}/delete");
    let delete_collection = format!("{collection}/delete");
    let people = ["ada", "ben", "clara", "dora", "emil"];
    // ada reads the handbook, clara manages it, nobody else has a grant.
    let pages: [(&str, [Gets; 5]); 25] = [
        ("/ask", [Page; 5]),
        ("/search", [Page; 5]),
        ("/search?q=leave", [Page; 5]),
        ("/library", [Page; 5]),
        ("/account", [Page; 5]),
        (&collection, [Page, NotFound, Page, NotFound, NotFound]),
        (&document, [Page, NotFound, Page, NotFound, NotFound]),
        (&original, [Page, NotFound, Page, NotFound, NotFound]),
        (&delete, [Forbidden, NotFound, Page, NotFound, NotFound]),
        ("/jobs", [Forbidden, Forbidden, Page, Page, Forbidden]),
        ("/people", [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
        ("/admin", [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
        ("/admin/collections", [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
        ("/admin/models", [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
        ("/admin/models/promote?name=none", [Forbidden, Forbidden, Forbidden, NotFound, Forbidden]),
        ("/admin/models/remove?name=none", [Forbidden, Forbidden, Forbidden, NotFound, Forbidden]),
        ("/admin/models/compare", [Forbidden, Forbidden, Page, Page, Forbidden]),
        (&delete_collection, [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
        ("/audit", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/audit/1", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/audit/overview", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/audit/readers", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/audit/day", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/audit/checkpoint", [Forbidden, Forbidden, Forbidden, Forbidden, Page]),
        ("/admin/usage", [Forbidden, Forbidden, Forbidden, Page, Forbidden]),
    ];
    for (at, name) in people.into_iter().enumerate() {
        let mut browser = world.signed_in(name).await;
        for (page, expected) in &pages {
            let got = match browser.get(page).await.status {
                StatusCode::OK => Page,
                StatusCode::FORBIDDEN => Forbidden,
                StatusCode::NOT_FOUND => NotFound,
                other => panic!("{name} at {page}: {other}"),
            };
            assert_eq!(got, expected[at], "{name} at {page}");
        }
    }
    let mut nobody = world.browser();
    for (page, _) in &pages {
        let led = nobody.get(page).await.expect(StatusCode::SEE_OTHER);
        assert!(led.location.unwrap().starts_with("/sign-in?next="), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_as_every_role() {
    let (world, handbook) = with_handbook().await;
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let (grants, change) = (format!("/collections/{}/grants", handbook.id), format!("/people/{ada}"));
    let ada = ada.to_string();
    let people = ["ada", "ben", "clara", "dora", "emil"];
    let done = StatusCode::SEE_OTHER;
    let no = StatusCode::FORBIDDEN;
    let hidden = StatusCode::NOT_FOUND;
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let user: Fields<'_> = &[("name", "gus"), ("display_name", "Gus"), ("role", "staff"), ("clearance", "internal")];
    let acts: [(&str, Fields<'_>, [StatusCode; 5]); 13] = [
        ("/people", user, [no, no, no, StatusCode::OK, no]),
        (
            &change,
            &[("action", "save"), ("display_name", "Ada"), ("role", "staff"), ("clearance", "internal")],
            [no, no, no, done, no],
        ),
        ("/groups", &[("name", "pilots")], [no, no, no, done, no]),
        ("/collections", &[("name", "Tides"), ("default_label", "public")], [no, no, no, done, no]),
        (&grants, &[("principal", &ada), ("permission", "read")], [no, hidden, done, done, hidden]),
        ("/admin/models/unload", &[], [no, no, no, done, no]),
        ("/admin/models/verify", &[("name", "none")], [no, no, no, hidden, no]),
        ("/admin/models/import", &[("source", "none")], [no, no, no, StatusCode::BAD_REQUEST, no]),
        (
            "/admin/models/compare",
            &[("question", "Anything?")],
            [no, no, StatusCode::CONFLICT, StatusCode::CONFLICT, no],
        ),
        ("/audit/verify", &[], [no, no, no, no, StatusCode::OK]),
        ("/audit/export", &[("format", "jsonl")], [no, no, no, no, StatusCode::OK]),
        ("/audit/exports", &[("format", "jsonl")], [no, no, no, no, done]),
        ("/audit/checkpoint", &[], [no, no, no, no, done]),
    ];
    for (at, name) in people.into_iter().enumerate() {
        let mut browser = world.signed_in(name).await;
        for (address, fields, expected) in &acts {
            let got = browser.post(address, fields).await;
            assert_eq!(got.status, expected[at], "{name} at {address}: {}", got.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_exports_what_can_be_verified() {
    let (world, _) = with_handbook().await;
    let mut emil = world.signed_in("emil").await;
    let verified = emil.post("/audit/verify", &[]).await.expect(StatusCode::OK).body;
    assert!(verified.contains("events are in place"), "{verified}");
    let export = emil.post("/audit/export", &[("format", "jsonl")]).await.expect(StatusCode::OK).body;
    let key = world.app.signing_key.public();
    let report = audit::verify::verify(export.as_bytes(), Some(&key)).unwrap();
    assert_eq!(report.entries as usize, export.lines().count() - 1);
    let lines: Vec<&str> = export.lines().collect();
    let without_third: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| *line).collect();
    assert!(audit::verify::verify(without_third.join("\n").as_bytes(), Some(&key)).is_err());
    let edited = export.replacen("dora", "emil", 1);
    assert!(audit::verify::verify(edited.as_bytes(), Some(&key)).is_err());
    let csv = emil.post("/audit/export", &[("format", "csv"), ("person", "emil")]).await.expect(StatusCode::OK).body;
    assert!(csv.contains("sign_in.succeeded") && !csv.contains("document.published"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    for address in [
        "/nothing",
        "/documents/none",
        "/collections/none",
        "/conversations/none",
        "/static/none.css",
        "/answers/x/events",
    ] {
        ada.get(address).await.expect(StatusCode::NOT_FOUND);
    }
    let mut nobody = world.browser();
    assert_eq!(nobody.get("/healthz").await.body, "ok\n");
    nobody.get("/readyz").await.expect(StatusCode::OK);
    nobody.get("/static/app.css").await.expect(StatusCode::OK);
}
