//! Whether the passages answer is read from what the model has in mind before it writes: with the real 135M model, and
//! probes that are sure of one thing or the other.

use crate::api::program;
use crate::story::ask;
use crate::with_handbook;
use answer::{Calibration, Probe, Probing};
use axum::http::StatusCode;
use domain::ConversationId;
use identity::TokenScope;
use serde_json::json;
use testkit::TestApp;

const QUESTION: &str = "How many days of annual leave do I get in my first year?";

/// The product, judged by a probe that says `bias` whatever the model has in mind.
async fn judged_by(bias: f32) -> TestApp {
    let (mut world, _) = with_handbook().await;
    let model_sha256 = world.app.answering.generator().unwrap().generator.info().sha256.clone();
    let state_version = inference::STATE_VERSION;
    let probe = Some(Probe { bias, threshold: 0.5, state_version, weights: vec![0.0; 2 * 576] });
    let calibration = Calibration { model_sha256, probe, plain: None };
    world.app.answering = world.app.answering.judged_by(calibration, Probing::Calibrated);
    world
}

/// The text of the last answer, and how likely the record says it was.
async fn recorded(world: &TestApp) -> (String, Option<f64>) {
    let events = world.events().await;
    let conversation = events.iter().rev().find_map(|entry| entry.event.detail["conversation"].as_str()).unwrap();
    let answers = world.app.store.answers(conversation.parse::<ConversationId>().unwrap()).await.unwrap();
    let answer = answers.last().unwrap();
    (answer.text.clone(), answer.timings["answerable_before"].as_f64())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_cannot_answer_is_refused_before_a_word() {
    let world = judged_by(-9.0).await;
    let (_, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("The documents you can see do not answer this."), "{page}");
    assert!(page.contains("Nearest passages") && !page.contains("taken back"), "{page}");
    let (text, likely) = recorded(&world).await;
    assert_eq!(text, "");
    assert!(likely.unwrap() < 0.001);

    let search = program(&world, "ada", TokenScope::Search).await;
    let told =
        search.post("/api/v1/ask", &json!({ "question": QUESTION, "stream": true })).await.expect(StatusCode::OK);
    assert!(told.text.contains("event: sources") && told.text.contains("refused"), "{}", told.text);
    assert!(!told.text.contains("event: text"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_can_answer_is_written_and_the_record_says_how_sure_it_was() {
    let world = judged_by(9.0).await;
    ask(&mut world.signed_in("ada").await, QUESTION).await;
    let (text, likely) = recorded(&world).await;
    assert_ne!(text, "");
    assert!(likely.unwrap() > 0.999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programs_own_instructions_are_not_judged_by_it() {
    let world = judged_by(-9.0).await;
    let chat = program(&world, "ada", TokenScope::Chat).await;
    let wanted = json!({ "model": "carrel", "max_tokens": 12, "messages": [
        { "role": "system", "content": "Say please." }, { "role": "user", "content": QUESTION } ] });
    let _ = chat.post("/v1/chat/completions", &wanted).await.expect(StatusCode::OK);
    let (text, likely) = recorded(&world).await;
    assert_ne!(text, "");
    assert_eq!(likely, None);
}
