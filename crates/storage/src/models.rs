//! Models that were brought in, which of them are in use, and what was found out about each.

use crate::act::found;
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
    /// What it says of itself: name, author, licence.
    pub card: Value,
    /// SHA-256 of the weights, hexadecimal.
    pub sha256: String,
    /// Whether it is the one in use of its kind.
    pub active: bool,
    /// Whether it was in use before that one, so that a rollback goes back to it.
    pub previous: bool,
    /// Whether it is tried beside the one in use.
    pub beside: bool,
    /// When it was brought in.
    pub imported_at: Timestamp,
    /// Since when it is in its state.
    pub state_since: Timestamp,
    /// When its file was last found sound and the model could be run.
    pub verified_at: Option<Timestamp>,
    /// The memory that it is expected to take.
    pub need_bytes: Option<u64>,
    /// The memory that it took when it was last loaded.
    pub resident_bytes: Option<u64>,
    /// Tokens a second, with date and machine.
    pub speed: Option<Value>,
    /// Why the last thing that was tried with it did not work.
    pub problem: Option<String>,
}

/// Where a model stands on its way into use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelState {
    /// Its file is here.
    Imported,
    /// Its file was found sound, and the model could be run.
    Verified,
    /// It is tried beside the one in use.
    Experimental,
    /// It is in use.
    Stable,
    /// It was in use before; a rollback goes back to it.
    Previous,
}

impl ModelState {
    /// The state's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Verified => "verified",
            Self::Experimental => "experimental",
            Self::Stable => "stable",
            Self::Previous => "previous",
        }
    }
}

impl Model {
    /// Where it stands; what it is used for now weighs more than what it was.
    #[must_use]
    pub const fn state(&self) -> ModelState {
        match self {
            Self { active: true, .. } => ModelState::Stable,
            Self { beside: true, .. } => ModelState::Experimental,
            Self { previous: true, .. } => ModelState::Previous,
            Self { verified_at: Some(_), .. } => ModelState::Verified,
            _ => ModelState::Imported,
        }
    }
}

/// Something that was found out about a model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelFinding {
    /// Its file is sound, and it could be run; older problems are settled.
    Verified,
    /// What was tried did not work, for this reason; a finding that the file is not sound any more takes away that
    /// it was verified.
    Problem {
        /// One sentence.
        reason: String,
        /// Whether the file itself is at fault.
        unsound: bool,
    },
    /// Memory that it took when it was loaded, in bytes.
    Resident(u64),
    /// How fast it is.
    Speed(Value),
}

