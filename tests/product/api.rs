//! Carrel's own interface for programs: every route as its owner, as a stranger, without a token, with a wrong one.

use crate::remote::with_engine;
use crate::with_handbook;
use audit::Action;
use axum::http::{Method, StatusCode};
use domain::{Collection, DocumentId, Label, Permission};
use identity::TokenScope;
use serde_json::{Value, json};
use testkit::{Behaviour, Program, TestApp, Told, Upstream};

const QUESTION: &str = "How many days of annual leave do I get in my first year?";
const ANSWER: &str = "In the first year every employee receives 24 days of annual leave [1].";

/// A program that acts for `name`, with a token for this alone.
pub(crate) async fn program(world: &TestApp, name: &str, scope: TokenScope) -> Program {
    let token = world.token_for(name, scope).await.unwrap();
    world.program(Some(&token))
}

async fn handbook_of(world: &TestApp, collection: &Collection) -> DocumentId {
    world.app.store.document_by_source(collection.id, "handbook.md").await.unwrap().unwrap().id
}

async fn count(world: &TestApp, action: Action) -> usize {
    world.events().await.iter().filter(|entry| entry.event.action == action).count()
}

/// The code of an error, whose shape is what it must be.
fn code(told: &Told) -> String {
    let body = told.json();
    let error = body["error"].as_object().unwrap_or_else(|| panic!("{}", told.text));
    assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "message", "operation_id"], "{}", told.text);
    assert_eq!(error["operation_id"], told.headers["x-operation-id"].to_str().unwrap());
    assert!(!error["message"].as_str().unwrap().is_empty());
    error["code"].as_str().unwrap().to_owned()
}

/// A request, what its token must be for, and the status that ada (reads), ben (a stranger), clara (manages), dora
/// (admin) and emil (auditor) get.
type Row = (Method, String, Value, TokenScope, [u16; 5]);

