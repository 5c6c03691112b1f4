//! Remove: a model that nothing uses leaves the list, and then the disk.

use crate::acts::event;
use crate::open::blocking;
use crate::place::{discard, length};
use crate::{By, Models, ModelsError};
use audit::Action;
use serde_json::json;
use storage::Model;

impl Models {
    /// Takes a model off the list and its files off the disk. The record goes first, with its audit event: what is left
    /// on the disk if the power fails between the two belongs to no model, and the next import of that name replaces it.
    ///
    /// # Errors
    /// [`ModelsError::Refused`] for the model in use, the one before it, one on trial, the configured reranker and
    /// the configured larger one;
    /// [`ModelsError::Unknown`]; a failing database.
    pub async fn remove(&self, name: &str, by: &By) -> Result<(), ModelsError> {
        let model = self.find(name).await?;
        self.removable(&model)?;
        let path = self.path(&model);
        let bytes = length(&path);
        let mut act = self.store.begin().await?;
        act.delete_model(&model.name).await?;
        let detail = json!({ "kind": model.kind, "file": model.file, "sha256": model.sha256, "size_bytes": bytes });
        act.record(event(Action::ModelRemoved, &model, by).detail(detail)).await?;
        act.commit().await?;
        self.stage("removing its files");
        let gone = blocking(path.clone(), |path| {
            discard(path);
            Ok(!path.exists())
        });
        if !gone.await? {
            tracing::warn!(model = name, path = %path.display(), "the files of a removed model could not be removed");
        }
        Ok(())
    }

    /// Goes on only if nothing uses the model and no rollback leads to it.
    ///
    /// # Errors
    /// [`ModelsError::Refused`].
    pub fn removable(&self, model: &Model) -> Result<(), ModelsError> {
        let name = &model.name;
        let reranks = self.settings.reranker.as_deref() == Some(name);
        let takes_over = self.larger() == Some(name.as_str());
        let sentence = match model {
            Model { active: true, .. } => format!("'{name}' is in use; take another model into use first"),
            Model { beside: true, .. } => format!("'{name}' is on trial beside the one in use; unload it first"),
            Model { previous: true, .. } => {
                format!("'{name}' was in use before, and a rollback goes back to it; it can go once another one was")
            }
            _ if reranks => format!("'{name}' is what rerank.model names; change that in the configuration first"),
            _ if takes_over => format!("'{name}' is what escalate.model names; change that in the configuration first"),
            _ => return Ok(()),
        };
        Err(ModelsError::Refused(sentence))
    }
}
