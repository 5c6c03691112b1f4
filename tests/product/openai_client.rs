//! OpenAI's own Python client against the product: it must work unchanged.

use crate::remote::with_engine;
use crate::with_handbook;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Behaviour, TestApp, Upstream};
use tokio::net::TcpListener;

/// The client's version, as its package index has it.
const CLIENT: &str = "openai==3.52.0";

/// A Python with the client in it: made once, in the user's cache.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let folder = cache.unwrap_or_else(home).join("carrel/python").join(CLIENT);
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    if !complete.exists() {
        let _ = std::fs::remove_dir_all(&folder);
        run(
            Command::new("python3").args(["-m", "venv"]).arg(&folder),
            "python3 cannot make an environment; install it with its modules venv and pip",
        );
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", CLIENT];
        run(Command::new(&python).args(install), "OpenAI's client could not be installed");
        std::fs::write(complete, "").unwrap();
    }
    python
}

fn run(command: &mut Command, missing: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{missing}: {error}"));
    assert!(output.status.success(), "{missing}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn serve(world: &TestApp) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = web::router(world.app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}/v1")
}

/// With the small local model, and with an engine that says what the script expects.
#[tokio::test(flavor = "multi_thread")]
async fn openai_client() {
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let (local, _) = with_handbook().await;
    let upstream = Upstream::start(Behaviour::ByRequest(|body| {
        if body.get("tools").is_some() {
            Behaviour::Calls("tide".to_owned(), json!({ "at": "Pier 4" }))
        } else if body.get("response_format").is_some() {
            Behaviour::Says(vec!["{\"annual_leave_days\": ".to_owned(), "24}".to_owned()])
        } else {
            Behaviour::Says(vec![
                "In the first year every employee ".to_owned(),
                "receives 24 days of annual leave.".to_owned(),
            ])
        }
    }))
    .await;
    let remote = with_engine(&upstream).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/product/openai_client.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .env("LOCAL", serve(&local).await)
        .env("LOCAL_TOKEN", local.token("ada").await)
        .env("REMOTE", serve(&remote).await)
        .env("REMOTE_TOKEN", remote.token("ada").await)
        .env("NO_PROXY", "127.0.0.1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all as expected"), "{said}");
}
