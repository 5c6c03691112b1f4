//! A site's own questions to a model on trial and to the one in use, beside readers and without stopping anything.

use crate::with_handbook;
use audit::{Actor, ActorKind};
use axum::http::StatusCode;
use domain::Environment;
use models::{Models, ModelsError, NamedGenerator, Order, Settings, Standing};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use storage::Store;
use testkit::{TestApp, generator, model_directory};

const SET: &str = "question;answer;document\nWhat changes at the VPN gateway?;certificate;vpn-gateway-notice.txt\nWhat does the \
                   canteen serve on Friday?;;\n";

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn carrel(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--data").arg(data).env("CARREL_GENERATE__KV_MEMORY_MB", "64");
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    carrel(data).args(arguments).output().unwrap()
}

fn done(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "carrel {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A site with two models, one document that ada may read, and its server.
fn served(folder: &Path) -> Served {
    let (data, models) = (folder.join("data"), model_directory());
    std::fs::write(folder.join("password"), "quiet herons at noon\n").unwrap();
    let small = models.join("smollm2-135m-instruct-q4_1.gguf");
    for (path, name) in [(models.join("all-minilm-l6-v2"), "embed"), (small.clone(), "one"), (small, "two")] {
        done(&data, &["model", "import", path.to_str().unwrap(), "--name", name]);
    }
    done(&data, &["user", "create", "ada", "--password-file", folder.join("password").to_str().unwrap()]);
    done(&data, &["collection", "create", "IT"]);
    done(&data, &["collection", "grant", "IT", "ada", "read"]);
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/it/vpn-gateway-notice.txt");
    done(&data, &["import", it.to_str().unwrap(), "--collection", "IT"]);
    let mut command = carrel(&data);
    let mut server = command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Carrel is at"));
    std::thread::spawn(move || lines.for_each(drop));
    Served(server)
}

fn order(model: &str, user: domain::UserId, questions: &str, actor: Actor) -> Order {
    let environment = Environment::system();
    Order {
        id: domain::OperationId::new(&environment),
        model: model.to_owned(),
        set: "site.jsonl".to_owned(),
        questions: questions.to_owned(),
        user,
        limit: 30,
        actor,
        at: environment.now(),
        standing: Standing::Waiting,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_server_asks_both_models_what_the_console_wants() {
    let folder = tempfile::tempdir().unwrap();
    let _server = served(folder.path());
    let data = folder.path().join("data");
    let set = folder.path().join("site.csv");
    std::fs::write(&set, SET).unwrap();
    let told =
        done(&data, &["model", "evaluate", "two", "--dataset", set.to_str().unwrap(), "--user", "ada", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let found = &told["evaluation"];
    assert_eq!((&found["figures"]["questions"], &found["set"]), (&2.into(), &"site.csv".into()), "{told}");
    assert_eq!(found["beside"][0], "one");
    assert_eq!(found["figures"]["answer_match"], found["beside"][1]["answer_match"], "the same weights, greedily");

    // What nobody may ask, and what nobody can read.
    let unknown = run(&data, &["model", "evaluate", "two", "--dataset", set.to_str().unwrap(), "--user", "nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no user 'nobody'"), "{unknown:?}");
    let store = Store::open(&data.join("carrel.db"), Environment::system()).await.unwrap();
    let ada = store.user_by_name("ada").await.unwrap().unwrap();
    assert!(store.conversations(ada.id, 10).await.unwrap().is_empty(), "they are not among her questions");
    let loader = Arc::new(|_: &Path| -> Result<inference::Generator, inference::ModelError> { unreachable!() });
    let models = Models::at_console(store.clone(), Settings::new(data.clone(), Default::default(), loader));
    let page = Actor { kind: ActorKind::User, name: "ada".to_owned(), ..Actor::console() };
    let foreign = order("two", ada.id, r#"{"question": "Who?", "asker": "ben"}"#, page);
    models.place_order(&foreign).await.unwrap();
    let standing = loop {
        let kept = models.order().await.unwrap().unwrap();
        if !kept.is_open() {
            assert!(kept.questions.is_empty(), "what was asked is not kept");
            break kept.standing;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(matches!(&standing, Standing::Failed(reason) if reason.contains("own rights")), "{standing:?}");

    let log = folder.path().join("log.jsonl");
    done(&data, &["audit", "export", "--output", log.to_str().unwrap()]);
    let log = std::fs::read_to_string(log).unwrap();
    let count = |action: &str| log.matches(&format!("\"action\":\"{action}\"")).count();
    assert_eq!((count("question.asked"), count("conversation.deleted"), count("model.evaluated")), (4, 4, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_orders_it_shows_how_far_it_is_and_ends_it() {
    let (world, _) = with_handbook().await;
    let small = model_directory().join("smollm2-135m-instruct-q4_1.gguf");
    let by =
        || models::By { actor: Actor::console(), operation: domain::OperationId::new(world.app.store.environment()) };
    for name in ["smollm2-135m", "sibling"] {
        world.app.models.import(&small, Some(name), &by()).await.unwrap();
    }
    let mut clara = world.signed_in("clara").await;
    clara.post("/admin/models/evaluate", &[("questions", SET)]).await.expect(StatusCode::CONFLICT);
    let beside = NamedGenerator { name: "sibling".to_owned(), generator: generator() };
    world.app.answering.engines().try_beside(Some(beside));
    clara.post("/admin/models/evaluate", &[("questions", "  ")]).await.expect(StatusCode::BAD_REQUEST);
    let page = clara.get("/admin/models/compare").await.expect(StatusCode::OK).body;
    assert!(page.contains("Put your own questions to both") && !page.contains("data-reload"), "{page}");
    clara.post("/admin/models/evaluate", &[("questions", SET), ("set", "ward 7")]).await.expect(StatusCode::SEE_OTHER);
    let order = world.app.models.order().await.unwrap().unwrap();
    assert_eq!((order.set.as_str(), order.actor.name.as_str(), order.limit), ("ward 7.csv", "clara", 30));
    clara.post("/admin/models/evaluate", &[("questions", SET)]).await.expect(StatusCode::CONFLICT);

    world.app.models.advance_order(&order, Standing::Running { done: 3, of: 4 }).await.unwrap();
    let page = world.signed_in("dora").await.get("/admin/models/compare").await.expect(StatusCode::OK).body;
    assert!(page.contains("sibling on ward 7.csv: 3 of 4 answers") && page.contains("wanted by clara"), "{page}");
    assert!(page.contains("data-reload"));
    clara.post("/admin/models/evaluate/stop", &[]).await.expect(StatusCode::SEE_OTHER);
    let page = clara.get("/admin/models/compare").await.expect(StatusCode::OK).body;
    assert!(page.contains("No figures of ward 7.csv: clara stopped it."), "{page}");
    assert!(!world.app.models.advance_order(&order, Standing::Done).await.unwrap(), "whoever makes it hears of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_for_a_model_that_writes_and_of_a_size() {
    let world = TestApp::new().await;
    let user = world.app.store.user_by_name("dora").await.unwrap().unwrap().id;
    let models = &world.app.models;
    let nothing = models.place_order(&order("nothing", user, SET, Actor::console())).await;
    assert!(matches!(nothing, Err(ModelsError::Unknown(_))));
    let small = model_directory().join("smollm2-135m-instruct-q4_1.gguf");
    let by = models::By { actor: Actor::console(), operation: world.operation() };
    models.import(&small, Some("one"), &by).await.unwrap();
    let large = "x".repeat(models::LARGEST_SET + 1);
    let large = models.place_order(&order("one", user, &large, Actor::console())).await;
    assert!(matches!(large, Err(ModelsError::Refused(_))));
}
