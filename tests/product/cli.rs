//! The command line, as an admin at a console uses it.

use domain::{AccessScope, Clearance, Environment, Label};
use std::path::Path;
use std::process::{Command, Output};
use storage::{Page, Store};
use testkit::model_directory;

fn carrel(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--data").arg(data).args(arguments).output().unwrap()
}

pub(crate) fn done(data: &Path, arguments: &[&str]) -> String {
    let output = carrel(data, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "carrel {arguments:?}: {out}{err}");
    out.into_owned()
}

pub(crate) fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = carrel(data, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn from_an_empty_folder_to_a_verified_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples");
    let models = model_directory();
    let password = folder.path().join("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    let password = password.to_str().unwrap();

    let no_model = refused(&data, &["search", "x", "--user", "ada"]);
    assert!(no_model.contains("there is no user 'ada'"), "{no_model}");
    done(&data, &["model", "import", models.join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&data, &["model", "import", models.join("smollm2-135m-instruct-q4_1.gguf").to_str().unwrap()]);
    assert!(done(&data, &["model", "verify", "all-minilm-l6-v2"]).contains("as it was imported"));
    let broken = folder.path().join("broken.gguf");
    std::fs::write(&broken, b"GGUF and nothing more").unwrap();
    let sentence = refused(&data, &["model", "import", broken.to_str().unwrap()]);
    assert!(sentence.len() > 20 && sentence.lines().count() == 1, "{sentence}");

    done(&data, &["user", "create", "ada", "--password-file", password]);
    done(&data, &["user", "create", "ben", "--password-file", password]);
    done(&data, &["collection", "create", "IT"]);
    done(&data, &["collection", "grant", "IT", "ada", "read"]);
    let it = samples.join("it");
    let it = it.to_str().unwrap();
    let first: serde_json::Value =
        serde_json::from_str(&done(&data, &["import", it, "--collection", "IT", "--json"])).unwrap();
    assert_eq!(first["imported"], 6, "{first}");
    let second: serde_json::Value =
        serde_json::from_str(&done(&data, &["import", it, "--collection", "IT", "--json"])).unwrap();
    assert_eq!((&second["imported"], &second["unchanged"]), (&0.into(), &6.into()), "{second}");

    let search = |user: &str| -> serde_json::Value {
        let query = ["search", "How long must a password be?", "--user", user, "--json"];
        serde_json::from_str(&done(&data, &query)).unwrap()
    };
    assert!(search("ada")["results"][0]["text"].as_str().unwrap().to_lowercase().contains("password"));
    assert_eq!(search("ben")["results"].as_array().unwrap().len(), 0);
    assert!(done(&data, &["index", "rebuild"]).contains("6 documents"));
    assert!(search("ada")["results"].as_array().unwrap().len() > 3);

    let ask = ["ask", "How long must a password be?", "--user", "ada", "--json"];
    let answer: serde_json::Value = serde_json::from_str(&done(&data, &ask)).unwrap();
    assert!(!answer["sources"].as_array().unwrap().is_empty());
    assert!(answer["model_sha256"].as_str().is_some());

    let export = folder.path().join("audit.jsonl");
    let export = export.to_str().unwrap();
    done(&data, &["audit", "export", "--output", export]);
    let key = folder.path().join("key.pem");
    std::fs::write(&key, done(&data, &["audit", "key"])).unwrap();
    let key = key.to_str().unwrap();
    assert!(done(&data, &["audit", "verify", export, "--key", key]).contains("intact"));
    proofs_and_replay(&data, folder.path(), key, answer["record"].as_str().unwrap());
    let log = std::fs::read_to_string(export).unwrap();
    let cut: Vec<&str> = log.lines().filter(|line| !line.contains("question.asked")).collect();
    std::fs::write(export, cut.join("\n")).unwrap();
    let fault = refused(&data, &["audit", "verify", export, "--key", key]);
    assert!(fault.contains("line"), "{fault}");
}

/// What an auditor keeps and proves, across a change of the signing key; and the answer written again.
fn proofs_and_replay(data: &Path, folder: &Path, key: &str, answer: &str) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (kept, proof, consistency, since) = (path("kept"), path("proof"), path("consistency"), path("since.jsonl"));
    done(data, &["audit", "checkpoint", "--output", &kept]);
    done(data, &["audit", "prove", "2", "--output", &proof]);
    assert!(done(data, &["audit", "verify-proof", &proof, "--key", key]).contains("proved: event 2 of the"));
    let text = std::fs::read_to_string(&proof).unwrap();
    std::fs::write(&proof, text.replacen("\"name\":\"console\"", "\"name\":\"someone\"", 1)).unwrap();
    assert!(refused(data, &["audit", "verify-proof", &proof, "--key", key]).contains("edited"));

    done(data, &["audit", "rotate-key"]);
    let other = path("other.pem");
    std::fs::write(&other, done(data, &["audit", "key"])).unwrap();
    assert_ne!(std::fs::read(&other).unwrap(), std::fs::read(key).unwrap());
    done(data, &["audit", "prove", "--since", &kept, "--output", &consistency]);
    assert!(done(data, &["audit", "verify-proof", &consistency, "--key", &other]).contains("are the first of the"));
    done(data, &["audit", "export", "--since", &kept, "--output", &since]);
    let verified = done(data, &["audit", "verify", &since, "--key", key, "--head", &kept]);
    assert!(verified.contains("complete: nothing is missing") && verified.contains("an extract"), "{verified}");
    let whole = path("whole.jsonl");
    done(data, &["audit", "export", "--output", &whole]);
    assert!(done(data, &["audit", "verify", &whole, "--key", key]).contains("handed over"), "by the old key");
    assert!(done(data, &["audit", "verify", &whole, "--key", &other, "--head", &kept]).contains("complete"));
    let (csv, filtered) = (path("a.csv"), ["--format", "csv", "--action", "question.asked", "--person", "console"]);
    done(data, &[&["audit", "export", "--output", csv.as_str()], &filtered[..]].concat());
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 2);

    let replayed = done(data, &["audit", "replay", answer]);
    assert!(replayed.contains("the same text was written again"), "{replayed}");
    assert!(refused(data, &["audit", "replay", "nothing"]).contains("is no answer's record"));
    let model = std::fs::read_dir(data.join("models")).unwrap().map(|entry| entry.unwrap().path());
    let model = model.into_iter().find(|path| path.extension().is_some_and(|end| end == "gguf")).unwrap();
    std::fs::rename(&model, model.with_extension("away")).unwrap();
    let output = carrel(data, &["audit", "replay", answer]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("no text was written again") && said.contains("is no longer here"), "{said}");
    std::fs::rename(model.with_extension("away"), &model).unwrap();

    done(data, &["audit", "hold", "place", "case 7", "--person", "ada"]);
    assert!(done(data, &["audit", "hold", "list"]).contains("case 7  person ada"));
    done(data, &["audit", "hold", "release", "case 7"]);
    assert!(refused(data, &["audit", "hold", "release", "case 7"]).contains("does not exist"));
    assert!(refused(data, &["audit", "purge"]).contains("no rules of retention are configured"));
    let schema: serde_json::Value = serde_json::from_str(&done(data, &["audit", "schema"])).unwrap();
    assert!(schema["$defs"]["entry"].is_object());
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(carrel(folder.path(), &["impart"]).status.code(), Some(2));
    assert_eq!(carrel(folder.path(), &["--config", "/nowhere/carrel.toml", "user", "list"]).status.code(), Some(2));
}

