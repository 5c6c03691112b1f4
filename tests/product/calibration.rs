//! A site fits for its own model what refusal goes by: questions whose answers are known, what the model has in mind about
//! each, and a probe.

use crate::cli::{done, refused};
use serde_json::{Value, json};
use std::path::Path;
use testkit::model_directory;

/// About the documents of the IT department: what they say, and what they do not.
const ANSWERED: [&str; 6] = [
    "How long must a password be?",
    "How big may an attachment to a mail be?",
    "When do contractor accounts expire?",
    "For how long are system logs kept?",
    "How many cameras are there?",
    "Which label applies where nothing is written?",
];
const UNANSWERED: [&str; 6] = [
    "Which company makes the laptops?",
    "What does the password safe cost?",
    "How many people work at the Service Desk?",
    "Who sold the cameras?",
    "What is the resolution of the cameras?",
    "How large is a team drive?",
];

fn lines(file: &Path) -> Vec<Value> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_site_fits_a_probe_for_its_own_model_without_an_answer_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let it = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/it");
    for model in ["all-minilm-l6-v2", "smollm2-135m-instruct-q4_1.gguf"] {
        done(&data, &["model", "import", model_directory().join(model).to_str().unwrap()]);
    }
    std::fs::write(path("password"), "quiet herons at noon\n").unwrap();
    done(&data, &["user", "create", "ada", "--password-file", &path("password")]);
    done(&data, &["collection", "create", "IT"]);
    done(&data, &["collection", "grant", "IT", "ada", "read"]);
    done(&data, &["import", it.to_str().unwrap(), "--collection", "IT"]);

    let questions = ANSWERED.iter().map(|text| (text, true)).chain(UNANSWERED.iter().map(|text| (text, false)));
    let questions = questions.enumerate().map(|(at, (text, answerable))| {
        let document = if answerable { "it/it-manual.pdf" } else { "" };
        json!({ "id": format!("q{at}"), "question": text, "answer": "", "document": document, "answerable": answerable })
    });
    let set: String = questions.map(|question| format!("{question}\n")).collect();
    std::fs::write(path("questions.jsonl"), set).unwrap();

    let features = path("features.jsonl");
    let answers = ["eval", "answers", "--dataset", &path("questions.jsonl"), "--user", "ada", "--json"];
    let said = done(&data, &[&answers[..], &["--features", &features, "--states-only"]].concat());
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap(),
        json!({ "questions": 12 }),
        "no answer, no figures of answers"
    );
    let told = lines(Path::new(&features));
    assert_eq!(told.len(), 12);
    for line in &told {
        assert_eq!((&line["text"], &line["written"]), (&json!(""), &json!(false)), "{line}");
        assert_eq!(line["state"].as_array().unwrap().len(), 2 * 576);
    }

    let calibration = path("calibration.json");
    let figures = done(&data, &["eval", "calibrate", "--features", &features, "--output", &calibration]);
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["with_probe"]["fitted"]["questions"], 8, "a third of each kind is held out: {figures}");
    assert_eq!(figures["with_probe"]["fitted"]["auc"], 1.0, "{figures}");
    assert!(figures["without_probe"].is_null(), "no answer was written: {figures}");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&calibration).unwrap()).unwrap();
    assert_eq!(written["model_sha256"], told[0]["model_sha256"]);
    assert_eq!(written["probe"]["weights"].as_str().unwrap().split(' ').count(), 2 * 576);

    let yes: String = told.iter().filter(|line| line["answerable"] == true).map(|line| format!("{line}\n")).collect();
    std::fs::write(path("yes.jsonl"), yes).unwrap();
    let reason = refused(&data, &["eval", "calibrate", "--features", &path("yes.jsonl")]);
    assert!(reason.contains("with and without an answer"), "{reason}");

    let older: String = told.iter().map(|line| format!("{line}\n").replace("\"state_version\":2,", "")).collect();
    std::fs::write(path("older.jsonl"), older).unwrap();
    let reason = refused(&data, &["eval", "calibrate", "--features", &path("older.jsonl")]);
    assert!(reason.contains("an earlier version"), "{reason}");
}
