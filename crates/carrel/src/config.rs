//! The configuration: embedded defaults, then a TOML file, then `CARREL_*` variables, then the command line.

mod audit;
mod bundles;
mod disk;

pub(crate) use audit::AuditLog;
pub(crate) use bundles::Bundles;
pub(crate) use disk::Disk;

use crate::directory::DirectoryOptions;
use crate::oidc::OidcOptions;
use crate::sign_in::{Approvals, SignIn};
use answer::{Calibration, CalibrationError, Probing, RERANKED, SURE, Settings};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use inference::{Precision, RemoteOptions};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use web::Network;

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
    /// The cross-encoder between search and prompt.
    pub(crate) rerank: Rerank,
    /// The larger model for what the one in use is not sure of.
    pub(crate) escalate: Escalate,
    /// Model packs.
    pub(crate) models: ModelPlaces,
    /// Figures for those who watch the server.
    pub(crate) metrics: MetricsReaders,
    /// Watched folders.
    pub(crate) sources: Sources,
    /// Room on the disk.
    pub(crate) disk: Disk,
    /// Signed bundles.
    pub(crate) bundles: Bundles,
    /// Backups.
    pub(crate) backup: Backups,
    /// The audit log.
    pub(crate) audit: AuditLog,
    /// Encryption of what the server says and hears.
    pub(crate) tls: crate::tls::Tls,
    /// Searching.
    pub(crate) search: Search,
    /// How people sign in.
    pub(crate) sign_in: SignIn,
    /// Acts that need a second person.
    pub(crate) approvals: Approvals,
    /// The directory of the organisation.
    pub(crate) directory: DirectoryOptions,
    /// The OpenID provider of the organisation.
    pub(crate) oidc: OidcOptions,
}

/// Where backups go and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Backups {
    /// The folder, on another disk; `None`: the server makes no backups.
    pub(crate) to: Option<PathBuf>,
    /// Hours from one to the next; 0: only by hand.
    pub(crate) every_hours: u32,
    /// Backups that are kept.
    pub(crate) keep: usize,
}

impl Default for Backups {
    fn default() -> Self {
        Self { to: None, every_hours: 24, keep: 14 }
    }
}

/// How documents are searched.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Search {
    /// File of expressions that mean the same (docs/configuration.md); `None`: there is none.
    pub(crate) glossary: Option<PathBuf>,
}

/// Which cross-encoder puts passages into order before the prompt.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rerank {
    /// Its name in the list of models; `None`: there is none.
    pub(crate) model: Option<String>,
    /// Passages that it reads for a question.
    pub(crate) candidates: usize,
}

impl Default for Rerank {
    fn default() -> Self {
        Self { model: None, candidates: RERANKED }
    }
}

/// Which model takes over where the one in use is not sure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Escalate {
    /// Its name in the list of models; `None`: there is none.
    pub(crate) model: Option<String>,
    /// An answer less likely right than this, 0 to 1, goes to it.
    pub(crate) sure: f32,
}

impl Default for Escalate {
    fn default() -> Self {
        Self { model: None, sure: SURE }
    }
}

/// Who may read `/metrics` without a token.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsReaders {
    /// Addresses and networks; nobody unless named.
    pub(crate) allow: Vec<Network>,
}

/// Where files come from on their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sources {
    /// Folders in which the pages may have folders watched.
    pub(crate) allow: Vec<PathBuf>,
    /// A folder whose files wait for a curator's release, such as where USB media are copied to.
    pub(crate) drop: Option<PathBuf>,
    /// The collection that they go into.
    pub(crate) drop_collection: String,
}

impl Default for Sources {
    fn default() -> Self {
        let allow = ["/srv", "/mnt", "/media", "/run/media"].map(PathBuf::from).to_vec();
        Self { allow, drop: None, drop_collection: String::new() }
    }
}

/// How texts become vectors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmbedOptions {
    /// What the embedder and the reranker compute in: `f32` or `int8`.
    pub(crate) precision: Precision,
}

impl Default for EmbedOptions {
    /// 8 bits: twice as fast, and nDCG@10 on SciFact is 0.644 instead of 0.645.
    fn default() -> Self {
        Self { precision: Precision::Int8 }
    }
}

