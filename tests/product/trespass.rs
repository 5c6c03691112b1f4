//! Files that would act on documents that their submitter does not see, and old bytes that would come back over new ones.

use crate::with_handbook;
use axum::http::StatusCode;
use domain::{ContentHash, Label};
use ingest::Staged;
use std::io::Write;
use storage::{JobFilter, JobState};

fn archive(name: &str, text: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(text).unwrap();
    archive.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_a_secret_archive_never_becomes_a_version_of_a_public_document() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "plans.zip/reactor.txt", b"A harmless note about the canteen.", Some(Label::Public)).await;
    world.ingest().await;
    let secret = archive("reactor.txt", b"The reactor is opened with the word heliotrope.");
    world.submit(&handbook, "plans.zip", &secret, Some(Label::Secret)).await;
    world.ingest().await;
    let public = world.app.store.document_by_source(handbook.id, "plans.zip/reactor.txt").await.unwrap().unwrap();
    assert_eq!((public.label, public.version), (Label::Public, 1), "untouched");
    let inside = world.app.store.document_by_source(handbook.id, "plans.zip/reactor.txt (2)").await.unwrap().unwrap();
    assert_eq!(inside.label, Label::Secret, "it has the label of its archive");
    let mut ada = world.signed_in("ada").await;
    assert!(!ada.get("/search?q=reactor+word").await.body.contains("heliotrope"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_does_not_touch_what_its_sender_cannot_see() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "plan.txt", b"The secret plan of the harbour.", Some(Label::Secret)).await;
    world.ingest().await;
    let before = world.app.store.document_by_source(handbook.id, "plan.txt").await.unwrap().unwrap();
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    clara.upload(&address, "internal", "plan.txt", b"My own plan for lunch.").await.expect(StatusCode::SEE_OTHER);
    world.ingest().await;
    let after = world.app.store.document_by_source(handbook.id, "plan.txt").await.unwrap().unwrap();
    assert_eq!((after.id, after.version, after.content), (before.id, before.version, before.content));
    let own = world.app.store.document_by_source(handbook.id, "plan.txt (2)").await.unwrap().unwrap();
    assert_eq!(own.label, Label::Internal);
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_again_never_puts_old_bytes_over_new_ones() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "rota.txt", b"%PDF-1.7 cut off", None).await;
    world.ingest().await;
    let failed = world.app.store.jobs(&JobFilter::default(), 10).await.unwrap();
    let failed = failed.iter().find(|job| job.source == "rota.txt").unwrap().clone();
    assert_eq!(failed.state, storage::JobState::Failed);
    world.submit(&handbook, "rota.txt", b"The rota begins on Monday.", None).await;
    world.ingest().await;
    let mut act = world.app.store.begin().await.unwrap();
    assert!(!act.retry(failed.id).await.unwrap(), "newer bytes have come since");
    drop(act);
    let document = world.app.store.document_by_source(handbook.id, "rota.txt").await.unwrap().unwrap();
    assert_eq!(document.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_again_never_brings_back_what_the_file_was_for_a_while() {
    let (world, handbook) = with_handbook().await;
    let (good, bad) = (b"The rota begins on Monday.".as_slice(), b"%PDF-1.7 cut off".as_slice());
    world.submit(&handbook, "rota.txt", good, None).await;
    world.ingest().await;
    for is_read in [true, false] {
        world.submit(&handbook, "rota.txt", bad, None).await;
        if is_read {
            world.ingest().await;
        }
        let jobs = world.app.store.jobs(&JobFilter::default(), 10).await.unwrap();
        let meanwhile = jobs.iter().find(|job| job.source == "rota.txt").unwrap().id;
        let again = world.submit(&handbook, "rota.txt", good, None).await;
        assert!(matches!(again, Staged::Unchanged(_)), "{again:?}");
        let mut act = world.app.store.begin().await.unwrap();
        assert!(!act.retry(meanwhile).await.unwrap(), "the file has these bytes no more; read: {is_read}");
        drop(act);
        let job = world.app.store.job(meanwhile).await.unwrap().unwrap();
        assert_eq!(job.state, JobState::Cancelled, "nor does its batch try it again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_no_place_of_a_document_that_is_about_to_change() {
    let (world, handbook) = with_handbook().await;
    let (old, new) = (b"The crane lifts ten tons.".as_slice(), b"The crane lifts twelve tons.".as_slice());
    world.submit(&handbook, "crane.txt", old, None).await;
    world.ingest().await;
    world.submit(&handbook, "crane.txt", new, None).await;
    let copied = world.submit(&handbook, "copy.txt", old, None).await;
    assert!(matches!(copied, Staged::Queued(..)), "{copied:?}");
    world.ingest().await;
    let document = async |source: &str| world.app.store.document_by_source(handbook.id, source).await.unwrap().unwrap();
    assert_eq!(document("crane.txt").await.content, ContentHash::of(new));
    assert_eq!(document("copy.txt").await.content, ContentHash::of(old));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_jobs_tell_nothing_of_documents_above_ones_clearance() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "heliotrope-reactor.pdf", b"%PDF-1.7 cut off", Some(Label::Secret)).await;
    world.submit(&handbook, "lunch.pdf", b"%PDF-1.7 cut off as well", None).await;
    world.ingest().await;
    let mut clara = world.signed_in("clara").await;
    for address in ["/jobs?state=failed".to_owned(), "/jobs".to_owned(), format!("/collections/{}", handbook.id)] {
        let page = clara.get(&address).await.body;
        assert!(page.contains("lunch.pdf"), "{address}: {page}");
        assert!(!page.contains("heliotrope"), "{address}");
    }
}
