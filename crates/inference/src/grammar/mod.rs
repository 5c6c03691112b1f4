//! Text that obeys a JSON schema: which tokens may come next.
//!
//! A schema becomes a grammar over bytes, and the grammar walks a tree of the vocabulary's tokens; both are the work of
//! the llguidance library. Here are the doors: schemas are foreign text, so what they may cost is bounded before they
//! are compiled (their size), while (the compiler's fuel, a stack of its own) and after (fuel for each token).
//!
//! What the library can't promise to keep is refused, not ignored: `oneOf` whose options overlap, `not`, `if`,
//! `uniqueItems`, unknown formats, references to elsewhere.

mod limits;
mod patterns;
mod state;
#[cfg(test)]
mod tests;
mod vocabulary;

pub(crate) use state::GrammarState;
pub(crate) use vocabulary::Vocabulary;

use crate::ModelError;
use crate::thinking::ThinkingTags;
use crate::tokenizer::TextTokenizer;
use llguidance::api::TopLevelGrammar;
use llguidance::{JsonCompileOptions, Matcher};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// White space between the parts of a JSON text: enough to indent with, too little to be lost in.
const WHITE_SPACE: &str = r"[ \n\r\t]{1,24}";

/// Escapes in strings. Without `\u`, which could spell the name of a property in a second way.
const ESCAPES: &str = "nrbtf\\\"";

/// Stack of the thread that compiles: the compiler goes down once for each reference and property of a schema. Only
/// what is used of it takes memory.
const STACK: usize = 64 << 20;

/// A compiled schema. Knows the vocabulary that it was compiled for.
pub(crate) struct Grammar {
    matcher: Matcher,
    vocabulary: Arc<Vocabulary>,
}

impl Grammar {
    /// Compiles a schema; `{"type": "object"}` is any object, `{}` any JSON. Takes milliseconds, for a malicious schema
    /// up to seconds, on a thread of its own, for which the caller waits.
    ///
    /// # Errors
    /// [`ModelError::InvalidRequest`] with the reason: no schema, contradicts itself, too large, or asks for what can't
    /// be kept.
    pub(crate) fn from_schema(schema: &Value, vocabulary: &Arc<Vocabulary>) -> Result<Self, ModelError> {
        limits::check(schema)?;
        patterns::check(schema)?;
        let mut schema = match schema {
            Value::Bool(true) => Value::Object(serde_json::Map::new()),
            Value::Object(_) => schema.clone(),
            _ => return Err(invalid("a schema is an object")),
        };
        JsonCompileOptions {
            whitespace_pattern: Some(WHITE_SPACE.to_owned()),
            json_allowed_escapes: Some(ESCAPES.to_owned()),
            ..JsonCompileOptions::default()
        }
        .apply_to(&mut schema);
        let compiled = std::thread::scope(|scope| {
            let compile = || {
                let parser = vocabulary.factory().create_parser(TopLevelGrammar::from_json_schema(schema));
                parser.map(|parser| Matcher::new(Ok(parser)))
            };
            let thread = std::thread::Builder::new().name("grammar".to_owned()).stack_size(STACK);
            thread.spawn_scoped(scope, compile).map(std::thread::ScopedJoinHandle::join)
        });
        match compiled {
            Ok(Ok(Ok(matcher))) => Ok(Self { matcher, vocabulary: Arc::clone(vocabulary) }),
            Ok(Ok(Err(error))) => Err(invalid(&reason(&error.to_string()))),
            Ok(Err(_)) => Err(invalid("it cannot be compiled")),
            Err(error) => Err(ModelError::Compute { reason: format!("no thread for a schema: {error}") }),
        }
    }

    /// The beginning of a text. A model that may think first (`thinking`) does so freely; `inside` if the prompt has
    /// opened its thinking already.
    pub(crate) fn start(self, thinking: Option<&ThinkingTags>, inside: bool) -> GrammarState {
        GrammarState::new(self.matcher, self.vocabulary, thinking.map(ThinkingTags::ids), inside)
    }
}

/// The vocabulary of a model as grammars need it, made when the first schema comes.
#[derive(Default)]
pub(crate) struct Grammars {
    vocabulary: OnceLock<Result<Arc<Vocabulary>, String>>,
}

impl Grammars {
    /// As [`Grammar::from_schema`], for the vocabulary of `tokenizer`, which is always the same one.
    pub(crate) fn compile(&self, schema: &Value, tokenizer: &TextTokenizer) -> Result<Grammar, ModelError> {
        let vocabulary = self.vocabulary.get_or_init(|| Vocabulary::new(tokenizer).map(Arc::new));
        let vocabulary = vocabulary.as_ref().map_err(|reason| invalid(reason))?;
        Grammar::from_schema(schema, vocabulary)
    }
}

fn invalid(reason: &str) -> ModelError {
    ModelError::InvalidRequest { reason: format!("the schema cannot be used: {reason}") }
}

/// The library's reason as one line of ours.
fn reason(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut reason: String = line.trim_end_matches(['.', ':']).chars().take(LONGEST).collect();
    for (theirs, ours) in [
        ("panic", "it cannot be compiled"),
        ("oneOf", "the options of a oneOf may overlap; use anyOf"),
        ("NoExtensionBias", "no text obeys it, or none that this model can write"),
    ] {
        if reason.starts_with(theirs) {
            return ours.to_owned();
        }
    }
    if let Some(first) = reason.get(..1) {
        let lower = first.to_lowercase();
        reason.replace_range(..1, &lower);
    }
    reason
}
