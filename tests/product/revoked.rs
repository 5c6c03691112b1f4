//! A grant that is taken away while somebody talks: nothing that was computed, shown or said under it serves again.

use crate::HANDBOOK;
use crate::story::ask;
use answer::{Calibration, NamedGenerator, Probing, Wishes};
use audit::{Action, Actor, Event};
use axum::http::StatusCode;
use domain::{Collection, ConversationId, Permission};
use inference::{Generator, GeneratorOptions};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, Browser, TestApp, Upstream, model_directory};
use tokio::sync::Notify;

/// Tokens that a chat template puts around instructions, at most.
const TEMPLATE: u64 = 12;
const QUESTION: &str = "How many days of annual leave do I get in my first year?";

/// The handbook twice, in `Handbook` and in `Circulars`: whoever reads either gets a prompt of the very same tokens. The
/// model is nobody else's, and is asked for the answer alone, so that what it reuses is what an earlier answer left.
async fn with_two_copies() -> (TestApp, [Collection; 2]) {
    let mut world = TestApp::new().await;
    let both = [world.collection("Handbook").await, world.collection("Circulars").await];
    for collection in &both {
        world.grant(collection, "ada", Some(Permission::Read)).await;
        world.submit(collection, "handbook.md", HANDBOOK.as_bytes(), None).await;
    }
    world.grant(&both[1], "ben", Some(Permission::Read)).await;
    world.ingest().await;
    let file = model_directory().join("smollm2-135m-instruct-q4_1.gguf");
    let options = GeneratorOptions { context_tokens: 2048, kv_memory_bytes: 1 << 28, ..GeneratorOptions::default() };
    let generator = Generator::load(&file, options).unwrap();
    world.app.answering.engines().promote(NamedGenerator { name: "of this test".to_owned(), generator });
    world.app.answering = world.app.answering.clone().judged_by(Calibration::default(), Probing::Never);
    (world, both)
}