#[test]
fn models_are_managed_at_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let small = model_directory().join("smollm2-135m-instruct-q4_1.gguf");
    let small = small.to_str().unwrap();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let mut all = vec!["model", "--json"];
        all.extend_from_slice(arguments);
        serde_json::from_str(&done(&data, &all)).unwrap()
    };
    assert_eq!(json(&["import", small, "--name", "one"])["state"], "stable");
    assert_eq!(json(&["import", small, "--name", "two"])["card"]["license"], "apache-2.0");
    assert!(refused(&data, &["model", "import", small, "--name", "one"]).contains("give this one another name"));
    assert_eq!(json(&["verify", "two"])["self_test"], true);

    let loaded = done(&data, &["model", "load", "two"]);
    assert!(loaded.contains("no server runs here; the next start takes it over"), "{loaded}");
    let state = |name: &str| -> String {
        let list = json(&["list"]);
        let model = list["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap().clone();
        model["state"].as_str().unwrap().to_owned()
    };
    assert_eq!((state("one"), state("two")), ("stable".to_owned(), "experimental".to_owned()));
    assert_eq!(json(&["unload"])["name"], "two");
    assert!(refused(&data, &["model", "unload"]).contains("no model is loaded beside the one in use"));

    assert_eq!(json(&["promote", "two"])["before"], "one");
    assert!(done(&data, &["model", "promote", "two"]).contains("in use already"));
    assert_eq!((state("one"), state("two")), ("previous".to_owned(), "stable".to_owned()));
    assert_eq!(json(&["rollback"])["name"], "one");
    let speed = &json(&["measure", "one"])["speed"];
    assert!(speed["decode_tokens_per_s"].as_f64().unwrap() > 0.1, "{speed}");
    let list = done(&data, &["model", "list"]);
    assert!(list.contains("apache-2.0") && list.contains("stable"), "{list}");

    let file = data.join("models/two.gguf");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[90_000_000] ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    for what in ["verify", "load", "promote"] {
        let sentence = refused(&data, &["model", what, "two"]);
        assert!(sentence.contains("was changed after its import"), "{sentence}");
    }
    assert_eq!(state("one"), "stable");
    assert!(refused(&data, &["model", "remove", "one"]).contains("'one' is in use; take another model into use"));
    done(&data, &["model", "import", small, "--name", "spare"]);
    assert_eq!(json(&["remove", "spare"])["state"], "removed");
    assert!(!data.join("models/spare.gguf").exists());
    assert!(refused(&data, &["model", "remove", "spare"]).contains("there is no model 'spare'"));
    assert!(refused(&data, &["model", "load", "three"]).contains("there is no model 'three'"));
}

