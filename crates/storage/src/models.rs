//! Models that were brought in, and which of them are in use.

use crate::rows::{Columns, json};
use crate::{Act, Result, StorageError, Store};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

/// A model on the appliance.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Unique name.
    pub name: String,
    /// What it does, such as `generate` or `embed`.
    pub kind: String,
    /// File or folder, relative to the data directory.
    pub file: String,
    /// What its inspection found.
    pub info: Value,
    /// SHA-256 of the weights, hexadecimal.
    pub sha256: String,
    /// Whether it is the one in use of its kind.
    pub active: bool,
    /// When it was brought in.
    pub imported_at: Timestamp,
}

impl Act {
    /// Adds a model, not in use (whatever `active` says): promote it.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_model(&mut self, model: &Model) -> Result<()> {
        sqlx::query(
            "INSERT INTO models (name, kind, file, info, sha256, state, imported_at) VALUES (?, ?, ?, ?, ?, 'idle', ?)",
        )
        .bind(&model.name)
        .bind(&model.kind)
        .bind(&model.file)
        .bind(json(&model.info)?)
        .bind(&model.sha256)
        .bind(model.imported_at.as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Puts a model into use and remembers the one before, for [`Act::rollback_model`].
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn promote_model(&mut self, name: &str) -> Result<()> {
        let row = sqlx::query("SELECT kind, state FROM models WHERE name = ?")
            .bind(name)
            .fetch_optional(self.connection())
            .await?
            .ok_or(StorageError::NotFound { what: "model" })?;
        if row.plain::<&str>("state")? == "active" {
            return Ok(());
        }
        let kind: String = row.plain("kind")?;
        // In this order, for at no moment may two of a kind be in the same state.
        for change in [
            "UPDATE models SET state = 'idle' WHERE kind = ?1 AND (state = 'previous' OR name = ?2)",
            "UPDATE models SET state = 'previous' WHERE kind = ?1 AND state = 'active'",
            "UPDATE models SET state = 'active' WHERE kind = ?1 AND name = ?2",
        ] {
            sqlx::query(change).bind(&kind).bind(name).execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Swaps the model in use of this kind with the one before, and gives its name.
    ///
    /// # Errors
    /// `Conflict` if there is none before it.
    pub async fn rollback_model(&mut self, kind: &str) -> Result<String> {
        let previous: Option<String> =
            sqlx::query_scalar("SELECT name FROM models WHERE kind = ? AND state = 'previous'")
                .bind(kind)
                .fetch_optional(self.connection())
                .await?;
        let previous = previous.ok_or_else(|| StorageError::Conflict {
            what: format!("no other {kind} model was in use before; promote one by its name"),
        })?;
        self.promote_model(&previous).await?;
        Ok(previous)
    }
}

fn model_of(row: &SqliteRow) -> Result<Model> {
    Ok(Model {
        name: row.plain("name")?,
        kind: row.plain("kind")?,
        file: row.plain("file")?,
        info: row.json("info")?,
        sha256: row.plain("sha256")?,
        active: row.plain::<&str>("state")? == "active",
        imported_at: row.time("imported_at")?,
    })
}

impl Store {
    /// All models, by kind and name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn models(&self) -> Result<Vec<Model>> {
        let rows = sqlx::query("SELECT * FROM models ORDER BY kind, name").fetch_all(&self.reader).await?;
        rows.iter().map(model_of).collect()
    }

    /// The model in use of this kind.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn active_model(&self, kind: &str) -> Result<Option<Model>> {
        let row = sqlx::query("SELECT * FROM models WHERE kind = ? AND state = 'active'")
            .bind(kind)
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(model_of).transpose()
    }
}
