//! Replay: writes an answer again from its record, and says exactly what differs.
//!
//! The record holds the whole prompt, so an answer can be written again though its documents have changed or gone; the same
//! model with the same sampling and seed gives the same text, whatever else ran beside it.

use crate::{AskError, Wishes, calls};
use inference::{GenerateRequest, Generator, Message, Progress, Sampling};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use storage::{AnswerRecord, AnswerState, Source, Store};

/// The prompt of an answer's record: all that is needed to write the same text again.
#[derive(Debug, Clone, Deserialize)]
struct Prompt {
    messages: Vec<Message>,
    sampling: Sampling,
    max_new_tokens: Option<usize>,
    #[serde(default)]
    stop: Vec<String>,
    schema: Option<Value>,
    #[serde(default)]
    tools: Vec<Value>,
    build: Option<String>,
    #[serde(default)]
    reuse_passages: bool,
}

/// Something that is not as it was when the answer was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// No model with the recorded hash is here.
    ModelGone {
        /// Its name then.
        name: String,
        /// SHA-256 of its weights.
        sha256: String,
    },
    /// An engine elsewhere wrote it; its weights were never known here.
    WrittenElsewhere {
        /// The model's name and the engine's address.
        name: String,
    },
    /// Another release wrote it.
    OtherBuild {
        /// That release and what it computed with.
        then: String,
        /// This one.
        now: String,
    },
    /// The document of a source is gone.
    DocumentGone {
        /// The number of the source in the answer.
        rank: u32,
        /// Its title then.
        title: String,
    },
    /// The passage of a source is gone, though the document is there.
    PassageGone {
        /// The number of the source in the answer.
        rank: u32,
        /// The document's title then.
        title: String,
        /// The version that it was in.
        version: u32,
    },
    /// The stored passage has another text than the recorded hash says.
    PassageChanged {
        /// The number of the source in the answer.
        rank: u32,
        /// The document's title then.
        title: String,
    },
    /// The document has a newer version; the passage of then is still there.
    NewerVersion {
        /// The number of the source in the answer.
        rank: u32,
        /// The document's title then.
        title: String,
        /// The version in use.
        version: u32,
    },
    /// The record says too little to write the text again.
    NoPrompt,
    /// Keys and values of its passages were computed one by one and put together, which rounds otherwise than one prompt.
    PassagesReused,
    /// The text written now is another one.
    Text {
        /// How many characters are the same, from the beginning.
        same: usize,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModelGone { name, sha256 } => {
                write!(f, "the model '{name}' with the SHA-256 {sha256} is no longer here; import it to write the text again")
            }
            Self::WrittenElsewhere { name } => {
                write!(f, "the text was written by an engine elsewhere ({name}), whose weights are not known here")
            }
            Self::OtherBuild { then, now } => write!(f, "written by {then}, replayed by {now}"),
            Self::DocumentGone { rank, title } => write!(f, "source [{rank}]: the document '{title}' is gone"),
            Self::PassageGone { rank, title, version } => {
                write!(f, "source [{rank}]: the passage of version {version} of '{title}' is gone")
            }
            Self::PassageChanged { rank, title } => {
                write!(f, "source [{rank}]: the stored passage of '{title}' has another text than was shown")
            }
            Self::NewerVersion { rank, title, version } => {
                write!(f, "source [{rank}]: '{title}' has version {version} by now; the passage shown is still there")
            }
            Self::NoPrompt => f.write_str("no model was asked for this answer, so there is no text to write again"),
            Self::PassagesReused => f.write_str(
                "passages were read one by one then (answer.reuse_passages), now as one prompt: the text may differ for that",
            ),
            Self::Text { same } => write!(f, "the text is another one after {same} characters"),
        }
    }
}

/// What a replay found.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The text written now; `None` if none could be.
    pub text: Option<String>,
    /// What is not as it was. What only concerns the surroundings need not change the text.
    pub differences: Vec<Difference>,
}

