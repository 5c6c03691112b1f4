//! `carrel model`

use super::evaluate::Arguments as Evaluate;
use super::print_json;
use super::r#try::Arguments as Try;
use crate::Outcome;
use crate::config::Configuration;
use crate::lock::IndexLock;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use inference::ModelKind;
use models::{By, Models};
use recognize::Pack;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use storage::Model;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the model packs
    List,
    /// Take in a GGUF file, a folder with BERT-family safetensors, or one with the models that read text in pictures
    Import {
        /// The file or folder
        path: PathBuf,
        /// Its name here [default: the file's]
        #[arg(long)]
        name: Option<String>,
        /// Take it although nobody signed it, where models.signed_only holds; the reason is recorded
        #[arg(long, value_name = "REASON")]
        accept: Option<String>,
    },
    /// Put a site's own questions to a model and to the one in use, before it is promoted
    Evaluate(Evaluate),
    /// Compare a model with the hash of its import and let it write a few tokens
    Verify {
        /// Its name
        name: String,
    },
    /// Have a model loaded beside the one in use, to try it
    Load {
        /// Its name
        name: String,
    },
    /// End the trial of the model beside the one in use
    Unload,
    /// Take a model into use
    Promote {
        /// Its name
        name: String,
    },
    /// Go back to the model in use before
    Rollback {
        /// generate or embed
        #[arg(default_value = "generate")]
        kind: ModelKind,
    },
    /// Take a model that nothing uses off the list, and its files off the disk
    Remove {
        /// Its name
        name: String,
    },
    /// Measure how many tokens a second a model reads and writes
    Measure {
        /// Its name
        name: String,
    },
    /// Ask the model in use and another one the same question, over the same passages
    Try(Try),
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let Arguments { json, command } = arguments;
    let site = Site::open(configuration).await?;
    let (models, by) = (models(&site), by(&site));
    let (value, text) = match command {
        Command::List => return list(&site, &models, json).await,
        Command::Try(arguments) => return super::r#try::run(&site, &models, arguments, json).await,
        Command::Evaluate(arguments) => return super::evaluate::run(&site, &models, arguments, &by, json).await,
        Command::Import { path, .. } if path.extension().is_some_and(|end| end == "carrel") => {
            return Err(format!("{} is a bundle; 'carrel bundle apply' takes it", path.display()).into());
        }
        Command::Import { path, .. } if Pack::is_at(&path) => {
            import_recognition(&site, &path).await?;
            let value = json!({ "name": RECOGNITION, "kind": "recognize", "active": true });
            (value, "the text in pictures and scans is read from the next start of the server on".to_owned())
        }
        Command::Import { path, name, accept } => {
            if accept.as_deref().is_some_and(|reason| reason.trim().is_empty()) {
                return Err("--accept needs a reason: who vouches for this model, and how was it checked?".into());
            }
            let model = models.import_accepted(&path, name.as_deref(), accept.as_deref(), &by).await?;
            let state = if model.active {
                "in use, as the first of its kind"
            } else if model.kind == ModelKind::Rerank.as_str() {
                "not in use; rerank.model in the configuration takes it into use"
            } else if model.kind == ModelKind::Embed.as_str() {
                "not in use; 'carrel model promote' takes it into use, from the next start of the server on"
            } else {
                "not in use; 'carrel model load' tries it, 'carrel model promote' takes it into use"
            };
            let license = text(&model.card, "license").unwrap_or("unknown");
            let hash = &model.sha256[..12];
            let text =
                format!("imported '{}' ({}, sha256 {hash}…, licence {license}): {state}", model.name, model.kind);
            (row(&model), text)
        }
        Command::Verify { name } => {
            let ran = models.verify(&name, &by).await?;
            let model = models.find(&name).await?;
            let rest = if ran { "and it runs" } else { "but it was not run: there is no memory for it" };
            let text = format!("'{name}' is as it was imported, {rest}: sha256 {}", model.sha256);
            (json!({ "name": name, "sha256": model.sha256, "self_test": ran }), text)
        }
        Command::Load { name } => {
            models.load(&name, &by).await?;
            taken_over(
                &site,
                json!({ "name": name, "state": "experimental" }),
                &format!("'{name}' is wanted beside the model in use"),
            )?
        }
        Command::Unload => {
            let name = models.unload(&by).await?;
            taken_over(
                &site,
                json!({ "name": name, "state": "unloaded" }),
                &format!("'{name}' is no longer wanted beside the model in use"),
            )?
        }
        Command::Promote { name } => {
            let before = models.promote(&name, &by).await?;
            if before.as_deref() == Some(name.as_str()) {
                (json!({ "name": name, "before": before }), format!("'{name}' is in use already"))
            } else {
                in_use(&site, &models, &name, json!({ "name": name, "before": before })).await?
            }
        }
        Command::Rollback { kind } => {
            let name = models.rollback(kind.as_str(), &by).await?;
            in_use(&site, &models, &name, json!({ "name": name })).await?
        }
        Command::Remove { name } => {
            models.remove(&name, &by).await?;
            (json!({ "name": name, "state": "removed" }), format!("'{name}' is gone, and its files with it"))
        }
        Command::Measure { name } => {
            let speed = models.measure(&name, &by).await?;
            let (reads, writes) = (speed.prefill_tokens_per_s, speed.decode_tokens_per_s);
            let mut text =
                format!("'{name}' reads {reads:.1} and writes {writes:.1} tokens a second on {}", speed.machine);
            if beside_a_server(&site)? {
                text.push_str("\na server runs beside: what it answers meanwhile slows the measurement down");
            }
            (json!({ "name": name, "speed": speed }), text)
        }
    };
    if json {
        print_json(&value);
    } else {
        println!("{text}");
    }
    Ok(())
}

