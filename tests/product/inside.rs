//! What lies in a mail or an archive: documents with labels and paths of their own, that follow the file around them.

use crate::with_handbook;
use audit::Action;
use axum::http::StatusCode;
use domain::{Collection, Document, DocumentId, Label};
use std::io::Write;
use testkit::TestApp;

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

async fn at(world: &TestApp, collection: &Collection, source: &str) -> Option<Document> {
    world.app.store.document_by_source(collection.id, source).await.unwrap()
}

async fn relabel(world: &TestApp, document: DocumentId, label: Label) {
    let mut act = world.app.store.begin().await.unwrap();
    act.relabel(document, label).await.unwrap();
    act.commit_housekeeping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn relabelling_an_archive_leaves_what_is_secret_in_it_and_names_what_moves_with_it() {
    let (world, handbook) = with_handbook().await;
    let files = archive(&[("open.txt", "The gate is painted green."), ("shut.txt", "The vault opens at nine.")]);
    world.submit(&handbook, "plans.zip", &files, None).await;
    world.ingest().await;
    let plans = at(&world, &handbook, "plans.zip").await.unwrap();
    relabel(&world, at(&world, &handbook, "plans.zip/shut.txt").await.unwrap().id, Label::Secret).await;

    let mut clara = world.signed_in("clara").await;
    let address = format!("/documents/{}/label", plans.id);
    clara.post(&address, &[("label", "public")]).await.expect(StatusCode::SEE_OTHER);
    let open = at(&world, &handbook, "plans.zip/open.txt").await.unwrap();
    assert_eq!(open.label, Label::Public);
    assert_eq!(at(&world, &handbook, "plans.zip/shut.txt").await.unwrap().label, Label::Secret);
    let events = world.events().await;
    let mut relabelled: Vec<String> = events
        .iter()
        .filter(|entry| entry.event.action == Action::DocumentRelabelled)
        .map(|entry| entry.event.object.as_ref().unwrap().id.clone())
        .collect();
    let mut expected = [plans.id.to_string(), open.id.to_string()];
    relabelled.sort_unstable();
    expected.sort_unstable();
    assert_eq!(relabelled, expected, "an event for each, and none for what stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_hidden_archive_stays_hidden_when_that_is_read() {
    let (world, handbook) = with_handbook().await;
    let gate = ("gate.txt", "The gate is painted green.");
    world.submit(&handbook, "plans.zip", &archive(&[gate]), None).await;
    world.ingest().await;
    let plans = at(&world, &handbook, "plans.zip").await.unwrap();
    world.submit(&handbook, "plans.zip", &archive(&[gate, ("mill.txt", "The mill is painted red.")]), None).await;
    let hide = async |hidden: bool| {
        let mut act = world.app.store.begin().await.unwrap();
        act.hide(plans.id, hidden).await.unwrap();
        act.commit_housekeeping().await.unwrap();
    };
    let hidden = async || {
        let (gate, mill) = ("plans.zip/gate.txt", "plans.zip/mill.txt");
        [at(&world, &handbook, gate).await.unwrap().hidden, at(&world, &handbook, mill).await.unwrap().hidden]
    };
    hide(true).await;
    world.ingest().await;
    assert_eq!(hidden().await, [true, true]);
    hide(false).await;
    assert_eq!(hidden().await, [false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_gets_another_name_in_its_archive_keeps_its_label_and_is_not_read_again() {
    let (world, handbook) = with_handbook().await;
    let [lunch, merger, rota, tides] = ["Lunch is at noon.", "We buy the yard.", "Anna is first.", "It ebbs at six."];
    let texts = async |texts: [&str; 3]| {
        let files: Vec<(&str, &str)> = ["1.txt", "2.txt", "3.txt"].into_iter().zip(texts).collect();
        world.submit(&handbook, "mails.zip", &archive(&files), None).await;
        world.ingest().await;
    };
    let number = async |name: &str| at(&world, &handbook, &format!("mails.zip/{name}.txt")).await.unwrap();
    texts([lunch, merger, rota]).await;
    let (secret, plain) = (number("2").await.id, number("3").await.id);
    relabel(&world, secret, Label::Secret).await;

    // The first mail was deleted, and another one came.
    texts([merger, rota, tides]).await;
    let (first, second, third) = (number("1").await, number("2").await, number("3").await);
    assert_eq!((first.id, first.label, first.version), (secret, Label::Secret, 1));
    assert_eq!((second.id, second.label, second.version), (plain, Label::Internal, 1));
    assert_eq!((third.label, third.version, third.title.as_str()), (Label::Internal, 1, "3"));
    assert_eq!(first.title, "1", "its title was its name");

    // Two that change places, and one that is written anew.
    texts([rota, merger, lunch]).await;
    let (first, second) = (number("1").await, number("2").await);
    assert_eq!((first.id, second.id, second.label), (plain, secret, Label::Secret));
    let written = number("3").await;
    assert_eq!((written.id, written.version), (third.id, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_one_name_are_numbered_around_what_stands_there_and_stay_what_they_are() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "box.zip/a.txt (2)", b"Somebody else put this here.", None).await;
    world.ingest().await;
    let elsewhere = at(&world, &handbook, "box.zip/a.txt (2)").await.unwrap();
    let mut files =
        vec![("a.txt", "The first heron."), ("./a.txt", "The second heron."), (".//a.txt", "The third heron.")];
    world.submit(&handbook, "box.zip", &archive(&files), None).await;
    world.ingest().await;
    let ids = async |sources: [&str; 3]| {
        let mut ids = Vec::new();
        for source in sources {
            ids.push(at(&world, &handbook, source).await.unwrap().id);
        }
        ids
    };
    let before = ids(["box.zip/a.txt", "box.zip/a.txt (3)", "box.zip/a.txt (4)"]).await;
    files.push(("b.txt", "A kingfisher."));
    world.submit(&handbook, "box.zip", &archive(&files), None).await;
    world.ingest().await;
    assert_eq!(ids(["box.zip/a.txt", "box.zip/a.txt (3)", "box.zip/a.txt (4)"]).await, before);
    let untouched = at(&world, &handbook, "box.zip/a.txt (2)").await.unwrap();
    assert_eq!((untouched.id, untouched.content, untouched.parent), (elsewhere.id, elsewhere.content, None));
    assert!(at(&world, &handbook, "box.zip/b.txt").await.is_some());
}