impl Replay {
    /// Whether the same text was written again.
    #[must_use]
    pub fn is_same_text(&self) -> bool {
        self.text.is_some() && !self.differences.iter().any(|difference| matches!(difference, Difference::Text { .. }))
    }
}

/// This build and what it computes with, as records name it.
#[must_use]
pub fn build(on_gpu: bool) -> String {
    let arithmetic = if on_gpu { "GPU" } else { inference::Arithmetic::of_this_machine().name() };
    format!("carrel {} ({arithmetic})", env!("CARGO_PKG_VERSION"))
}

/// Compares the sources of an answer with what is stored today.
///
/// # Errors
/// A failing database.
pub async fn compare_sources(store: &Store, sources: &[Source]) -> Result<Vec<Difference>, AskError> {
    let mut differences = Vec::new();
    for source in sources {
        let (rank, title) = (source.rank, source.title.clone());
        let today = store.source_today(source).await?;
        differences.extend(match (today.version, today.hash) {
            (None, _) => Some(Difference::DocumentGone { rank, title }),
            (_, None) => Some(Difference::PassageGone { rank, title, version: source.version }),
            (_, Some(hash)) if hash != source.hash => Some(Difference::PassageChanged { rank, title }),
            (Some(version), _) if version != source.version => Some(Difference::NewerVersion { rank, title, version }),
            _ => None,
        });
    }
    Ok(differences)
}

/// Writes the text of `record` again with `generator`, which has the recorded weights, and compares. `None` as generator
/// stands for a model that is gone.
///
/// # Errors
/// What the model refuses.
pub async fn replay(record: &AnswerRecord, generator: Option<&Generator>) -> Result<Replay, AskError> {
    let mut differences = Vec::new();
    let prompt = serde_json::from_str::<Prompt>(&record.prompt).ok().filter(|prompt| !prompt.messages.is_empty());
    let Some(prompt) = prompt else {
        return Ok(Replay { text: None, differences: vec![Difference::NoPrompt] });
    };
    let now = build(generator.is_some_and(Generator::on_gpu));
    if let Some(then) = prompt.build.clone().filter(|then| *then != now) {
        differences.push(Difference::OtherBuild { then, now });
    }
    let Some(generator) = generator else {
        let name = record.model.clone();
        differences.push(match record.model_hash.as_str() {
            "" => Difference::WrittenElsewhere { name },
            sha256 => Difference::ModelGone { name, sha256: sha256.to_owned() },
        });
        return Ok(Replay { text: None, differences });
    };
    if prompt.reuse_passages {
        differences.push(Difference::PassagesReused);
    }
    let wishes = Wishes { tools: prompt.tools.clone(), schema: prompt.schema.clone(), ..Wishes::default() };
    let written = write(&prompt, generator).await?;
    let (text, _) = calls::split(&written, &wishes, record.id);
    // Who stopped an answer has its beginning.
    let same = match record.state {
        AnswerState::Stopped | AnswerState::Failed => text.starts_with(&record.text),
        _ => text == record.text,
    };
    if !same {
        let same = text.chars().zip(record.text.chars()).take_while(|(a, b)| a == b).count();
        differences.push(Difference::Text { same });
    }
    Ok(Replay { text: Some(text), differences })
}

async fn write(prompt: &Prompt, generator: &Generator) -> Result<String, AskError> {
    let request = GenerateRequest {
        messages: prompt.messages.clone(),
        // Records from before this was written down have the default of then.
        max_new_tokens: prompt.max_new_tokens.unwrap_or(crate::Settings::default().answer_tokens),
        sampling: prompt.sampling,
        stop: prompt.stop.clone(),
        schema: prompt.schema.clone(),
        tools: prompt.tools.clone(),
        ..GenerateRequest::default()
    };
    let mut stream = generator.generate(request)?;
    let mut text = String::new();
    while let Some(progress) = stream.next().await {
        if let Progress::Text(delta) = progress? {
            text.push_str(&delta);
        }
    }
    Ok(text)
}
