use crate::world::World;
use audit::export::Format;
use audit::verify::{FaultKind, verify};
use audit::{Action, Actor, Entry, EventHash, SigningKey};
use domain::{DocumentId, Label, PassageId};
use jiff::SignedDuration;
use serde_json::json;
use storage::{AuditFilter, StorageError, Store};

fn key(world: &World) -> SigningKey {
    SigningKey::load_or_create(&world.file().with_file_name("audit.pem"), &world.environment).unwrap()
}

async fn export(store: &Store, world: &World) -> Vec<u8> {
    store.export_audit(Format::Jsonl, &AuditFilter::default(), &key(world), Vec::new()).await.unwrap()
}

fn sequences(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

#[tokio::test]
async fn thousands_of_events_make_one_chain_that_verifies_offline() {
    let world = World::new().await;
    let empty = export(&world.store, &world).await;
    assert_eq!(verify(&empty[..], Some(&key(&world).public())).unwrap().entries, 0);
    for chunk in 0..25 {
        let mut act = world.begin().await;
        for number in 0..200 {
            world.wait(SignedDuration::from_millis(7));
            let detail = json!({"number": number, "score": 0.125, "text": "Größe \"x\"\n", "chunk": chunk});
            act.record(world.event(Action::PassagesShown).detail(detail)).await.unwrap();
        }
        act.commit().await.unwrap();
    }
    let file = export(&world.store, &world).await;
    let verified = verify(&file[..], Some(&key(&world).public())).unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (5000, Some(1), Some(5000)));
    assert_eq!(world.store.verify_audit().await.unwrap(), Ok(5000));
    assert_eq!(world.store.audit_last().await.unwrap(), Some((5000, verified.head.hash)));

    let stored = world.store.audit_from(4999, 10).await.unwrap();
    assert_eq!(sequences(&stored), [4999, 5000]);
    assert_eq!(stored[1].at, world.now());
    let csv = world.store.export_audit(Format::Csv, &AuditFilter::default(), &key(&world), Vec::new()).await.unwrap();
    assert_eq!(csv.iter().filter(|byte| **byte == b'\n').count(), 5001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_two_processes_keep_one_chain() {
    let world = World::new().await;
    let stores = [world.store.clone(), world.second_store().await, world.second_store().await];
    let writers = stores.map(|store| {
        let event = world.event(Action::QuestionAsked);
        tokio::spawn(async move {
            for number in 0..60 {
                let mut act = store.begin().await.unwrap();
                act.record(event.clone()).await.unwrap();
                if number % 5 == 4 {
                    drop(act);
                    continue;
                }
                act.record(event.clone()).await.unwrap();
                act.commit().await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.store.verify_audit().await.unwrap(), Ok(3 * 48 * 2));
    assert_eq!(verify(&export(&world.store, &world).await[..], None).unwrap().entries, 288);
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_log() {
    let world = World::new().await;
    for _ in 0..3 {
        world.commit(world.begin().await).await;
    }
    let mut raw = world.raw().await;
    let columns = "sequence, at, action, actor, entry, previous, hash";
    let copy = "SELECT 2, at, action, 'mallory', entry, previous, hash FROM audit_events WHERE sequence = 2";
    for statement in [
        "UPDATE audit_events SET actor = 'mallory' WHERE sequence = 2".to_owned(),
        "DELETE FROM audit_events WHERE sequence = 3".to_owned(),
        "DELETE FROM audit_events".to_owned(),
        "DELETE FROM audit_mentions".to_owned(),
        "UPDATE audit_mentions SET sequence = 1".to_owned(),
        format!("INSERT OR REPLACE INTO audit_events ({columns}) {copy}"),
        format!("INSERT INTO audit_events ({columns}) {}", copy.replacen('2', "9", 1)),
        format!("INSERT INTO audit_events ({columns}) {}", copy.replacen('2', "4", 1)),
    ] {
        let error = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut raw).await.unwrap_err();
        assert!(error.to_string().contains("the audit log"), "{statement}: {error}");
    }
    assert_eq!(world.store.verify_audit().await.unwrap(), Ok(3));
}

#[tokio::test]
async fn what_someone_with_the_file_in_hands_changed_is_found() {
    let changes = [
        (
            "UPDATE audit_events SET entry = replace(entry, 'console', 'mallory') WHERE sequence = 3",
            3,
            FaultKind::Edited,
        ),
        ("UPDATE audit_events SET actor = 'mallory' WHERE sequence = 3", 3, FaultKind::Edited),
        ("UPDATE audit_events SET entry = 'no json' WHERE sequence = 3", 3, FaultKind::Edited),
        ("DELETE FROM audit_events WHERE sequence = 3", 4, FaultKind::Missing { from: 3 }),
        ("UPDATE audit_events SET sequence = sequence + 1 WHERE sequence = 5", 6, FaultKind::Missing { from: 5 }),
    ];
    for (change, sequence, kind) in changes {
        let world = World::new().await;
        for _ in 0..5 {
            world.commit(world.begin().await).await;
        }
        let mut raw = world.raw().await;
        for statement in [
            "PRAGMA foreign_keys = OFF",
            "DROP TRIGGER audit_events_update",
            "DROP TRIGGER audit_events_delete",
            change,
        ] {
            sqlx::query(statement).execute(&mut raw).await.unwrap();
        }
        let fault = world.store.verify_audit().await.unwrap().unwrap_err();
        assert_eq!((fault.sequence, fault.kind), (Some(sequence), kind), "{change}");
    }
}

#[tokio::test]
async fn the_log_is_searched_by_time_person_action_id_and_text() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (document, passage) = (DocumentId::new(&world.environment), PassageId::new(&world.environment));
    let start = world.now();
    let mut act = world.begin().await;
    let mut recorded = Vec::new();
    for (action, title) in [
        (Action::DocumentOpened, "Leave"),
        (Action::QuestionAsked, "50% off_\"sale\""),
        (Action::PassagesShown, "LEAVE"),
    ] {
        world.wait(SignedDuration::from_secs(60));
        let mut event = world.event(action).on("answer", "a1", title);
        match action {
            Action::DocumentOpened => event = event.on("document", document, title),
            Action::PassagesShown => {
                event.actor = Actor::user(&anna, None, None);
                event = event.detail(json!({"passages": [{"document": document, "passage": passage}]}));
            }
            _ => {}
        }
        recorded.push(act.record(event).await.unwrap());
    }
    act.commit().await.unwrap();
    let found = async |filter: AuditFilter| {
        let entries = world.store.audit_entries(&filter, None, 100).await.unwrap();
        sequences(&entries)
    };
    let all = AuditFilter::default();
    assert_eq!(found(all.clone()).await, [4, 3, 2, 1]);
    assert_eq!(sequences(&world.store.audit_entries(&all, Some(4), 2).await.unwrap()), [3, 2]);
    let minute = |minutes| Some(start + SignedDuration::from_mins(minutes));
    assert_eq!(found(AuditFilter { from: minute(2), ..all.clone() }).await, [4, 3]);
    assert_eq!(found(AuditFilter { to: minute(2), ..all.clone() }).await, [2, 1]);
    assert_eq!(found(AuditFilter { actor: Some("anna".to_owned()), ..all.clone() }).await, [4]);
    assert_eq!(found(AuditFilter { action: Some(Action::QuestionAsked), ..all.clone() }).await, [3]);
    let by_id = |id: String| AuditFilter { document: Some(id), ..AuditFilter::default() };
    assert_eq!(found(by_id(document.to_string())).await, [4, 2]);
    assert_eq!(found(by_id(document.uuid().hyphenated().to_string())).await, [4, 2]);
    assert_eq!(found(by_id(passage.to_string())).await, [4], "who was shown this passage");
    assert_eq!(found(by_id(recorded[1].event.operation.to_string())).await, [3], "what an error page quoted");
    assert_eq!(found(by_id("a1".to_owned())).await, [0; 0]);
    let by_text = |text: &str| AuditFilter { text: Some(text.to_owned()), ..AuditFilter::default() };
    assert_eq!(found(by_text("leave")).await, [4, 2]);
    assert_eq!(found(by_text("50% off_\"sale\"")).await, [3]);
    assert_eq!(found(by_text("50%sale")).await, [0; 0], "wildcards are taken as they are written");

    let labelled = |label| AuditFilter { label: Some(label), ..AuditFilter::default() };
    assert_eq!(found(labelled(Label::Secret)).await, [0; 0]);
    let mut act = world.begin().await;
    let detail = json!({"passages": [{"label": "internal"}, {"label": "secret"}]});
    act.record(world.event(Action::PassagesShown).detail(detail)).await.unwrap();
    act.record(world.event(Action::DocumentRelabelled).detail(json!({"before": "internal", "after": "public"})))
        .await
        .unwrap();
    act.commit().await.unwrap();
    assert_eq!((found(labelled(Label::Secret)).await, found(labelled(Label::Internal)).await), (vec![5], vec![6]));

    let filter = AuditFilter { actor: Some("anna".to_owned()), ..all };
    let refused = world.store.export_audit(Format::Jsonl, &filter, &key(&world), Vec::new()).await;
    assert!(matches!(refused, Err(StorageError::Conflict { .. })));
    let csv = world.store.export_audit(Format::Csv, &filter, &key(&world), Vec::new()).await.unwrap();
    assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn an_entry_comes_back_as_it_was_recorded() {
    let world = World::new().await;
    let mut act = world.begin().await;
    let event = world.event(Action::ModelImported).detail(json!({"z": 1, "a": {"y": null, "b": [true]}}));
    let entry = act.record(event).await.unwrap();
    act.commit().await.unwrap();
    assert_eq!((entry.sequence, entry.previous), (1, EventHash::GENESIS));
    assert_eq!(world.store.audit_from(1, 9).await.unwrap(), [entry]);
}
