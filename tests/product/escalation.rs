//! A small model answers first; where its answer does not stand, a larger one writes it again.

use crate::api::program;
use crate::story::ask;
use crate::with_handbook;
use answer::{Calibration, NamedGenerator, Probing};
use audit::Action;
use axum::http::StatusCode;
use identity::TokenScope;
use inference::{Generator, RemoteOptions};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use testkit::{Behaviour, TestApp, Upstream};

const QUESTION: &str = "How many days of annual leave do I get in my first year?";
const RIGHT: &str = "In the first year every employee receives 24 days of annual leave [1].";
const WRONG: &str = "In the first year every employee receives 31 days of annual leave [1].";
const PARTLY: &str = "In the first year every employee of Saltwick Stevedores receives 24 days of annual leave [1].";
const UNSURE: &str = "The passages do not answer the question.";

fn says(text: &str) -> Behaviour {
    Behaviour::Says(vec![text.to_owned()])
}

fn engine(name: &str, upstream: &Upstream) -> NamedGenerator {
    let options = RemoteOptions {
        address: upstream.address.clone(),
        model: name.to_owned(),
        first_token_timeout: Duration::from_secs(5),
        ..RemoteOptions::default()
    };
    NamedGenerator { name: name.to_owned(), generator: Generator::remote(options).unwrap() }
}

/// The product with a small model that says `first`, and a larger one behind it.
async fn world(first: &str, larger: Behaviour) -> (TestApp, Upstream, Upstream) {
    let (mut world, _) = with_handbook().await;
    let (small, large) = (Upstream::start(says(first)).await, Upstream::start(larger).await);
    // What the check of the sentences says decides here, not a score that was fitted on other models.
    world.app.answering = world.app.answering.judged_by(Calibration::default(), Probing::Never);
    let engines = world.app.answering.engines();
    engines.promote(engine("small", &small));
    engines.escalate_to(Some(engine("large", &large)));
    (world, small, large)
}