/// What an answer may cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnswerLimits {
    /// Whether questions are answered at all; without it the site can be searched, and no model is loaded for answers.
    pub(crate) enabled: bool,
    /// Passages in a prompt.
    pub(crate) passages: usize,
    /// Tokens of passages in a prompt.
    pub(crate) passage_tokens: usize,
    /// Tokens of an answer.
    pub(crate) answer_tokens: usize,
    /// Retrieval less sure than this (0 to 1) is refused.
    pub(crate) least_confidence: f32,
    pub(crate) reuse_passages: bool,
    /// Whether the model is asked first if the passages answer at all.
    pub(crate) probe: bool,
    /// What refusal goes by instead of the calibration that comes with the product.
    pub(crate) calibration: Option<PathBuf>,
}

/// Where the generation model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// In this process.
    #[default]
    Local,
    /// At the configured address.
    Remote,
}

/// What the generation model may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GenerateLimits {
    /// Which engine writes answers.
    pub(crate) engine: Engine,
    /// Where a model of this machine computes.
    pub(crate) device: inference::Device,
    /// Threads; `None` means all cores.
    pub(crate) threads: Option<usize>,
    /// Questions that may wait before further ones are refused.
    pub(crate) max_waiting: usize,
    /// Tokens of prompt and answer together, for a model of this machine.
    pub(crate) context_tokens: usize,
    /// Answers written at the same time.
    pub(crate) max_running: usize,
    /// Memory for keys and values, in MiB; one whole context fits in any case.
    pub(crate) kv_memory_mb: usize,
    /// Memory for the keys and values of passages, in MiB, when `answer.reuse_passages` is on.
    pub(crate) passage_memory_mb: usize,
    /// Whether to guess tokens that repeat earlier ones; never changes an answer.
    pub(crate) speculate: bool,
    /// The engine elsewhere; only used if `engine` says so.
    pub(crate) remote: RemoteEngine,
}

/// Where models come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelPlaces {
    /// Folders, beside the inbox, from which the models page may import.
    pub(crate) import_from: Vec<PathBuf>,
    /// Whether models come in signed bundles alone.
    pub(crate) signed_only: bool,
}

impl Default for ModelPlaces {
    fn default() -> Self {
        Self { import_from: ["/media", "/run/media", "/mnt"].map(PathBuf::from).to_vec(), signed_only: false }
    }
}

/// An OpenAI-compatible engine elsewhere in the enclave.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RemoteEngine {
    /// `http://host:port`.
    pub(crate) address: String,
    /// The model's name there.
    pub(crate) model: String,
    /// File whose first line is the key, if it wants one.
    pub(crate) key_file: Option<PathBuf>,
    /// Seconds for the connection.
    pub(crate) connect_timeout: f32,
    /// Seconds to the first token.
    pub(crate) first_token_timeout: f32,
    /// Seconds from one token to the next.
    pub(crate) idle_timeout: f32,
    /// Tokens of prompt and answer together, as the engine was started.
    pub(crate) context_tokens: usize,
    /// Questions at the engine at once.
    pub(crate) max_concurrent: usize,
}

impl Default for RemoteEngine {
    fn default() -> Self {
        let options = RemoteOptions::default();
        Self {
            address: options.address,
            model: options.model,
            key_file: options.key_file,
            connect_timeout: options.connect_timeout.as_secs_f32(),
            first_token_timeout: options.first_token_timeout.as_secs_f32(),
            idle_timeout: options.idle_timeout.as_secs_f32(),
            context_tokens: options.context_tokens,
            max_concurrent: options.max_concurrent,
        }
    }
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
            rerank: Rerank::default(),
            escalate: Escalate::default(),
            models: ModelPlaces::default(),
            metrics: MetricsReaders::default(),
            sources: Sources::default(),
            disk: Disk::default(),
            bundles: Bundles::default(),
            backup: Backups::default(),
            audit: AuditLog::default(),
            tls: crate::tls::Tls::default(),
            search: Search::default(),
            sign_in: SignIn::default(),
            approvals: Approvals::default(),
            directory: DirectoryOptions::default(),
            oidc: OidcOptions::default(),
        }
    }
}

impl Default for AnswerLimits {
    fn default() -> Self {
        let Settings { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages, .. } =
            Settings::default();
        let (enabled, probe, calibration) = (true, true, None);
        Self { enabled, passages, passage_tokens, answer_tokens, least_confidence, reuse_passages, probe, calibration }
    }
}

