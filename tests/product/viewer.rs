//! Pages of documents as they look: who gets them, what they are, and what happens when there are none.

use crate::with_handbook;
use audit::Action;
use axum::http::StatusCode;
use confine::{Pool, Settings};
use domain::{Collection, DocumentId, Label};
use ingest::Pages;
use std::process::Command;
use testkit::{Browser, Page, TestApp};

const RULES: &[u8] = include_bytes!("../samples/safety/quay-safety-rules.pdf");

/// The product with the rules, six pages, in the collection that ada may read.
async fn with_rules() -> (TestApp, Collection, DocumentId) {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "rules.pdf", RULES, None).await;
    world.ingest().await;
    let id = world.app.store.document_by_source(handbook.id, "rules.pdf").await.unwrap().unwrap().id;
    (world, handbook, id)
}

/// Width and height as the header of a PNG file says them.
fn size(page: &Page) -> (u32, u32) {
    assert!(page.bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "no PNG file");
    let number = |at: usize| u32::from_be_bytes(page.bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

async fn opened(world: &TestApp) -> Vec<Action> {
    let events = world.events().await.into_iter().map(|entry| entry.event.action);
    events.filter(|action| matches!(action, Action::DocumentOpened | Action::DocumentRefused)).collect()
}

/// The page of the first passage that a search finds.
async fn found(browser: &mut Browser, query: &str) -> Page {
    let link = browser.get(&format!("/search?q={query}")).await.link("/documents/");
    browser.get(&link).await.expect(StatusCode::OK)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_pictures_and_an_opening_is_recorded_once() {
    let (world, _, id) = with_rules().await;
    let mut ada = world.signed_in("ada").await;
    let page = ada.get(&format!("/documents/{id}")).await.expect(StatusCode::OK).body;
    assert!(page.contains(&format!("src=\"/documents/{id}/pages/1.png?version=1&amp;width=1000\"")), "{page}");
    assert_eq!(page.matches("<img ").count(), 6);
    assert!(page.contains("Text of page 6") && !page.contains(" style="));
    let picture = ada.get(&format!("/documents/{id}/pages/1.png?version=1&width=700")).await.expect(StatusCode::OK);
    let (width, height) = size(&picture);
    assert_eq!(width, 1000, "pictures come in a few widths");
    assert!((1200..1600).contains(&height), "A4 or so: {height}");
    let header = |name: &str| picture.headers.get(name).map(String::as_str);
    assert_eq!((header("content-type"), header("cache-control")), (Some("image/png"), Some("private, no-cache")));
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    let other = ada.get(&format!("/documents/{id}/pages/2.png")).await.expect(StatusCode::OK);
    assert_ne!(picture.bytes, other.bytes);
    assert_eq!(size(&ada.get(&format!("/documents/{id}/pages/1.png?width=1")).await).0, 500);

    ada.has = picture.headers.get("etag").cloned();
    let same = ada.get(&format!("/documents/{id}/pages/1.png?version=1&width=1000")).await;
    assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(opened(&world).await, [Action::DocumentOpened], "one view, however many pictures");

    // A picture alone is an opening, too.
    let mut clara = world.signed_in("clara").await;
    for _ in 0..2 {
        clara.get(&format!("/documents/{id}/pages/3.png")).await.expect(StatusCode::OK);
    }
    assert_eq!(opened(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_a_document_gets_what_is_said_of_one_that_is_not_there() {
    let (world, handbook, id) = with_rules().await;
    let mut ada = world.signed_in("ada").await;
    let address = format!("/documents/{id}/pages/1.png?version=1");
    let picture = ada.get(&address).await.expect(StatusCode::OK);
    let mut ben = world.signed_in("ben").await;
    let nothing = format!("/documents/{}/pages/1.png?version=1", DocumentId::new(world.app.store.environment()));
    let operation = |page: &Page| page.headers["x-operation-id"].clone();
    let said = |page: Page| (page.status, page.body.replace(&operation(&page), ""));
    // The picture is in memory by now; its tag is of no use either.
    ben.has = picture.headers.get("etag").cloned();
    let (hidden, missing) = (ben.get(&address).await, ben.get(&nothing).await);
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!(said(hidden), said(missing));
    assert_eq!(opened(&world).await[1..], [Action::DocumentRefused; 2]);
    let mut nobody = world.browser();
    nobody.get(&address).await.expect(StatusCode::SEE_OTHER);

    // Rights are looked up each time: gone with the grant, and with the label above one's clearance.
    world.grant(&handbook, "ada", None).await;
    ada.has = picture.headers.get("etag").cloned();
    ada.get(&address).await.expect(StatusCode::NOT_FOUND);
    let mut clara = world.signed_in("clara").await;
    clara.get(&address).await.expect(StatusCode::OK);
    world.submit(&handbook, "secret.pdf", &with_a_remark(RULES, "secret"), Some(Label::Secret)).await;
    world.ingest().await;
    let secret = world.app.store.document_by_source(handbook.id, "secret.pdf").await.unwrap().unwrap().id;
    clara.get(&format!("/documents/{secret}/pages/1.png")).await.expect(StatusCode::NOT_FOUND);
}

/// The same document in other bytes: what follows the end of a PDF file is not read.
fn with_a_remark(pdf: &[u8], remark: &str) -> Vec<u8> {
    [pdf, b"\n% ", remark.as_bytes(), b"\n"].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_versions_that_are_not_there_are_not_found() {
    let (world, handbook, id) = with_rules().await;
    let mut ada = world.signed_in("ada").await;
    for address in ["7.png", "0.png", "-1.png", "1.jpg", "1", "x.png", "99999999999.png", "1.png?version=2"] {
        ada.get(&format!("/documents/{id}/pages/{address}")).await.expect(StatusCode::NOT_FOUND);
    }
    let text = world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap().id;
    ada.get(&format!("/documents/{text}/pages/1.png")).await.expect(StatusCode::NOT_FOUND);
    let page = ada.get(&format!("/documents/{text}")).await.body;
    assert!(!page.contains("<img ") && page.contains("24 days"), "text stays text");

    // Another version has other pages.
    let before = ada.get(&format!("/documents/{id}/pages/1.png?version=1")).await.expect(StatusCode::OK).bytes;
    world.submit(&handbook, "rules.pdf", include_bytes!("../samples/safety/emergency-plan.pdf"), None).await;
    world.ingest().await;
    let after = ada.get(&format!("/documents/{id}/pages/1.png")).await.expect(StatusCode::OK).bytes;
    assert_ne!(before, after);
    let again = ada.get(&format!("/documents/{id}/pages/1.png?version=1")).await.expect(StatusCode::OK).bytes;
    assert_eq!(before, again);
    let older = ada.get(&format!("/documents/{id}?version=1")).await.body;
    assert!(older.contains(&format!("/documents/{id}/pages/1.png?version=1&")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cited_passage_is_marked_on_its_page_and_its_text_stands_under_it() {
    let (world, ..) = with_rules().await;
    let mut ada = world.signed_in("ada").await;
    let page = found(&mut ada, "wind+speed+crane+stop").await.body;
    assert_eq!(page.matches("class=\"mark mark-cited\"").count(), 1, "{page}");
    let (_, mark) = page.split_once("<rect id=\"p").expect("links lead to the mark");
    let passage = mark.split('"').next().unwrap();
    assert!(page.contains(&format!("id=\"t{passage}\"")), "its text has another name");
    let (_, after) = page.split_once("with the cited passage").expect("its text is open");
    assert!(after.contains("passage-cited"));
    // The text alone has the mark as before, and each view leads to the other.
    let mut links = page.split("href=\"").filter_map(|rest| rest.split('"').next());
    let text = links.find(|link| link.contains("view=text")).unwrap();
    let text = ada.get(&text.replace("&#38;", "&")).await.expect(StatusCode::OK).body;
    assert!(text.contains(&format!("id=\"p{passage}\"")) && !text.contains("<img "));
    assert!(text.contains("Pages as they look"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_reached_by_number_and_zoom_is_kept() {
    let (world, _, id) = with_rules().await;
    let mut ada = world.signed_in("ada").await;
    let page = ada.get(&format!("/documents/{id}?page=5&zoom=150")).await.expect(StatusCode::OK).body;
    assert!(page.contains("id=\"page-5\"") && page.contains("id=\"page-6\"") && !page.contains("id=\"page-4\""));
    assert!(page.contains("zoom-150") && page.contains("name=\"zoom\" value=\"150\""));
    assert!(page.contains(&format!("/documents/{id}?version=1&#38;page=4&#38;zoom=150#page-4")), "{page}");
    let last = ada.get(&format!("/documents/{id}?page=4000&zoom=7")).await.body;
    assert!(last.contains("id=\"page-6\"") && last.contains("zoom-100"));
    // What is no number gets a page, and not the words of a library.
    for wrong in ["?page=abc", "?zoom=-3", "/pages/1.png?width=-3", "/original?version=x"] {
        let page = ada.get(&format!("/documents/{id}{wrong}")).await.expect(StatusCode::BAD_REQUEST).body;
        assert!(page.contains("There is no page at this address") && page.contains("</html>"), "{wrong}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_with_their_document() {
    let (world, _, id) = with_rules().await;
    let mut clara = world.signed_in("clara").await;
    let address = format!("/documents/{id}/pages/1.png?version=1");
    clara.get(&address).await.expect(StatusCode::OK);
    let content = domain::ContentHash::of(RULES);
    assert!(world.app.pages.keeps(content));
    world.app.pages.tidy(&world.app.store).await.unwrap();
    assert!(world.app.pages.keeps(content), "the document is there");
    clara.post(&format!("/documents/{id}/delete"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(!world.app.pages.keeps(content));
    clara.get(&address).await.expect(StatusCode::NOT_FOUND);
}

/// The product whose pages are drawn by processes of the binary that is shipped.
fn confined(world: &mut TestApp) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("read-documents");
    let settings = Settings { workers: 1, files_per_worker: 1, memory_bytes: 512 << 20, ..Settings::default() };
    world.app.pages = Pages::confined(world.app.content.clone(), Pool::new(command, settings), 1);
}

/// A PDF file whose one page says these words, some way down from its upper left corner, and has this content beside.
/// `more` are further entries of the page.
pub fn pdf(words: &str, content: &str, more: &str) -> Vec<u8> {
    let content = format!("BT /F1 24 Tf 72 600 Td ({words}) Tj ET\n{content}");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {more} /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> /XObject << /X 6 0 R >> >> >>"
        ),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >> /Length 5 >>\n\
         stream\n/X Do\nendstream"
            .to_owned(),
    ];
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(file.len());
        file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    places.iter().for_each(|place| file.extend(format!("{place:010} 00000 n \n").bytes()));
    let root = objects.len() + 1;
    file.extend(format!("trailer\n<< /Size {root} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_pdf_costs_one_picture_and_its_text_stays() {
    let (mut world, handbook, id) = with_rules().await;
    confined(&mut world);
    let good = format!("/documents/{id}/pages/1.png");
    let mut ada = world.signed_in("ada").await;
    assert_eq!(size(&ada.get(&good).await.expect(StatusCode::OK)).0, 1000, "drawn by a process of its own");
    // A form that draws itself, and a depth of states that no page has.
    let deep = "q ".repeat(300_000);
    for (name, content) in [("self.pdf", "/X Do"), ("deep.pdf", deep.as_str())] {
        world.submit(&handbook, name, &pdf("The hostile lighthouse", content, ""), None).await;
        world.ingest().await;
        let document = world.app.store.document_by_source(handbook.id, name).await.unwrap().unwrap().id;
        let picture = ada.get(&format!("/documents/{document}/pages/1.png")).await;
        assert!(
            [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY].contains(&picture.status),
            "{name}: {}",
            picture.body
        );
        let page = ada.get(&format!("/documents/{document}")).await.expect(StatusCode::OK).body;
        assert!(page.contains("The hostile lighthouse"), "{name}: {page}");
        assert_eq!(size(&ada.get(&format!("{good}?width=500")).await.expect(StatusCode::OK)).0, 500, "after {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_drawn_is_shown_as_text() {
    let (mut world, _, id) = with_rules().await;
    let address = format!("/documents/{id}/pages/2.png");
    let drawn_within = |content: &ingest::ContentStore, memory_bytes: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("read-documents");
        let settings = Settings { workers: 1, memory_bytes, ..Settings::default() };
        Pages::confined(content.clone(), Pool::new(command, settings), 1)
    };
    // Memory for a small picture only, which is still offered when a large one has failed.
    world.app.pages = drawn_within(&world.app.content, 6 << 20);
    let mut ada = world.signed_in("ada").await;
    let refused = ada.get(&format!("{address}?width=2000")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(ada.get(&format!("/documents/{id}?page=2")).await.body.contains(&address));
    assert_eq!(ada.get(&format!("{address}?width=500")).await.status, StatusCode::OK);

    // Not for any.
    world.app.pages = drawn_within(&world.app.content, 1 << 20);
    let mut ada = world.signed_in("ada").await;
    let picture = ada.get(&format!("{address}?width=500")).await;
    assert_eq!(picture.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        picture.body.contains("This page cannot be drawn; read its text, or open the original."),
        "{}",
        picture.body
    );
    let page = ada.get(&format!("/documents/{id}?page=2")).await.body;
    assert!(page.contains("Page 2 is shown as text") && !page.contains(&address));
    assert!(page.contains("pages/3.png"), "the others may still come");
    let text = page.split_once("Text of page 2").unwrap().0;
    assert!(text.ends_with("</svg>") && text.rsplit("<details").next().unwrap().contains(" open"), "its text is open");
}
