use crate::world::World;
use serde_json::json;
use storage::{Model, StorageError};

fn model(world: &World, name: &str, kind: &str) -> Model {
    Model {
        name: name.to_owned(),
        kind: kind.to_owned(),
        file: format!("models/{name}"),
        info: json!({"context_tokens": 4096}),
        sha256: "ab".repeat(32),
        active: false,
        imported_at: world.now(),
    }
}

#[tokio::test]
async fn one_model_of_a_kind_is_in_use_and_the_one_before_can_come_back() {
    let world = World::new().await;
    let [large, small, tiny, embed] =
        [("large", "generate"), ("small", "generate"), ("tiny", "generate"), ("mini", "embed")]
            .map(|(name, kind)| model(&world, name, kind));
    for model in [&tiny, &small, &large, &embed] {
        world.write(async |act| act.insert_model(model).await).await.unwrap();
    }
    assert_eq!(world.store.models().await.unwrap(), [embed, large.clone(), small, tiny]);
    assert_eq!(world.store.active_model("generate").await.unwrap(), None);
    let active = async || world.store.active_model("generate").await.unwrap().unwrap().name;
    let promote = async |name: &str| world.write(async |act| act.promote_model(name).await).await.unwrap();
    let rollback = async || world.write(async |act| act.rollback_model("generate").await).await;

    promote("large").await;
    assert!(matches!(rollback().await, Err(StorageError::Conflict { .. })), "nothing was in use before");
    let current = world.store.active_model("generate").await.unwrap();
    assert_eq!(current, Some(Model { active: true, ..large }));
    promote("small").await;
    promote("mini").await;
    promote("small").await;
    assert_eq!((rollback().await.unwrap(), active().await), ("large".to_owned(), "large".to_owned()));
    assert_eq!((rollback().await.unwrap(), active().await), ("small".to_owned(), "small".to_owned()));
    promote("tiny").await;
    assert_eq!(rollback().await.unwrap(), "small");
    assert_eq!(world.store.active_model("embed").await.unwrap().unwrap().name, "mini", "other kinds are left alone");

    let error = world.write(async |act| act.promote_model("huge").await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "model" }));
    let error = world.write(async |act| act.insert_model(&model(&world, "tiny", "embed")).await).await.unwrap_err();
    assert_eq!(error.to_string(), "a model with this name exists already");
}
