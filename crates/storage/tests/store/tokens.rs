use crate::world::World;
use domain::{TokenId, UserId};
use jiff::SignedDuration;
use storage::{ApiToken, StorageError};

fn token(world: &World, user: UserId, secret: u8) -> ApiToken {
    ApiToken {
        id: TokenId::new(&world.environment),
        user,
        name: format!("script {secret}"),
        scopes: vec!["chat".to_owned()],
        secret_hash: [secret; 32],
        created_at: world.now(),
        expires_at: world.now() + SignedDuration::from_hours(24),
        last_used_at: None,
    }
}

#[tokio::test]
async fn tokens_are_found_by_their_secret_and_end() {
    let world = World::new().await;
    let (anna, bert) = (world.user("anna").await, world.user("bert").await);
    let (first, second) = (token(&world, anna.id, 1), token(&world, bert.id, 2));
    world
        .write(async |act| {
            act.insert_token(&first).await?;
            act.insert_token(&second).await
        })
        .await
        .unwrap();
    assert_eq!(world.store.token_by_secret(&[1; 32]).await.unwrap().as_ref(), Some(&first));
    assert_eq!(world.store.token_by_secret(&[9; 32]).await.unwrap(), None);
    assert_eq!(world.store.tokens_of(bert.id).await.unwrap(), [second]);

    world.write(async |act| act.touch_token(first.id, world.now()).await).await.unwrap();
    let used = ApiToken { last_used_at: Some(world.now()), ..first.clone() };
    assert_eq!(world.store.tokens_of(anna.id).await.unwrap(), [used]);
    assert!(!world.write(async |act| act.delete_token(first.id, bert.id).await).await.unwrap(), "not bert's to revoke");
    assert!(world.write(async |act| act.delete_token(first.id, anna.id).await).await.unwrap());
    assert_eq!(world.store.token_by_secret(&[1; 32]).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_belongs_to_someone() {
    let world = World::new().await;
    let nobody = token(&world, UserId::new(&world.environment), 3);
    let error = world.write(async |act| act.insert_token(&nobody).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { .. }), "{error}");
}