#[test]
fn a_model_that_nobody_signed_needs_somebody_who_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let model = model_directory().join("all-minilm-l6-v2");
    let import = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--data").arg(&data).env("CARREL_MODELS__SIGNED_ONLY", "true");
        command.args(["model", "import"]).arg(&model).args(more).output().unwrap()
    };
    let refused = import(&[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("carrel bundle apply"), "{said}");
    assert!(!import(&["--accept", " "]).status.success(), "a reason is a reason");
    assert!(import(&["--accept", "checked by Dora against the supplier's list"]).status.success());
    let log = folder.path().join("log.jsonl");
    done(&data, &["audit", "export", "--output", log.to_str().unwrap()]);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("\"accepted\":\"checked by Dora") && log.contains("\"outcome\":\"failed\""), "{log}");
}

#[test]
fn a_model_is_evaluated_on_the_sites_own_questions_beside_the_one_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let models = model_directory();
    std::fs::write(folder.path().join("password"), "quiet herons at noon\n").unwrap();
    let small = models.join("smollm2-135m-instruct-q4_1.gguf");
    for (path, name) in [(models.join("all-minilm-l6-v2"), "embed"), (small.clone(), "one"), (small, "two")] {
        done(&data, &["model", "import", path.to_str().unwrap(), "--name", name]);
    }
    done(&data, &["user", "create", "ada", "--password-file", folder.path().join("password").to_str().unwrap()]);
    done(&data, &["collection", "create", "IT"]);
    done(&data, &["collection", "grant", "IT", "ada", "read"]);
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/it/vpn-gateway-notice.txt");
    done(&data, &["import", it.to_str().unwrap(), "--collection", "IT"]);
    let set = folder.path().join("site.jsonl");
    let questions = [
        r#"{"question": "What changes at the VPN gateway?", "answer": "certificate", "doc": "vpn-gateway-notice.txt"}"#,
        r#"{"question": "What does the canteen serve on Friday?", "answerable": false}"#,
    ];
    std::fs::write(&set, questions.join("\n")).unwrap();
    let evaluate = ["model", "evaluate", "two", "--dataset", set.to_str().unwrap(), "--user", "ada", "--json"];
    let told: serde_json::Value = serde_json::from_str(&done(&data, &evaluate)).unwrap();
    let found = &told["evaluation"];
    assert_eq!((&found["figures"]["questions"], &found["set"]), (&2.into(), &"site.jsonl".into()));
    assert_eq!(found["beside"][0], "one");
    let of = |figures: &serde_json::Value| figures["answer_match"].clone();
    assert_eq!(of(&found["figures"]), of(&found["beside"][1]), "the same weights, greedily");
    let embedder = refused(&data, &["model", "evaluate", "embed", "--dataset", set.to_str().unwrap()]);
    assert!(embedder.contains("writes no answers"), "{embedder}");
    let text = done(&data, &["model", "evaluate", "two", "--dataset", set.to_str().unwrap(), "--user", "ada"]);
    assert!(text.contains("right answers") && text.contains("carrel model promote two"), "{text}");
    let log = folder.path().join("log.jsonl");
    done(&data, &["audit", "export", "--output", log.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(log).unwrap().matches("\"model.evaluated\"").count(), 2);
}

