//! Import: a file is inspected where it lies, brought to where it will stay, and inspected again there.

use crate::open::{blocking, inspect};
use crate::place::{bring, check_name, discard, length, stem};
use crate::{By, Models, ModelsError};
use audit::{Action, Event, Outcome};
use inference::{ModelCard, ModelKind};
use serde_json::json;
use std::path::Path;
use storage::Model;

impl Models {
    /// Takes in a GGUF file or a folder with safetensors, under `name` or the file's own. The first of its kind is
    /// in use at once.
    ///
    /// # Errors
    /// [`ModelsError`]: what [`inference::pack::inspect`] refuses, a name that is taken, a medium or disk that fails.
    /// The refusal is recorded.
    pub async fn import(&self, path: &Path, name: Option<&str>, by: &By) -> Result<Model, ModelsError> {
        self.import_accepted(path, name, None, by).await
    }

    /// As [`Models::import`], of a model that somebody vouches for: `accepted` says who or why, and is recorded. Where models
    /// come in signed bundles alone, there is no other way.
    ///
    /// # Errors
    /// As there.
    pub async fn import_accepted(
        &self,
        path: &Path,
        name: Option<&str>,
        accepted: Option<&str>,
        by: &By,
    ) -> Result<Model, ModelsError> {
        let name = name.map(str::trim).filter(|name| !name.is_empty()).map_or_else(|| stem(path), str::to_owned);
        let outcome = self.take_in(path, &name, accepted, by).await;
        if let Err(error) = &outcome {
            let refused = Event::new(Action::ModelImported, &by.actor, by.operation)
                .on("model", &name, &name)
                .outcome(Outcome::Failed)
                .detail(json!({ "source": path, "reason": error.to_string() }));
            self.record_alone(refused).await;
        }
        outcome
    }

    async fn take_in(&self, path: &Path, name: &str, accepted: Option<&str>, by: &By) -> Result<Model, ModelsError> {
        check_name(name)?;
        if self.settings.signed_only && accepted.is_none() {
            let sentence = "models come in signed bundles here ('carrel bundle apply FILE'); one that comes without is taken \
                            only by 'carrel model import --accept REASON' at the console, which is recorded";
            return Err(ModelsError::Refused(sentence.to_owned()));
        }
        let known = self.list().await?;
        if known.iter().any(|model| model.name == name) {
            return Err(ModelsError::Refused(format!("there is a model '{name}' already; give this one another name")));
        }
        self.stage("checking the file");
        let info = inspect(path).await?;
        if let Some(same) = known.iter().find(|model| model.sha256 == info.sha256) {
            tracing::info!(model = name, same = same.name, "the same weights are here under another name");
        }
        let file = match info.kind {
            ModelKind::Generate => format!("models/{name}.gguf"),
            _ => format!("models/{name}"),
        };
        if let Some(other) = known.iter().find(|model| model.file == file) {
            let sentence = format!("'{}' lies where this one would; give this one another name", other.name);
            return Err(ModelsError::Refused(sentence));
        }
        let to = self.settings.data.join(&file);
        // What a removal that was cut short has left behind.
        discard(&to);
        let linked = self.copy_here(path, &to).await?;
        self.stage("checking the copy");
        let arrived = match inspect(&to).await {
            Ok(arrived) if arrived.sha256 == info.sha256 => arrived,
            damaged => {
                discard(&to);
                damaged?;
                let sentence = "the copy differs from the original; check the disk and the medium";
                return Err(ModelsError::Refused(sentence.to_owned()));
            }
        };
        let models = self.clone();
        let described = blocking(to.clone(), move |path| Ok((ModelCard::read(path)?, models.need(path)?))).await;
        let (card, need) = described.inspect_err(|_| discard(&to))?;
        let kind = info.kind.as_str();
        // A reranker comes into use by the configuration.
        let first = info.kind != ModelKind::Rerank && !known.iter().any(|model| model.kind == kind && model.active);
        let now = self.store.environment().now();
        let model = Model {
            name: name.to_owned(),
            kind: kind.to_owned(),
            file,
            info: json!(arrived),
            card: json!(card),
            sha256: info.sha256,
            active: first,
            previous: false,
            beside: false,
            imported_at: now,
            state_since: now,
            verified_at: None,
            need_bytes: Some(need),
            resident_bytes: None,
            speed: None,
            problem: None,
        };
        let written = self.write_down(&model, path, accepted, by).await;
        written.inspect_err(|_| discard(&to))?;
        if linked {
            self.clear_inbox(path);
        }
        Ok(model)
    }

    async fn copy_here(&self, path: &Path, to: &Path) -> Result<bool, ModelsError> {
        self.stage("copying");
        let (models, to, all) = (self.clone(), to.to_owned(), length(path).max(1));
        blocking(path.to_owned(), move |path| {
            bring(path, &to, &|copied| models.stage(&format!("copying, {} %", (100 * copied / all).min(100))))
        })
        .await
    }

    async fn write_down(
        &self,
        model: &Model,
        source: &Path,
        accepted: Option<&str>,
        by: &By,
    ) -> Result<(), ModelsError> {
        let mut act = self.store.begin().await?;
        act.insert_model(model).await?;
        if model.active {
            act.promote_model(&model.name).await?;
        }
        let event = Event::new(Action::ModelImported, &by.actor, by.operation).on("model", &model.name, &model.name);
        let detail = json!({
            "kind": model.kind,
            "source": source,
            "sha256": model.sha256,
            "license": model.card.get("license"),
            "in_use": model.active,
            "accepted": accepted,
        });
        act.record(event.detail(detail)).await?;
        Ok(act.commit().await?)
    }
}
