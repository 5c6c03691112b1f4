//! Evaluations: how a model answered a site's own questions, beside the one in use. Kept by name and hash, so that figures
//! of other weights under the same name are never shown.

use crate::{By, Models, ModelsError};
use audit::Action;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use storage::Model;

/// The setting that holds the latest evaluation of each model.
const SETTING: &str = "models.evaluations";

/// What a model made of a set of questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// SHA-256 of the weights that answered.
    pub sha256: String,
    /// When.
    pub at: Timestamp,
    /// Name of the set's file.
    pub set: String,
    /// SHA-256 of the set's file.
    pub set_sha256: String,
    /// Its figures, as of `carrel eval answers`.
    pub figures: Value,
    /// Name and figures of the model in use, on the same questions; none if no other was in use.
    pub beside: Option<(String, Value)>,
}

impl Models {
    /// The latest evaluation of each model, by name, as far as it is of the weights that are here.
    ///
    /// # Errors
    /// A failing database.
    pub async fn evaluations(&self) -> Result<BTreeMap<String, Evaluation>, ModelsError> {
        let mut kept = self.kept_evaluations().await?;
        let models = self.list().await?;
        kept.retain(|name, kept| models.iter().any(|model| model.name == *name && model.sha256 == kept.sha256));
        Ok(kept)
    }

    async fn kept_evaluations(&self) -> Result<BTreeMap<String, Evaluation>, ModelsError> {
        let stored = self.store.setting(SETTING).await?;
        // What an older release wrote otherwise is no evaluation any more.
        Ok(stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }

    /// Keeps an evaluation, with its event.
    ///
    /// # Errors
    /// A failing database.
    pub async fn note_evaluation(&self, model: &Model, found: Evaluation, by: &By) -> Result<(), ModelsError> {
        let mut all = self.evaluations().await?;
        let detail = json!({
            "set_sha256": found.set_sha256, "sha256": found.sha256, "figures": found.figures, "beside": found.beside,
        });
        all.insert(model.name.clone(), found);
        let mut act = self.store.begin().await?;
        act.set_setting(SETTING, &json!(all)).await?;
        act.record(crate::acts::event(Action::ModelEvaluated, model, by).detail(detail)).await?;
        Ok(act.commit().await?)
    }
}
