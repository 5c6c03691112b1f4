//! A cross-encoder between search and prompt.

use audit::Action;
use domain::Permission;
use index::Mode;
use inference::Reranker;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use testkit::{TestApp, model_directory, write_cross_encoder};

const QUESTION: &str = "How long must a password be and who resets it?";
const TEXTS: [&str; 6] = [
    "A password has at least fourteen characters. A password is never written on paper.",
    "The service desk resets a forgotten password after it has called the person back.",
    "Passwords of administrators have at least twenty characters and are changed each spring.",
    "A visitor gets a badge with a code and no password at all.",
    "The password of the harbour radio is kept in a sealed envelope by the watch.",
    "Who finds a password on paper brings it to the service desk and tells nobody.",
];

/// Six short documents, each a passage, that ada may read, and a model that puts them into some order.
async fn world() -> (TestApp, Arc<Reranker>, tempfile::TempDir) {
    let world = TestApp::new().await;
    let rules = world.collection("Rules").await;
    world.grant(&rules, "ada", Some(Permission::Read)).await;
    for (at, text) in TEXTS.iter().enumerate() {
        world.submit(&rules, &format!("rule{at}.txt"), text.as_bytes(), None).await;
    }
    world.ingest().await;
    let folder = tempfile::tempdir().unwrap();
    write_cross_encoder(folder.path(), &TEXTS.join(" "), 1);
    let reranker = Arc::new(Reranker::load(folder.path()).unwrap());
    (world, reranker, folder)
}

/// The passages that a question of ada was shown, in their order.
async fn shown(world: &TestApp) -> Vec<String> {
    let mut ada = world.signed_in("ada").await;
    crate::story::ask(&mut ada, QUESTION).await;
    let events = world.events().await;
    let shown = events.iter().rev().find(|entry| entry.event.action == Action::PassagesShown).unwrap();
    let passages = shown.event.detail["passages"].as_array().unwrap();
    passages.iter().map(|passage| passage["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reranker_orders_what_search_found_and_nothing_else() {
    let (mut world, reranker, _folder) = world().await;
    let user = world.app.store.user_by_name("ada").await.unwrap().unwrap();
    let principal = world.app.identity.principal(user).await.unwrap();
    let scope = world.app.identity.scope(&principal).await.unwrap();
    let found = world.app.answering.retrieve(QUESTION, Mode::Hybrid, 30, &scope).await.unwrap().candidates;
    assert_eq!(found.len(), TEXTS.len());
    let plain = shown(&world).await;
    let titles = |order: &[usize]| order.iter().map(|at| found[*at].document.title.clone()).collect::<Vec<_>>();
    assert_eq!(plain, titles(&[0, 1, 2]), "without a reranker the order is that of the search");

    let texts: Vec<String> = found.iter().map(|c| format!("{}\n{}", c.document.title, c.passage.text)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scores = reranker.rerank(QUESTION, &texts).unwrap();
    let order = |count: usize| {
        let mut order: Vec<usize> = (0..found.len()).collect();
        order[..count].sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order
    };
    let original = world.app.answering.clone();
    world.app.answering = original.clone().with_reranker(Arc::clone(&reranker), 30);
    let reranked = shown(&world).await;
    assert_eq!(reranked, titles(&order(6)[..3]));
    assert_ne!(reranked, plain, "this model thinks otherwise than the search");
    // It reads no more than it may: what is behind stays there.
    world.app.answering = original.with_reranker(reranker, 2);
    assert_eq!(shown(&world).await, titles(&order(2)[..3]));
    // And nobody sees more through it.
    let mut ben = world.signed_in("ben").await;
    let (_, page) = crate::story::ask(&mut ben, QUESTION).await;
    assert!(page.contains("The documents you can see do not answer this."), "{page}");
}

#[test]
fn the_configuration_names_the_reranker() {
    let folder = tempfile::tempdir().unwrap();
    let (data, password) = (folder.path().join("data"), folder.path().join("password"));
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    for (at, text) in TEXTS.iter().enumerate() {
        std::fs::write(rules.join(format!("rule{at}.txt")), text).unwrap();
    }
    let tiny = folder.path().join("tiny");
    write_cross_encoder(&tiny, &TEXTS.join(" "), 1);
    let configuration = folder.path().join("carrel.toml");
    let run = |rerank: &str, arguments: &[&str]| -> Output {
        std::fs::write(&configuration, rerank).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--config").arg(&configuration).arg("--data").arg(&data).args(arguments).output().unwrap()
    };
    let done = |rerank: &str, arguments: &[&str]| {
        let output = run(rerank, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let refused = |rerank: &str, arguments: &[&str]| {
        let output = run(rerank, arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let models = model_directory();
    for file in [models.join("all-minilm-l6-v2"), models.join("smollm2-135m-instruct-q4_1.gguf"), tiny] {
        done("", &["model", "import", &path(&file)]);
    }
    done("", &["user", "create", "ada", "--password-file", &path(&password)]);
    done("", &["collection", "create", "Rules"]);
    done("", &["collection", "grant", "Rules", "ada", "read"]);
    done("", &["import", &path(&rules), "--collection", "Rules"]);

    let named = "[rerank]\nmodel = \"tiny\"\n";
    let sources = |rerank: &str| -> Vec<Value> {
        let told = done(rerank, &["ask", QUESTION, "--user", "ada", "--json"]);
        let answer: Value = serde_json::from_str(&told).unwrap();
        answer["sources"].as_array().unwrap().iter().map(|source| source["title"].clone()).collect()
    };
    let plain = sources("");
    assert_eq!(plain.len(), 5);
    assert_ne!(sources(named), plain);
    assert_eq!(sources("[rerank]\nmodel = \"tiny\"\ncandidates = 1\n"), plain, "one alone has no order");

    let unknown = refused("[rerank]\nmodel = \"none\"\n", &["ask", QUESTION, "--user", "ada"]);
    assert!(unknown.contains("rerank.model names 'none', and there is no such model"), "{unknown}");
    let wrong = refused("[rerank]\nmodel = \"all-minilm-l6-v2\"\n", &["ask", QUESTION, "--user", "ada"]);
    assert!(wrong.contains("'all-minilm-l6-v2' is no reranker"), "{wrong}");
    assert!(refused(named, &["model", "remove", "tiny"]).contains("is what rerank.model names"));
    assert!(refused(named, &["model", "promote", "tiny"]).contains("set rerank.model to this one"));
    done("", &["model", "remove", "tiny"]);
}
