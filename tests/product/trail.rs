//! The audit log as auditors and admins use it, and what happens when it cannot be written.

use crate::story::ask;
use crate::with_handbook;
use audit::{Action, Kept};
use axum::http::StatusCode;
use domain::Permission;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::time::Duration;
use testkit::TestApp;

const QUESTION: &str = "How many days of annual leave do I get in my first year?";

async fn database(world: &TestApp) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(world.data().join("carrel.db"))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_sees_who_read_a_passage_a_persons_day_and_the_charts_and_is_recorded() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    ask(&mut ada, QUESTION).await;
    let events = world.events().await;
    let shown = events.iter().find(|entry| entry.event.action == Action::PassagesShown).unwrap();
    let passage = &shown.event.detail["passages"][0];
    let mut emil = world.signed_in("emil").await;
    for id in [&passage["passage"], &passage["document"]] {
        let page = emil.get(&format!("/audit/readers?id={}", id.as_str().unwrap())).await.expect(StatusCode::OK).body;
        assert!(page.contains(">ada</a>") && !page.contains(">ben</a>"), "{page}");
    }
    let nobody = emil.get("/audit/readers?id=0195a1b2c3d47e5f8a9b0c1d2e3f4a5b").await.expect(StatusCode::OK).body;
    assert!(nobody.contains("It was shown to nobody"));
    assert!(emil.get("/audit/readers?id=handbook").await.expect(StatusCode::OK).body.contains("is no id"));

    let event = emil.get(&format!("/audit/{}", shown.sequence)).await.expect(StatusCode::OK);
    let day = emil.get(&event.link("/audit/day?person=ada")).await.expect(StatusCode::OK).body;
    for action in ["sign_in.succeeded", "question.asked", "passages.shown", "answer.finished"] {
        assert!(day.contains(action), "{action}: {day}");
    }
    assert!(emil.get("/audit/day?person=ada&day=someday").await.body.contains("is not a day"));
    let charts = emil.get("/audit/overview").await.expect(StatusCode::OK).body;
    assert!(charts.contains("<svg class=\"chart\"") && charts.contains("question.asked"), "{charts}");

    let labelled = emil.get("/audit?label=internal&action=passages.shown").await.expect(StatusCode::OK).body;
    assert!(labelled.contains("passages shown"), "{labelled}");
    assert!(!emil.get("/audit?label=secret").await.body.contains("passages shown"));
    let of = passage["document"].as_str().unwrap();
    assert!(emil.get(&format!("/audit?document={of}&person=ada")).await.body.contains("passages.shown"));

    let looks: Vec<_> =
        world.events().await.into_iter().filter(|entry| entry.event.action == Action::AuditRead).collect();
    let pages: Vec<&str> = looks.iter().map(|look| look.event.detail["page"].as_str().unwrap()).collect();
    for page in ["/audit", "/audit/{sequence}", "/audit/readers", "/audit/day", "/audit/overview"] {
        assert!(pages.contains(&page), "looking at {page} is recorded: {pages:?}");
    }
    assert!(looks.iter().all(|look| look.event.actor.name == "emil"));
    assert!(looks.iter().all(|look| look.event.label().is_none()), "looking for what is secret is no secret event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_signed_shown_as_a_code_and_holds_the_next_export() {
    let (world, _) = with_handbook().await;
    let mut emil = world.signed_in("emil").await;
    assert!(emil.get("/audit/checkpoint").await.expect(StatusCode::OK).body.contains("No checkpoint yet"));
    emil.get("/audit/checkpoint.svg").await.expect(StatusCode::NOT_FOUND);
    emil.post("/audit/checkpoint", &[]).await.expect(StatusCode::SEE_OTHER);
    let page = emil.get("/audit/checkpoint").await.expect(StatusCode::OK).body;
    assert!(page.contains("src=\"/audit/checkpoint.svg\""));
    let picture = emil.get("/audit/checkpoint.svg").await.expect(StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    let kept = Kept::parse(&emil.get("/audit/checkpoint.json").await.expect(StatusCode::OK).body).unwrap();

    let begun = emil.post("/audit/exports", &[("format", "jsonl")]).await.expect(StatusCode::SEE_OTHER);
    let address = begun.location.unwrap();
    let mut file = None;
    for _ in 0..300 {
        let page = emil.get(&address).await.expect(StatusCode::OK);
        if page.body.contains("Save the file") {
            file = Some(emil.get(&page.link("/audit/exports/")).await.expect(StatusCode::OK).body);
            break;
        }
        assert!(page.body.contains("http-equiv=\"refresh\""), "{}", page.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let file = file.expect("the export is done in time");
    let key = world.app.signing_key.public();
    let known = audit::verify::Known { key: Some(&key), kept: Some(&kept) };
    let verified = audit::verify::verify_against(file.as_bytes(), known).unwrap();
    assert_eq!(verified.since, Some(kept.size()));
    let mut dora = world.signed_in("dora").await;
    dora.get(&address).await.expect(StatusCode::FORBIDDEN);
    let verified = emil.post("/audit/verify", &[]).await.expect(StatusCode::OK).body;
    assert!(verified.contains("They lead to all 1 signed checkpoints"), "{verified}");
    let csv = [("format", "csv"), ("label", "secret")];
    let csv = emil.post("/audit/export", &csv).await.expect(StatusCode::OK).body;
    assert_eq!(csv.lines().count(), 1, "nothing secret was shown: {csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_how_much_is_asked_but_not_what_nor_of_few() {
    let (world, handbook) = with_handbook().await;
    let mut dora = world.signed_in("dora").await;
    assert!(dora.get("/admin/usage").await.expect(StatusCode::OK).body.contains("Too few to count"));
    let mut act = world.app.store.begin().await.unwrap();
    for name in ["ada", "ben", "clara", "dora", "emil"] {
        let user = world.app.store.user_by_name(name).await.unwrap().unwrap();
        for _ in 0..3 {
            let operation = domain::OperationId::new(world.app.store.environment());
            let event = audit::Event::new(Action::QuestionAsked, &audit::Actor::user(&user, None, None), operation);
            act.record(event.detail(serde_json::json!({ "question": "what does the regatta cost" }))).await.unwrap();
        }
    }
    act.commit().await.unwrap();
    world.grant(&handbook, "ben", Some(Permission::Read)).await;
    let page = dora.get("/admin/usage").await.expect(StatusCode::OK).body;
    assert!(page.contains("Everyone") && page.contains(">20<"), "15 questions, in tens: {page}");
    assert!(!page.contains("regatta") && !page.contains("ben"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_token_is_ever_in_the_log() {
    let (world, _) = with_handbook().await;
    let planted = ["planted-wrong-password-1", "planted-new-password-2", "crl_planted-unknown-token-3"];
    let mut nobody = world.browser();
    assert!(!nobody.sign_in("ada", planted[0]).await);
    let mut ada = world.signed_in("ada").await;
    let made = ada.post("/account/tokens", &[("name", "script"), ("days", "30"), ("scope", "ask")]).await;
    let token = world.token("ada").await;
    ask(&mut ada, QUESTION).await;
    let _ = world.program(Some(&token)).get("/v1/models").await;
    let _ = world.program(Some(planted[2])).get("/v1/models").await;
    let change =
        [("current", testkit::PASSWORD), ("new", planted[1]), ("repeat", planted[1]), ("password", planted[1])];
    ada.post("/account/password", &change).await;
    let mut emil = world.signed_in("emil").await;
    emil.get("/audit").await.expect(StatusCode::OK);
    let events = world.events().await;
    for action in [Action::SignInFailed, Action::TokenCreated, Action::TokenRefused, Action::QuestionAsked] {
        assert!(events.iter().any(|entry| entry.event.action == action), "{action} happened: {}", made.body);
    }
    let log: String = events.iter().map(audit::Entry::to_json).collect();
    let hashes: Vec<String> = {
        use sqlx::Row;
        let rows = sqlx::query("SELECT password_hash FROM users").fetch_all(&mut database(&world).await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    for secret in
        planted.into_iter().chain([token.as_str(), testkit::PASSWORD]).chain(hashes.iter().map(String::as_str))
    {
        assert!(!log.contains(secret), "{secret}");
    }
    // Changes say what was before and what is after.
    let mut dora = world.signed_in("dora").await;
    let ben = world.app.store.user_by_name("ben").await.unwrap().unwrap().id;
    let fields = [("action", "save"), ("display_name", "Ben"), ("role", "curator"), ("clearance", "internal")];
    dora.post(&format!("/people/{ben}"), &fields).await.expect(StatusCode::SEE_OTHER);
    let changed = world.events().await.into_iter().rfind(|entry| entry.event.action == Action::UserChanged).unwrap();
    let detail = &changed.event.detail;
    assert_eq!((&detail["before"]["role"], &detail["after"]["role"]), (&"staff".into(), &"curator".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_does_not_happen_and_health_says_why() {
    let (world, handbook) = with_handbook().await;
    let (mut ada, mut dora) = (world.signed_in("ada").await, world.signed_in("dora").await);
    assert!(!dora.get("/admin").await.expect(StatusCode::OK).body.contains("not writable"));
    let before = world.app.store.audit_last().await.unwrap();
    let mut raw = database(&world).await;
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END";
    sqlx::query(broken).execute(&mut raw).await.unwrap();

    ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::INTERNAL_SERVER_ERROR);
    let searched = ada.get("/search?q=annual+leave").await;
    assert!(searched.status.is_server_error() && !searched.body.contains("24 days"), "{}", searched.body);
    let document = world.app.store.document_by_source(handbook.id, "handbook.md").await.unwrap().unwrap().id;
    let opened = ada.get(&format!("/documents/{document}")).await;
    assert!(opened.status.is_server_error() && !opened.body.contains("24 days"));
    dora.post("/groups", &[("name", "pilots")]).await.expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert!(world.app.store.groups().await.unwrap().is_empty(), "nothing was done");
    assert_eq!(world.app.store.audit_last().await.unwrap(), before);
    let health = dora.get("/admin").await.expect(StatusCode::OK).body;
    assert!(health.contains("not writable") && health.contains("disk I/O error"), "{health}");

    sqlx::query("DROP TRIGGER broken").execute(&mut raw).await.unwrap();
    assert!(!dora.get("/admin").await.expect(StatusCode::OK).body.contains("not writable"));
    ask(&mut ada, QUESTION).await;
}
