//! Open: a model is looked at, or loaded and run for a few tokens, before anything is made to depend on it.

use crate::engines::NamedGenerator;
use crate::memory::resident_memory;
use crate::speed::self_test;
use crate::{Models, ModelsError};
use inference::{Embedder, ModelInfo, ModelKind, pack};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::Model;

/// A generation model in memory.
pub(crate) struct Opened {
    pub(crate) named: NamedGenerator,
    /// By how many bytes the process grew.
    pub(crate) resident: Option<u64>,
}

impl Models {
    /// Loads a generation model and lets it write a few tokens.
    pub(crate) async fn open(&self, model: &Model) -> Result<Opened, ModelsError> {
        generates(model)?;
        let path = self.path(model);
        let models = self.clone();
        let need = blocking(path.clone(), move |path| models.need(path)).await?;
        self.check_memory(&model.name, need)?;
        self.stage("loading");
        let (loader, before) = (Arc::clone(&self.settings.loader), resident_memory());
        let generator = blocking(path, move |path| Ok(loader(path)?)).await?;
        if generator.info().sha256 != model.sha256 {
            return Err(ModelsError::Changed(model.name.clone()));
        }
        self.stage("writing a few words");
        self_test(&generator).await?;
        let resident = before.zip(resident_memory()).map(|(before, after)| after.saturating_sub(before));
        Ok(Opened { named: NamedGenerator { name: model.name.clone(), generator }, resident })
    }

    /// Loads a model for a comparison in this process; nothing is changed by it.
    ///
    /// # Errors
    /// [`ModelsError`]: it is unknown, does not fit into memory, or does not run.
    pub async fn open_for_trial(&self, name: &str) -> Result<NamedGenerator, ModelsError> {
        Ok(self.open(&self.find(name).await?).await?.named)
    }

    /// Loads the larger model that the configuration names, if it names one.
    ///
    /// # Errors
    /// [`ModelsError`]: it is unknown, does not fit into memory, or does not run.
    pub async fn open_larger(&self) -> Result<Option<NamedGenerator>, ModelsError> {
        let Some(name) = self.larger() else { return Ok(None) };
        if let Some(running) = self.engines().named(name) {
            return Ok(Some(running));
        }
        Ok(Some(self.open(&self.find(name).await?).await?.named))
    }

    /// Whether the model's file is the one that was imported, complete and of a known family.
    pub(crate) async fn sound(&self, model: &Model) -> Result<(), ModelsError> {
        self.stage("checking the file");
        let info = inspect(&self.path(model)).await?;
        if info.sha256 == model.sha256 { Ok(()) } else { Err(ModelsError::Changed(model.name.clone())) }
    }

    /// Runs the model once, if memory allows; says whether it did and what it took.
    pub(crate) async fn run_once(&self, model: &Model) -> Result<(bool, Option<u64>), ModelsError> {
        if let Some(running) = self.engines().named(&model.name) {
            self.stage("writing a few words");
            self_test(&running.generator).await?;
            return Ok((true, None));
        }
        match model.kind.parse() {
            Ok(ModelKind::Generate) => match self.open(model).await {
                Ok(opened) => Ok((true, opened.resident)),
                Err(ModelsError::Memory { .. }) => Ok((false, None)),
                Err(error) => Err(error),
            },
            Ok(ModelKind::Embed) => {
                self.stage("embedding a sentence");
                let vectors = blocking(self.path(model), |path| Ok(Embedder::load(path)?.embed(&["A self-test."])?));
                let whole = vectors.await?.iter().flatten().all(|value| value.is_finite());
                let sentence = "the model gives no numbers in its self-test; use another copy or another model";
                if whole { Ok((true, None)) } else { Err(ModelsError::Refused(sentence.to_owned())) }
            }
            _ => Ok((false, None)),
        }
    }
}

/// Only generation models can be exchanged, tried and measured while the server runs.
pub(crate) fn generates(model: &Model) -> Result<(), ModelsError> {
    if model.kind == ModelKind::Generate.as_str() {
        return Ok(());
    }
    let sentence =
        format!("'{}' does not write text; only generation models are loaded beside or measured", model.name);
    Err(ModelsError::Refused(sentence))
}

/// What stands in the model at `path`.
pub(crate) async fn inspect(path: &Path) -> Result<ModelInfo, ModelsError> {
    blocking(path.to_owned(), |path| Ok(pack::inspect(path)?)).await
}

/// Does `work` with a file on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> Result<T, ModelsError> + Send + 'static,
) -> Result<T, ModelsError> {
    tokio::task::spawn_blocking(move || work(&path)).await.map_err(|_| ModelsError::Interrupted)?
}