#[test]
fn two_models_answer_one_question_at_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let models = model_directory();
    let password = folder.path().join("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    let small = models.join("smollm2-135m-instruct-q4_1.gguf");
    for (path, name) in [(models.join("all-minilm-l6-v2"), "embed"), (small.clone(), "one"), (small, "two")] {
        done(&data, &["model", "import", path.to_str().unwrap(), "--name", name]);
    }
    done(&data, &["user", "create", "ada", "--password-file", password.to_str().unwrap()]);
    done(&data, &["collection", "create", "IT"]);
    done(&data, &["collection", "grant", "IT", "ada", "read"]);
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/it/vpn-gateway-notice.txt");
    done(&data, &["import", it.to_str().unwrap(), "--collection", "IT"]);
    let tried = done(&data, &["model", "try", "two", "What changes at the VPN gateway?", "--user", "ada", "--json"]);
    let tried: serde_json::Value = serde_json::from_str(&tried).unwrap();
    assert_eq!((&tried["stable"]["model"], &tried["experimental"]["model"]), (&"one".into(), &"two".into()));
    assert_eq!(tried["stable"]["sources"], tried["experimental"]["sources"], "the same passages");
    assert_eq!(tried["stable"]["text"], tried["experimental"]["text"], "the same weights, greedily");
    assert_ne!(tried["stable"]["record"], tried["experimental"]["record"]);
    let same = refused(&data, &["model", "try", "one", "What changes?", "--user", "ada"]);
    assert!(same.contains("'one' is in use; try another model beside it"), "{same}");
}

#[test]
fn another_embedding_model_makes_the_vectors_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text = "The crane in hall four is inspected every spring.";
    let file = folder.path().join("crane.txt");
    std::fs::write(&file, text).unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    // Of 32 values, where the other one's have 384: the index cannot hold both.
    let other = folder.path().join("other");
    testkit::write_cross_encoder(&other, text, 7);
    let config = std::fs::read_to_string(other.join("config.json")).unwrap();
    std::fs::write(other.join("config.json"), config.replace("BertForSequenceClassification", "BertModel")).unwrap();

    done(&data, &["model", "import", model_directory().join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&data, &["model", "import", other.to_str().unwrap()]);
    done(&data, &["user", "create", "ada", "--password-file", password.to_str().unwrap()]);
    done(&data, &["collection", "create", "Plant"]);
    done(&data, &["collection", "grant", "Plant", "ada", "read"]);
    let import = ["import", file.to_str().unwrap(), "--collection", "Plant", "--json"];
    done(&data, &import);
    let score = |mode: &str| -> serde_json::Value {
        let found = done(&data, &["search", "crane inspected", "--user", "ada", "--mode", mode, "--json"]);
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        found["results"][0]["score"].clone()
    };
    let cosine = || {
        assert!(score("hybrid").is_number(), "it is found, by its words at least");
        score("dense")
    };
    let first = cosine().as_f64().unwrap();

    assert!(done(&data, &["model", "promote", "other"]).contains("from the next start"));
    assert!(cosine().is_null(), "found by its words until the other model has made its vector");
    done(&data, &import);
    let second = cosine().as_f64().unwrap();
    assert!((first - second).abs() > 1e-3, "{first} and {second} are of one model");
    done(&data, &["model", "rollback", "embed"]);
    assert!(cosine().is_null());
    done(&data, &import);
    assert!((cosine().as_f64().unwrap() - first).abs() < 1e-3);

    let export = folder.path().join("audit.jsonl");
    done(&data, &["audit", "export", "--output", export.to_str().unwrap()]);
    let log = std::fs::read_to_string(export).unwrap();
    assert_eq!(log.matches("index.vectors_forgotten").count(), 2);
}

