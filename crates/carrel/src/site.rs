//! A data directory, opened: the parts that commands are made of.

use crate::config::{Configuration, Engine};
use crate::lock::IndexLock;
use answer::{Answering, NamedGenerator};
use audit::{Actor, SigningKey};
use domain::{AccessScope, Environment, OperationId, User};
use identity::{Identity, SealingKey};
use index::{Index, IndexError};
use inference::{Embedder, EmbedderOptions, Generator, GeneratorOptions, ModelKind, Precision, Reranker};
use ingest::{ContentStore, Publisher, Stage, Worker};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::Store;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// What every command can have: rows, people and keys.
pub(crate) struct Site {
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    configuration: Configuration,
}

/// What reading and writing documents needs beside.
pub(crate) struct Retrieval {
    pub(crate) index: Arc<Index>,
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) embedder_name: String,
    pub(crate) publisher: Publisher,
    _lock: IndexLock,
}

impl Site {
    /// The configuration of folders that are watched.
    pub(crate) const fn sources(&self) -> &crate::config::Sources {
        &self.configuration.sources
    }

    /// Opens, or makes, the data directory.
    pub(crate) async fn open(configuration: &Configuration) -> Result<Self, Failure> {
        let data = configuration.data.clone();
        private_directory(&data)?;
        let store = Store::open(&data.join("carrel.db"), Environment::system()).await?;
        let keys = data.join("keys");
        private_directory(&keys)?;
        let seal = SealingKey::load_or_create(&keys.join("identity.key"), store.environment())?;
        let policy = configuration.policy(&organisation_of(&store, configuration).await?, seal)?;
        let identity = Identity::new(store.clone(), policy)?;
        Ok(Self { data, store, identity, configuration: configuration.clone() })
    }

    pub(crate) fn operation(&self) -> OperationId {
        OperationId::new(self.store.environment())
    }

    pub(crate) fn signing_key(&self) -> Result<SigningKey, Failure> {
        let keys = self.data.join("keys");
        private_directory(&keys)?;
        Ok(SigningKey::load_or_create(&keys.join("audit.pem"), self.store.environment())?)
    }

    pub(crate) fn content(&self) -> Result<ContentStore, Failure> {
        Ok(ContentStore::open(self.data.join("content"))?)
    }

    pub(crate) fn stage(&self) -> Result<Stage, Failure> {
        let largest = self.configuration.largest_file_mb * 1_000_000;
        Ok(Stage::new(self.store.clone(), self.content()?, largest))
    }

    /// The index and the embedder; `None` if another process has the index.
    pub(crate) async fn retrieval(&self) -> Result<Option<Retrieval>, Failure> {
        let Some(lock) = IndexLock::acquire(&self.data)? else { return Ok(None) };
        let missing = "no embedding model is in use; import one with 'carrel model import DIRECTORY'";
        let model = self.store.active_model(ModelKind::Embed.as_str()).await?.ok_or(missing)?;
        let directory = self.data.join(&model.file);
        let options = EmbedderOptions { precision: self.configuration.embed.precision };
        let loaded = tokio::task::spawn_blocking(move || Embedder::load_with(&directory, options)).await??;
        let embedder = Arc::new(loaded);
        let (directory, dimension) = (self.data.join("index"), embedder.dimension());
        let opened = tokio::task::spawn_blocking(move || open_index(&directory, dimension)).await?;
        let (index, anew) = opened.map_err(|error| error as Failure)?;
        let index = Arc::new(index);
        let publisher = Publisher::new(self.store.clone(), Arc::clone(&index));
        if anew && !self.store.documents_to_index(None, 1).await?.is_empty() {
            tracing::warn!("the index is made anew from the database");
            publisher.rebuild(|_| {}, &Actor::system(), self.operation()).await?;
        }
        let embedder_name = match options.precision {
            Precision::F32 => model.name,
            coarse => format!("{} ({coarse})", model.name),
        };
        self.compare_vectors(&embedder_name).await?;
        Ok(Some(Retrieval { index, embedder, embedder_name, publisher, _lock: lock }))
    }

    /// Says so if documents were embedded otherwise than queries are now, in another precision: near, but not the same.
    async fn compare_vectors(&self, embedder: &str) -> Result<(), Failure> {
        for id in self.store.documents_to_index(None, 1).await? {
            if let Some(document) = self.store.indexed(id).await?
                && document.model != embedder
            {
                let model = document.model;
                tracing::warn!(%model, %embedder, "documents were embedded otherwise than queries are; set embed.precision back, or import them anew");
            }
        }
        Ok(())
    }

    /// As [`Site::retrieval`], for commands that cannot do without.
    pub(crate) async fn own_retrieval(&self) -> Result<Retrieval, Failure> {
        let busy = "the index of this data directory is in use by a running server; use its pages, or stop it first";
        Ok(self.retrieval().await?.ok_or(busy)?)
    }

    /// Where the model pack is that reads the text in pictures, if there is one.
    pub(crate) fn recognition(&self) -> PathBuf {
        self.data.join("recognition")
    }

    /// The worker of this data directory. There is no other, since who has `retrieval` has the index.
    pub(crate) async fn worker(&self, retrieval: &Retrieval) -> Result<Worker, Failure> {
        let mut act = self.store.begin().await?;
        let resumed = act.end_leases().await?;
        act.commit_housekeeping().await?;
        if resumed > 0 {
            tracing::info!(jobs = resumed, "going on with what was being read when the last process ended");
        }
        Ok(Worker::new(
            self.store.clone(),
            self.content()?,
            crate::reading::reader(&self.recognition())?,
            Arc::clone(&retrieval.embedder),
            retrieval.embedder_name.clone(),
            retrieval.publisher.clone(),
        ))
    }

