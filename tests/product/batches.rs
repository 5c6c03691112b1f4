//! Batches: how far they are, what is done with all of one at once, and by whom.

use crate::with_handbook;
use audit::{Action, Actor};
use axum::http::StatusCode;
use domain::{BatchId, Collection, OperationId};
use ingest::{Incoming, Origin};
use serde_json::{Value, json};
use storage::Batch;
use testkit::TestApp;

/// Hands files in together that nobody has begun to read.
async fn batch(world: &TestApp, collection: &Collection, files: Vec<(String, Vec<u8>)>, held: bool) -> BatchId {
    let environment = world.app.store.environment();
    let batch = Batch {
        id: BatchId::new(environment),
        title: "Winter papers".to_owned(),
        collection: collection.id,
        unchanged: 3,
        submitted_by: None,
        submitted_by_name: "console".to_owned(),
        created_at: environment.now(),
    };
    let mut act = world.app.store.begin().await.unwrap();
    act.insert_batch(&batch).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    let origin = Origin { batch: Some(batch.id), held, ..Origin::of(collection) };
    let files = files.into_iter().map(|(source, bytes)| Incoming::new(source, bytes)).collect();
    let operation = OperationId::new(environment);
    world.app.stage.submit_all(&origin, files, &Actor::console(), operation).await.unwrap();
    batch.id
}

fn texts(number: usize) -> Vec<(String, Vec<u8>)> {
    (0..number)
        .map(|at| (format!("papers/{at:03}.txt"), format!("Paper number {at} is about ice.").into_bytes()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_paused_resumed_cancelled_and_released_by_those_who_may_write() {
    let (world, handbook) = with_handbook().await;
    let id = batch(&world, &handbook, texts(3), false).await;
    let page = format!("/batches/{id}");
    for (name, status) in [("ada", 404), ("ben", 404), ("emil", 404), ("clara", 200), ("dora", 200)] {
        let mut browser = world.signed_in(name).await;
        assert_eq!(browser.get(&page).await.status, status, "{name}");
        assert_eq!(browser.get(&format!("{page}/failures.csv")).await.status, status, "{name}");
        if status == 404 {
            browser.post(&format!("{page}/pause"), &[]).await.expect(StatusCode::NOT_FOUND);
        }
    }
    let mut clara = world.signed_in("clara").await;
    clara.post_raw(&format!("{page}/pause"), &[("csrf", "forged")]).await.expect(StatusCode::FORBIDDEN);
    clara.post(&format!("{page}/destroy"), &[]).await.expect(StatusCode::NOT_FOUND);

    let done = clara.post(&format!("{page}/pause"), &[("back", "batch")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location.as_deref(), Some(format!("{page}?said=batch-paused").as_str()));
    world.ingest().await;
    let shown = clara.get(&page).await.body;
    assert!(shown.contains("3 paused") && !shown.contains("/pause\""), "{shown}");
    clara.post(&format!("{page}/resume"), &[]).await.expect(StatusCode::SEE_OTHER);
    let jobs = clara.get("/jobs").await.body;
    assert!(jobs.contains("Winter papers") && jobs.contains("3 to go") && jobs.contains("3 unchanged"), "{jobs}");
    world.ingest().await;
    let shown = clara.get(&page).await.body;
    assert!(shown.contains("<b>3</b> of 3") && !shown.contains("data-reload"), "{shown}");
    let nothing = clara.post(&format!("{page}/cancel"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(nothing.location.as_deref(), Some("/jobs?said=nothing-to-do"));

    let held = batch(&world, &handbook, vec![("usb.txt".to_owned(), b"From the stick: ice.".to_vec())], true).await;
    world.ingest().await;
    assert!(clara.get(&format!("/batches/{held}")).await.body.contains("1 in quarantine"));
    clara.post(&format!("/batches/{held}/release"), &[]).await.expect(StatusCode::SEE_OTHER);
    world.ingest().await;
    assert!(clara.get("/search?q=from+the+stick").await.body.contains(">Usb</a>"));

    let events = world.events().await;
    let acts: Vec<&Value> = events
        .iter()
        .filter(|entry| entry.event.action == Action::BatchChanged)
        .map(|entry| &entry.event.detail["act"])
        .collect();
    assert_eq!(acts, [&json!("pause"), &json!("resume"), &json!("release")], "an act that changes nothing is no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_reported_and_tried_again() {
    let (world, handbook) = with_handbook().await;
    let files = vec![
        ("=broken, twice.pdf".to_owned(), b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog".to_vec()),
        ("good.txt".to_owned(), b"The good file is read.".to_vec()),
    ];
    let id = batch(&world, &handbook, files, false).await;
    world.ingest().await;
    let mut clara = world.signed_in("clara").await;
    let page = clara.get(&format!("/batches/{id}?state=failed")).await.body;
    assert!(page.contains("=broken") && !page.contains("good.txt") && page.contains("1 failed"), "{page}");
    let csv = clara.get(&format!("/batches/{id}/failures.csv")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "source,reason,attempts,size_bytes,ended_at");
    assert!(lines[1].starts_with("\"'=broken, twice.pdf\",") && lines[1].contains(",1,34,"), "{}", lines[1]);
    let report: Value = serde_json::from_str(&clara.get(&format!("/batches/{id}/failures.json")).await.body).unwrap();
    assert_eq!((&report[0]["source"], &report[0]["attempts"]), (&json!("=broken, twice.pdf"), &json!(1)));
    assert!(report[0]["reason"].as_str().unwrap().len() > 10 && report.as_array().unwrap().len() == 1);

    clara.post(&format!("/batches/{id}/retry"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(clara.get(&format!("/batches/{id}")).await.body.contains("1 to go"));
    let empty: Value = serde_json::from_str(&clara.get(&format!("/batches/{id}/failures.json")).await.body).unwrap();
    assert_eq!(empty, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_large_batch_are_read_page_by_page_in_both_directions() {
    let (world, handbook) = with_handbook().await;
    let id = batch(&world, &handbook, texts(250), false).await;
    let mut clara = world.signed_in("clara").await;
    let files = |body: &str| {
        let name = |row: &str| row.split("</th>").next().unwrap().rsplit("papers/").next().unwrap()[..3].to_owned();
        body.split("<tr>").filter(|row| row.contains("papers/")).map(name).collect::<Vec<_>>()
    };
    let link = |body: &str, rel: &str| {
        let tag = body.split("<a ").find(|tag| tag.contains(&format!("rel=\"{rel}\"")))?;
        Some(tag.split("href=\"").nth(1)?.split('"').next()?.replace("&amp;", "&").replace("&#38;", "&"))
    };
    let (mut address, mut seen) = (format!("/batches/{id}?state=waiting"), Vec::new());
    let last = loop {
        let body = clara.get(&address).await.expect(StatusCode::OK).body;
        seen.extend(files(&body));
        match link(&body, "next") {
            Some(next) => address = next,
            None => break body,
        }
    };
    let mut sorted = seen.clone();
    sorted.sort();
    assert_eq!(sorted, (0..250).map(|at| format!("{at:03}")).collect::<Vec<_>>(), "each once");
    let before = clara.get(&link(&last, "prev").unwrap()).await.body;
    assert_eq!(files(&before), seen[100..200]);
    let first = clara.get(&link(&before, "prev").unwrap()).await.body;
    assert_eq!((files(&first), link(&first, "prev")), (seen[..100].to_vec(), None));
}
