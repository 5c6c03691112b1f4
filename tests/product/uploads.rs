//! Uploads of many files, as the page and its script send them.

use crate::with_handbook;
use axum::http::StatusCode;
use serde_json::{Value, json};

const SIDECAR: &[u8] = br#"{"author": "Harbour office", "case number": 4711}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_says_of_every_file_what_became_of_it() {
    let (world, handbook) = with_handbook().await;
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let files: [(&str, &[u8]); 7] = [
        ("port/a.txt", b"The harbour master holds the key of the north gate."),
        ("port/../../etc/b.txt", b"The crane is inspected in May."),
        ("port/a.txt.carrel.json", SIDECAR),
        ("port/empty.txt", b""),
        ("port/.DS_Store", b"left by a system"),
        ("port/lost.txt.carrel.json", SIDECAR),
        ("port/broken.txt.carrel.json", b"[]"),
    ];
    let page = clara.upload_all(&address, &[("label", "internal")], &files, "text/html").await.expect(StatusCode::OK);
    assert!(
        page.body.contains("<b>2</b> wait to be read") && page.body.contains("<b>3</b> not taken in"),
        "{}",
        page.body
    );
    assert!(page.body.contains("the file is empty") && page.body.contains("not a JSON object"));
    assert!(page.body.contains("there is no file") && !page.body.contains("DS_Store"));
    let batch = clara.get(&page.link("/batches/")).await.expect(StatusCode::OK).body;
    assert!(batch.contains("port/a.txt") && batch.contains("port/etc/b.txt"), "paths are kept and cleaned: {batch}");

    world.ingest().await;
    let document = world.app.store.document_by_source(handbook.id, "port/a.txt").await.unwrap().unwrap();
    assert_eq!(document.metadata.author.as_deref(), Some("Harbour office"), "a sidecar that came later");
    let page = clara.get(&format!("/documents/{}", document.id)).await.body;
    assert!(page.contains("<dt>Case number</dt><dd class=\"break\">4711</dd>"), "{page}");

    let again: [(&str, &[u8]); 2] = [files[0], ("copies/b.txt", files[1].1)];
    let page = clara.upload_all(&address, &[("label", "internal")], &again, "text/html").await.expect(StatusCode::OK);
    assert!(
        page.body.contains("Nothing new") && page.body.contains("known as <span class=\"break\">port/etc/b.txt</span>")
    );
    let document = world.app.store.document_by_source(handbook.id, "port/etc/b.txt").await.unwrap().unwrap();
    let page = clara.get(&format!("/documents/{}", document.id)).await.body;
    assert!(page.contains("Sources, equal files") && page.contains("copies/b.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_alone_describes_the_file_that_is_there() {
    let (world, handbook) = with_handbook().await;
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let files: [(&str, &[u8]); 1] = [("handbook.md.carrel.json", SIDECAR)];
    clara.upload_all(&address, &[], &files, "text/html").await.expect(StatusCode::SEE_OTHER);
    world.ingest().await;
    let document = world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap();
    assert_eq!(document.metadata.author.as_deref(), Some("Harbour office"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sends_one_batch_in_several_requests() {
    let (world, handbook) = with_handbook().await;
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let first: [(&str, &[u8]); 1] = [("a.txt", b"The lamp is lit at dusk.")];
    let fields = [("label", "internal"), ("title", "port, 2 files")];
    let told = clara.upload_all(&address, &fields, &first, "application/json").await.expect(StatusCode::OK);
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!((&told["queued"], &told["failed"]), (&json!(1), &json!(0)));
    let batch = told["batch"].as_str().unwrap().to_owned();

    let second: [(&str, &[u8]); 2] = [("b.txt", b"The lamp is put out at dawn."), ("c.txt", b"")];
    let fields = [("label", "internal"), ("batch", batch.as_str())];
    let told = clara.upload_all(&address, &fields, &second, "application/json").await.expect(StatusCode::OK);
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(told["batch"], json!(batch));
    let expected = json!([
        { "source": "b.txt", "state": "queued", "known_as": null, "reason": null },
        { "source": "c.txt", "state": "failed", "known_as": null, "reason": "the file is empty" },
    ]);
    assert_eq!(told["files"], expected);
    let page = clara.get(&format!("/batches/{batch}")).await.expect(StatusCode::OK).body;
    assert!(page.contains("port, 2 files") && page.contains("a.txt") && page.contains("b.txt"));

    // Nobody puts files into the batch of somebody else, and a form without its token is no form.
    world.user("frida", domain::Role::Curator, domain::Label::Internal).await;
    world.grant(&handbook, "frida", Some(domain::Permission::Write)).await;
    let mut frida = world.signed_in("frida").await;
    frida.upload_all(&address, &fields, &second, "application/json").await.expect(StatusCode::NOT_FOUND);
    let forged = [("label", "internal"), ("csrf", "forged")];
    clara.upload_all(&address, &forged, &first, "application/json").await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_costs_only_itself() {
    let (world, handbook) = with_handbook().await;
    let mut clara = world.signed_in("clara").await;
    let huge = vec![b'x'; usize::try_from(world.app.stage.largest_file()).unwrap() + 1];
    let address = format!("/collections/{}/documents", handbook.id);
    let files: [(&str, &[u8]); 2] = [("huge.txt", &huge), ("small.txt", b"The small file is read.")];
    let page = clara.upload_all(&address, &[("label", "internal")], &files, "text/html").await.expect(StatusCode::OK);
    assert!(page.body.contains("the file is too large") && page.body.contains("<b>1</b> waits to be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_would_not_hold_is_refused_for_its_file_alone() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "tides.txt", b"High water is at nine.", Some(domain::Label::Public)).await;
    world.ingest().await;
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let files: [(&str, &[u8]); 2] = [("tides.txt", b"High water is at ten."), ("ebb.txt", b"It ebbs at four.")];
    let page = clara.upload_all(&address, &[("label", "internal")], &files, "text/html").await.expect(StatusCode::OK);
    assert!(page.body.contains("change its label first") && page.body.contains("<b>1</b> waits to be read"));
    world.ingest().await;
    let tides = async || world.app.store.document_by_source(handbook.id, "tides.txt").await.unwrap().unwrap();
    assert_eq!((tides().await.version, tides().await.label), (1, domain::Label::Public));

    // The form always has a label; of a sidecar file alone it says nothing.
    let files: [(&str, &[u8]); 1] = [("tides.txt.carrel.json", SIDECAR)];
    clara.upload_all(&address, &[("label", "internal")], &files, "text/html").await.expect(StatusCode::SEE_OTHER);
    world.ingest().await;
    assert_eq!(tides().await.metadata.author.as_deref(), Some("Harbour office"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_alone_releases_nothing_from_quarantine() {
    let (world, handbook) = with_handbook().await;
    let origin = ingest::Origin { held: true, ..ingest::Origin::of(&handbook) };
    let file = ingest::Incoming::new("handbook.md", b"# Handbook\n\nNobody has released this sentence.\n".to_vec());
    world.app.stage.submit(&origin, file, &audit::Actor::console(), world.operation()).await.unwrap();
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let files: [(&str, &[u8]); 1] = [("handbook.md.carrel.json", SIDECAR)];
    clara.upload_all(&address, &[], &files, "text/html").await.expect(StatusCode::SEE_OTHER);
    world.ingest().await;
    let document = async || world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap();
    assert_eq!(document().await.version, 1);

    let held = storage::JobFilter { state: Some(storage::JobState::Held), ..storage::JobFilter::default() };
    let held = world.app.store.jobs(&held, 10).await.unwrap();
    assert_eq!(held.len(), 1);
    let mut act = world.app.store.begin().await.unwrap();
    assert_eq!(act.release_batch(held[0].batch.unwrap()).await.unwrap(), 1);
    act.commit_housekeeping().await.unwrap();
    world.ingest().await;
    let released = document().await;
    assert_eq!((released.version, released.metadata.author.as_deref()), (2, Some("Harbour office")));
}