async fn finished(world: &TestApp) -> Value {
    let events = world.events().await;
    events.iter().rev().find(|entry| entry.event.action == Action::AnswerFinished).unwrap().event.detail.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stands_is_the_small_models_own() {
    let (world, small, large) = world(RIGHT, says(WRONG)).await;
    let (_, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("receives 24 days of annual leave") && !page.contains("was not sure"), "{page}");
    assert_eq!((small.received().len(), large.received().len()), (1, 0));
    assert_eq!(finished(&world).await["first"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_fully_supported_goes_to_the_larger_one_and_the_record_says_so() {
    for (first, doubt) in [(PARTLY, "unsupported"), (WRONG, "refused"), (UNSURE, "refused")] {
        let (world, small, large) = world(first, says(RIGHT)).await;
        let mut ada = world.signed_in("ada").await;
        let (_, page) = ask(&mut ada, QUESTION).await;
        assert!(
            page.contains("receives 24 days of annual leave")
                && !page.contains("31 days of")
                && !page.contains("Saltwick"),
            "{page}"
        );
        assert!(page.contains("large, after small was not sure"), "{page}");
        let prompt = |upstream: &Upstream| upstream.received()[0].body["messages"].clone();
        assert_eq!(prompt(&small), prompt(&large), "both read the same passages");

        let detail = finished(&world).await;
        assert_eq!((&detail["model"], &detail["text"]), (&"large".into(), &RIGHT.into()));
        let told = &detail["first"];
        assert_eq!((&told["model"], &told["doubt"], &told["text"]), (&"small".into(), &doubt.into(), &first.into()));
        let shown = world.events().await.iter().filter(|entry| entry.event.action == Action::PassagesShown).count();
        assert_eq!(shown, 1, "nothing more was shown for it");
        assert_eq!(world.app.answering.counts().escalated, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_see_nothing_costs_neither_model_a_word() {
    let (world, small, large) = world(RIGHT, says(RIGHT)).await;
    let (_, page) = ask(&mut world.signed_in("ben").await, QUESTION).await;
    assert!(page.contains("The documents you can see do not answer this."));
    assert_eq!((small.received().len(), large.received().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_larger_ones_refusal_holds_and_its_failure_does_not() {
    let (refusing, _small, _large) = world(WRONG, says(UNSURE)).await;
    let (_, page) = ask(&mut refusing.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("The documents you can see do not answer this.") && !page.contains("31 days of annual"));

    let (world, _small, _large) =
        world(PARTLY, Behaviour::Refuses(StatusCode::INTERNAL_SERVER_ERROR, "broken".to_owned())).await;
    let (_, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(
        page.contains("Saltwick Stevedores") && page.contains("partly"),
        "the first answer stays, marked as it was: {page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_larger_one_had_written_before_it_broke_off_is_recorded() {
    let written = "Leave is granted by the harbour";
    let (world, _small, _large) = world(PARTLY, Behaviour::Drops(vec![written.to_owned()])).await;
    let (_, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("Saltwick Stevedores") && !page.contains(written), "{page}");
    let told = finished(&world).await;
    assert_eq!(told["model"], "small");
    let broken_off = &told["broken_off"];
    assert_eq!((&broken_off["model"], &broken_off["text"]), (&"large".into(), &written.into()), "it was shown: {told}");
    assert!(broken_off["error"].as_str().unwrap().contains("stops in the middle"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_the_larger_one_keeps_the_first_answer() {
    let (world, _small, large) = world(PARTLY, Behaviour::Silent).await;
    let mut ada = world.signed_in("ada").await;
    let address = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER).location.unwrap();
    let answer = address.split("#a").nth(1).unwrap();
    while large.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ada.post(&format!("/answers/{answer}/stop"), &[]).await.expect(StatusCode::SEE_OTHER);
    let page = loop {
        let page = ada.get(&address).await.expect(StatusCode::OK).body;
        if !page.contains("data-stream=") {
            break page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(page.contains("Saltwick Stevedores") && !page.contains("You stopped this answer"), "{page}");
    let detail = finished(&world).await;
    assert_eq!((&detail["model"], &detail["text"]), (&"small".into(), &PARTLY.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_never_mix_the_two() {
    let (world, _small, _large) = world(WRONG, says(RIGHT)).await;
    let chat = program(&world, "ada", TokenScope::Chat).await;
    let wanted = json!({ "model": "carrel", "stream": true, "messages": [{ "role": "user", "content": QUESTION }] });
    let told = chat.post("/v1/chat/completions", &wanted).await.expect(StatusCode::OK);
    assert!(told.text.contains("24 days") && !told.text.contains("31 days"), "{}", told.text);

    let search = program(&world, "ada", TokenScope::Search).await;
    let told =
        search.post("/api/v1/ask", &json!({ "question": QUESTION, "stream": true })).await.expect(StatusCode::OK);
    let (before, after) = told.text.split_once("event: again").unwrap_or_else(|| panic!("{}", told.text));
    assert!(before.contains("31 days") && after.contains("24 days") && !after.contains("31 days"), "{}", told.text);
    assert!(after.contains(r#""first_model":"small""#), "{after}");
}

#[test]
fn the_configuration_names_the_larger_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = |larger: &str, arguments: &[&str]| {
        let configuration = folder.path().join("carrel.toml");
        std::fs::write(&configuration, format!("[escalate]\nmodel = \"{larger}\"\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--config").arg(&configuration).arg("--data").arg(&data).args(arguments).output().unwrap()
    };
    let models = testkit::model_directory();
    for (file, name) in [("all-minilm-l6-v2", "embed"), ("smollm2-135m-instruct-q4_1.gguf", "small")] {
        let path = models.join(file);
        assert!(run("large", &["model", "import", path.to_str().unwrap(), "--name", name]).status.success());
    }
    let password = folder.path().join("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    assert!(run("large", &["user", "create", "ada", "--password-file", password.to_str().unwrap()]).status.success());
    let ask = ["ask", "What changes?", "--user", "ada"];
    let refused = run("large", &ask);
    assert_eq!(refused.status.code(), Some(1));
    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert!(sentence.contains("escalate.model") && sentence.contains("there is no model 'large'"), "{sentence}");
    let embeds = String::from_utf8(run("embed", &ask).stderr).unwrap();
    assert!(embeds.contains("does not write text"), "{embeds}");
    assert!(run("small", &ask).status.success(), "the one in use itself is no other");
    let path = models.join("smollm2-135m-instruct-q4_1.gguf");
    assert!(run("large", &["model", "import", path.to_str().unwrap(), "--name", "large"]).status.success());
    let kept = run("large", &["model", "remove", "large"]);
    assert!(String::from_utf8(kept.stderr).unwrap().contains("is what escalate.model names"));
}
