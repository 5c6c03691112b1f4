use crate::world::World;
use audit::export::Format;
use audit::proof::Proof;
use audit::verify::{FaultKind, Known, verify_against};
use audit::{Action, Actor, Kept, Rotation, SigningKey};
use domain::OperationId;
use jiff::SignedDuration;
use serde_json::json;
use storage::{AuditFilter, StorageError};

async fn record(world: &World, count: u32) {
    let mut act = world.begin().await;
    for number in 0..count {
        act.record(world.event(Action::DocumentOpened).detail(json!({ "number": number }))).await.unwrap();
    }
    act.commit().await.unwrap();
}

#[tokio::test]
async fn checkpoints_are_made_by_count_and_by_time_and_hold_the_log_together() {
    let world = World::new().await;
    let key = SigningKey::generate(&world.environment);
    let hour = SignedDuration::from_hours(1);
    let due = async || world.store.checkpoint_if_due(&key, 100, hour).await.unwrap().map(|made| made.size);
    assert_eq!(due().await, None, "nothing happened yet");
    record(&world, 7).await;
    assert_eq!(due().await, Some(7), "the first one");
    record(&world, 99).await;
    assert_eq!(due().await, None);
    record(&world, 1).await;
    assert_eq!(due().await, Some(107));
    world.wait(hour * 2);
    assert_eq!(due().await, None, "no new event, no new checkpoint");
    record(&world, 1).await;
    assert_eq!(due().await, Some(108));
    assert_eq!(world.store.checkpoint(&key).await.unwrap().size, 108, "the same one again");

    let checked = world.store.check_audit(Some(&key.public())).await.unwrap().unwrap();
    assert_eq!((checked.entries, checked.purged, checked.checkpoints), (108, 0, 3));
    let stranger = SigningKey::generate(&world.environment).public();
    let fault = world.store.check_audit(Some(&stranger)).await.unwrap().unwrap_err();
    assert_eq!(fault.kind, FaultKind::KeptIsForged);

    // Cutting the end off shows against the checkpoint in the database, too.
    let mut raw = world.raw().await;
    for statement in [
        "PRAGMA foreign_keys = OFF",
        "DROP TRIGGER audit_events_delete",
        "DELETE FROM audit_events WHERE sequence = 108",
    ] {
        sqlx::query(statement).execute(&mut raw).await.unwrap();
    }
    let fault = world.store.check_audit(None).await.unwrap().unwrap_err();
    assert_eq!((fault.sequence, fault.kind), (Some(108), FaultKind::OlderThanKept { size: 108 }));
    for statement in ["UPDATE audit_checkpoints SET size = 9", "DELETE FROM audit_checkpoints"] {
        let error = sqlx::query(statement).execute(&mut raw).await.unwrap_err();
        assert!(error.to_string().contains("never changed"), "{error}");
    }
}

#[tokio::test]
async fn an_event_and_an_older_log_are_proved_from_the_database() {
    let world = World::new().await;
    let key = SigningKey::generate(&world.environment);
    record(&world, 20).await;
    let older = world.store.checkpoint(&key).await.unwrap();
    record(&world, 13).await;
    for sequence in [1, 20, 21, 33] {
        let proof = world.store.prove_event(sequence, &key).await.unwrap();
        assert_eq!(proof.entry.sequence, sequence);
        let text = serde_json::to_string(&proof).unwrap();
        Proof::parse(&text).unwrap().verify(Some(&key.public())).unwrap();
    }
    assert!(matches!(world.store.prove_event(34, &key).await, Err(StorageError::NotFound { .. })));
    let proof = world.store.prove_consistency(older, &key).await.unwrap();
    assert_eq!((proof.older.size, proof.checkpoint.size), (20, 33));
    Proof::parse(&serde_json::to_string(&proof).unwrap()).unwrap().verify(Some(&key.public())).unwrap();

    let other = World::new().await;
    record(&other, 20).await;
    let foreign = other.store.checkpoint(&key).await.unwrap();
    assert!(matches!(world.store.prove_consistency(foreign, &key).await, Err(StorageError::Conflict { .. })));
}

