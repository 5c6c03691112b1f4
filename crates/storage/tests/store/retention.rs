use crate::world::World;
use audit::export::Format;
use audit::verify::{FaultKind, verify};
use audit::{Action, Actor, Event, SigningKey};
use domain::{Label, OperationId, User};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use storage::{AuditFilter, LegalHold, RetentionClass, RetentionError};
use uuid::Uuid;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn class(name: &str, patterns: &[&str], labels: &[Label], days: u32) -> RetentionClass {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    RetentionClass::new(name, &patterns, labels.to_vec(), days).unwrap()
}

async fn record(world: &World, who: &User, action: Action, detail: serde_json::Value) -> u64 {
    let mut act = world.begin().await;
    let operation = OperationId::new(&world.environment);
    let event = Event::new(action, &Actor::user(who, None, None), operation).detail(detail);
    let sequence = act.record(event).await.unwrap().sequence;
    act.commit().await.unwrap();
    sequence
}

async fn place(world: &World, name: &str, person: Option<&str>, document: Option<Uuid>, times: [Option<Timestamp>; 2]) {
    let hold = LegalHold {
        id: domain::OperationId::new(&world.environment).uuid(),
        name: name.to_owned(),
        person: person.map(str::to_owned),
        document,
        since: times[0],
        until: times[1],
        placed_at: world.now(),
        released_at: None,
    };
    world.write(async |act| act.place_hold(&hold).await).await.unwrap();
}

async fn purge(world: &World, classes: &[RetentionClass]) -> u64 {
    world.store.purge_audit(classes, &Actor::system(), OperationId::new(&world.environment)).await.unwrap()
}

async fn gone(world: &World, sequence: u64) -> bool {
    world.store.audit_purged(sequence).await.unwrap().is_some()
}

#[tokio::test]
async fn what_is_purged_is_gone_and_the_chain_still_verifies() {
    let world = World::new().await;
    let key = SigningKey::generate(&world.environment);
    let anna = world.user("anna").await;
    let document = Uuid::from_u128(99);
    let asked = record(&world, &anna, Action::QuestionAsked, json!({ "question": "the salary of ben" })).await;
    let shown = record(
        &world,
        &anna,
        Action::PassagesShown,
        json!({ "passages": [{ "document": document, "label": "secret" }] }),
    )
    .await;
    let changed = record(&world, &anna, Action::GrantChanged, json!({})).await;
    world.store.checkpoint(&key).await.unwrap();
    world.wait(DAY * 40);
    let late = record(&world, &anna, Action::QuestionAsked, json!({ "question": "later" })).await;

    let classes = [
        class("questions", &["question.asked", "passages.*"], &[], 30),
        class("secret", &["*"], &[Label::Secret], 365),
    ];
    assert_eq!(world.store.audit_due(&classes).await.unwrap(), [("questions".to_owned(), 1), ("secret".to_owned(), 0)]);
    assert_eq!(purge(&world, &classes).await, 1);
    assert!(gone(&world, asked).await, "older than its class keeps it");
    assert!(!gone(&world, shown).await, "the class that keeps it longer counts");
    assert!(!gone(&world, changed).await && !gone(&world, late).await, "of no class, or too young");
    assert_eq!(purge(&world, &classes).await, 0, "once and for all");
    world.wait(DAY * 400);
    assert_eq!(purge(&world, &classes).await, 2);
    assert!(gone(&world, shown).await && gone(&world, late).await);

    let checked = world.store.check_audit(Some(&key.public())).await.unwrap().unwrap();
    assert_eq!((checked.purged, checked.checkpoints), (3, 1));
    let file = world.store.export_audit(Format::Jsonl, &AuditFilter::default(), &key, Vec::new()).await.unwrap();
    assert_eq!(verify(&file[..], Some(&key.public())).unwrap().purged, 3);
    let text = String::from_utf8(file).unwrap();
    assert!(!text.contains("salary") && text.contains("\"class\":\"questions\""));
    let found = AuditFilter { document: Some(document.to_string()), ..AuditFilter::default() };
    assert!(world.store.audit_entries(&found, None, 10).await.unwrap().is_empty(), "nor is it found any more");
    assert!(world.store.readers_of(document, 10).await.unwrap().is_empty());
    let (at, action, by) = world.store.audit_purged(asked).await.unwrap().unwrap();
    assert_eq!((action, by > asked, at < world.now()), (Action::QuestionAsked, true, true));
}

