//! Answers written by an engine elsewhere in the enclave.

use crate::story::ask;
use crate::with_handbook;
use answer::{Event, NamedGenerator};
use audit::Action;
use axum::http::StatusCode;
use domain::{AnswerId, ConversationId};
use inference::{Generator, RemoteOptions};
use serde_json::Value;
use std::io::Write;
use std::process::Command;
use std::time::Duration;
use storage::{AnswerRecord, AnswerState};
use testkit::{Behaviour, TestApp, Upstream};

const QUESTION: &str = "How many days of annual leave do I get in my first year?";
const ANSWER: [&str; 3] = ["In the first year every employee ", "receives 24 days of annual leave", " [1]."];

/// The product of [`with_handbook`], whose answers are written by `upstream`.
pub(crate) async fn with_engine(upstream: &Upstream) -> TestApp {
    let (world, _) = with_handbook().await;
    let options = RemoteOptions {
        address: upstream.address.clone(),
        model: "far".to_owned(),
        first_token_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(20),
        ..RemoteOptions::default()
    };
    let generator = Generator::remote(options).unwrap();
    world.app.answering.engines().promote(NamedGenerator { name: format!("far at {}", upstream.address), generator });
    world
}

fn says(pieces: &[&str]) -> Behaviour {
    Behaviour::Says(pieces.iter().map(|&piece| piece.to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_remote_engine_is_cited_and_recorded() {
    let upstream = Upstream::start(says(&ANSWER)).await;
    let world = with_engine(&upstream).await;
    let mut ada = world.signed_in("ada").await;
    let (_, page) = ask(&mut ada, QUESTION).await;
    assert!(page.contains("receives 24 days of annual leave"), "{page}");
    assert!(page.contains("Employee Handbook"), "the source is named");
    let sent = &upstream.received()[0].body;
    assert_eq!((&sent["model"], &sent["stream"], &sent["temperature"]), (&"far".into(), &true.into(), &0.0.into()));
    let prompt = sent["messages"][1]["content"].as_str().unwrap();
    assert!(prompt.contains("24 days of annual leave") && prompt.contains(QUESTION), "{prompt}");

    let events = world.events().await;
    let finished = events.iter().find(|entry| entry.event.action == audit::Action::AnswerFinished).unwrap();
    let detail = &finished.event.detail;
    assert_eq!(detail["model"], format!("far at {}", upstream.address).as_str());
    assert_eq!(detail["model_sha256"], "", "nobody vouches for weights that are elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_fails_is_named_with_its_reason() {
    let upstream = Upstream::start(says(&ANSWER)).await;
    let world = with_engine(&upstream).await;
    let mut ada = world.signed_in("ada").await;
    for (behaviour, words) in [
        (Behaviour::Drops(vec!["In the first".to_owned()]), "stops in the middle"),
        (Behaviour::Garbage, "not what it should be"),
        (Behaviour::HugeLine, "longer than a megabyte"),
        (Behaviour::Refuses(StatusCode::INTERNAL_SERVER_ERROR, "out of memory".to_owned()), "out of memory"),
    ] {
        upstream.behave(behaviour.clone());
        let (_, page) = ask(&mut ada, QUESTION).await;
        assert!(page.contains(words), "{behaviour:?}: {page}");
    }
    upstream.behave(says(&ANSWER));
    let (_, page) = ask(&mut ada, QUESTION).await;
    assert!(page.contains("receives 24 days"), "it goes on: {page}");
}

/// The last answer of the conversation at `address`, and what the audit log says of how it ended.
async fn ended(world: &TestApp, address: &str) -> (AnswerRecord, Value) {
    let id = address.trim_start_matches("/conversations/").split('#').next().unwrap();
    let answers = world.app.store.answers(id.parse::<ConversationId>().unwrap()).await.unwrap();
    let events = world.events().await;
    let finished = events.iter().rfind(|entry| entry.event.action == Action::AnswerFinished).unwrap();
    (answers.last().unwrap().clone(), finished.event.detail.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_before_an_engine_failed_stays() {
    let said = "In the first year every employee receives 24 days of annual leave [1].";
    let upstream = Upstream::start(Behaviour::Drops(vec![said.to_owned(), " Leave".to_owned()])).await;
    let world = with_engine(&upstream).await;
    let (address, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("In the first year every employee") && page.contains("This answer broke off."), "{page}");
    assert!(page.contains("stops in the middle"), "{page}");
    let (record, detail) = ended(&world, &address).await;
    assert_eq!((record.state, record.text), (AnswerState::Failed, format!("{said} Leave")));
    let prompt: Value = serde_json::from_str(&record.prompt).unwrap();
    assert!(prompt["messages"][1]["content"].as_str().unwrap().contains(QUESTION), "it can be written again: {prompt}");
    assert_eq!(detail["model"], format!("far at {}", upstream.address).as_str());
    assert_eq!((&detail["label"], &detail["cited"][0]), (&"internal".into(), &1.into()));
    assert!(detail["text"].as_str().unwrap().starts_with(said), "{detail}");
    assert!(detail["error"].as_str().unwrap().contains("stops in the middle"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_told_without_its_reason_and_takes_no_text_away() {
    let upstream = Upstream::start(says(&ANSWER)).await;
    let world = with_engine(&upstream).await;
    // Only the check of what is written already asks for it.
    crate::doctor::run(world.data(), "ALTER TABLE vectors RENAME TO lost").await;
    let (address, page) = ask(&mut world.signed_in("ada").await, QUESTION).await;
    assert!(page.contains("something went wrong here") && !page.contains("no such table"), "{page}");
    assert!(page.contains("receives 24 days of annual leave"), "what was shown stays: {page}");
    let (record, detail) = ended(&world, &address).await;
    assert_eq!((record.state, record.text), (AnswerState::Failed, ANSWER.concat()));
    assert!(detail["error"].as_str().unwrap().contains("no such table"), "an auditor is told: {detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_conversation_is_deleted_stops_and_stays_in_the_log() {
    let upstream = Upstream::start(Behaviour::Endless("word ".to_owned(), Duration::from_millis(10))).await;
    let world = with_engine(&upstream).await;
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER).location.unwrap();
    let (conversation, answer) = sent.split_once("#a").unwrap();
    let owner = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let mut told = world.app.live.subscribe(answer.parse::<AnswerId>().unwrap(), owner).unwrap();
    while !matches!(told.next().await.expect("the model writes"), Event::Text(_)) {}
    ada.post(&format!("{conversation}/delete"), &[]).await.expect(StatusCode::SEE_OTHER);
    let end = async { while told.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("nobody can read on, so it stops");
    let events = world.events().await;
    let stopped = events.iter().find(|entry| entry.event.action == Action::AnswerStopped).expect("it is recorded");
    assert!(stopped.event.detail["text"].as_str().unwrap().starts_with("word"), "{:?}", stopped.event.detail);
    ada.get(conversation).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_for_someone_who_may_not_read() {
    let upstream = Upstream::start(says(&ANSWER)).await;
    let world = with_engine(&upstream).await;
    let mut ben = world.signed_in("ben").await;
    let (_, page) = ask(&mut ben, QUESTION).await;
    assert!(page.contains("The documents you can see do not answer this."), "{page}");
    assert!(upstream.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_too_many_wait_is_told_when_to_come_back() {
    let upstream = Upstream::start(Behaviour::Silent).await;
    let (world, _) = with_handbook().await;
    let options = RemoteOptions {
        address: upstream.address.clone(),
        model: "far".to_owned(),
        max_concurrent: 1,
        max_waiting: 0,
        ..RemoteOptions::default()
    };
    let generator = Generator::remote(options).unwrap();
    world.app.answering.engines().promote(NamedGenerator { name: "far".to_owned(), generator });
    let mut ada = world.signed_in("ada").await;
    ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER);
    while upstream.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = world.events().await.len();
    let page = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.headers["retry-after"], "5");
    assert!(page.body.contains("try again in about 5 s"), "{}", page.body);
    assert_eq!(world.events().await.len(), asked, "a question that was not taken is not recorded as one");

    let program = world.program_of("ada").await;
    for stream in [false, true] {
        let body = serde_json::json!({
            "model": "carrel", "stream": stream, "messages": [{ "role": "user", "content": QUESTION }],
        });
        let told = program.post("/v1/chat/completions", &body).await.expect(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(told.headers["retry-after"], "5");
        assert_eq!(told.json()["error"]["code"], "overloaded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_chooses_the_engine() {
    let upstream = Upstream::start(says(&ANSWER)).await;
    let folder = tempfile::tempdir().unwrap();
    let (data, password) = (folder.path().join("data"), folder.path().join("password"));
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    std::fs::write(folder.path().join("handbook.md"), crate::HANDBOOK).unwrap();
    std::fs::write(folder.path().join("key"), "s3cret\n").unwrap();
    let configuration = folder.path().join("carrel.toml");
    let mut file = std::fs::File::create(&configuration).unwrap();
    write!(
        file,
        "[generate]\nengine = \"remote\"\n[generate.remote]\naddress = \"{}\"\nmodel = \"far\"\nkey_file = \"{}\"\n",
        upstream.address,
        folder.path().join("key").display()
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--config").arg(&configuration).arg("--data").arg(&data).args(arguments).current_dir(&folder);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let embedder = testkit::model_directory().join("all-minilm-l6-v2");
    run(&["model", "import", embedder.to_str().unwrap()]);
    run(&["user", "create", "ada", "--password-file", password.to_str().unwrap()]);
    run(&["collection", "create", "Handbook"]);
    run(&["collection", "grant", "Handbook", "ada", "read"]);
    run(&["import", "handbook.md", "--collection", "Handbook"]);
    // The upstream runs on this test's runtime: the command must not block its only thread.
    let told = tokio::task::block_in_place(|| run(&["ask", QUESTION, "--user", "ada", "--json"]));
    let answer: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(answer["state"], "finished", "{answer}");
    assert_eq!(answer["sentences"][0]["citations"][0], 1, "{answer}");
    assert_eq!(upstream.received()[0].authorization.as_deref(), Some("Bearer s3cret"));
}

#[test]
fn the_estimate_of_tokens_is_rather_high() {
    let local = testkit::generator();
    let remote = RemoteOptions { address: "http://engine".into(), model: "far".into(), ..RemoteOptions::default() };
    let remote = Generator::remote(remote).unwrap();
    for sample in ["it/records-retention.md", "procurement/preisanpassung-tiedeholm.txt", "it/vpn-gateway-notice.txt"] {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples").join(sample);
        // One of them is Latin-1, whose bytes are the first characters of Unicode.
        let bytes = std::fs::read(file).unwrap();
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().iter().map(|b| char::from(*b)).collect());
        let (estimate, counted) = (remote.count_tokens(&text), local.count_tokens(&text));
        assert!(estimate >= counted && 2 * estimate < 5 * counted, "{sample}: {estimate} for {counted}");
    }
}