/// Asks once more in a conversation, and says how many tokens the model was given and how many of them it knew.
async fn tokens(world: &TestApp, browser: &mut Browser, conversation: &mut Option<String>) -> (Value, Value) {
    let mut fields = vec![("question", QUESTION)];
    fields.extend(conversation.as_deref().map(|id| ("conversation", id)));
    let sent = browser.post("/ask", &fields).await.expect(StatusCode::SEE_OTHER).location.unwrap();
    while browser.get(&sent).await.expect(StatusCode::OK).body.contains("data-stream=") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let id = sent.trim_start_matches("/conversations/").split('#').next().unwrap().to_owned();
    let answers = world.app.store.answers(id.parse::<ConversationId>().unwrap()).await.unwrap();
    *conversation = Some(id);
    let timings = answers.last().unwrap().timings.clone();
    (timings["prompt_tokens"].clone(), timings["reused_tokens"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_computed_under_an_old_grant_is_not_reused() {
    let (world, [handbook, circulars]) = with_two_copies().await;
    let (mut ada, mut ben) = (world.signed_in("ada").await, world.signed_in("ben").await);
    let mut talk = None;
    let (all, reused) = tokens(&world, &mut ada, &mut talk).await;
    assert!(all.as_u64() > Some(100) && reused == 0, "nothing is known at first: {reused} of {all}");
    // The instructions before the passages hold nothing of anybody's and are computed once for all.
    let instructions = &answer::messages("", &[], &Wishes::default())[0].content;
    let instructions = world.app.answering.generator().unwrap().generator.count_tokens(instructions) as u64 + TEMPLATE;
    let all_but_instructions = |(all, reused): (Value, Value)| {
        assert!(all.as_u64() > Some(instructions + 50), "passages are most of it: {all}");
        reused.as_u64().unwrap().saturating_sub(instructions)
    };
    let (all, reused) = tokens(&world, &mut ada, &mut talk).await;
    assert!(all_but_instructions((all, reused)) > 50, "under one grant the second prompt is known");
    let of_handbook = ada.get("/search?q=annual+leave").await.link("/documents/");
    let opened = of_handbook.split('?').next().unwrap().to_owned();
    let opened_in = world.app.store.document_for_ingest(opened.rsplit('/').next().unwrap().parse().unwrap()).await;
    // Either copy may stand in front: the one that was opened is the one that is closed.
    let opened_in = opened_in.unwrap().unwrap().collection;
    let (closed, open) = if opened_in == handbook.id { (handbook, circulars) } else { (circulars, handbook) };
    world.grant(&open, "ben", Some(Permission::Read)).await;
    world.grant(&closed, "ben", None).await;

    world.grant(&closed, "ada", None).await;
    let anew = all_but_instructions(tokens(&world, &mut ada, &mut talk).await);
    assert_eq!(anew, 0, "ada's other copy is computed anew");
    assert!(all_but_instructions(tokens(&world, &mut ada, &mut talk).await) > 50, "and known from then on");
    assert_eq!(all_but_instructions(tokens(&world, &mut ben, &mut None).await), 0, "ben's is his own");
    ada.get(&opened).await.expect(StatusCode::NOT_FOUND);
    ada.get(&of_handbook).await.expect(StatusCode::NOT_FOUND);
    let conversation = format!("/conversations/{}", talk.clone().unwrap());
    assert!(!ada.get(&conversation).await.expect(StatusCode::OK).body.contains(&opened));

    world.grant(&open, "ada", None).await;
    let before = world.events().await.len();
    let (all, _) = tokens(&world, &mut ada, &mut talk).await;
    assert_eq!(all, Value::Null, "without a passage the model is not asked");
    let shown = world.events().await.split_off(before);
    let shown: Vec<_> = shown.iter().filter(|entry| entry.event.action == Action::PassagesShown).collect();
    assert!(!shown.is_empty() && shown.iter().all(|entry| entry.event.detail["passages"] == serde_json::json!([])));
    let page = ada.get(&conversation).await.expect(StatusCode::OK).body;
    assert!(!page.contains("24 days") && !page.contains("Employee Handbook"), "nor in the older answers: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_making_is_told_to_nobody_who_may_no_longer_read_its_sources() {
    let go_on = Arc::new(Notify::new());
    let says = |pieces: &[&str]| pieces.iter().map(|&piece| piece.to_owned()).collect();
    let answer = says(&["In the first year every employee ", "receives 24 days of annual leave", " [1]."]);
    let thoughts = says(&["The handbook gives 24 days."]);
    let upstream = Upstream::start(Behaviour::Thinks(thoughts, Arc::clone(&go_on), answer)).await;
    let world = crate::remote::with_engine(&upstream).await;
    let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap();
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.get(&sent.location.unwrap()).await.body;
    let stream = page.split("data-stream=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    while upstream.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.grant(&handbook, "ada", None).await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        go_on.notify_one();
    };
    let (told, ()) = tokio::join!(ada.get(&stream), later);
    let told = told.expect(StatusCode::OK).body;
    assert!(told.contains("event: sources") && told.contains("event: end"), "it was in the making: {told}");
    assert!(!told.contains("24 days") && !told.contains("Employee Handbook"), "{told}");
    assert!(told.contains("no longer open to you"), "{told}");
}

/// The product with an engine that thinks, and writes its answer when it is told to go on.
async fn with_thinking_engine() -> (TestApp, Upstream, Arc<Notify>) {
    let go_on = Arc::new(Notify::new());
    let answer = ["In the first year every employee ", "receives 24 days of annual leave", " [1]."];
    let thoughts = vec!["I look into it.".to_owned()];
    let thinks = Behaviour::Thinks(thoughts, Arc::clone(&go_on), answer.map(str::to_owned).to_vec());
    let upstream = Upstream::start(thinks).await;
    (crate::remote::with_engine(&upstream).await, upstream, go_on)
}

/// What ada's stream tells if `change` happens after the sources were told and before the answer is written.
async fn told_across(
    (world, upstream, go_on): &(TestApp, Upstream, Arc<Notify>),
    change: impl Future<Output = ()>,
) -> String {
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.get(&sent.location.unwrap()).await.body;
    let stream = page.split("data-stream=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    while upstream.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let later = async {
        // By then the stream has told what was there when it began.
        tokio::time::sleep(Duration::from_secs(1)).await;
        change.await;
        go_on.notify_one();
    };
    let (told, ()) = tokio::join!(ada.get(&stream), later);
    let told = told.expect(StatusCode::OK).body;
    assert!(told.contains("event: sources") && told.contains("Employee Handbook"), "the sources were open: {told}");
    assert!(!told.contains("In the first year every employee"), "what the model wrote is not told: {told}");
    assert!(told.contains("event: end"), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_taken_away_after_the_sources_holds_for_the_first_word() {
    let all = with_thinking_engine().await;
    let world = &all.0;
    let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap();
    let told = told_across(&all, world.grant(&handbook, "ada", None)).await;
    assert!(told.contains("no longer open to you"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_a_group_while_an_answer_is_written_loses_what_it_opened() {
    let all = with_thinking_engine().await;
    let world = &all.0;
    let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap();
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let (identity, console) = (&world.app.identity, Actor::console());
    let crew = identity.create_group("crew", &console, world.operation()).await.unwrap().id;
    identity.set_membership(crew, ada, true, &console, world.operation()).await.unwrap();
    let mut act = world.app.store.begin().await.unwrap();
    act.set_grant(handbook.id, crew.into(), Some(Permission::Read)).await.unwrap();
    act.record(Event::new(Action::GrantChanged, &console, world.operation())).await.unwrap();
    act.commit().await.unwrap();
    world.grant(&handbook, "ada", None).await;
    let leaves = async { identity.set_membership(crew, ada, false, &console, world.operation()).await.unwrap() };
    let told = told_across(&all, leaves).await;
    assert!(told.contains("no longer open to you"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_out_while_an_answer_is_written_is_told_nothing_more() {
    let all = with_thinking_engine().await;
    let world = &all.0;
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let ends = async {
        let ended = world.app.identity.end_sessions(ada, None, &Actor::console(), world.operation()).await;
        assert_eq!(ended.unwrap(), 1);
    };
    let told = told_across(&all, ends).await;
    assert!(!told.contains("event: answer") && !told.contains("event: text"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_closed_by_now_lends_no_name_to_the_next_search() {
    let world = TestApp::new().await;
    let (staff, plan) = (world.collection("Staff").await, world.collection("Plan").await);
    for collection in [&staff, &plan] {
        world.grant(collection, "ada", Some(Permission::Read)).await;
    }
    let head = "# Safety\n\nThe head of the safety office of the northern harbour is Ruth Adeyemi.\n";
    let desk = "# Desks\n\nRuth Adeyemi is reached at desk 14 of the tower.\n";
    world.submit(&staff, "head.md", head.as_bytes(), None).await;
    world.submit(&plan, "desks.md", desk.as_bytes(), None).await;
    world.ingest().await;
    let says = "The head of the safety office of the northern harbour is Ruth Adeyemi [1].".to_owned();
    let upstream = Upstream::start(Behaviour::Says(vec![says])).await;
    let options = inference::RemoteOptions {
        address: upstream.address.clone(),
        model: "far".to_owned(),
        ..inference::RemoteOptions::default()
    };
    let generator = Generator::remote(options).unwrap();
    world.app.answering.engines().promote(NamedGenerator { name: "far".to_owned(), generator });
    let mut ada = world.signed_in("ada").await;
    let (address, page) = ask(&mut ada, "Who is the head of the safety office of the northern harbour?").await;
    assert!(page.contains("is Ruth Adeyemi"), "{page}");
    let id = address.trim_start_matches("/conversations/").split('#').next().unwrap().to_owned();
    let searched = async |browser: &mut Browser| {
        let next = [("question", "Where can I reach her?"), ("conversation", id.as_str())];
        let sent = browser.post("/ask", &next).await.expect(StatusCode::SEE_OTHER).location.unwrap();
        while browser.get(&sent).await.body.contains("data-stream=") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let events = world.events().await;
        let shown = events.iter().rfind(|entry| entry.event.action == Action::PassagesShown).unwrap();
        shown.event.detail["query"].to_string()
    };
    let open = searched(&mut ada).await;
    assert!(open.contains("Adeyemi"), "a name of the answer is lent: {open}");
    world.grant(&staff, "ada", None).await;
    let closed = searched(&mut ada).await;
    assert!(closed.contains("safety office") && !closed.contains("Adeyemi"), "{closed}");
}
