use crate::world::World;
use domain::{AnswerId, ContentHash, ConversationId, DocumentId, Label, PassageId, UserId};
use jiff::SignedDuration;
use serde_json::{Value, json};
use storage::{AnswerRecord, AnswerState, Conversation, Source, StorageError};

fn conversation(world: &World, owner: UserId, title: &str) -> Conversation {
    Conversation {
        id: ConversationId::new(&world.environment),
        owner,
        title: title.to_owned(),
        created_at: world.now(),
        updated_at: world.now(),
    }
}

fn question(world: &World, conversation: ConversationId, question: &str) -> AnswerRecord {
    AnswerRecord {
        id: AnswerId::new(&world.environment),
        conversation,
        question: question.to_owned(),
        state: AnswerState::Searching,
        text: String::new(),
        sentences: json!([]),
        label: None,
        model: String::new(),
        model_hash: String::new(),
        prompt: String::new(),
        timings: Value::Null,
        asked_at: world.now(),
        finished_at: None,
    }
}

#[tokio::test]
async fn an_answer_is_asked_written_and_kept_with_its_sources() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let older = conversation(&world, anna.id, "Leave");
    world.wait(SignedDuration::from_secs(1));
    let newer = conversation(&world, anna.id, "Travel");
    world
        .write(async |act| {
            act.insert_conversation(&older).await?;
            act.insert_conversation(&newer).await
        })
        .await
        .unwrap();
    world.wait(SignedDuration::from_secs(1));
    let asked = question(&world, older.id, "How many days?");
    world.write(async |act| act.insert_answer(&asked).await).await.unwrap();
    assert_eq!(world.store.answers(older.id).await.unwrap(), std::slice::from_ref(&asked));
    let list = world.store.conversations(anna.id, 10).await.unwrap();
    assert_eq!(list, [Conversation { updated_at: world.now(), ..older.clone() }, newer.clone()], "latest first");
    assert_eq!(world.store.conversations(anna.id, 1).await.unwrap().len(), 1);

    world.wait(SignedDuration::from_millis(1500));
    let finished = AnswerRecord {
        state: AnswerState::Finished,
        text: "Twenty. [1]".to_owned(),
        sentences: json!([{"text": "Twenty.", "sources": [1]}]),
        label: Some(Label::Confidential),
        model: "small".to_owned(),
        model_hash: "ab".to_owned(),
        prompt: "…".to_owned(),
        timings: json!({"prefill_ms": 12.5}),
        finished_at: Some(world.now()),
        ..asked.clone()
    };
    let source = |rank| Source {
        rank,
        passage: PassageId::new(&world.environment),
        document: DocumentId::new(&world.environment),
        version: 3,
        title: "Handbook".to_owned(),
        page: Some(4),
        hash: ContentHash::of(b"twenty"),
        score: 0.25,
    };
    let sources = [source(1), source(2)];
    world
        .write(async |act| {
            act.set_sources(asked.id, &[source(1), source(2), source(3)]).await?;
            act.set_sources(asked.id, &sources).await?;
            act.finish_answer(&finished).await
        })
        .await
        .unwrap();
    assert_eq!(world.store.answer(asked.id, anna.id).await.unwrap(), Some(finished));
    assert_eq!(world.store.answer(asked.id, ben.id).await.unwrap(), None, "nobody reads another's answers");
    assert_eq!(world.store.sources(asked.id).await.unwrap(), sources);
    assert_eq!(world.store.answer_times(5).await.unwrap(), [1500]);
}

#[tokio::test]
async fn only_its_owner_renames_or_deletes_a_conversation() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let leave = conversation(&world, anna.id, "Leave");
    let asked = question(&world, leave.id, "How many days?");
    world
        .write(async |act| {
            act.insert_conversation(&leave).await?;
            act.insert_answer(&asked).await
        })
        .await
        .unwrap();
    assert!(!world.write(async |act| act.rename_conversation(leave.id, ben.id, "Mine").await).await.unwrap());
    assert!(!world.write(async |act| act.delete_conversation(leave.id, ben.id).await).await.unwrap());
    assert_eq!(world.store.conversation(leave.id, ben.id).await.unwrap(), None);
    assert!(world.write(async |act| act.rename_conversation(leave.id, anna.id, "Days").await).await.unwrap());
    assert_eq!(world.store.conversation(leave.id, anna.id).await.unwrap().unwrap().title, "Days");

    assert!(world.write(async |act| act.delete_conversation(leave.id, anna.id).await).await.unwrap());
    assert_eq!(world.store.answers(leave.id).await.unwrap(), []);
    let error = world.write(async |act| act.finish_answer(&asked).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "answer" }), "deleted while it was written");
    let error = world.write(async |act| act.insert_answer(&asked).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "conversation" }));
}

#[tokio::test]
async fn answers_that_a_stop_cut_short_are_marked_at_the_next_start() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let leave = conversation(&world, anna.id, "Leave");
    world.write(async |act| act.insert_conversation(&leave).await).await.unwrap();
    for state in AnswerState::ALL {
        let answer = AnswerRecord { state, ..question(&world, leave.id, state.as_str()) };
        world.write(async |act| act.insert_answer(&answer).await).await.unwrap();
    }
    let cut = world.write(async |act| act.fail_unfinished_answers().await).await.unwrap();
    assert_eq!(cut, 2);
    let answers = world.store.answers(leave.id).await.unwrap();
    let failed: Vec<_> = answers.iter().filter(|a| a.state == AnswerState::Failed).map(|a| &a.question[..]).collect();
    assert_eq!(failed.len(), 3);
    assert!(["searching", "writing", "failed"].iter().all(|state| failed.contains(state)));
}