#[tokio::test]
async fn an_index_of_another_version_is_made_anew_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("crane.txt");
    std::fs::write(&file, "The crane in hall four is inspected every spring.").unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    done(&data, &["model", "import", model_directory().join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&data, &["user", "create", "ada", "--password-file", password.to_str().unwrap()]);
    done(&data, &["collection", "create", "Plant"]);
    done(&data, &["collection", "grant", "Plant", "ada", "read"]);
    done(&data, &["import", file.to_str().unwrap(), "--collection", "Plant"]);
    std::fs::write(data.join("index/version"), "1\n").unwrap();

    let output = carrel(&data, &["search", "inspected crane", "--user", "ada", "--json"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("another version of Carrel wrote it") && told.contains("made anew"), "{told}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["results"].as_array().unwrap().len(), 1, "{found}");
    assert!(found["results"][0]["score"].as_f64().unwrap() <= 1.0);
    let again = carrel(&data, &["search", "inspected crane", "--user", "ada", "--json"]);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("version"), "once is enough");

    // The vectors are gone from the database and the process was killed before the index heard of it.
    let store = Store::open(&data.join("carrel.db"), Environment::system()).await.unwrap();
    let plant = store.collection_by_name("Plant").await.unwrap().unwrap();
    let scope = AccessScope::issue([], [plant.id], Clearance(Label::Secret));
    let documents = store.documents(&scope, None, Page { offset: 0, limit: 1 }).await.unwrap();
    let model = store.indexed(documents[0].id).await.unwrap().unwrap().model;
    let mut act = store.begin().await.unwrap();
    for model in ["another", &model] {
        assert_eq!(act.forget_vectors_of_others(model).await.unwrap(), (1, 1));
    }
    act.commit_housekeeping().await.unwrap();
    store.close().await;
    let dense = done(&data, &["search", "inspected crane", "--user", "ada", "--mode", "dense", "--json"]);
    let dense: serde_json::Value = serde_json::from_str(&dense).unwrap();
    assert_eq!(dense["results"].as_array().unwrap().len(), 0, "a vector of another model is met no more");
}

#[test]
fn an_import_goes_on_alone_when_whoever_had_the_index_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("crane.txt");
    std::fs::write(&file, "The crane in hall four is inspected every spring.").unwrap();
    done(&data, &["model", "import", model_directory().join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&data, &["collection", "create", "Plant"]);

    // As a long search or evaluation at another console holds it, which reads no documents.
    let lock = std::fs::File::options().create(true).append(true).open(data.join("index.lock")).unwrap();
    lock.lock().unwrap();
    let mut import = Command::new(env!("CARGO_BIN_EXE_carrel"));
    import.arg("--data").arg(&data).arg("import").arg(&file).args(["--collection", "Plant", "--json"]);
    let running = import.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !done(&data, &["job", "list", "--state", "waiting"]).contains("crane.txt") {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    drop(lock);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["imported"], 1, "{report}");
    let listed = done(&data, &["import", file.to_str().unwrap(), "--collection", "Plant", "--json"]);
    assert!(listed.contains("\"unchanged\": 1"), "{listed}");
}

#[test]
fn a_backup_is_verified_and_restored_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, vault, key) = (folder.path().join("data"), path("vault"), path("key.txt"));
    std::fs::write(path("crane.txt"), "The crane in hall four is inspected every spring.").unwrap();
    std::fs::write(path("password"), "quiet herons at noon\n").unwrap();
    done(&data, &["model", "import", model_directory().join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&data, &["user", "create", "ada", "--password-file", &path("password")]);
    done(&data, &["collection", "create", "Plant"]);
    done(&data, &["collection", "grant", "Plant", "ada", "read"]);
    done(&data, &["import", &path("crane.txt"), "--collection", "Plant"]);

    let no_key = refused(&data, &["backup", "run", "--to", &vault]);
    assert!(no_key.contains("carrel backup key"), "{no_key}");
    done(&data, &["backup", "key", "--output", &key]);
    assert!(refused(&data, &["backup", "key", "--output", &path("second")]).contains("there is a backup key already"));
    let run = ["backup", "run", "--to", &vault, "--json"];
    let first: serde_json::Value = serde_json::from_str(&done(&data, &run)).unwrap();
    let second: serde_json::Value = serde_json::from_str(&done(&data, &run)).unwrap();
    assert!(first["new_files"].as_u64().unwrap() > 5 && second["new_files"] == 1, "{first} {second}");
    assert!(done(&data, &["backup", "verify", "--to", &vault, "--key", &key]).contains("is whole"));

    let fresh = folder.path().join("fresh");
    let restored = done(&fresh, &["restore", "--from", &vault, "--key", &key]);
    assert!(restored.contains("was restored"), "{restored}");
    let again = refused(&fresh, &["restore", "--from", &vault, "--key", &key]);
    assert!(again.contains("is not empty"), "{again}");
    let found = done(&fresh, &["search", "When is the crane inspected?", "--user", "ada", "--json"]);
    assert!(found.contains("hall four"), "{found}");
    let log = path("log.jsonl");
    done(&fresh, &["audit", "export", "--output", &log]);
    std::fs::write(path("pub.pem"), done(&data, &["audit", "key"])).unwrap();
    done(&fresh, &["audit", "verify", &log, "--key", &path("pub.pem")]);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("backup.made") && log.contains("backup.restored"));
}
