//! What the issue of the first answer promises: one person asks and reads, another finds nothing, the auditor sees
//! both.

use crate::with_handbook;
use audit::Action;
use axum::http::StatusCode;
use std::time::Duration;
use testkit::Browser;

const QUESTION: &str = "How many days of annual leave do I get in my first year?";

/// Asks and waits for the end of the answer; gives the conversation's address and page.
pub(crate) async fn ask(browser: &mut Browser, question: &str) -> (String, String) {
    let sent = browser.post("/ask", &[("question", question)]).await.expect(StatusCode::SEE_OTHER);
    let address = sent.location.unwrap();
    for _ in 0..600 {
        let page = browser.get(&address).await.expect(StatusCode::OK);
        if !page.body.contains("data-stream=") {
            return (address, page.body);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the answer does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_asks_and_reads_another_finds_nothing_and_the_auditor_sees_both() {
    let (world, _) = with_handbook().await;

    let mut ada = world.signed_in("ada").await;
    let (address, answer) = ask(&mut ada, QUESTION).await;
    assert!(answer.contains("24 days of annual leave"), "the source is quoted: {answer}");
    assert!(answer.contains("Employee Handbook"));
    assert!(answer.contains("<p class=\"place\"><span>Handbook</span>"), "its collection is named: {answer}");
    let cited = ada.visit(&address).await.link("/documents/");
    let document = ada.get(&cited).await.expect(StatusCode::OK);
    assert!(document.body.contains("24 days of annual leave"));
    assert!(document.body.contains("passage-cited"), "the passage is marked");

    let mut ben = world.signed_in("ben").await;
    let (_, refused) = ask(&mut ben, QUESTION).await;
    assert!(refused.contains("The documents you can see do not answer this."), "{refused}");
    assert!(!refused.contains("24 days") && !refused.contains("Employee Handbook"));
    let plain = cited.split('?').next().unwrap();
    let hidden = ben.get(plain).await.expect(StatusCode::NOT_FOUND);
    let nowhere = "/documents/0195a1b2c3d47e5f8a9b0c1d2e3f4a5b";
    let missing = ben.get(nowhere).await.expect(StatusCode::NOT_FOUND);
    let without_operation = |page: &testkit::Page| {
        let operation = &page.headers["x-operation-id"];
        page.body.replace(operation, "")
    };
    assert_eq!(without_operation(&hidden), without_operation(&missing), "hidden answers as missing");

    let mut emil = world.signed_in("emil").await;
    let log = emil.get("/audit").await.expect(StatusCode::OK).body;
    for word in ["question.asked", "passages.shown", "document.opened", "document.refused", "ada", "ben", QUESTION] {
        assert!(log.contains(word), "the auditor sees {word}");
    }
    let events = world.events().await;
    let shown: Vec<_> = events.iter().filter(|entry| entry.event.action == Action::PassagesShown).collect();
    let passages = |at: usize| shown[at].event.detail["passages"].as_array().unwrap().len();
    assert_eq!((shown[0].event.actor.name.as_str(), shown[1].event.actor.name.as_str()), ("ada", "ben"));
    assert!(passages(0) > 0);
    assert_eq!(passages(1), 0, "nothing was shown to ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_streamed_before_the_first_word() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await;
    let page = ada.get(&sent.location.unwrap()).await;
    let stream = page.body.split("data-stream=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let events = ada.get(&stream).await.expect(StatusCode::OK).body;
    let at = |name: &str| events.find(&format!("event: {name}\n")).unwrap_or_else(|| panic!("no {name} in {events}"));
    assert!(at("status") < at("sources") && at("sources") < at("text"));
    assert!(at("text") < at("answer") && at("answer") < at("end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_answer_keeps_what_was_written() {
    let (world, _) = with_handbook().await;
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await;
    let address = sent.location.unwrap();
    let page = ada.get(&address).await;
    let id = page.body.split("data-answer=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    ada.post(&format!("/answers/{id}/stop"), &[]).await.expect(StatusCode::SEE_OTHER);
    let (_, page) = wait(&mut ada, &address).await;
    assert!(page.contains("You stopped this answer"), "{page}");
    let events = world.events().await;
    assert!(events.iter().any(|entry| entry.event.action == Action::AnswerStopped));
}

async fn wait(browser: &mut Browser, address: &str) -> (String, String) {
    for _ in 0..300 {
        let page = browser.get(address).await;
        if !page.body.contains("data-stream=") {
            return (address.to_owned(), page.body);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the answer does not end");
}