#[tokio::test]
async fn a_legal_hold_beats_purging_until_it_is_released() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let document = Uuid::from_u128(7);
    let of_anna = record(&world, &anna, Action::QuestionAsked, json!({})).await;
    let about_anna = record(&world, &ben, Action::UserChanged, json!({ "user": anna.id })).await;
    let of_document = record(&world, &ben, Action::DocumentOpened, json!({ "document": document })).await;
    world.wait(DAY);
    let start = world.now();
    let that_day = record(&world, &ben, Action::QuestionAsked, json!({})).await;
    world.wait(DAY);
    let free = record(&world, &ben, Action::QuestionAsked, json!({})).await;
    place(&world, "case of anna", Some("anna"), None, [None, None]).await;
    place(&world, "document", None, Some(document), [None, None]).await;
    place(&world, "that day", None, None, [Some(start), Some(start + DAY)]).await;
    world.wait(DAY * 10);
    let classes = [class("all", &["*"], &[], 5)];
    purge(&world, &classes).await;
    assert!(gone(&world, free).await);
    for held in [of_anna, about_anna, of_document, that_day] {
        assert!(!gone(&world, held).await, "event {held} is held");
    }
    world.write(async |act| act.release_hold("document").await).await.unwrap();
    assert!(world.write(async |act| act.release_hold("document").await).await.is_err(), "it holds no longer");
    purge(&world, &classes).await;
    assert!(gone(&world, of_document).await && !gone(&world, of_anna).await);
    let holds = world.store.legal_holds().await.unwrap();
    assert_eq!(holds.iter().filter(|hold| hold.released_at.is_none()).count(), 2);
    world.store.check_audit(None).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_database_lets_no_content_go_without_its_record() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let asked = record(&world, &anna, Action::QuestionAsked, json!({})).await;
    let entry = world.store.audit_from(asked, 1).await.unwrap().remove(0);
    let stub = audit::Purged::of(&entry).to_json();
    let record_of_purge = record(&world, &anna, Action::AuditPurged, json!({ "sequences": [] })).await;
    let mut raw = world.raw().await;
    let update = |by: u64, entry: &str, of: u64| {
        format!("UPDATE audit_events SET actor = '', purged_by = {by}, entry = '{entry}' WHERE sequence = {of}")
    };
    for statement in [
        update(1, &stub, asked),
        update(asked, &stub, asked),
        update(record_of_purge + 1, &stub, asked),
        update(record_of_purge, "{\"purged\":true}", asked),
        update(record_of_purge, &stub, record_of_purge),
        format!("UPDATE audit_events SET purged_by = {record_of_purge} WHERE sequence = {asked}"),
        format!("DELETE FROM audit_mentions WHERE sequence = {asked}"),
    ] {
        let error = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut raw).await.unwrap_err();
        assert!(error.to_string().contains("the audit log"), "{statement}: {error}");
    }
    // Past the triggers the chain itself tells: no event names this one as purged.
    sqlx::query(sqlx::AssertSqlSafe(update(record_of_purge, &stub, asked))).execute(&mut raw).await.unwrap();
    let fault = world.store.check_audit(None).await.unwrap().unwrap_err();
    assert_eq!((fault.sequence, fault.kind), (Some(asked), FaultKind::GoneWithoutRecord));
}

#[test]
fn a_class_that_cannot_be_meant_is_refused() {
    let of = |patterns: &[&str], days| {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        RetentionClass::new("x", &patterns, Vec::new(), days)
    };
    assert_eq!(of(&["question.asekd"], 3), Err(RetentionError::NoSuchAction("question.asekd".to_owned())));
    assert_eq!(of(&[], 3), Err(RetentionError::Incomplete));
    assert_eq!(of(&["*"], 0), Err(RetentionError::Incomplete));
    assert!(of(&["answer.*"], 1).is_ok());
}
