//! Models at run time: import, verify, try, compare, promote, roll back, and what is refused.

use crate::with_handbook;
use audit::{Action, Outcome};
use axum::http::StatusCode;
use models::{By, Memory, Models, ModelsError, Settings};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage::ModelState;
use testkit::{Browser, TestApp, model_directory};

const QUESTION: &str = "How many days of annual leave does an employee receive in the first year of service?";
const SMALL: &str = "smollm2-135m-instruct-q4_1.gguf";
/// The name under which the product of the tests runs it.
const STABLE: &str = "smollm2-135m";

fn small() -> PathBuf {
    model_directory().join(SMALL)
}

/// The small model under another name, so that its weights have another hash: another model, as far as anyone can tell.
fn other() -> Vec<u8> {
    let mut bytes = std::fs::read(small()).unwrap();
    let at = bytes.windows(12).position(|window| window == b"Smollm2 135M").unwrap();
    bytes[at..at + 12].copy_from_slice(b"Sibling 135M");
    bytes
}

/// The product with its model in the list, and a file in the inbox.
async fn with_models(inbox: &[(&str, &[u8])]) -> TestApp {
    let (world, handbook) = with_handbook().await;
    world.grant(&handbook, "dora", Some(domain::Permission::Read)).await;
    world.app.models.import(&small(), Some(STABLE), &by(&world)).await.unwrap();
    world.app.models.inbox().unwrap();
    for (name, bytes) in inbox {
        std::fs::write(world.app.models.inbox_folder().join(name), bytes).unwrap();
    }
    world
}

fn by(world: &TestApp) -> By {
    By { actor: audit::Actor::console(), operation: domain::OperationId::new(world.app.store.environment()) }
}

/// Does something on the models page and waits for its end.
async fn act(browser: &mut Browser, what: &str, fields: &[(&str, &str)]) -> String {
    browser.post(&format!("/admin/models/{what}"), fields).await.expect(StatusCode::SEE_OTHER);
    act_end(browser).await
}

