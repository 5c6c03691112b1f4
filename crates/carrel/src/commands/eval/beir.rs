//! Sets in the format of BEIR (Thakur et al. 2021): `corpus.jsonl`, `queries.jsonl` and a TSV of judgements.

use crate::site::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// A document of a set.
#[derive(Deserialize)]
pub(crate) struct Text {
    #[serde(alias = "_id")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The name of the file that a set's document is imported as.
pub(crate) fn file_name(id: &str) -> String {
    format!("{id}.md")
}

/// Documents, questions, and which documents answer which question.
pub(crate) struct Set {
    pub(crate) corpus: Vec<Text>,
    /// Only questions with a judgement.
    pub(crate) queries: Vec<Text>,
    /// Query id → document id → gain, above 0.
    pub(crate) judgements: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Set {
    pub(crate) fn read(directory: &Path) -> Result<Self, Failure> {
        let judgements = judgements(&directory.join("qrels.tsv"))?;
        let mut queries: Vec<Text> = lines(&directory.join("queries.jsonl"))?;
        queries.retain(|query| judgements.contains_key(&query.id));
        Ok(Self { corpus: lines(&directory.join("corpus.jsonl"))?, queries, judgements })
    }
}

pub(crate) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    lines_of(&path.display().to_string(), &text)
}

/// What stands in `text`, which lies in the file of this name.
pub(crate) fn lines_of<T: DeserializeOwned>(name: &str, text: &str) -> Result<Vec<T>, Failure> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| format!("{name}:{}: {error}", number + 1).into())
        })
        .collect()
}

fn judgements(path: &Path) -> Result<BTreeMap<String, BTreeMap<String, u32>>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut judged: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [query, document, gain] = fields[..] else {
            return Err(format!("{}:{}: expected query, document and score", path.display(), number + 1).into());
        };
        let gain: f64 = gain.trim().parse().map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
        if gain > 0.0 {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole gains")]
            judged.entry(query.to_owned()).or_default().insert(document.to_owned(), gain as u32);
        }
    }
    Ok(judged)
}