#[tokio::test]
async fn an_extract_since_a_checkpoint_is_complete_across_a_rotation() {
    let world = World::new().await;
    let (old, new) = (SigningKey::generate(&world.environment), SigningKey::generate(&world.environment));
    record(&world, 5).await;
    let kept = world.store.checkpoint(&old).await.unwrap();
    let mut act = world.begin().await;
    let event = world.event(Action::AuditKeyRotated).detail(Rotation::detail(&old, &new.public()));
    act.record(event).await.unwrap();
    act.commit().await.unwrap();
    record(&world, 4).await;
    assert_eq!(world.store.checkpoint(&new).await.unwrap().public_key, new.public().to_string());
    world.store.check_audit(Some(&new.public())).await.unwrap().unwrap();

    let all = AuditFilter::default();
    let seen = std::sync::atomic::AtomicU64::new(0);
    let progress = |done: u64, of: u64| {
        assert_eq!(of, 10);
        seen.store(done, std::sync::atomic::Ordering::Relaxed);
    };
    let since = (kept.size, &progress as &(dyn Fn(u64, u64) + Sync));
    let file = world.store.export_audit_since(Format::Jsonl, &all, since, &new, Vec::new()).await.unwrap();
    assert_eq!(seen.into_inner(), 10);
    let kept = Kept::Checkpoint(kept);
    let known = Known { key: Some(&old.public()), kept: Some(&kept) };
    let verified = verify_against(&file[..], known).unwrap();
    assert_eq!((verified.entries, verified.first, verified.rotations, verified.since), (5, Some(6), 1, Some(5)));
    let nothing = |_, _| ();
    let beyond = world.store.export_audit_since(Format::Jsonl, &all, (11, &nothing), &new, Vec::new()).await;
    assert!(matches!(beyond, Err(StorageError::Conflict { .. })));
}

#[tokio::test]
async fn counts_tell_who_read_a_document_and_how_much_is_asked_but_never_of_few() {
    let world = World::new().await;
    let document = uuid::Uuid::from_u128(7);
    let (large, small) = (world.group("large").await, world.group("small").await);
    let mut act = world.begin().await;
    for number in 0..6_u32 {
        let user = {
            let name = format!("p{number}");
            drop(act);
            let user = world.user(&name).await;
            act = world.begin().await;
            user
        };
        act.add_member(large.id, user.id).await.unwrap();
        if number < 4 {
            act.add_member(small.id, user.id).await.unwrap();
        }
        let operation = OperationId::new(&world.environment);
        for (action, times) in [(Action::QuestionAsked, 3), (Action::PassagesShown, number)] {
            for _ in 0..times {
                let event = audit::Event::new(action, &Actor::user(&user, None, None), operation);
                let passages = json!({ "passages": [{ "document": document.to_string() }] });
                let detail = if action == Action::PassagesShown { passages } else { json!({ "question": "salary?" }) };
                act.record(event.detail(detail)).await.unwrap();
            }
        }
        act.record(world.event(Action::GroupMemberAdded)).await.unwrap();
        act.commit().await.unwrap();
        act = world.begin().await;
    }
    drop(act);
    let readers = world.store.readers_of(document, 100).await.unwrap();
    let found: Vec<_> = readers.iter().map(|reading| (reading.person.as_str(), reading.times)).collect();
    assert_eq!(found, [("p5", 5), ("p4", 4), ("p3", 3), ("p2", 2), ("p1", 1)]);
    let usage = world.store.usage_since(world.now() - SignedDuration::from_hours(1)).await.unwrap();
    let found: Vec<_> = usage.iter().map(|usage| (usage.group.as_deref(), usage.people, usage.questions)).collect();
    assert_eq!(found, [(None, 6, 20), (Some("large"), 6, 20)], "18 questions in tens; four people are not counted");
    let counts = world.store.audit_counts(world.now(), world.now() + SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(counts.iter().find(|count| count.action == Action::QuestionAsked).unwrap().count, 18);
}
