//! A data directory, opened: the parts that commands are made of.

use crate::config::{Configuration, Engine};
use crate::lock::IndexLock;
use answer::{Answering, NamedGenerator};
use audit::{Action, Actor, Event, Rotation, SigningKey};
use domain::{AccessScope, Environment, OperationId, User};
use identity::{Identity, SealingKey};
use index::{Index, IndexError};
use inference::{Embedder, EmbedderOptions, Generator, GeneratorOptions, ModelKind, Precision, Reranker};
use ingest::{ContentStore, Publisher, Reserve, Stage, Worker, order_rebuild};
use operations::bundle::Switch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::{AuditFilter, Store};

pub(crate) type Failure = Box<dyn std::error::Error>;

const BUSY: &str = "the index of this data directory is in use by a running server; use its pages, or stop it first";

/// What every command can have: rows, people and keys.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    configuration: Configuration,
    /// Whose models are used, if not its own.
    lender: Option<(PathBuf, Store)>,
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
        if Switch::unfinished(&data)?.is_some() {
            // Between two databases there may be none, and opening would make an empty one.
            return Err("an update of this data directory was cut short; 'carrel bundle resume' ends it".into());
        }
        let store = Store::open(&data.join("carrel.db"), Environment::system()).await?;
        let keys = data.join("keys");
        private_directory(&keys)?;
        let seal = SealingKey::load_or_create(&keys.join("identity.key"), store.environment())?;
        let policy = configuration.policy(&organisation_of(&store, configuration).await?, seal)?;
        let identity = Identity::new(store.clone(), policy)?;
        let site = Self { data, store, identity, configuration: configuration.clone(), lender: None };
        site.finish_rotation().await?;
        Ok(site)
    }

    /// A site in `data` that works with the models of this one.
    pub(crate) async fn scratch(&self, data: &Path) -> Result<Self, Failure> {
        let configuration = Configuration { data: data.to_owned(), ..self.configuration.clone() };
        let lender = Some((self.data.clone(), self.store.clone()));
        Ok(Self { lender, ..Self::open(&configuration).await? })
    }

    /// Where the models are, and what is known of them.
    fn models(&self) -> (&Path, &Store) {
        self.lender.as_ref().map_or((&self.data, &self.store), |(data, store)| (data, store))
    }

    pub(crate) fn operation(&self) -> OperationId {
        OperationId::new(self.store.environment())
    }

    /// The folder with the keys, made if it is not there.
    pub(crate) fn keys(&self) -> Result<PathBuf, Failure> {
        let keys = self.data.join("keys");
        private_directory(&keys)?;
        Ok(keys)
    }

    pub(crate) fn signing_key(&self) -> Result<SigningKey, Failure> {
        Ok(SigningKey::load_or_create(&self.keys()?.join("audit.pem"), self.store.environment())?)
    }

    /// Where the next signing key lies until the log names it.
    pub(crate) fn next_key_path(&self) -> PathBuf {
        self.data.join("keys").join("audit.next.pem")
    }

    /// Puts a key that the log names into its place, if a rotation was cut short there or has just been recorded.
    pub(crate) async fn finish_rotation(&self) -> Result<(), Failure> {
        let next = self.next_key_path();
        if !next.exists() {
            return Ok(());
        }
        let filter = AuditFilter { action: Some(Action::AuditKeyRotated), ..AuditFilter::default() };
        let last = self.store.audit_entries(&filter, None, 1).await?.pop();
        let named = last.and_then(|entry| Rotation::of(&entry.event));
        if named.is_some_and(|named| SigningKey::load(&next).is_ok_and(|key| key.public() == named.to)) {
            std::fs::rename(&next, self.data.join("keys").join("audit.pem"))?;
        }
        Ok(())
    }

    /// The configuration of the audit log.
    pub(crate) const fn audit(&self) -> &crate::config::AuditLog {
        &self.configuration.audit
    }

    /// What a model of this machine that writes may use.
    pub(crate) fn engine_options(&self) -> GeneratorOptions {
        self.generator_options()
    }

    pub(crate) fn content(&self) -> Result<ContentStore, Failure> {
        Ok(ContentStore::open(self.data.join("content"))?)
    }

    pub(crate) fn stage(&self) -> Result<Stage, Failure> {
        let largest = self.configuration.largest_file_mb * 1_000_000;
        Ok(Stage::new(self.store.clone(), self.content()?, largest).with_reserve(self.reserve()))
    }

    /// The room that taking in leaves on the disk.
    fn reserve(&self) -> Reserve {
        Reserve::new(self.data.clone(), self.configuration.disk.reserve_bytes())
    }

    /// The index, in step with the database, and the embedder; `None` if another process has the index.
    pub(crate) async fn retrieval(&self) -> Result<Option<Retrieval>, Failure> {
        let Some(lock) = IndexLock::acquire(&self.data)? else { return Ok(None) };
        if !Index::exists(&self.index_directory()) {
            self.order_rebuild(&Actor::system()).await?;
        }
        let retrieval = self.opened(lock).await?;
        // Whatever the process before was killed at: before the first query, or it would find less than there is, and
        // meet vectors of another model.
        retrieval.publisher.catch_up().await?;
        Ok(Some(retrieval))
    }

    /// As [`Site::own_retrieval`], with an index that is begun anew and lacks all that the outbox has.
    pub(crate) async fn retrieval_anew(&self, actor: &Actor) -> Result<Retrieval, Failure> {
        let lock = IndexLock::acquire(&self.data)?.ok_or(BUSY)?;
        self.order_rebuild(actor).await?;
        // Not emptied but removed: what is in it may be damaged.
        if let Some(aside) = set_aside(&self.index_directory())? {
            std::fs::remove_dir_all(aside)?;
        }
        self.opened(lock).await
    }

    async fn opened(&self, lock: IndexLock) -> Result<Retrieval, Failure> {
        let missing = "no embedding model is in use; import one with 'carrel model import DIRECTORY'";
        let (data, store) = self.models();
        let model = store.active_model(ModelKind::Embed.as_str()).await?.ok_or(missing)?;
        let directory = data.join(&model.file);
        let options = EmbedderOptions { precision: self.configuration.embed.precision };
        let loaded = tokio::task::spawn_blocking(move || Embedder::load_with(&directory, options)).await??;
        let embedder = Arc::new(loaded);
        let embedder_name = match options.precision {
            Precision::F32 => model.name,
            coarse => format!("{} ({coarse})", model.name),
        };
        self.forget_vectors_of_others(&embedder_name).await?;
        let index = Arc::new(self.index(embedder.dimension()).await?);
        let publisher = Publisher::new(self.store.clone(), Arc::clone(&index));
        Ok(Retrieval { index, embedder, embedder_name, publisher, _lock: lock })
    }

    fn index_directory(&self) -> PathBuf {
        self.data.join("index")
    }

    async fn order_rebuild(&self, actor: &Actor) -> Result<(), Failure> {
        let documents = order_rebuild(&self.store, actor, self.operation()).await?;
        if documents > 0 {
            tracing::warn!(documents, "the index is made anew from the database");
        }
        Ok(())
    }

    /// The index. It is only a copy, so a damaged one is set aside and begun anew.
    async fn index(&self, dimension: usize) -> Result<Index, Failure> {
        let directory = self.index_directory();
        let open = async || {
            let directory = directory.clone();
            tokio::task::spawn_blocking(move || Index::open(&directory, dimension)).await
        };
        match open().await? {
            Err(error @ IndexError::Damaged { .. }) => {
                tracing::warn!(%error, "the index is set aside; nothing is lost");
                self.order_rebuild(&Actor::system()).await?;
                set_aside(&directory)?;
                Ok(open().await??)
            }
            opened => Ok(opened?),
        }
    }

    /// Vectors of one model, or of one precision, mean nothing to another: those that others made go, and the worker
    /// makes them anew while documents are found by their words.
    async fn forget_vectors_of_others(&self, embedder: &str) -> Result<(), Failure> {
        let mut act = self.store.begin().await?;
        let (documents, passages) = act.forget_vectors_of_others(embedder).await?;
        if documents == 0 {
            return Ok(());
        }
        tracing::warn!(documents, passages, %embedder, "the embedding model was exchanged; vectors are made anew in the background");
        let detail = serde_json::json!({ "after": embedder, "documents": documents, "passages": passages });
        let event = Event::new(Action::VectorsForgotten, &Actor::system(), self.operation()).detail(detail);
        act.record(event).await?;
        act.commit().await?;
        Ok(())
    }

    /// As [`Site::retrieval`], for commands that cannot do without.
    pub(crate) async fn own_retrieval(&self) -> Result<Retrieval, Failure> {
        Ok(self.retrieval().await?.ok_or(BUSY)?)
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
        let worker = Worker::new(
            self.store.clone(),
            self.content()?,
            crate::reading::reader(&self.recognition())?,
            Arc::clone(&retrieval.embedder),
            retrieval.embedder_name.clone(),
            retrieval.publisher.clone(),
        );
        Ok(worker.with_reserve(self.reserve()))
    }

    /// The generation model in use: of the engine that the configuration names, or loaded from the list of models.
    pub(crate) async fn generator(&self) -> Result<Option<NamedGenerator>, Failure> {
        if let Some(options) = self.configuration.generate.remote()? {
            // The record of an answer has no hash of this model's weights, so its name says where it was written.
            let name = format!("{} at {}", options.model, options.address);
            return Ok(Some(NamedGenerator { name, generator: Generator::remote(options)? }));
        }
        let (data, store) = self.models();
        let Some(model) = store.active_model(ModelKind::Generate.as_str()).await? else { return Ok(None) };
        let options = self.generator_options();
        let file = data.join(&model.file);
        let generator = tokio::task::spawn_blocking(move || Generator::load(&file, options)).await??;
        Ok(Some(NamedGenerator { name: model.name, generator }))
    }

    fn generator_options(&self) -> GeneratorOptions {
        let limits = &self.configuration.generate;
        GeneratorOptions {
            device: limits.device,
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
            signed_only: self.configuration.models.signed_only,
            reranker: self.configuration.rerank.model.clone(),
            larger: self.configuration.escalate.model.clone(),
            elsewhere: (generate.engine == Engine::Remote).then_some(elsewhere),
            ..settings
        }
    }

    /// How answers are made, with the files that the configuration names.
    fn answer_settings(&self) -> Result<answer::Settings, Failure> {
        let glossary = self.configuration.glossary()?;
        Ok(answer::Settings { glossary: glossary.unwrap_or_default(), ..self.configuration.settings()? })
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
            self.answer_settings()?,
        );
        if self.configuration.answer.enabled && self.configuration.escalate.model.is_some() {
            let (_, store) = self.models();
            let models = models::Models::of_server(store.clone(), answering.engines().clone(), self.model_settings());
            let larger = models.open_larger().await.map_err(|error| format!("escalate.model: {error}"))?;
            answering.engines().escalate_to(larger);
        }
        Ok(match self.reranker().await? {
            Some(reranker) => answering.with_reranker(reranker, self.configuration.rerank.candidates),
            None => answering,
        })
    }

    /// The cross-encoder that the configuration names.
    async fn reranker(&self) -> Result<Option<Arc<Reranker>>, Failure> {
        let Some(name) = self.configuration.rerank.model.as_ref().filter(|_| self.configuration.answer.enabled) else {
            return Ok(None);
        };
        let (data, store) = self.models();
        let Some(model) = store.model(name).await? else {
            let advice = "import it with 'carrel model import', or leave the setting out";
            return Err(format!("rerank.model names '{name}', and there is no such model; {advice}").into());
        };
        if model.kind != ModelKind::Rerank.as_str() {
            return Err(format!("rerank.model names '{name}', but '{name}' is no reranker; name another one").into());
        }
        let directory = data.join(&model.file);
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

/// Moves the directory of the index out of the way, if there is one, over what was set aside before; gives where to.
fn set_aside(directory: &Path) -> std::io::Result<Option<PathBuf>> {
    if !directory.exists() {
        return Ok(None);
    }
    let aside = directory.with_extension("damaged");
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::rename(directory, &aside)?,
    }
    Ok(Some(aside))
}

/// The organisation's name: as it was set here, or as the configuration has it.
pub(crate) async fn organisation_of(store: &Store, configuration: &Configuration) -> Result<String, Failure> {
    let named = store.setting("organisation").await?;
    let named = named.and_then(|value| value.as_str().map(str::to_owned));
    Ok(named.unwrap_or_else(|| configuration.organisation.clone()))
}

/// A directory that only its owner can look into.
fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
