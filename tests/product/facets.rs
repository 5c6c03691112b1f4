//! The search page as a product of its own: counts within one's rights, copies folded, and a site without answers.

use crate::api::program;
use crate::with_handbook;
use answer::{Answering, Settings};
use axum::http::StatusCode;
use domain::{Label, Permission};
use identity::TokenScope;
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::TestApp;

async fn facets(world: &TestApp, name: &str, filter: Value) -> Value {
    let program = program(world, name, TokenScope::Search).await;
    let body = json!({ "query": "tide table", "facets": true, "filter": filter });
    program.post("/api/v1/search", &body).await.expect(StatusCode::OK).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_never_count_what_is_hidden() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "a.txt", b"The tide table of the north pier, for ferries.", None).await;
    world.ingest().await;
    let before = facets(&world, "ada", json!({})).await["facets"].clone();
    assert_eq!(before["kinds"][0]["documents"], 1, "{before}");

    let closed = world.collection("closed").await;
    let french = "La table des marées du quai sud, avec les horaires des bateaux et des trains. Tide table.".as_bytes();
    world.submit(&closed, "b.html", b"<p>The tide table of the reactor, by another hand.</p>", None).await;
    world.submit(&closed, "c.txt", french, None).await;
    world
        .submit(&handbook, "d.html", b"<p>A secret tide table for the dock of the navy.</p>", Some(Label::Secret))
        .await;
    world.submit(&handbook, "e.html", b"<p>A narrowed tide table for one person alone.</p>", None).await;
    world.ingest().await;
    let narrowed = world.app.store.document_by_source(handbook.id, "e.html").await.unwrap().unwrap();
    let ben = world.app.store.user_by_name("ben").await.unwrap().unwrap();
    let mut act = world.app.store.begin().await.unwrap();
    act.narrow(narrowed.id, Some(&[ben.id.into()])).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    world.app.publisher.catch_up().await.unwrap();

    let told = facets(&world, "ada", json!({})).await;
    assert_eq!(told["facets"], before, "nothing of it shows");
    let with_filter = facets(&world, "ada", json!({ "kinds": ["text/html"] })).await;
    assert_eq!((&with_filter["total"], &with_filter["facets"]["collections"]), (&0.into(), &json!([])));
    // The counts of the kinds themselves are those without that choice.
    assert_eq!(with_filter["facets"]["kinds"], before["kinds"]);
    let mut ada = world.signed_in("ada").await;
    let page = ada.get("/search?q=tide+table").await.body;
    assert!(!page.contains("HTML") && !page.contains(">closed<") && !page.contains("French"), "{page}");

    world.grant(&closed, "ada", Some(Permission::Read)).await;
    let told = facets(&world, "ada", json!({})).await;
    assert_eq!(told["facets"]["collections"].as_array().unwrap().len(), 2);
    let page = ada.get("/search?q=tide+table").await.body;
    assert!(page.contains("HTML") && page.contains(">closed<"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_says_whether_there_may_be_more_than_it_looked_at() {
    let (world, handbook) = with_handbook().await;
    let berth = |berth: usize| {
        let bollards: String =
            (1..60).map(|bollard| format!("Bollard {bollard} holds {} lines. ", berth * bollard)).collect();
        format!("## Berth {berth}\n\nThe tide table of berth {berth}. {bollards}\n\n")
    };
    let berths = |range: std::ops::Range<usize>| "# Berths\n\n".to_owned() + &range.map(berth).collect::<String>();
    world.submit(&handbook, "few.md", berths(1..40).as_bytes(), None).await;
    world.ingest().await;
    let told = facets(&world, "ada", json!({})).await;
    let total = told["total"].as_u64().unwrap();
    assert!((39..200).contains(&total) && told["capped"] == false, "{total}");
    assert!(!world.signed_in("ada").await.get("/search?q=tide+table").await.body.contains("The best "));

    world.submit(&handbook, "many.md", berths(40..260).as_bytes(), None).await;
    world.ingest().await;
    let told = facets(&world, "ada", json!({})).await;
    let total = told["total"].as_u64().unwrap();
    assert!((100..=200).contains(&total) && told["capped"] == true, "copies are folded: {total}");
    let page = world.signed_in("ada").await.get("/search?q=tide+table").await.body;
    assert!(page.contains(&format!("The best {total} passages")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facet_narrows_and_its_other_values_stay_to_choose_from() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "a.txt", b"The tide table of the north pier, for ferries.", None).await;
    world.submit(&handbook, "b.html", b"<p>The tide table draft of the south pier, for tugs.</p>", None).await;
    world.ingest().await;
    let mut ada = world.signed_in("ada").await;
    let page = ada.get("/search?q=tide+table&type=text%2Fplain").await.body;
    assert!(page.contains("north pier") && !page.contains("south pier"), "{page}");
    assert!(page.contains("value=\"text/plain\" data-submit checked"), "{page}");
    assert!(page.contains("value=\"text/html\" data-submit>"), "the other kind can still be chosen: {page}");
    let year = world.app.store.environment().now().to_zoned(jiff::tz::TimeZone::system()).year();
    let page = ada.get(&format!("/search?q=tide+table&year={year}")).await.body;
    assert!(page.contains("north pier") && page.contains("south pier"));
    let page = ada.get("/search?q=tide+table&year=1999").await.body;
    assert!(!page.contains("north pier") && page.contains("Take back some"), "{page}");
    assert!(page.contains(&format!("value=\"{year}\" data-submit>")), "{page}");
    // Beyond the end of the list is its last page; what was not searched for was not missed.
    for from in ["20", "18446744073709551615"] {
        let beyond = ada.get(&format!("/search?q=tide+table&type=text%2Fplain&from={from}")).await;
        assert_eq!(beyond.expect(StatusCode::SEE_OTHER).headers["location"], "/search?q=tide+table&type=text%2Fplain");
    }
    for unasked in ["q=&type=text%2Fplain", "q=tide&since=yesterday"] {
        let page = ada.get(&format!("/search?{unasked}")).await.expect(StatusCode::OK).body;
        assert!(page.contains("Nothing was searched for") && !page.contains("No passage that you"), "{page}");
    }
    for wrong in ["year=soon", "year=99999", "type=%27", "from=x", "collection=x", "language=%22%3E"] {
        ada.get(&format!("/search?q=tide&{wrong}")).await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_folded_and_many_results_come_in_parts() {
    let (world, handbook) = with_handbook().await;
    let text = "The tide table of the north pier lists every ferry by name, hour and berth for all of the year.";
    world.submit(&handbook, "one.txt", text.as_bytes(), None).await;
    world.submit(&handbook, "two.md", format!("# Reprint\n\n{text}\n").as_bytes(), None).await;
    world.submit(&handbook, "hidden.md", format!("# Hidden\n\n{text}\n").as_bytes(), Some(Label::Secret)).await;
    for number in 0..30 {
        let line = format!("Tide gauge {number}: measured by keeper number {number} at mark {}.", number * 7 + 3);
        world.submit(&handbook, &format!("gauge-{number}.txt"), line.as_bytes(), None).await;
    }
    world.ingest().await;
    let ada = program(&world, "ada", TokenScope::Search).await;
    let search = async |limit: u32, offset: u32| {
        let body = json!({ "query": "tide", "limit": limit, "offset": offset });
        ada.post("/api/v1/search", &body).await.expect(StatusCode::OK).json()
    };
    let all = search(200, 0).await;
    let results = all["results"].as_array().unwrap();
    assert_eq!(all["total"].as_u64().unwrap(), results.len() as u64);
    let with_copy: Vec<&Value> = results.iter().filter(|result| result["also_in"] != json!([])).collect();
    assert_eq!(with_copy.len(), 1, "{with_copy:?}");
    assert_eq!(with_copy[0]["also_in"].as_array().unwrap().len(), 1, "and the hidden copy is not told");
    let (first, second) = (search(20, 0).await, search(20, 20).await);
    let parts = [first["results"].as_array().unwrap().as_slice(), second["results"].as_array().unwrap()].concat();
    assert_eq!(parts, results[..parts.len()]);
    assert_eq!(search(20, 5000).await["results"], json!([]));

    let mut browser = world.signed_in("ada").await;
    let page = browser.get("/search?q=tide").await.body;
    assert!(page.contains("/search?q=tide&amp;from=20") || page.contains("/search?q=tide&#38;from=20"), "{page}");
    let page = browser.get("/search?q=tide&from=20").await.body;
    assert!(page.contains("21–"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_answers_searching_is_all_there_is() {
    let (mut world, _) = with_handbook().await;
    // Nor is there any model that could write one.
    let (index, embedder) = (Arc::clone(&world.app.index), Arc::clone(world.app.answering.embedder()));
    world.app.answering = Answering::new(world.app.store.clone(), index, embedder, None, Settings::default());
    let site = web::Site { answers: false, ..(*world.app.site).clone() };
    world.app.site = Arc::new(site);
    let mut ada = world.signed_in("ada").await;
    assert_eq!(ada.get("/").await.location.as_deref(), Some("/search"));
    assert_eq!(ada.get("/ask").await.location.as_deref(), Some("/search"));
    let page = ada.get("/search?q=annual+leave").await.expect(StatusCode::OK).body;
    assert!(page.contains("24 days") && !page.contains("href=\"/ask\""), "{page}");
    ada.post("/ask", &[("question", "How many days?")]).await.expect(StatusCode::FORBIDDEN);
    let lost = ada.get("/nothing").await.expect(StatusCode::NOT_FOUND).body;
    assert!(!lost.contains("href=\"/ask\""), "{lost}");
    let program = program(&world, "ada", TokenScope::Search).await;
    let told = program.post("/api/v1/ask", &json!({ "question": "How many?" })).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(told.json()["error"]["code"], "answers_off");
    let body = json!({ "model": "carrel", "messages": [{ "role": "user", "content": "How many?" }] });
    let told = world.program_of("ada").await.post("/v1/chat/completions", &body).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(told.json()["error"]["code"], "answers_off");
    world.browser().get("/readyz").await.expect(StatusCode::OK);
    let health = world.signed_in("dora").await.get("/admin").await.expect(StatusCode::OK).body;
    assert!(!health.contains("nothing can be answered") && !health.contains("Answer time"), "{health}");
    let asked = world.events().await.iter().filter(|entry| entry.event.action == audit::Action::QuestionAsked).count();
    assert_eq!(asked, 0);
}
