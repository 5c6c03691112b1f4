//! The configuration: embedded defaults, then a TOML file, then `CARREL_*` variables, then the command line.

use answer::Settings;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use inference::Precision;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What a site can configure. docs/configuration.md describes each field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Configuration {
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    /// Address and port of the server.
    pub(crate) listen: SocketAddr,
    /// Name of the organisation, on every page.
    pub(crate) organisation: String,
    /// Largest file taken in, in megabytes.
    pub(crate) largest_file_mb: u64,
    /// Seconds that an answer goes on without anybody reading along.
    pub(crate) patience_seconds: u64,
    /// Cookies only over TLS; `None` means so unless the address is on the loopback interface.
    pub(crate) secure_cookies: Option<bool>,
    /// Answers.
    pub(crate) answer: AnswerLimits,
    /// Generation.
    pub(crate) generate: GenerateLimits,
    /// Embedding and reranking.
    pub(crate) embed: EmbedOptions,
}

/// How texts become vectors.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmbedOptions {
    /// What the embedder and the reranker compute in: `f32` or `int8`.
    pub(crate) precision: Precision,
}

/// What an answer may cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnswerLimits {
    /// Passages in a prompt.
    pub(crate) passages: usize,
    /// Tokens of passages in a prompt.
    pub(crate) passage_tokens: usize,
    /// Tokens of an answer.
    pub(crate) answer_tokens: usize,
    /// Retrieval less sure than this (0 to 1) is refused.
    pub(crate) least_confidence: f32,
    pub(crate) reuse_passages: bool,
}

/// What the generation model may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GenerateLimits {
    /// Threads; `None` means all cores.
    pub(crate) threads: Option<usize>,
    /// Questions that may wait before further ones are refused.
    pub(crate) max_waiting: usize,
    /// Tokens of prompt and answer together.
    pub(crate) context_tokens: usize,
    /// Answers written at the same time.
    pub(crate) max_running: usize,
    /// Memory for keys and values, in MiB; one whole context fits in any case.
    pub(crate) kv_memory_mb: usize,
    /// Memory for the keys and values of passages, in MiB, when `answer.reuse_passages` is on.
    pub(crate) passage_memory_mb: usize,
    /// Whether to guess tokens that repeat earlier ones; never changes an answer.
    pub(crate) speculate: bool,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            organisation: "Reading room".to_owned(),
            largest_file_mb: 64,
            patience_seconds: 60,
            secure_cookies: None,
            answer: AnswerLimits::default(),
            generate: GenerateLimits::default(),
            embed: EmbedOptions::default(),
        }
    }
}

impl Default for AnswerLimits {
    fn default() -> Self {
        let Settings { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages, .. } = Settings::default();
        Self { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages }
    }
}

impl Default for GenerateLimits {
    fn default() -> Self {
        Self {
            threads: None,
            max_waiting: 32,
            context_tokens: 4096,
            max_running: 8,
            kv_memory_mb: 1024,
            passage_memory_mb: 1024,
            speculate: true,
        }
    }
}

impl Configuration {
    /// The configuration of `file` and the environment, with `data` from the command line.
    pub(crate) fn load(file: Option<&Path>, data: Option<PathBuf>) -> Result<Self, Box<figment::Error>> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        // `CARREL_LOG` and `CARREL_MODELS` are not part of it.
        let figment = figment.merge(Env::prefixed("CARREL_").ignore(&["log", "models", "eval"]).split("__"));
        let mut configuration: Self = figment.extract().map_err(Box::new)?;
        if let Some(data) = data {
            configuration.data = data;
        }
        Ok(configuration)
    }

    pub(crate) fn settings(&self) -> Settings {
        let AnswerLimits { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages } = self.answer;
        Settings { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages, ..Settings::default() }
    }

    pub(crate) fn secure_cookies(&self) -> bool {
        self.secure_cookies.unwrap_or(!self.listen.ip().is_loopback())
    }
}
