use crate::world::World;
use audit::Action;
use domain::SystemRandom;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use storage::{StorageError, Store};

#[tokio::test]
async fn a_dropped_act_leaves_nothing_behind() {
    let world = World::new().await;
    let mut act = world.begin().await;
    act.set_setting("colour", &json!("green")).await.unwrap();
    act.record(world.event(Action::ConfigurationChanged)).await.unwrap();
    drop(act);
    assert_eq!(world.store.setting("colour").await.unwrap(), None);
    assert_eq!(world.store.audit_last().await.unwrap(), None);

    world.write(async |act| act.set_setting("colour", &json!("red")).await).await.unwrap();
    assert_eq!(world.store.setting("colour").await.unwrap(), Some(json!("red")));
    assert_eq!(world.store.audit_last().await.unwrap().map(|(sequence, _)| sequence), Some(1));
}

#[tokio::test]
async fn nothing_is_committed_without_its_event() {
    let world = World::new().await;
    let mut act = world.begin().await;
    act.set_setting("colour", &json!("green")).await.unwrap();
    assert!(matches!(act.commit().await, Err(StorageError::Unaudited)));
    assert_eq!(world.store.setting("colour").await.unwrap(), None);

    let mut act = world.begin().await;
    act.set_setting("cache", &json!({"a": [1, null]})).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    assert_eq!(world.store.setting("cache").await.unwrap(), Some(json!({"a": [1, null]})));
}

#[tokio::test]
async fn readers_see_what_was_committed_and_nothing_else() {
    let world = World::new().await;
    let mut act = world.begin().await;
    act.set_setting("colour", &json!(1)).await.unwrap();
    assert_eq!(world.store.setting("colour").await.unwrap(), None, "an open act blocks no reader and shows nothing");
    world.commit(act).await;
    assert_eq!(world.store.setting("colour").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn a_database_keeps_what_it_holds_and_its_mode_when_opened_again() {
    let world = World::new().await;
    world.write(async |act| act.set_setting("colour", &json!(1)).await).await.unwrap();
    let again = world.second_store().await;
    assert_eq!(again.setting("colour").await.unwrap(), Some(json!(1)));
    for name in ["carrel.db", "carrel.db-wal"] {
        let mode = std::fs::metadata(world.file().with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is for its owner only");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrel.db");
    let environment = domain::Environment::new(domain::SystemClock, SystemRandom);
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let (path, environment) = (path.clone(), environment.clone());
            tokio::spawn(async move { Store::open(&path, environment).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_no_database_and_what_is_from_a_newer_release_are_refused() {
    let world = World::new().await;
    let mut raw = world.raw().await;
    sqlx::query("INSERT INTO _sqlx_migrations SELECT 999, description, installed_on, success, checksum, 1 FROM _sqlx_migrations LIMIT 1")
        .execute(&mut raw)
        .await
        .unwrap();
    let newer = Store::open(&world.file(), world.environment.clone()).await.unwrap_err();
    assert!(matches!(newer, StorageError::Newer), "{newer}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrel.db");
    std::fs::write(&path, "this is a letter, not a database".repeat(200)).unwrap();
    let damaged = Store::open(&path, world.environment.clone()).await.unwrap_err();
    assert!(matches!(damaged, StorageError::Damaged { .. }), "{damaged}");
    let nowhere = Store::open(&folder.path().join("no/folder/carrel.db"), world.environment.clone()).await.unwrap_err();
    assert!(matches!(nowhere, StorageError::File(_)), "{nowhere}");
}