impl Act {
    /// Adds a model, in no use (whatever it says of that): promote it.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_model(&mut self, model: &Model) -> Result<()> {
        sqlx::query(
            "INSERT INTO models (name, kind, file, info, card, sha256, state, imported_at, state_since, verified_at, \
             need_bytes) VALUES (?, ?, ?, ?, ?, ?, 'idle', ?, ?, ?, ?)",
        )
        .bind(&model.name)
        .bind(&model.kind)
        .bind(&model.file)
        .bind(json(&model.info)?)
        .bind(json(&model.card)?)
        .bind(&model.sha256)
        .bind(model.imported_at.as_millisecond())
        .bind(model.imported_at.as_millisecond())
        .bind(model.verified_at.map(Timestamp::as_millisecond))
        .bind(model.need_bytes.map(u64::cast_signed))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Puts a model into use and remembers the one before, for [`Act::rollback_model`]. One that was tried beside is
    /// so no longer.
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
            "UPDATE models SET state = 'idle', state_since = ?3 WHERE kind = ?1 AND (state = 'previous' OR name = ?2)",
            "UPDATE models SET state = 'previous', state_since = ?3 WHERE kind = ?1 AND state = 'active'",
            "UPDATE models SET state = 'active', beside = 0, state_since = ?3 WHERE kind = ?1 AND name = ?2",
        ] {
            let now = self.now().as_millisecond();
            sqlx::query(change).bind(&kind).bind(name).bind(now).execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Takes back a promotion that did not work: `name` is in no use, and `instead`, which still runs, is in use
    /// again. A rollback has no target then, for the one from before the promotion is not known any more.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn withdraw_model(&mut self, name: &str, instead: &str) -> Result<()> {
        self.promote_model(instead).await?;
        let done = sqlx::query("UPDATE models SET state = 'idle', state_since = ? WHERE name = ?")
            .bind(self.now().as_millisecond())
            .bind(name)
            .execute(self.connection())
            .await?;
        found(&done, "model")
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

    /// Sets which model of this kind is tried beside the one in use, and gives the name of the one that was.
    ///
    /// # Errors
    /// `Conflict` if it is the one in use; `NotFound`.
    pub async fn set_model_beside(&mut self, kind: &str, name: Option<&str>) -> Result<Option<String>> {
        let before: Option<String> = sqlx::query_scalar("SELECT name FROM models WHERE kind = ? AND beside = 1")
            .bind(kind)
            .fetch_optional(self.connection())
            .await?;
        let now = self.now().as_millisecond();
        sqlx::query("UPDATE models SET beside = 0, state_since = ? WHERE kind = ? AND beside = 1")
            .bind(now)
            .bind(kind)
            .execute(self.connection())
            .await?;
        if let Some(name) = name {
            let state: Option<String> = sqlx::query_scalar("SELECT state FROM models WHERE kind = ? AND name = ?")
                .bind(kind)
                .bind(name)
                .fetch_optional(self.connection())
                .await?;
            match state.as_deref() {
                None => return Err(StorageError::NotFound { what: "model" }),
                Some("active") => return Err(StorageError::Conflict { what: format!("'{name}' is in use already") }),
                Some(_) => {}
            }
            sqlx::query("UPDATE models SET beside = 1, state_since = ? WHERE name = ?")
                .bind(now)
                .bind(name)
                .execute(self.connection())
                .await?;
        }
        Ok(before)
    }

    /// Takes a model off the list.
    ///
    /// # Errors
    /// `Conflict` if it is in use, was in use before, or is tried beside the one in use; `NotFound`.
    pub async fn delete_model(&mut self, name: &str) -> Result<()> {
        let done = sqlx::query("DELETE FROM models WHERE name = ? AND state = 'idle' AND beside = 0")
            .bind(name)
            .execute(self.connection())
            .await?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM models WHERE name = ?")
            .bind(name)
            .fetch_optional(self.connection())
            .await?;
        match known {
            Some(_) => {
                Err(StorageError::Conflict { what: format!("'{name}' is in use, or a rollback goes back to it") })
            }
            None => Err(StorageError::NotFound { what: "model" }),
        }
    }

    /// Notes what was found out about a model.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn note_model(&mut self, name: &str, finding: &ModelFinding) -> Result<()> {
        let now = self.now().as_millisecond();
        let query = match finding {
            ModelFinding::Verified => {
                sqlx::query("UPDATE models SET verified_at = ?, problem = NULL WHERE name = ?").bind(now)
            }
            ModelFinding::Problem { reason, unsound: true } => {
                sqlx::query("UPDATE models SET verified_at = NULL, problem = ? WHERE name = ?").bind(reason)
            }
            ModelFinding::Problem { reason, unsound: false } => {
                sqlx::query("UPDATE models SET problem = ? WHERE name = ?").bind(reason)
            }
            ModelFinding::Resident(bytes) => {
                sqlx::query("UPDATE models SET resident_bytes = ? WHERE name = ?").bind(bytes.cast_signed())
            }
            ModelFinding::Speed(speed) => sqlx::query("UPDATE models SET speed = ? WHERE name = ?").bind(json(speed)?),
        };
        let done = query.bind(name).execute(self.connection()).await?;
        found(&done, "model")
    }
}

fn model_of(row: &SqliteRow) -> Result<Model> {
    let state = row.plain::<&str>("state")?;
    Ok(Model {
        name: row.plain("name")?,
        kind: row.plain("kind")?,
        file: row.plain("file")?,
        info: row.json("info")?,
        card: row.json("card")?,
        sha256: row.plain("sha256")?,
        active: state == "active",
        previous: state == "previous",
        beside: row.number::<u8>("beside")? == 1,
        imported_at: row.time("imported_at")?,
        state_since: row.time("state_since")?,
        verified_at: row.time_if_any("verified_at")?,
        need_bytes: row.number_if_any("need_bytes")?,
        resident_bytes: row.number_if_any("resident_bytes")?,
        speed: match row.plain::<Option<&str>>("speed")? {
            Some(_) => Some(row.json("speed")?),
            None => None,
        },
        problem: row.plain("problem")?,
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

    /// The model of this name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn model(&self, name: &str) -> Result<Option<Model>> {
        let row = sqlx::query("SELECT * FROM models WHERE name = ?").bind(name).fetch_optional(&self.reader).await?;
        row.as_ref().map(model_of).transpose()
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
