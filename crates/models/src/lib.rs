//! Which models there are, and which of them run: import, verify, load, try, measure, promote, roll back.
//!
//! [`Engines`] are the generation models in memory: the one in use and one beside it, each swapped only when its
//! successor is complete. [`Models`] is the door to everything that can be done with them; the page and the command
//! line go through the same one. The database says what is wanted, [`Models::follow`] makes a server's engines obey.
//! A model that is damaged, unknown or too large is refused with its reason, and what runs goes on running.
//!
//! Knows nothing of questions, documents or the web.

mod acts;
mod board;
mod engines;
mod error;
mod evaluation;
mod follow;
mod import;
mod memory;
mod open;
mod order;
mod place;
mod remove;
mod speed;

pub use board::{Board, Done, Task, Work};
pub use engines::{Engines, NamedGenerator};
pub use error::ModelsError;
pub use evaluation::Evaluation;
pub use memory::{Memory, resident_memory};
pub use order::{LARGEST_SET, Order, Standing};
pub use place::InboxEntry;
pub use speed::Speed;

use audit::Actor;
use domain::OperationId;
use inference::{Generator, GeneratorOptions, ModelError, ModelKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use storage::{Model, Store};

/// Loads a generation model's file, with the options of the site.
pub type Loader = Arc<dyn Fn(&Path) -> Result<Generator, ModelError> + Send + Sync>;

/// Who does something with a model, for the audit log.
#[derive(Debug, Clone)]
pub struct By {
    /// The person, the console or the appliance.
    pub actor: Actor,
    /// The request or command.
    pub operation: OperationId,
}

/// An engine elsewhere in the enclave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The model's name there.
    pub model: String,
    /// Its address.
    pub address: String,
}

/// What a site gives its models.
#[derive(Clone)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// How generation models are loaded, for the estimate of memory.
    pub options: GeneratorOptions,
    /// Folders, such as those of removable media, from which a page may import.
    pub import_from: Vec<PathBuf>,
    /// Whether models come in signed bundles alone, unless somebody accepts one and says why.
    pub signed_only: bool,
    /// The engine elsewhere that writes the answers, if the configuration names one.
    pub elsewhere: Option<Elsewhere>,
    /// The model that the configuration names for reranking.
    pub reranker: Option<String>,
    /// The larger model that the configuration names for what the one in use is not sure of.
    pub larger: Option<String>,
    /// Loads a file.
    pub loader: Loader,
    /// Says how much memory there is; tests say something else.
    pub memory: fn() -> Option<Memory>,
}

impl Settings {
    /// The settings of a data directory, reading memory from the operating system.
    #[must_use]
    pub fn new(data: PathBuf, options: GeneratorOptions, loader: Loader) -> Self {
        let import_from = Vec::new();
        Self {
            data,
            options,
            import_from,
            signed_only: false,
            elsewhere: None,
            reranker: None,
            larger: None,
            loader,
            memory: Memory::now,
        }
    }
}

/// The models of a data directory. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    store: Store,
    settings: Arc<Settings>,
    /// `None` at a console: what is wanted is written down, and a server does it.
    engines: Option<Engines>,
    board: Arc<Mutex<Board>>,
    /// One act at a time.
    gate: Arc<tokio::sync::Mutex<()>>,
}

impl Models {
    /// Models that a server runs.
    #[must_use]
    pub fn of_server(store: Store, engines: Engines, settings: Settings) -> Self {
        Self { engines: Some(engines), ..Self::at_console(store, settings) }
    }

    /// Models whose engines, if any run, are in another process.
    #[must_use]
    pub fn at_console(store: Store, settings: Settings) -> Self {
        Self { store, settings: Arc::new(settings), engines: None, board: Arc::default(), gate: Arc::default() }
    }

    /// All models, by kind and name.
    ///
    /// # Errors
    /// A failing database.
    pub async fn list(&self) -> Result<Vec<Model>, ModelsError> {
        Ok(self.store.models().await?)
    }

    /// The model of this name.
    ///
    /// # Errors
    /// [`ModelsError::Unknown`]; a failing database.
    pub async fn find(&self, name: &str) -> Result<Model, ModelsError> {
        self.store.model(name).await?.ok_or_else(|| ModelsError::Unknown(name.to_owned()))
    }

    /// The model of this kind that is in use.
    ///
    /// # Errors
    /// A failing database.
    pub async fn in_use(&self, kind: ModelKind) -> Result<Option<Model>, ModelsError> {
        Ok(self.store.active_model(kind.as_str()).await?)
    }

    /// The memory of this machine, if it can be told.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        (self.settings.memory)()
    }

    /// The larger model that the configuration names for what the one in use is not sure of.
    #[must_use]
    pub fn larger(&self) -> Option<&str> {
        self.settings.larger.as_deref()
    }

    /// The engine elsewhere that writes the answers, if the configuration names one.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&Elsewhere> {
        self.settings.elsewhere.as_ref()
    }

    /// Goes on only if a model of this kind is taken into use here, and not by the configuration.
    ///
    /// # Errors
    /// [`ModelsError::Refused`], which names the setting to change.
    pub fn promotable(&self, kind: &str) -> Result<(), ModelsError> {
        let sentence = match (kind.parse(), self.elsewhere()) {
            (Ok(ModelKind::Generate), Some(Elsewhere { model, address })) => format!(
                "answers are written by '{model}' at {address}, as the configuration says; set generate.engine to \
                 \"local\" and start the server anew, then take a model of this machine into use"
            ),
            (Ok(ModelKind::Rerank), _) => {
                "the configuration names the model that reranks; set rerank.model to this one and start the server anew"
                    .to_owned()
            }
            _ => return Ok(()),
        };
        Err(ModelsError::Refused(sentence))
    }

    /// What runs in this process; nothing at a console.
    #[must_use]
    pub fn engines(&self) -> Engines {
        self.engines.clone().unwrap_or_default()
    }

    fn path(&self, model: &Model) -> PathBuf {
        self.settings.data.join(&model.file)
    }
}
