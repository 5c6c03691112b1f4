use crate::world::World;
use serde_json::json;
use storage::{Model, ModelFinding, ModelState, StorageError};

fn model(world: &World, name: &str, kind: &str) -> Model {
    Model {
        name: name.to_owned(),
        kind: kind.to_owned(),
        file: format!("models/{name}"),
        info: json!({"context_tokens": 4096}),
        card: json!({"license": "apache-2.0"}),
        sha256: "ab".repeat(32),
        active: false,
        previous: false,
        beside: false,
        imported_at: world.now(),
        state_since: world.now(),
        verified_at: None,
        need_bytes: Some(1_400_000_000),
        resident_bytes: None,
        speed: None,
        problem: None,
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

#[tokio::test]
async fn a_model_goes_from_imported_to_stable_and_back() {
    let world = World::new().await;
    for name in ["old", "new", "third"] {
        world.write(async |act| act.insert_model(&model(&world, name, "generate")).await).await.unwrap();
    }
    let state = async |name: &str| world.store.model(name).await.unwrap().unwrap().state();
    let beside = async |name| world.write(async |act| act.set_model_beside("generate", name).await).await;
    let note = async |name: &str, finding| world.write(async |act| act.note_model(name, &finding).await).await;
    world.write(async |act| act.promote_model("old").await).await.unwrap();
    assert_eq!((state("old").await, state("new").await), (ModelState::Stable, ModelState::Imported));
    note("new", ModelFinding::Verified).await.unwrap();
    assert_eq!(state("new").await, ModelState::Verified);

    world.wait(jiff::SignedDuration::from_secs(60));
    assert_eq!(beside(Some("new")).await.unwrap(), None);
    assert_eq!(state("new").await, ModelState::Experimental);
    assert_eq!(world.store.model("new").await.unwrap().unwrap().state_since, world.now());
    assert_eq!(beside(Some("third")).await.unwrap().as_deref(), Some("new"), "one at a time");
    assert_eq!((state("new").await, state("third").await), (ModelState::Verified, ModelState::Experimental));
    let error = beside(Some("old")).await.unwrap_err();
    assert_eq!(error.to_string(), "'old' is in use already");
    assert_eq!(state("third").await, ModelState::Experimental, "a refused change leaves all as it was");
    assert!(matches!(beside(Some("none")).await, Err(StorageError::NotFound { what: "model" })));
    assert_eq!(beside(None).await.unwrap().as_deref(), Some("third"));
    assert_eq!(state("third").await, ModelState::Imported);

    beside(Some("new")).await.unwrap();
    world.write(async |act| act.promote_model("new").await).await.unwrap();
    assert_eq!((state("old").await, state("new").await), (ModelState::Previous, ModelState::Stable));
    beside(Some("old")).await.unwrap();
    assert_eq!(state("old").await, ModelState::Experimental);
    assert!(world.store.model("old").await.unwrap().unwrap().previous, "it can still be rolled back to");
    world.write(async |act| act.rollback_model("generate").await).await.unwrap();
    assert_eq!((state("old").await, state("new").await), (ModelState::Stable, ModelState::Previous));

    world.write(async |act| act.promote_model("third").await).await.unwrap();
    world.write(async |act| act.withdraw_model("third", "old").await).await.unwrap();
    assert_eq!((state("old").await, state("third").await), (ModelState::Stable, ModelState::Imported));
    let nothing = world.write(async |act| act.rollback_model("generate").await).await;
    assert!(matches!(nothing, Err(StorageError::Conflict { .. })), "what did not work is no target of a rollback");
}

#[tokio::test]
async fn what_was_found_out_about_a_model_is_kept() {
    let world = World::new().await;
    world.write(async |act| act.insert_model(&model(&world, "small", "generate")).await).await.unwrap();
    let note = async |finding| {
        world.write(async |act| act.note_model("small", &finding).await).await.unwrap();
        world.store.model("small").await.unwrap().unwrap()
    };
    let problem = |unsound| ModelFinding::Problem { reason: "it is cut short".to_owned(), unsound };
    assert_eq!(note(ModelFinding::Resident(1_200)).await.resident_bytes, Some(1_200));
    let speed = json!({"prefill_tokens_per_s": 101.5});
    assert_eq!(note(ModelFinding::Speed(speed.clone())).await.speed, Some(speed));
    assert_eq!(note(ModelFinding::Verified).await.verified_at, Some(world.now()));
    let tried = note(problem(false)).await;
    assert_eq!((tried.verified_at, tried.problem.as_deref()), (Some(world.now()), Some("it is cut short")));
    assert_eq!(note(problem(true)).await.verified_at, None);
    assert_eq!(note(ModelFinding::Verified).await.problem, None);
    assert_eq!(note(problem(true)).await.state(), ModelState::Imported);
    let unknown = world.write(async |act| act.note_model("none", &ModelFinding::Verified).await).await;
    assert!(matches!(unknown, Err(StorageError::NotFound { what: "model" })));
}

#[tokio::test]
async fn only_a_model_that_nothing_uses_leaves_the_list() {
    let world = World::new().await;
    for name in ["used", "before", "tried", "idle"] {
        world.write(async |act| act.insert_model(&model(&world, name, "generate")).await).await.unwrap();
    }
    for name in ["before", "used"] {
        world.write(async |act| act.promote_model(name).await).await.unwrap();
    }
    world.write(async |act| act.set_model_beside("generate", Some("tried")).await).await.unwrap();
    let delete = async |name: &str| world.write(async |act| act.delete_model(name).await).await;
    for name in ["used", "before", "tried"] {
        assert!(matches!(delete(name).await, Err(StorageError::Conflict { .. })), "{name}");
    }
    delete("idle").await.unwrap();
    assert!(matches!(delete("idle").await, Err(StorageError::NotFound { what: "model" })));
    let left: Vec<String> = world.store.models().await.unwrap().into_iter().map(|model| model.name).collect();
    assert_eq!(left, ["before", "tried", "used"]);
}