    /// The generation model in use: of the engine that the configuration names, or loaded from the list of models.
    pub(crate) async fn generator(&self) -> Result<Option<NamedGenerator>, Failure> {
        if let Some(options) = self.configuration.generate.remote()? {
            // The record of an answer has no hash of this model's weights, so its name says where it was written.
            let name = format!("{} at {}", options.model, options.address);
            return Ok(Some(NamedGenerator { name, generator: Generator::remote(options)? }));
        }
        let Some(model) = self.store.active_model(ModelKind::Generate.as_str()).await? else { return Ok(None) };
        let options = self.generator_options();
        let file = self.data.join(&model.file);
        let generator = tokio::task::spawn_blocking(move || Generator::load(&file, options)).await??;
        Ok(Some(NamedGenerator { name: model.name, generator }))
    }

    fn generator_options(&self) -> GeneratorOptions {
        let limits = &self.configuration.generate;
        GeneratorOptions {
            threads: limits.threads,
            max_waiting: limits.max_waiting,
            context_tokens: limits.context_tokens,
            max_running: limits.max_running,
            kv_memory_bytes: limits.kv_memory_mb.saturating_mul(1 << 20),
            // Without passages to keep, nothing is put aside for them.
            passage_memory_bytes: match self.configuration.answer.reuse_passages {
                true => limits.passage_memory_mb.saturating_mul(1 << 20),
                false => 0,
            },
            speculate: limits.speculate,
        }
    }

    /// How the models of this site are loaded and where they come from.
    pub(crate) fn model_settings(&self) -> models::Settings {
        let options = self.generator_options();
        let loader = Arc::new(move |file: &Path| Generator::load(file, options));
        let settings = models::Settings::new(self.data.clone(), options, loader);
        let generate = &self.configuration.generate;
        let elsewhere =
            models::Elsewhere { model: generate.remote.model.clone(), address: generate.remote.address.clone() };
        models::Settings {
            import_from: self.configuration.models.import_from.clone(),
            reranker: self.configuration.rerank.model.clone(),
            elsewhere: (generate.engine == Engine::Remote).then_some(elsewhere),
            ..settings
        }
    }

    pub(crate) async fn answering(
        &self,
        retrieval: &Retrieval,
        generator: Option<NamedGenerator>,
    ) -> Result<Answering, Failure> {
        let answering = Answering::new(
            self.store.clone(),
            Arc::clone(&retrieval.index),
            Arc::clone(&retrieval.embedder),
            generator,
            self.configuration.settings(),
        );
        Ok(match self.reranker().await? {
            Some(reranker) => answering.with_reranker(reranker, self.configuration.rerank.candidates),
            None => answering,
        })
    }

    /// The cross-encoder that the configuration names.
    async fn reranker(&self) -> Result<Option<Arc<Reranker>>, Failure> {
        let Some(name) = &self.configuration.rerank.model else { return Ok(None) };
        let Some(model) = self.store.model(name).await? else {
            let advice = "import it with 'carrel model import', or leave the setting out";
            return Err(format!("rerank.model names '{name}', and there is no such model; {advice}").into());
        };
        if model.kind != ModelKind::Rerank.as_str() {
            return Err(format!("rerank.model names '{name}', but '{name}' is no reranker; name another one").into());
        }
        let directory = self.data.join(&model.file);
        let options = EmbedderOptions { precision: self.configuration.embed.precision };
        let reranker = tokio::task::spawn_blocking(move || Reranker::load_with(&directory, options)).await??;
        if reranker.info().sha256 != model.sha256 {
            return Err(format!("the files of '{name}' were changed after its import; import it again").into());
        }
        Ok(Some(Arc::new(reranker)))
    }

    /// The person behind a sign-in name and what that person may read now.
    pub(crate) async fn eyes_of(&self, name: &str) -> Result<(User, AccessScope), Failure> {
        let user = self.user(name).await?;
        if user.disabled {
            return Err(format!("the account '{name}' is disabled").into());
        }
        let principal = self.identity.principal(user.clone()).await?;
        Ok((user, self.identity.scope(&principal).await?))
    }

    pub(crate) async fn user(&self, name: &str) -> Result<User, Failure> {
        let unknown = || format!("there is no user '{name}'; 'carrel user list' shows them");
        Ok(self.store.user_by_name(name).await?.ok_or_else(unknown)?)
    }

    pub(crate) async fn collection(&self, name: &str) -> Result<domain::Collection, Failure> {
        let unknown = || format!("there is no collection '{name}'; make it with 'carrel collection create'");
        Ok(self.store.collection_by_name(name).await?.ok_or_else(unknown)?)
    }
}

/// The index, and whether it had to be begun anew: it is only a copy, so a damaged one is set aside.
fn open_index(directory: &Path, dimension: usize) -> Result<(Index, bool), Box<dyn std::error::Error + Send + Sync>> {
    let fresh = !directory.exists();
    match Index::open(directory, dimension) {
        Ok(index) => Ok((index, fresh)),
        Err(IndexError::Damaged { .. }) => {
            let aside = directory.with_extension("damaged");
            let _ = std::fs::remove_dir_all(&aside);
            std::fs::rename(directory, &aside)?;
            Ok((Index::open(directory, dimension)?, true))
        }
        Err(error) => Err(error.into()),
    }
}

/// A directory that only its owner can look into.
/// The organisation's name: as it was set here, or as the configuration has it.
pub(crate) async fn organisation_of(store: &Store, configuration: &Configuration) -> Result<String, Failure> {
    let named = store.setting("organisation").await?;
    let named = named.and_then(|value| value.as_str().map(str::to_owned));
    Ok(named.unwrap_or_else(|| configuration.organisation.clone()))
}

fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