impl Default for GenerateLimits {
    fn default() -> Self {
        Self {
            engine: Engine::Local,
            device: inference::Device::default(),
            threads: None,
            max_waiting: 32,
            context_tokens: 4096,
            max_running: 8,
            kv_memory_mb: 1024,
            passage_memory_mb: 1024,
            speculate: true,
            remote: RemoteEngine::default(),
        }
    }
}

impl GenerateLimits {
    /// The remote engine to use, or what is wrong with its configuration; `None` if the engine is local.
    pub(crate) fn remote(&self) -> Result<Option<RemoteOptions>, String> {
        if self.engine == Engine::Local {
            return Ok(None);
        }
        let RemoteEngine { address, model, key_file, context_tokens, max_concurrent, .. } = self.remote.clone();
        let seconds = |name: &str, value: f32| {
            let time = Duration::try_from_secs_f32(value).ok().filter(|time| !time.is_zero());
            time.ok_or_else(|| format!("generate.remote.{name} must be a number of seconds above 0"))
        };
        Ok(Some(RemoteOptions {
            connect_timeout: seconds("connect_timeout", self.remote.connect_timeout)?,
            first_token_timeout: seconds("first_token_timeout", self.remote.first_token_timeout)?,
            idle_timeout: seconds("idle_timeout", self.remote.idle_timeout)?,
            max_waiting: self.max_waiting,
            address,
            model,
            key_file,
            context_tokens,
            max_concurrent,
        }))
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

    /// How answers are made, or what is wrong with a file that the configuration names.
    pub(crate) fn settings(&self) -> Result<Settings, CalibrationError> {
        let AnswerLimits { passages, passage_tokens, answer_tokens, least_confidence, reuse_passages, .. } =
            self.answer;
        let calibration = match &self.answer.calibration {
            Some(file) => Calibration::read(file)?,
            None => Calibration::built_in(),
        };
        let probing = if self.answer.probe { Probing::Calibrated } else { Probing::Never };
        let settings = Settings { passages, passage_tokens, answer_tokens, least_confidence, ..Settings::default() };
        Ok(Settings { reuse_passages, calibration, probing, sure: self.escalate.sure, ..settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Configuration, Box<figment::Error>> {
        let figment = Figment::from(Serialized::defaults(Configuration::default())).merge(Toml::string(text));
        figment.extract().map_err(Box::new)
    }

    #[test]
    fn the_engine_is_local_unless_the_site_says_otherwise() {
        assert!(Configuration::default().generate.remote().unwrap().is_none());
        let named = read("[generate.remote]\naddress = \"http://10.0.0.5:8000\"\nmodel = \"m\"").unwrap();
        assert!(named.generate.remote().unwrap().is_none(), "an address alone switches nothing on");
        let text = "[generate]\nengine = \"remote\"\nmax_waiting = 3\n[generate.remote]\n\
            address = \"http://10.0.0.5:8000\"\nmodel = \"m\"\nidle_timeout = 2.5\nmax_concurrent = 4";
        let remote = read(text).unwrap().generate.remote().unwrap().unwrap();
        assert_eq!((remote.address.as_str(), remote.model.as_str()), ("http://10.0.0.5:8000", "m"));
        assert_eq!(
            (remote.idle_timeout, remote.max_concurrent, remote.max_waiting),
            (Duration::from_millis(2500), 4, 3)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(read("[generate]\nengine = \"cloud\"").is_err());
        assert!(read("[metrics]\nallow = [\"everyone\"]").unwrap_err().to_string().contains("is no address"));
        assert!(Configuration::default().metrics.allow.is_empty(), "unknown means denied");
        assert_eq!(read("[metrics]\nallow = [\"127.0.0.1\", \"10.0.0.0/8\"]").unwrap().metrics.allow.len(), 2);
        assert!(read("[generate.remote]\nproxy = \"x\"").is_err());
        for value in ["-1", "0", "nan"] {
            let text = format!("[generate]\nengine = \"remote\"\n[generate.remote]\nconnect_timeout = {value}.0");
            let text = if value == "nan" { text.replace("nan.0", "nan") } else { text };
            let error = read(&text).unwrap().generate.remote().unwrap_err();
            assert!(error.contains("connect_timeout"), "{error}");
        }
    }
}