/// The models as commands see them: what they want is written down, and a running server does it.
pub(crate) fn models(site: &Site) -> Models {
    Models::at_console(site.store.clone(), site.model_settings())
}

fn by(site: &Site) -> By {
    By { actor: Actor::console(), operation: site.operation() }
}

/// What the audit log calls the models that read the text in pictures.
const RECOGNITION: &str = "text recognition";

/// Takes a model pack for text recognition into use.
pub(crate) async fn import_recognition(site: &Site, pack: &Path) -> Outcome {
    let (from, to) = (pack.to_owned(), site.recognition());
    let installed =
        tokio::task::spawn_blocking(move || crate::reading::install(&from, &to).map_err(|error| error.to_string()));
    installed.await??;
    let mut act = site.store.begin().await?;
    let event = Event::new(Action::ModelImported, &Actor::console(), site.operation());
    act.record(event.on("model", RECOGNITION, RECOGNITION)).await?;
    act.commit().await?;
    Ok(())
}

/// Takes a model in, as the demo does.
pub(crate) async fn import(site: &Site, path: &Path, name: Option<String>) -> Result<Model, Failure> {
    Ok(models(site).import(path, name.as_deref(), &by(site)).await?)
}

/// Whether another process, which can only be a server or a long command, works on this data directory.
fn beside_a_server(site: &Site) -> Result<bool, Failure> {
    Ok(IndexLock::acquire(&site.data)?.is_none())
}

/// Says when a server does what was written down.
fn taken_over(site: &Site, mut value: Value, done: &str) -> Result<(Value, String), Failure> {
    let running = beside_a_server(site)?;
    value["server_running"] = running.into();
    let when = if running {
        "the running server takes it over within seconds; 'carrel model list' shows a problem if it cannot"
    } else {
        "no server runs here; the next start takes it over"
    };
    Ok((value, format!("{done}: {when}")))
}

/// The same for a model in use: an embedding model is read only when a server starts.
async fn in_use(site: &Site, models: &Models, name: &str, value: Value) -> Result<(Value, String), Failure> {
    if models.find(name).await?.kind == ModelKind::Generate.as_str() {
        return taken_over(site, value, &format!("'{name}' is in use"));
    }
    Ok((value, format!("'{name}' is in use from the next start of the server on")))
}

async fn list(site: &Site, models: &Models, json: bool) -> Outcome {
    let known = models.list().await?;
    if json {
        let memory = models.memory();
        print_json(&json!({
            "models": known.iter().map(row).collect::<Vec<_>>(),
            "memory": memory.map(|memory| json!({ "total": memory.total, "available": memory.available })),
            "server_running": beside_a_server(site)?,
        }));
        return Ok(());
    }
    println!("{:36} {:8} {:12} {:>9} {:>9} {:>15}  licence", "name", "kind", "state", "size", "memory", "tokens/s");
    for model in &known {
        let size = model.info.get("size_bytes").and_then(Value::as_u64);
        let memory = model.resident_bytes.or(model.need_bytes);
        let rate = |name: &str| model.speed.as_ref().and_then(|speed| speed.get(name)).and_then(Value::as_f64);
        let speed = rate("prefill_tokens_per_s").zip(rate("decode_tokens_per_s"));
        println!(
            "{:36} {:8} {:12} {:>9} {:>9} {:>15}  {}",
            model.name,
            model.kind,
            model.state().as_str(),
            size.map(gigabytes).unwrap_or_default(),
            memory.map(gigabytes).unwrap_or_default(),
            speed.map(|(reads, writes)| format!("{reads:.0} / {writes:.1}")).unwrap_or_default(),
            text(&model.card, "license").unwrap_or("unknown"),
        );
        if let Some(problem) = &model.problem {
            println!("  ! {problem}");
        }
    }
    Ok(())
}

fn row(model: &Model) -> Value {
    json!({
        "name": model.name,
        "kind": model.kind,
        "state": model.state().as_str(),
        "active": model.active,
        "previous": model.previous,
        "file": model.file,
        "info": model.info,
        "card": model.card,
        "sha256": model.sha256,
        "imported_at": model.imported_at,
        "verified_at": model.verified_at,
        "need_bytes": model.need_bytes,
        "resident_bytes": model.resident_bytes,
        "speed": model.speed,
        "problem": model.problem,
    })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn gigabytes(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{:.0} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}
