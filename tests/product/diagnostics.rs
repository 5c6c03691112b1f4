//! Diagnostics carry nothing that the site keeps to itself: marks are planted wherever a person can put a text, and looked
//! for in the bundle.

use crate::story::ask;
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Permission, Role};
use std::path::Path;
use std::process::Command;
use testkit::{TestApp, model_directory};

/// Everything in the bundle, names of its files included.
fn unpacked(bundle: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("tar").arg("-xzf").arg(bundle).arg("-C").arg(folder.path()).status().unwrap().success());
    let mut all = String::new();
    let inside = folder.path().join("carrel-diagnostics");
    for entry in std::fs::read_dir(inside).unwrap() {
        let path = entry.unwrap().path();
        all += &format!("== {}\n{}\n", path.file_name().unwrap().display(), std::fs::read_to_string(&path).unwrap());
    }
    all
}

#[track_caller]
fn holds_no_marks(all: &str) {
    for word in ["kestrel", "Kestrel", "KESTREL"] {
        let at = all.find(word).map(|at| &all[at.saturating_sub(200)..all.len().min(at + 80)]);
        assert_eq!(at, None, "a mark is in the bundle");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_download_has_figures_and_no_marks_and_is_recorded() {
    let world = TestApp::new().await;
    let collection = world.collection("Kestrel papers").await;
    world.user("kestrel-person", Role::Staff, Label::Internal).await;
    world.grant(&collection, "kestrel-person", Some(Permission::Write)).await;
    let text = b"The kestrel nests on the crane of hall four, and nobody may know.";
    world.submit(&collection, "kestrel-plan.md", text, None).await;
    world.submit(&collection, "kestrel-broken.docx", b"PK\x03\x04 kestrel", None).await;
    world.ingest().await;
    let mut person = world.signed_in("kestrel-person").await;
    ask(&mut person, "Where does the kestrel nest?").await;
    person.get("/search?q=kestrel+crane").await.expect(StatusCode::OK);

    let mut dora = world.signed_in("dora").await;
    let health = dora.get("/admin").await.expect(StatusCode::OK).body;
    assert!(health.contains("action=\"/admin/diagnostics\""), "{health}");
    let page = dora.post("/admin/diagnostics", &[]).await.expect(StatusCode::OK);
    assert_eq!(page.headers["content-type"], "application/gzip");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("diagnostics.tar.gz");
    std::fs::write(&file, &page.bytes).unwrap();
    let all = unpacked(&file);
    holds_no_marks(&all);
    for expected in [
        "\"passages\":",
        "\"documents\": 2",
        "\"answers\": 1",
        "\"failed\": 1",
        "\"question.asked\": 1",
        "== doctor.json",
        "\"schema\":",
    ] {
        assert!(all.contains(expected), "{expected} is in the bundle:\n{all}");
    }
    let events = world.events().await;
    let made = events.iter().filter(|entry| entry.event.action == Action::DiagnosticsMade).count();
    assert_eq!(made, 1, "the download is recorded");
}

#[test]
fn the_command_writes_the_same_even_when_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The data directory, the model, the site, the backup folder: every name is a mark.
    let data = folder.path().join("Kestrel-data");
    let configuration = path("kestrel.toml");
    std::fs::write(
        &configuration,
        "organisation = \"Kestrel Ministry\"\n[backup]\nto = \"/nowhere/kestrel\"\n[generate.remote]\n\
         address = \"http://kestrel.example:8000\"\nmodel = \"kestrel-7b\"\nkey_file = \"/etc/kestrel.key\"\n\
         [tls]\nnames = [\"kestrel.example\"]\n",
    )
    .unwrap();
    let carrel = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--config").arg(&configuration).arg("--data").arg(&data).args(arguments).output().unwrap()
    };
    let done = |arguments: &[&str]| {
        let output = carrel(arguments);
        assert!(output.status.success(), "{arguments:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let model = model_directory().join("all-minilm-l6-v2");
    done(&["model", "import", model.to_str().unwrap(), "--name", "kestrel-embedder"]);
    std::fs::write(path("password"), "quiet herons at noon\n").unwrap();
    done(&["user", "create", "kestrel", "--password-file", &path("password")]);
    done(&["collection", "create", "Kestrel"]);
    std::fs::write(path("kestrel.txt"), "The kestrel nests on the crane.").unwrap();
    done(&["import", &path("kestrel.txt"), "--collection", "Kestrel"]);
    let content = Command::new("find").arg(data.join("content")).args(["-type", "f"]).output().unwrap();
    std::fs::write(String::from_utf8(content.stdout).unwrap().trim(), "altered kestrel").unwrap();

    let bundle = path("bundle.tar.gz");
    let said: serde_json::Value = serde_json::from_str(&done(&["diagnostics", "--output", &bundle, "--json"])).unwrap();
    assert_eq!(said["recorded"], true, "{said}");
    let all = unpacked(Path::new(&bundle));
    holds_no_marks(&all);
    assert!(all.contains("\"code\": \"originals\"") && all.contains("\"altered\": 1"), "{all}");
    assert!(all.contains("\"organisation\": \"(set)\"") && all.contains("\"engine\": \"local\""), "{all}");
    let again = carrel(&["diagnostics", "--output", &bundle]);
    assert!(!again.status.success(), "a file that is there is not written over");

    // Without a database it still says what it can, and that nobody wrote it down.
    std::fs::write(data.join("carrel.db"), vec![7; 8192]).unwrap();
    let said: serde_json::Value =
        serde_json::from_str(&done(&["diagnostics", "--output", &path("second.tar.gz"), "--json"])).unwrap();
    assert_eq!(said["recorded"], false, "{said}");
    let all = unpacked(Path::new(&path("second.tar.gz")));
    holds_no_marks(&all);
    assert!(all.contains("\"code\": \"database\"") && all.contains("== versions.json"), "{all}");
}