async fn ended(browser: &mut Browser, address: &str) -> String {
    for _ in 0..900 {
        let page = browser.get(address).await.expect(StatusCode::OK).body;
        if !page.contains("data-stream=") {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{address} does not end");
}

/// Asks as ada, and gives the name of the model that answered.
async fn who_answers(world: &TestApp) -> String {
    let mut ada = world.signed_in("ada").await;
    let sent = ada.post("/ask", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER).location.unwrap();
    ended(&mut ada, &sent).await;
    let events = world.events().await;
    let finished = events.iter().rev().find(|entry| entry.event.action == Action::AnswerFinished).unwrap();
    assert_eq!(finished.event.outcome, Outcome::Success, "{}", finished.to_json());
    finished.event.detail["model"].as_str().unwrap().to_owned()
}

async fn state(world: &TestApp, name: &str) -> ModelState {
    world.app.models.find(name).await.unwrap().state()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_goes_from_the_inbox_through_a_comparison_into_use_and_back() {
    let world = with_models(&[("sibling.gguf", &other())]).await;
    let mut dora = world.signed_in("dora").await;
    let page = dora.get("/admin/models").await.expect(StatusCode::OK).body;
    assert!(page.contains("sibling.gguf") && page.contains("apache-2.0"), "{page}");

    let page = act(&mut dora, "import", &[("source", "sibling.gguf")]).await;
    assert!(page.contains("was taken in") && page.contains("The inbox is empty"), "{page}");
    assert_eq!(state(&world, "sibling").await, ModelState::Imported);
    let page = act(&mut dora, "verify", &[("name", "sibling")]).await;
    assert!(page.contains("is as it was imported, and it runs"), "{page}");
    assert_eq!(state(&world, "sibling").await, ModelState::Verified);
    let page = act(&mut dora, "measure", &[("name", "sibling")]).await;
    assert!(page.contains("is not in memory; load it"), "{page}");

    let page = act(&mut dora, "load", &[("name", "sibling")]).await;
    assert!(page.contains("Compare the two"), "{page}");
    assert_eq!(state(&world, "sibling").await, ModelState::Experimental);
    assert_eq!(who_answers(&world).await, STABLE, "readers keep the one in use");

    let sent = dora.post("/admin/models/compare", &[("question", QUESTION)]).await.expect(StatusCode::SEE_OTHER);
    let address = sent.location.unwrap();
    let page = ended(&mut dora, &address).await;
    assert_eq!(page.matches("<section class=\"side\"").count(), 2);
    assert_eq!(page.matches("<dt>First word</dt>").count(), 2, "{page}");
    assert!(page.contains("Promote sibling"));
    let events = world.events().await;
    let of_dora = |action: Action| {
        let of = |entry: &&audit::Entry| entry.event.action == action && entry.event.actor.name == "dora";
        events.iter().filter(of).map(|entry| entry.event.detail.clone()).collect::<Vec<Value>>()
    };
    assert_eq!(of_dora(Action::QuestionAsked).len(), 2);
    let shown = of_dora(Action::PassagesShown);
    assert!(!shown[0]["passages"].as_array().unwrap().is_empty());
    assert_eq!(shown[0], shown[1], "both were given the same passages");
    let answered: Vec<_> = of_dora(Action::AnswerFinished).iter().map(|detail| detail["model"].clone()).collect();
    assert_eq!(answered, [STABLE, "sibling"]);
    // A comparison belongs to who asked it.
    world.signed_in("clara").await.get(&address).await.expect(StatusCode::NOT_FOUND);

    let question = dora.get("/admin/models/promote?name=sibling").await.expect(StatusCode::OK).body;
    assert!(question.contains("Take “sibling” into use?"));
    let page = act(&mut dora, "promote", &[("name", "sibling")]).await;
    assert!(page.contains("answers from now on") && page.contains("Roll back to smollm2-135m"), "{page}");
    assert_eq!(
        (state(&world, "sibling").await, state(&world, STABLE).await),
        (ModelState::Stable, ModelState::Previous)
    );
    assert_eq!(who_answers(&world).await, "sibling");
    assert!(world.app.answering.engines().experimental().is_none());

    let page = act(&mut dora, "measure", &[("name", "sibling")]).await;
    assert!(page.contains("tokens a second") && page.contains("tokens/s"), "{page}");
    let speed = world.app.models.find("sibling").await.unwrap().speed.unwrap();
    assert!(
        speed["prefill_tokens_per_s"].as_f64().unwrap() > 1.0 && speed["decode_tokens_per_s"].as_f64().unwrap() > 0.1
    );
    act(&mut dora, "rollback", &[]).await;
    assert_eq!(who_answers(&world).await, STABLE);
    dora.get("/admin/models/rollback").await.expect(StatusCode::OK);

    let events = world.events().await;
    let detail = |action: Action| {
        let found = events.iter().find(|entry| entry.event.action == action && entry.event.actor.name == "dora");
        found.unwrap_or_else(|| panic!("no {action}")).event.detail.clone()
    };
    assert_eq!(detail(Action::ModelImported)["license"], "apache-2.0");
    assert_eq!(detail(Action::ModelVerified)["self_test"], true);
    assert_eq!(
        (&detail(Action::ModelLoaded)["before"], &detail(Action::ModelLoaded)["after"]),
        (&Value::Null, &"sibling".into())
    );
    assert_eq!(detail(Action::ModelPromoted)["before"], STABLE);
    assert_eq!(detail(Action::ModelRolledBack)["after"], STABLE);
    assert!(detail(Action::ModelMeasured)["after"]["machine"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_unknown_is_refused_and_the_loaded_model_goes_on() {
    let whole = other();
    let mut family = whole.clone();
    let at = family.windows(5).position(|window| window == b"llama").unwrap();
    family[at..at + 5].copy_from_slice(b"xlstm");
    let world = with_models(&[
        ("cut.gguf", &whole[..whole.len() / 2]),
        ("letter.gguf", b"Dear all,\n"),
        ("family.gguf", &family),
        ("good.gguf", &whole),
    ])
    .await;
    let mut dora = world.signed_in("dora").await;
    for (source, reason) in [
        ("cut.gguf", "is cut short: its header promises"),
        ("letter.gguf", "is damaged or no model: it does not begin like a GGUF file"),
        ("family.gguf", "architecture `xlstm` is not supported"),
    ] {
        let page = act(&mut dora, "import", &[("source", source)]).await;
        assert!(page.contains(reason) && page.contains("What ran before still runs"), "{page}");
        assert!(page.contains(source), "it stays in the inbox");
    }
    assert_eq!(world.app.models.list().await.unwrap().len(), 1);
    assert!(!world.data().join("models/cut.gguf").exists());
    for outside in ["/etc/passwd", "/etc/nothing", "../../carrel.db", "..", ""] {
        let refused = dora.post("/admin/models/import", &[("source", outside)]).await.expect(StatusCode::BAD_REQUEST);
        assert!(refused.body.contains("There is no such file in a place that pages import from"), "{}", refused.body);
    }
    let taken = act(&mut dora, "import", &[("source", "good.gguf"), ("name", STABLE)]).await;
    assert!(taken.contains("already; give this one another name"), "{taken}");
    act(&mut dora, "import", &[("source", "good.gguf")]).await;

    // Damaged after its import: still a whole GGUF file, but not the one that was imported.
    let file = world.data().join("models/good.gguf");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    for what in ["verify", "load", "promote"] {
        let page = act(&mut dora, what, &[("name", "good")]).await;
        assert!(page.contains("was changed after its import; import the model again"), "{what}: {page}");
    }
    std::fs::write(&file, &bytes[..1000]).unwrap();
    let page = act(&mut dora, "promote", &[("name", "good")]).await;
    assert!(page.contains("it ends inside its own header"), "{page}");
    assert_eq!((state(&world, STABLE).await, state(&world, "good").await), (ModelState::Stable, ModelState::Imported));
    assert_eq!(who_answers(&world).await, STABLE);

    let events = world.events().await;
    let failed = |action: Action| {
        let of = |entry: &&audit::Entry| entry.event.action == action && entry.event.outcome == Outcome::Failed;
        events.iter().filter(of).count()
    };
    assert_eq!(failed(Action::ModelImported), 4);
    assert_eq!((failed(Action::ModelVerified), failed(Action::ModelLoaded), failed(Action::ModelPromoted)), (1, 1, 2));
    dora.get("/admin/models/promote?name=none").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_would_not_fit_is_refused_with_both_numbers() {
    let world = with_models(&[]).await;
    let options = inference::GeneratorOptions {
        context_tokens: 2048,
        kv_memory_bytes: 1 << 30,
        passage_memory_bytes: 0,
        ..inference::GeneratorOptions::default()
    };
    let loader = Arc::new(move |file: &std::path::Path| inference::Generator::load(file, options));
    let settings = Settings::new(world.data().to_owned(), options, loader);
    let settings = Settings { memory: || Some(Memory { total: 4_000_000_000, available: 300_000_000 }), ..settings };
    let engines = world.app.answering.engines().clone();
    let models = Models::of_server(world.app.store.clone(), engines.clone(), settings);
    let sibling = world.data().join("sibling.gguf");
    std::fs::write(&sibling, other()).unwrap();
    models.import(&sibling, None, &by(&world)).await.unwrap();
    let error = models.load("sibling", &by(&world)).await.unwrap_err();
    assert!(matches!(error, ModelsError::Memory { .. }));
    assert!(error.to_string().contains("'sibling' needs about 1.5 GB of memory and 0.3 GB are free"), "{error}");
    assert!(engines.experimental().is_none());
    assert!(!models.verify("sibling", &by(&world)).await.unwrap(), "the file is sound, but it was not run");
    let refused = models.load("sibling", &by(&world)).await.unwrap_err().to_string();
    assert_eq!(world.app.models.find("sibling").await.unwrap().problem, Some(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_what_is_done_at_the_console() {
    let world = with_models(&[]).await;
    let engines = world.app.answering.engines().clone();
    let refuse = Arc::new(|file: &std::path::Path| inference::Generator::load(file, Default::default()));
    let console =
        Models::at_console(world.app.store.clone(), Settings::new(world.data().to_owned(), Default::default(), refuse));
    let sibling = world.data().join("sibling.gguf");
    std::fs::write(&sibling, other()).unwrap();
    console.import(&sibling, None, &by(&world)).await.unwrap();
    let running = || engines.stable().map(|named| named.name).unwrap();

    console.load("sibling", &by(&world)).await.unwrap();
    assert!(engines.experimental().is_none(), "the console holds no engines");
    world.app.models.follow_once().await.unwrap();
    assert_eq!(engines.experimental().unwrap().name, "sibling");
    console.unload(&by(&world)).await.unwrap();
    world.app.models.follow_once().await.unwrap();
    assert!(engines.experimental().is_none());

    assert_eq!(console.promote("sibling", &by(&world)).await.unwrap().as_deref(), Some(STABLE));
    assert_eq!(running(), STABLE);
    world.app.models.follow_once().await.unwrap();
    assert_eq!(running(), "sibling");
    console.rollback("generate", &by(&world)).await.unwrap();
    world.app.models.follow_once().await.unwrap();
    assert_eq!(running(), STABLE);

    // It breaks between the console's look at it and the server's.
    console.promote("sibling", &by(&world)).await.unwrap();
    std::fs::write(world.data().join("models/sibling.gguf"), b"GGUF and nothing more").unwrap();
    world.app.models.follow_once().await.unwrap();
    assert_eq!(running(), STABLE);
    assert_eq!(
        (state(&world, STABLE).await, state(&world, "sibling").await),
        (ModelState::Stable, ModelState::Imported)
    );
    let problem = world.app.models.find("sibling").await.unwrap().problem.unwrap();
    assert!(problem.contains("damaged or no model"), "{problem}");
    let events = world.events().await;
    let last = events.iter().rev().find(|entry| entry.event.action == Action::ModelPromoted).unwrap();
    assert_eq!((last.event.outcome, last.event.actor.name.as_str()), (Outcome::Failed, "system"));
    assert_eq!(last.event.detail["after"], STABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_act_at_a_time_and_nothing_to_compare_without_a_second_model() {
    let world = with_models(&[]).await;
    let mut dora = world.signed_in("dora").await;
    let page = dora.get("/admin/models/compare").await.expect(StatusCode::OK).body;
    assert!(page.contains("No model is on trial"), "{page}");
    let refused = dora.post("/admin/models/compare", &[("question", QUESTION)]).await.expect(StatusCode::CONFLICT);
    assert!(refused.body.contains("no model is loaded beside") || refused.body.contains("No model is loaded beside"));
    dora.get("/admin/models/rollback").await.expect(StatusCode::CONFLICT);

    let first = dora.post("/admin/models/verify", &[("name", STABLE)]).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    let second = world.app.models.begin(models::Task::Verify(STABLE.to_owned()), by(&world));
    assert!(matches!(second, Err(ModelsError::Busy(_))), "the first is reading a hundred megabytes");
    let page = act_end(&mut dora).await;
    assert!(page.contains("is as it was imported, and it runs"), "{page}");
    let page = act(&mut dora, "unload", &[]).await;
    assert!(page.contains("Refused: no model is loaded beside the one in use"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nothing_uses_is_removed_with_its_files() {
    let world = with_models(&[("sibling.gguf", &other()), ("third.gguf", &std::fs::read(small()).unwrap())]).await;
    let mut dora = world.signed_in("dora").await;
    act(&mut dora, "import", &[("source", "sibling.gguf")]).await;
    act(&mut dora, "import", &[("source", "third.gguf")]).await;
    let file = world.data().join("models/third.gguf");
    assert!(file.exists());
    let question = dora.get("/admin/models/remove?name=third").await.expect(StatusCode::OK).body;
    assert!(question.contains("Remove “third”?"), "{question}");
    let page = act(&mut dora, "remove", &[("name", "third")]).await;
    assert!(page.contains("is gone, and its files with it") && !file.exists(), "{page}");
    dora.get("/admin/models/remove?name=third").await.expect(StatusCode::NOT_FOUND);
    let events = world.events().await;
    let removed = events.iter().find(|entry| entry.event.action == Action::ModelRemoved).unwrap();
    assert_eq!((removed.event.actor.name.as_str(), &removed.event.detail["kind"]), ("dora", &"generate".into()));
    assert_eq!(removed.event.detail["sha256"].as_str().unwrap().len(), 64);

    // The one in use, the one on trial and the one before stay.
    let refuses = async |dora: &mut Browser, name: &str, reason: &str| {
        let page = dora.get(&format!("/admin/models/remove?name={name}")).await.expect(StatusCode::CONFLICT);
        assert!(page.body.contains(reason), "{}", page.body);
        assert!(act(dora, "remove", &[("name", name)]).await.contains(reason));
    };
    refuses(&mut dora, STABLE, "is in use; take another model into use first").await;
    act(&mut dora, "load", &[("name", "sibling")]).await;
    refuses(&mut dora, "sibling", "is on trial beside the one in use; unload it first").await;
    act(&mut dora, "promote", &[("name", "sibling")]).await;
    refuses(&mut dora, STABLE, "a rollback goes back to it").await;
    assert!(world.data().join("models/sibling.gguf").exists());
    assert_eq!(world.events().await.iter().filter(|e| e.event.action == Action::ModelRemoved).count(), 1);
    // Its place is free again, and what lay there by accident does no harm.
    std::fs::write(&file, b"left behind").unwrap();
    let model = world.app.models.import(&small(), Some("third"), &by(&world)).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), model.info["size_bytes"].as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_elsewhere_is_named_and_no_promotion_takes_its_place() {
    let mut world = with_models(&[]).await;
    let options = inference::RemoteOptions {
        address: "http://10.0.0.5:8000".to_owned(),
        model: "far".to_owned(),
        ..inference::RemoteOptions::default()
    };
    let generator = inference::Generator::remote(options).unwrap();
    let engines = world.app.answering.engines().clone();
    engines.promote(answer::NamedGenerator { name: "far at http://10.0.0.5:8000".to_owned(), generator });
    let loader = Arc::new(|file: &std::path::Path| inference::Generator::load(file, Default::default()));
    let settings = Settings {
        elsewhere: Some(models::Elsewhere { model: "far".to_owned(), address: "http://10.0.0.5:8000".to_owned() }),
        ..Settings::new(world.data().to_owned(), Default::default(), loader)
    };
    world.app.models = Models::of_server(world.app.store.clone(), engines.clone(), settings);
    let sibling = world.data().join("sibling.gguf");
    std::fs::write(&sibling, other()).unwrap();
    world.app.models.import(&sibling, None, &by(&world)).await.unwrap();

    let mut dora = world.signed_in("dora").await;
    let page = dora.get("/admin/models").await.expect(StatusCode::OK).body;
    assert!(page.contains("an engine elsewhere") && page.contains("http://10.0.0.5:8000"), "{page}");
    let health = dora.get("/admin").await.expect(StatusCode::OK).body;
    assert!(health.contains("far at http://10.0.0.5:8000") && health.contains("is not known here"), "{health}");
    assert!(!health.contains("Writes answers"), "the model of this machine does not write: {health}");
    assert!(!page.contains("/admin/models/promote") && !page.contains("/admin/models/rollback"), "{page}");
    let refused = dora.get("/admin/models/promote?name=sibling").await.expect(StatusCode::CONFLICT).body;
    assert!(refused.contains("generate.engine"), "{refused}");
    let page = act(&mut dora, "promote", &[("name", "sibling")]).await;
    assert!(page.contains("Refused: answers are written by") && page.contains("set generate.engine to"), "{page}");
    world.app.models.follow_once().await.unwrap();
    assert_eq!(engines.stable().unwrap().name, "far at http://10.0.0.5:8000");
    assert_eq!(state(&world, "sibling").await, ModelState::Imported);
    // Even when the engine could not be reached at the start, no model of this machine slips into its place.
    let none = Models::of_server(world.app.store.clone(), models::Engines::default(), {
        let loader = Arc::new(|file: &std::path::Path| inference::Generator::load(file, Default::default()));
        let elsewhere = world.app.models.elsewhere().cloned();
        Settings { elsewhere, ..Settings::new(world.data().to_owned(), Default::default(), loader) }
    });
    none.failed_at_start("the address is wrong").await.unwrap();
    none.follow_once().await.unwrap();
    assert!(none.engines().stable().is_none());
    assert_eq!(world.app.models.find(STABLE).await.unwrap().problem, None, "it is not at fault");
}

async fn act_end(browser: &mut Browser) -> String {
    for _ in 0..600 {
        let page = browser.get("/admin/models").await.expect(StatusCode::OK).body;
        if !page.contains("data-job=\"running\"") {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not end");
}