#[tokio::test(flavor = "multi_thread")]
async fn every_route_as_everybody() {
    use TokenScope::{Manage, Search};
    let (world, handbook) = with_handbook().await;
    let document = handbook_of(&world, &handbook).await;
    let clara = program(&world, "clara", Manage).await;
    let address = format!("/api/v1/documents?collection={}", handbook.id);
    let sent = clara.upload(&address, &[], &[("cut.pdf", "%PDF-1.7 cut off")]).await.expect(StatusCode::ACCEPTED);
    let batch = sent.json()["batch"].as_str().unwrap().to_owned();
    world.ingest().await;
    let jobs = clara.get(&format!("/api/v1/jobs?batch={batch}")).await.expect(StatusCode::OK).json();
    let job = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();

    let get = |path: &str, scope, gets| -> Row { (Method::GET, path.to_owned(), Value::Null, scope, gets) };
    let post = |path: &str, body, scope, gets| -> Row { (Method::POST, path.to_owned(), body, scope, gets) };
    let (one, hidden) = (format!("/api/v1/documents/{document}"), [200, 404, 200, 404, 404]);
    let batches = format!("/api/v1/batches/{batch}");
    let rows: Vec<Row> = vec![
        post("/api/v1/search", json!({ "query": "annual leave" }), Search, [200; 5]),
        post("/api/v1/search", json!({ "query": "leave", "filter": { "collections": ["Handbook"] } }), Search, hidden),
        post("/api/v1/ask", json!({ "question": QUESTION, "filter": { "collections": ["none"] } }), Search, [404; 5]),
        get("/api/v1/collections", Search, [200; 5]),
        get("/api/v1/documents", Search, [200; 5]),
        get("/api/v1/documents?collection=Handbook", Search, hidden),
        get(&one, Search, hidden),
        get(&format!("{one}/original"), Search, hidden),
        get(&format!("{one}/passages"), Search, hidden),
        get("/api/v1/jobs", Manage, [403, 403, 200, 200, 403]),
        // An admin sees all jobs but for those of documents above the own clearance: this one is internal.
        get(&format!("/api/v1/jobs/{job}"), Manage, [404, 404, 200, 200, 404]),
        post(&format!("/api/v1/jobs/{job}/pause"), Value::Null, Manage, [404; 5]),
        get("/api/v1/batches", Manage, [200; 5]),
        get(&batches, Manage, [404, 404, 200, 200, 404]),
        get(&format!("{batches}/failures"), Manage, [404, 404, 200, 200, 404]),
        post(&format!("{batches}/pause"), Value::Null, Manage, [404, 404, 200, 200, 404]),
        post(&format!("{batches}/explode"), Value::Null, Manage, [404; 5]),
        get("/api/v1/models", Manage, [403, 403, 403, 200, 403]),
        get("/api/v1/users", Manage, [403, 403, 403, 200, 403]),
        get("/api/v1/groups", Manage, [403, 403, 403, 200, 403]),
        get("/api/v1/audit", Manage, [403, 403, 403, 403, 200]),
        // Whoever may only read is told so; to a stranger it is not there.
        (Method::DELETE, one.clone(), Value::Null, Manage, [403, 404, 204, 404, 404]),
        (Method::DELETE, one.clone(), Value::Null, Manage, [404; 5]),
        post("/api/v1/nothing", Value::Null, Search, [404; 5]),
        get("/api", Search, [404; 5]),
    ];
    let people = ["ada", "ben", "clara", "dora", "emil"];
    let mut search = Vec::new();
    let mut manage = Vec::new();
    for name in people {
        search.push(program(&world, name, Search).await);
        manage.push(program(&world, name, Manage).await);
    }
    let (chat, nobody) = (program(&world, "clara", TokenScope::Chat).await, world.program(None));
    let mut cookie = world.signed_in("clara").await;
    for (method, path, body, scope, expected) in rows {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let known = !["/api", "/api/v1/nothing"].contains(&path.as_str());
        if known {
            let told = nobody.send(method.clone(), &path, &[], body.clone()).await.expect(StatusCode::UNAUTHORIZED);
            assert_eq!(
                (code(&told).as_str(), &told.headers["www-authenticate"]),
                ("invalid_token", &"Bearer".parse().unwrap())
            );
            let other = if scope == Search { &manage[2] } else { &search[2] };
            for wrong in [other, &chat] {
                let told = wrong.send(method.clone(), &path, &[], body.clone()).await.expect(StatusCode::FORBIDDEN);
                assert_eq!(code(&told), "insufficient_scope", "{path}");
            }
            if method == Method::GET {
                assert_eq!(cookie.get(&path).await.status, StatusCode::UNAUTHORIZED, "a cookie is no token: {path}");
            }
        }
        for (at, name) in people.into_iter().enumerate() {
            let caller = if scope == Search { &search[at] } else { &manage[at] };
            let told = caller.send(method.clone(), &path, &[], body.clone()).await;
            assert_eq!(told.status.as_u16(), expected[at], "{name}: {method} {path}: {}", told.text);
            match told.status.as_u16() {
                404 => assert!(["not_found", "collection_not_found"].contains(&code(&told).as_str()), "{path}"),
                403 => assert_eq!(code(&told), "forbidden", "{path}"),
                _ => {}
            }
        }
    }
    let description = nobody.get("/api/v1/openapi.json").await.expect(StatusCode::OK).json();
    assert_eq!(description["openapi"], "3.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_answers_in_the_same_words_as_what_is_not_there() {
    let (world, handbook) = with_handbook().await;
    let document = handbook_of(&world, &handbook).await;
    let ben = program(&world, "ben", TokenScope::Search).await;
    let message = async |address: String| ben.get(&address).await.json()["error"]["message"].clone();
    let none = DocumentId::new(world.app.store.environment());
    for rest in ["", "/original", "/passages"] {
        let hidden = message(format!("/api/v1/documents/{document}{rest}")).await;
        assert_eq!(hidden, message(format!("/api/v1/documents/{none}{rest}")).await);
    }
    let body = |name: &str| json!({ "query": "leave", "filter": { "collections": [name] } });
    let hidden = ben.post("/api/v1/search", &body("Handbook")).await.json();
    let missing = ben.post("/api/v1/search", &body("Nothing!")).await.json();
    let words = |told: &Value| told["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(words(&hidden).replace("Handbook", ""), words(&missing).replace("Nothing!", ""));
    assert!(count(&world, Action::DocumentRefused).await >= 6, "both are written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_tells_passages_with_their_places_and_marks_and_is_recorded_like_a_pages() {
    let (world, handbook) = with_handbook().await;
    let ada = program(&world, "ada", TokenScope::Search).await;
    let told = ada.post("/api/v1/search", &json!({ "query": "annual leave" })).await.expect(StatusCode::OK).json();
    let best = &told["results"][0];
    assert_eq!((&best["title"], &best["label"]), (&"Employee Handbook".into(), &"internal".into()));
    assert_eq!((&best["rank"], &best["version"], &best["source"]), (&1.into(), &1.into(), &"handbook.md".into()));
    assert_eq!(best["document_id"], handbook_of(&world, &handbook).await.to_string());
    let pieces = best["snippet"].as_array().unwrap();
    let marked: Vec<&str> =
        pieces.iter().filter(|piece| piece["match"] == true).map(|piece| piece["text"].as_str().unwrap()).collect();
    assert!(marked.contains(&"leave"), "{pieces:?}");
    let snippet: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
    assert!(best["text"].as_str().unwrap().contains(snippet.trim_matches(['…', ' '])), "{snippet}");
    assert!(told["facets"].is_null() && told["total"].as_u64().unwrap() >= 1);

    let mut browser = world.signed_in("ada").await;
    browser.get("/search?q=annual+leave").await.expect(StatusCode::OK);
    let events = world.events().await;
    let searches: Vec<_> = events.iter().filter(|entry| entry.event.action == Action::SearchPerformed).collect();
    let [by_program, by_page] = searches[..] else { panic!("{searches:?}") };
    assert_eq!(by_program.event.detail, by_page.event.detail);
    assert_eq!(by_program.event.actor.name, "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused_by_name() {
    let (world, _) = with_handbook().await;
    let ada = program(&world, "ada", TokenScope::Search).await;
    for (body, word) in [
        (json!({}), "query"),
        (json!({ "query": " " }), "query"),
        (json!({ "query": "x", "limit": 0 }), "limit"),
        (json!({ "query": "x", "limit": 1000 }), "limit"),
        (json!({ "query": "x", "page": 1 }), "page"),
        (json!({ "query": "x", "filter": { "colections": [] } }), "colections"),
        (json!({ "query": "x", "filter": { "since": "soon" } }), "soon"),
        (json!({ "query": "x".repeat(401) }), "400"),
    ] {
        let told = ada.post("/api/v1/search", &body).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(code(&told), "invalid");
        assert!(told.text.contains(word), "{}", told.text);
    }
    for address in ["/api/v1/documents?limit=x", "/api/v1/documents?colection=x", "/api/v1/documents?limit=201"] {
        assert_eq!(code(&ada.get(address).await.expect(StatusCode::BAD_REQUEST)), "invalid");
    }
    let long = "x".repeat(3 << 20);
    let told = ada.post("/api/v1/search", &json!({ "query": long })).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(code(&told), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_its_way_from_upload_to_deletion() {
    let (world, handbook) = with_handbook().await;
    let address = format!("/api/v1/documents?collection={}", handbook.id);
    let ada = program(&world, "ada", TokenScope::Manage).await;
    let file = [("tides/table.txt", "The tide table counts ferries at the north pier.")];
    assert_eq!(code(&ada.upload(&address, &[], &file).await.expect(StatusCode::FORBIDDEN)), "forbidden");
    let ben = program(&world, "ben", TokenScope::Manage).await;
    assert_eq!(code(&ben.upload(&address, &[], &file).await.expect(StatusCode::NOT_FOUND)), "collection_not_found");

    let clara = program(&world, "clara", TokenScope::Manage).await;
    let above = clara.upload(&address, &[("label", "secret")], &file).await.expect(StatusCode::BAD_REQUEST);
    assert!(above.text.contains("clearance"), "{}", above.text);
    let told = clara.upload(&address, &[("label", "public"), ("title", "Tides")], &file).await;
    let told = told.expect(StatusCode::ACCEPTED).json();
    assert_eq!((&told["queued"], &told["files"][0]["state"]), (&1.into(), &"queued".into()));
    let batch = format!("/api/v1/batches/{}", told["batch"].as_str().unwrap());
    let waiting = clara.get(&batch).await.expect(StatusCode::OK).json();
    assert_eq!((&waiting["title"], &waiting["jobs"]["waiting"]), (&"Tides".into(), &1.into()));

    let paused = clara.post(&format!("{batch}/pause"), &Value::Null).await.expect(StatusCode::OK).json();
    assert_eq!((&paused["changed_jobs"], &paused["batch"]["jobs"]["paused"]), (&1.into(), &1.into()));
    let _ = clara.post(&format!("{batch}/resume"), &Value::Null).await.expect(StatusCode::OK);
    world.ingest().await;
    let done = clara.get(&batch).await.json();
    assert_eq!((&done["jobs"]["done"], &done["unembedded_documents"]), (&1.into(), &0.into()));

    let reads = program(&world, "clara", TokenScope::Search).await;
    let list = reads.get("/api/v1/documents?collection=Handbook&limit=1&offset=1").await.json();
    assert_eq!((&list["total"], list["documents"].as_array().unwrap().len()), (&2.into(), 1));
    let found = reads.post("/api/v1/search", &json!({ "query": "tide ferries" })).await.json();
    let id = found["results"][0]["document_id"].as_str().unwrap().to_owned();
    let one = format!("/api/v1/documents/{id}");
    let document = reads.get(&one).await.expect(StatusCode::OK).json();
    assert_eq!((&document["label"], &document["sources"]), (&"public".into(), &json!(["tides/table.txt"])));
    assert_eq!((&document["versions"][0]["version"], &document["children"]), (&1.into(), &json!([])));
    assert_eq!(reads.get(&format!("{one}/original")).await.text, file[0].1);
    let passages = reads.get(&format!("{one}/passages")).await.json();
    assert!(passages["passages"][0]["text"].as_str().unwrap().contains("north pier"));
    let _ = reads.get(&format!("{one}?version=7")).await.expect(StatusCode::NOT_FOUND);
    assert!(count(&world, Action::DocumentOpened).await >= 3);

    let _ = clara.delete(&one).await.expect(StatusCode::NO_CONTENT);
    let _ = reads.get(&one).await.expect(StatusCode::NOT_FOUND);
    let found = reads.post("/api/v1/search", &json!({ "query": "tide ferries" })).await.json();
    assert!(!found["results"].to_string().contains("north pier"));
    assert_eq!(count(&world, Action::DocumentDeleted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_failed_is_tried_again_and_its_reason_told() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "heliotrope.pdf", b"%PDF-1.7 cut off", Some(Label::Secret)).await;
    let clara = program(&world, "clara", TokenScope::Manage).await;
    let address = format!("/api/v1/documents?collection={}", handbook.id);
    let sent = clara.upload(&address, &[], &[("rota.pdf", "%PDF-1.7 cut off as well")]).await.json();
    world.ingest().await;
    let failed = clara.get("/api/v1/jobs?state=failed").await.expect(StatusCode::OK);
    assert!(!failed.text.contains("heliotrope"), "above the own clearance: {}", failed.text);
    let job = failed.json()["jobs"][0].clone();
    assert_eq!((&job["source"], &job["document_id"]), (&"rota.pdf".into(), &Value::Null));
    assert!(!job["reason"].as_str().unwrap().is_empty());
    let failures = clara.get(&format!("/api/v1/batches/{}/failures", sent["batch"].as_str().unwrap())).await.json();
    assert_eq!((&failures[0]["source"], &failures[0]["reason"]), (&job["source"], &job["reason"]));

    let one = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let retried = clara.post(&format!("{one}/retry"), &Value::Null).await.expect(StatusCode::OK).json();
    assert_eq!(retried["state"], "waiting");
    let cancelled = clara.post(&format!("{one}/cancel"), &Value::Null).await.expect(StatusCode::OK).json();
    assert_eq!(cancelled["state"], "cancelled");
    let late = clara.post(&format!("{one}/cancel"), &Value::Null).await.expect(StatusCode::CONFLICT);
    assert_eq!(code(&late), "conflict");
    assert_eq!((count(&world, Action::JobRetried).await, count(&world, Action::JobCancelled).await), (1, 1));
    let _ = clara.get("/api/v1/jobs?state=lost").await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_whole_or_as_it_is_made_within_its_filter() {
    let upstream = Upstream::start(Behaviour::Says(ANSWER.split_inclusive(' ').map(str::to_owned).collect())).await;
    let world = with_engine(&upstream).await;
    let ada = program(&world, "ada", TokenScope::Search).await;
    let told = ada.post("/api/v1/ask", &json!({ "question": QUESTION })).await.expect(StatusCode::OK).json();
    assert_eq!(
        (&told["state"], &told["supported"], &told["label"]),
        (&"finished".into(), &true.into(), &"internal".into())
    );
    assert_eq!(told["text"], "In the first year every employee receives 24 days of annual leave. [1]");
    assert_eq!(told["citations"][0]["title"], "Employee Handbook");
    // What tells it from another document of this title.
    let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap().id.to_string();
    let citation = &told["citations"][0];
    assert_eq!((&citation["collection_id"], &citation["source"]), (&handbook.into(), &"handbook.md".into()));

    let asked = json!({ "question": QUESTION, "conversation_id": told["conversation_id"], "stream": true });
    let stream = ada.post("/api/v1/ask", &asked).await.expect(StatusCode::OK);
    let events: Vec<&str> = stream.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let first = |name: &str| events.iter().position(|event| *event == name).unwrap_or_else(|| panic!("{events:?}"));
    assert!(first("sources") < first("text") && first("text") < first("answer"), "{events:?}");
    assert_eq!(*events.last().unwrap(), "answer");
    assert!(stream.text.contains(told["conversation_id"].as_str().unwrap()));

    let elsewhere = json!({ "question": QUESTION, "filter": { "path": "nowhere/" } });
    let told = ada.post("/api/v1/ask", &elsewhere).await.expect(StatusCode::OK).json();
    assert_eq!((&told["state"], &told["citations"]), (&"refused".into(), &json!([])));
    let events = world.events().await;
    let asked: Vec<_> = events.iter().filter(|entry| entry.event.action == Action::QuestionAsked).collect();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].event.detail["filter"]["path"], "nowhere/");

    let ben = program(&world, "ben", TokenScope::Search).await;
    let foreign = json!({ "question": QUESTION, "conversation_id": told["conversation_id"] });
    assert_eq!(code(&ben.post("/api/v1/ask", &foreign).await.expect(StatusCode::BAD_REQUEST)), "invalid");
    let told = ben.post("/api/v1/ask", &json!({ "question": QUESTION })).await.expect(StatusCode::OK).json();
    assert_eq!(told["state"], "refused");

    upstream.behave(Behaviour::Refuses(StatusCode::INTERNAL_SERVER_ERROR, "broken".to_owned()));
    let broken = ada.post("/api/v1/ask", &json!({ "question": QUESTION })).await.expect(StatusCode::BAD_GATEWAY);
    assert_eq!(code(&broken), "engine_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_route_takes_the_same_filter() {
    let upstream = Upstream::start(Behaviour::Says(vec![ANSWER.to_owned()])).await;
    let world = with_engine(&upstream).await;
    let ada = world.program_of("ada").await;
    let ask = async |filter: Value| {
        let message = json!({ "role": "user", "content": QUESTION });
        let body = json!({ "model": "carrel", "messages": [message], "carrel": { "filter": filter } });
        ada.post("/v1/chat/completions", &body).await
    };
    let state = |told: Told| told.json()["choices"][0]["message"]["carrel"]["state"].clone();
    assert_eq!(state(ask(json!({ "kinds": ["text/markdown"] })).await.expect(StatusCode::OK)), "finished");
    assert_eq!(state(ask(json!({ "kinds": ["application/pdf"] })).await.expect(StatusCode::OK)), "refused");
    let missing = ask(json!({ "collections": ["Nothing"] })).await.expect(StatusCode::NOT_FOUND).json();
    assert_eq!(missing["error"]["param"], "carrel.filter.collections");
    let unknown = ask(json!({ "kind": ["application/pdf"] })).await.expect(StatusCode::BAD_REQUEST).json();
    assert!(unknown["error"]["message"].as_str().unwrap().contains("kind"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_for_admins_and_auditors_are_to_read() {
    let (world, handbook) = with_handbook().await;
    let dora = program(&world, "dora", TokenScope::Manage).await;
    let users = dora.get("/api/v1/users").await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 5);
    assert!(!users.to_string().contains("argon2"), "{users}");
    assert_eq!(dora.get("/api/v1/groups").await.json()["groups"], json!([]));
    assert!(dora.get("/api/v1/models").await.json()["models"].is_array());
    let emil = program(&world, "emil", TokenScope::Manage).await;
    let part = emil.get("/api/v1/audit?limit=2").await.expect(StatusCode::OK).json();
    let before = part["before"].as_u64().unwrap();
    assert_eq!(part["entries"][1]["sequence"], before);
    let next = emil.get(&format!("/api/v1/audit?limit=2&before={before}")).await.json();
    assert_eq!(next["entries"][0]["sequence"], before - 1);
    let chosen = emil.get("/api/v1/audit?action=document.published").await.json();
    assert_eq!(chosen["entries"].as_array().unwrap().len(), 1);
    let _ = emil.get("/api/v1/audit?action=nothing").await.expect(StatusCode::BAD_REQUEST);
    world.grant(&handbook, "emil", Some(Permission::Read)).await;
    let shelf = program(&world, "emil", TokenScope::Search).await.get("/api/v1/collections").await.json();
    assert_eq!(
        (&shelf["collections"][0]["permission"], &shelf["collections"][0]["documents"]),
        (&"read".into(), &1.into())
    );
}
