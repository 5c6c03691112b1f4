//! `carrel model`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use inference::{ModelInfo, ModelKind, pack};
use serde_json::json;
use std::path::{Path, PathBuf};
use storage::Model;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the model packs
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Take in a GGUF file or a folder with BERT-family safetensors
    Import {
        /// The file or folder
        path: PathBuf,
        /// Its name here [default: the file's]
        #[arg(long)]
        name: Option<String>,
    },
    /// Check a model pack against the hash it was imported with
    Verify {
        /// Its name
        name: String,
    },
    /// Take a model into use; a running server does so at its next start
    Promote {
        /// Its name
        name: String,
    },
    /// Go back to the model in use before
    Rollback {
        /// generate or embed
        kind: ModelKind,
    },
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::List { json } => list(&site, json).await,
        Command::Import { path, name } => {
            let model = import(&site, &path, name).await?;
            let state = if model.active { "in use" } else { "not in use; 'carrel model promote' changes that" };
            println!("imported '{}' ({}, sha256 {}…): {state}", model.name, model.kind, &model.sha256[..12]);
            Ok(())
        }
        Command::Verify { name } => verify(&site, &name).await,
        Command::Promote { name } => promote(&site, &name).await,
        Command::Rollback { kind } => {
            check_replaceable(&site, kind.as_str()).await?;
            let mut act = site.store.begin().await?;
            let name = act.rollback_model(kind.as_str()).await?;
            act.record(promoted(&site, &name)).await?;
            act.commit().await?;
            println!("'{name}' is in use again");
            Ok(())
        }
    }
}

async fn list(site: &Site, json: bool) -> Outcome {
    let models = site.store.models().await?;
    if json {
        let row = |model: Model| {
            let Model { name, kind, file, info, sha256, active, .. } = model;
            json!({ "name": name, "kind": kind, "file": file, "info": info, "sha256": sha256, "active": active })
        };
        print_json(&json!({ "models": models.into_iter().map(row).collect::<Vec<_>>() }));
        return Ok(());
    }
    for model in models {
        let text = |name: &str| model.info.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let state = if model.active { "in use" } else { "" };
        let what = format!("{} {}", text("architecture"), text("quantisation"));
        println!("{:40} {:8} {what:16} {}… {state}", model.name, model.kind, &model.sha256[..12]);
    }
    Ok(())
}

/// Takes a model in: inspected where it lies, copied, inspected again where it will stay.
pub(crate) async fn import(site: &Site, path: &Path, name: Option<String>) -> Result<Model, Failure> {
    let info = inspect(path).await?;
    let name = name.unwrap_or_else(|| stem(path));
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return Err("a model's name is a plain file name".into());
    }
    let models = site.store.models().await?;
    if models.iter().any(|model| model.name == name) {
        return Err(format!("there is a model '{name}' already; give this one another name with --name").into());
    }
    let file = match info.kind {
        ModelKind::Generate => format!("models/{name}.gguf"),
        ModelKind::Embed | ModelKind::Rerank => format!("models/{name}"),
    };
    let (from, to) = (path.to_owned(), site.data.join(&file));
    tokio::task::spawn_blocking(move || copy(&from, &to)).await??;
    let arrived = inspect(&site.data.join(&file)).await?;
    if arrived.sha256 != info.sha256 {
        return Err("the copy differs from the original; check the disk and the medium".into());
    }
    let active = !models.iter().any(|model| model.kind == info.kind.as_str() && model.active);
    let model = Model {
        kind: info.kind.as_str().to_owned(),
        file,
        info: serde_json::to_value(&info)?,
        sha256: info.sha256.clone(),
        active,
        imported_at: site.store.environment().now(),
        name,
    };
    let mut act = site.store.begin().await?;
    act.insert_model(&model).await?;
    if active {
        act.promote_model(&model.name).await?;
    }
    let event = Event::new(Action::ModelImported, &Actor::console(), site.operation())
        .on("model", &model.name, &model.name)
        .detail(json!({ "kind": model.kind, "sha256": model.sha256, "in_use": active }));
    act.record(event).await?;
    act.commit().await?;
    Ok(model)
}

async fn verify(site: &Site, name: &str) -> Outcome {
    let model = find(site, name).await?;
    let info = inspect(&site.data.join(&model.file)).await?;
    if info.sha256 != model.sha256 {
        return Err(format!("'{name}' was changed on disk: import it again from its medium").into());
    }
    println!("'{name}' is as it was imported: sha256 {}", model.sha256);
    Ok(())
}

async fn promote(site: &Site, name: &str) -> Outcome {
    let model = find(site, name).await?;
    inspect(&site.data.join(&model.file)).await?;
    if model.active {
        println!("'{name}' is in use already");
        return Ok(());
    }
    check_replaceable(site, &model.kind).await?;
    let mut act = site.store.begin().await?;
    act.promote_model(name).await?;
    act.record(promoted(site, name)).await?;
    act.commit().await?;
    println!("'{name}' is in use from the next start of the server on");
    Ok(())
}

/// Vectors of one embedder mean nothing to another.
async fn check_replaceable(site: &Site, kind: &str) -> Outcome {
    if kind == ModelKind::Embed.as_str() && !site.store.documents_to_index(None, 1).await?.is_empty() {
        let sentence = "documents were embedded by the model in use, and another one cannot read their vectors; \
                        import them anew into a data directory that begins with the other model";
        return Err(sentence.into());
    }
    Ok(())
}

fn promoted(site: &Site, name: &str) -> Event {
    Event::new(Action::ModelPromoted, &Actor::console(), site.operation()).on("model", name, name)
}

async fn find(site: &Site, name: &str) -> Result<Model, Failure> {
    let unknown = || format!("there is no model '{name}'; 'carrel model list' shows them");
    Ok(site.store.models().await?.into_iter().find(|model| model.name == name).ok_or_else(unknown)?)
}

async fn inspect(path: &Path) -> Result<ModelInfo, Failure> {
    let path = path.to_owned();
    Ok(tokio::task::spawn_blocking(move || pack::inspect(&path)).await??)
}

/// The file's name without `.gguf`, or the folder's.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".gguf").unwrap_or(&name).to_owned()
}

/// Copies a file or a flat folder; by a hard link where that is possible, since models are large and never change.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if from.is_dir() {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                copy(&entry.path(), &to.join(entry.file_name()))?;
            }
        }
        return Ok(());
    }
    let from = std::fs::canonicalize(from)?;
    let partial = to.with_extension("partial");
    let _ = std::fs::remove_file(&partial);
    if std::fs::hard_link(&from, &partial).is_err() {
        std::fs::copy(&from, &partial)?;
        std::fs::File::open(&partial)?.sync_all()?;
    }
    std::fs::rename(&partial, to)
}
