use crate::world::World;
use domain::{Environment, SecurityKeyId, SessionId, User};
use jiff::SignedDuration;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeSet;
use storage::{SecurityKey, Session, SignInStep, StorageError, Store};

fn key(world: &World, user: &User, credential: u8, sign_count: u32) -> SecurityKey {
    SecurityKey {
        id: SecurityKeyId::new(&world.environment),
        user: user.id,
        name: format!("key {credential}"),
        credential: vec![credential; 32],
        public_key: vec![1, 2, 3],
        site: "carrel.port.example".to_owned(),
        sign_count,
        created_at: world.now(),
        used_at: None,
    }
}

#[tokio::test]
async fn a_second_factor_of_the_release_before_keeps_its_secret_and_its_codes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrel.db");
    let mut before: Migrator = sqlx::migrate!("../../migrations/sqlite");
    before.migrations = before.migrations.iter().filter(|one| one.version < 11).cloned().collect();
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
    let mut connection = options.connect().await.unwrap();
    before.run(&mut connection).await.unwrap();
    let id = domain::UserId::new(&Environment::system());
    for statement in [
        "INSERT INTO principals (id, kind) VALUES (?1, 'user')",
        "INSERT INTO users (id, name, display_name, role, clearance, disabled, password_hash) \
         VALUES (?1, 'anna', 'Anna', 'staff', 0, 0, '!')",
        "INSERT INTO second_factors (user_id, sealed, last_step, created_at) VALUES (?1, x'0102', 77, 1000)",
        "INSERT INTO recovery_codes (user_id, code_hash) VALUES (?1, zeroblob(32))",
    ] {
        sqlx::query(statement).bind(id.uuid()).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = Store::open(&path, Environment::system()).await.unwrap();
    let factor = store.second_factor(id).await.unwrap().unwrap();
    assert_eq!((factor.sealed, factor.last_step, factor.recovery_codes), (Some(vec![1, 2]), 77, 1));
    let mut act = store.begin().await.unwrap();
    assert!(act.take_recovery_code(id, &[0; 32]).await.unwrap());
    assert!(act.delete_second_factor(id).await.unwrap());
    drop(act);
    assert_eq!(store.problem().await.unwrap(), None, "no row refers to what is not there");
}

#[tokio::test]
async fn keys_hang_on_a_second_factor_and_count_on() {
    let world = World::new().await;
    let (anna, bert) = (world.user("anna").await, world.user("bert").await);
    let first = key(&world, &anna, 1, 5);
    let error = world.write(async |act| act.insert_security_key(&first).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { .. }), "{error}");
    world
        .write(async |act| {
            act.begin_second_factor(anna.id).await?;
            act.set_recovery_codes(anna.id, &BTreeSet::from([[1; 32]])).await?;
            act.begin_second_factor(anna.id).await?;
            act.begin_second_factor(bert.id).await?;
            act.insert_security_key(&first).await
        })
        .await
        .unwrap();
    assert_eq!(world.store.second_factor(anna.id).await.unwrap().unwrap().recovery_codes, 1, "begun once");
    let twin = SecurityKey { id: SecurityKeyId::new(&world.environment), user: bert.id, ..first.clone() };
    let error = world.write(async |act| act.insert_security_key(&twin).await).await.unwrap_err();
    assert!(matches!(error, StorageError::Conflict { .. }) && error.to_string().contains("registered"), "{error}");

    for (count, taken) in [(5, false), (6, true), (6, false), (0, false), (9, true)] {
        assert_eq!(
            world.write(async |act| act.use_security_key(first.id, count).await).await.unwrap(),
            taken,
            "{count}"
        );
    }
    let uncounted = key(&world, &bert, 2, 0);
    world.write(async |act| act.insert_security_key(&uncounted).await).await.unwrap();
    for (count, taken) in [(0, true), (0, true), (1, true), (0, false)] {
        assert_eq!(world.write(async |act| act.use_security_key(uncounted.id, count).await).await.unwrap(), taken);
    }
    assert!(!world.write(async |act| act.delete_security_key(bert.id, first.id).await).await.unwrap());
    assert_eq!(world.store.security_keys_of(anna.id).await.unwrap()[0].sign_count, 9);
    world.write(async |act| act.delete_second_factor(anna.id).await).await.unwrap();
    assert!(world.store.security_keys_of(anna.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_challenge_is_answered_once_by_its_session_in_time() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let session = |number: u8| Session {
        id: SessionId::new(&world.environment),
        user: anna.id,
        token_hash: [number; 32],
        csrf: "x".to_owned(),
        address: "10.0.0.1".to_owned(),
        user_agent: String::new(),
        created_at: world.now(),
        last_seen_at: world.now(),
        expires_at: world.now() + SignedDuration::from_hours(1),
        step: SignInStep::Code,
    };
    let (mine, other) = (session(1), session(2));
    let until = world.now() + SignedDuration::from_mins(5);
    world
        .write(async |act| {
            act.insert_session(&mine).await?;
            act.insert_session(&other).await?;
            act.insert_challenge(mine.id, &[1; 32], until).await?;
            act.insert_challenge(mine.id, &[2; 32], world.now()).await
        })
        .await
        .unwrap();
    let take = async |session: &Session, challenge: u8| {
        world.write(async |act| act.take_challenge(session.id, &[challenge; 32]).await).await.unwrap()
    };
    assert!(!take(&other, 1).await, "another session's");
    assert!(!take(&mine, 2).await, "too late");
    assert!(take(&mine, 1).await);
    assert!(!take(&mine, 1).await, "once");
}
