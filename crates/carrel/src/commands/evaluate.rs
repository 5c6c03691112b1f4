//! `carrel model evaluate`: a site's own questions to a model, and to the one in use, before it is promoted.

use super::eval::{AnswerSet, READER, figures_of, scratch_site};
use super::print_json;
use crate::Outcome;
use crate::site::{Failure, Site};
use inference::ModelKind;
use models::{By, Evaluation, Models};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the model to evaluate
    name: String,
    /// JSONL with questions about the documents of this data directory, or a set that brings its documents ('carrel eval answers')
    #[arg(long, value_name = "PATH")]
    dataset: PathBuf,
    /// Whose eyes: the sign-in name of a user who may see the documents; not needed if the set brings them
    #[arg(long)]
    user: Option<String>,
    /// Questions at most, taken evenly from the set
    #[arg(long, default_value_t = 30)]
    limit: usize,
}

/// What is compared, how it is called, and whether more of it is better.
const SHOWN: [(&str, &str); 5] = [
    ("answer_match", "right answers"),
    ("citation_precision", "right citations"),
    ("supported_sentences", "supported sentences"),
    ("refusal_recall", "refused what has no answer"),
    ("refusal_precision", "refused only that"),
];

pub(crate) async fn run(site: &Site, models: &Models, arguments: Arguments, by: &By, json: bool) -> Outcome {
    let Arguments { name, dataset, user, limit } = arguments;
    let model = models.find(&name).await?;
    if model.kind != ModelKind::Generate.as_str() {
        return Err(format!("'{name}' writes no answers; 'carrel eval retrieval' measures embedding models").into());
    }
    let mut set = AnswerSet::read(&dataset, 3)?;
    set.thin(limit);
    let folder = tempfile::tempdir()?;
    let (asked, eyes) = match (set.documents.is_empty(), user) {
        (false, _) => (scratch_site(site, folder.path(), &set.documents).await?, READER.to_owned()),
        (true, Some(user)) => (site.clone(), user),
        (true, None) => return Err("name with --user whose eyes see the documents that the questions are about".into()),
    };
    let retrieval = asked.own_retrieval().await?;
    // One after the other: two large models at once may not fit.
    let beside = match models.in_use(ModelKind::Generate).await?.filter(|stable| stable.name != name) {
        Some(stable) => {
            let generator = models.open_for_trial(&stable.name).await?;
            let figures = figures_of(&asked, &retrieval, generator, &eyes, &set).await?;
            Some((stable.name, figures))
        }
        None => None,
    };
    let generator = models.open_for_trial(&name).await?;
    let figures = figures_of(&asked, &retrieval, generator, &eyes, &set).await?;
    let found = Evaluation {
        sha256: model.sha256.clone(),
        at: site.store.environment().now(),
        set: dataset.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        set_sha256: sha256(&dataset)?,
        figures,
        beside,
    };
    if json {
        print_json(&json!({ "name": name, "evaluation": found }));
    } else {
        print(&name, &found);
    }
    models.note_evaluation(&model, found, by).await?;
    Ok(())
}

fn print(name: &str, found: &Evaluation) {
    let beside = found.beside.as_ref();
    println!("{:28} {:>20} {:>20}", "", name, beside.map_or("", |(name, _)| name));
    let percent = |figures: &Value, key: &str| {
        let share = figures.get(key).and_then(Value::as_f64);
        share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share))
    };
    for (key, label) in SHOWN {
        let other = beside.map(|(_, figures)| percent(figures, key)).unwrap_or_default();
        println!("{label:28} {:>20} {other:>20}", percent(&found.figures, key));
    }
    let first = |figures: &Value| {
        let ms = figures.get("ttft_ms").and_then(|times| times.get("p50")?.as_f64());
        ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms / 1000.0))
    };
    let other = beside.map(|(_, figures)| first(figures)).unwrap_or_default();
    println!("{:28} {:>20} {other:>20}", "first word after (median)", first(&found.figures));
    println!("the models page shows it; 'carrel model promote {name}' takes the model into use");
}

/// Of a file, or of all files of a folder in the order of their names.
fn sha256(path: &Path) -> Result<String, Failure> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
    }
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(std::fs::read(file)?);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
