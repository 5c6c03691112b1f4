//! Watched folders: where they are, what becomes of their files, and what the last look at them found.

use crate::act::found;
use crate::rows::{Columns, json};
use crate::{Act, Result, Store};
use domain::{CollectionId, FolderId, Label};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use std::str::FromStr;

/// What becomes of a document whose file is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Removal {
    /// It stays and is found.
    Keep,
    /// It stays and is not found until its file comes back.
    Hide,
    /// It is deleted.
    Delete,
}

impl Removal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Hide, Self::Delete];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Hide => "hide",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for Removal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|removal| removal.as_str() == text);
        known.ok_or_else(|| format!("'{text}' is none of keep, hide, delete"))
    }
}

/// A folder that is looked into again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Identity.
    pub id: FolderId,
    /// Where it is, an absolute path.
    pub path: String,
    /// Where its files go.
    pub collection: CollectionId,
    /// Label of new documents; the collection's default if `None`.
    pub label: Option<Label>,
    /// What becomes of documents whose files are gone.
    pub removal: Removal,
    /// Whether its files wait for a curator's release.
    pub quarantine: bool,
    /// Seconds between two looks, beside what the kernel reports.
    pub every: u32,
    /// Not looked into for now.
    pub paused: bool,
    /// When it was looked into last.
    pub scanned_at: Option<Timestamp>,
    /// What was found then.
    pub found: Option<Found>,
    /// Why the last look did not work.
    pub problem: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What a look into a folder found, in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// All files.
    pub files: u64,
    /// New or changed ones.
    pub changed: u64,
    /// Those with a new path.
    pub renamed: u64,
    /// Those that are gone.
    pub gone: u64,
    /// Those that could not be taken in.
    pub failed: u64,
    /// How long the look took, in milliseconds.
    pub millis: u64,
}

fn folder_of(row: &SqliteRow) -> Result<Folder> {
    let found: Option<&str> = row.plain("found")?;
    Ok(Folder {
        id: row.id("id")?,
        path: row.plain("path")?,
        collection: row.id("collection")?,
        label: row.number_if_any::<u8>("label")?.map(Label::of_rank),
        removal: row.one_of("removal", &Removal::ALL, Removal::as_str)?,
        quarantine: row.plain("quarantine")?,
        every: row.number("every")?,
        paused: row.plain("paused")?,
        scanned_at: row.time_if_any("scanned_at")?,
        found: found.and_then(|text| serde_json::from_str(text).ok()),
        problem: row.plain("problem")?,
        created_at: row.time("created_at")?,
    })
}

impl Act {
    /// Adds a folder.
    ///
    /// # Errors
    /// `Conflict` if this path goes into this collection already; `NotFound` if there is no such collection.
    pub async fn insert_folder(&mut self, folder: &Folder) -> Result<()> {
        sqlx::query(
            "INSERT INTO folders (id, path, collection, label, removal, quarantine, every, paused, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(folder.id.uuid())
        .bind(&folder.path)
        .bind(folder.collection.uuid())
        .bind(folder.label.map(Label::rank))
        .bind(folder.removal.as_str())
        .bind(folder.quarantine)
        .bind(folder.every)
        .bind(folder.paused)
        .bind(folder.created_at.as_millisecond())
        .execute(self.connection())
        .await
        .map_err(crate::error::naming("collection"))?;
        Ok(())
    }

    /// Changes label, removal, quarantine, interval and whether it is paused.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn update_folder(&mut self, folder: &Folder) -> Result<()> {
        let done = sqlx::query(
            "UPDATE folders SET label = ?, removal = ?, quarantine = ?, every = ?, paused = ? WHERE id = ?",
        )
        .bind(folder.label.map(Label::rank))
        .bind(folder.removal.as_str())
        .bind(folder.quarantine)
        .bind(folder.every)
        .bind(folder.paused)
        .bind(folder.id.uuid())
        .execute(self.connection())
        .await?;
        found(&done, "folder")
    }

    /// Forgets a folder; its documents stay.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_folder(&mut self, id: FolderId) -> Result<()> {
        let done = sqlx::query("DELETE FROM folders WHERE id = ?").bind(id.uuid()).execute(self.connection()).await?;
        found(&done, "folder")?;
        sqlx::query("UPDATE sources SET folder = NULL WHERE folder = ?")
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Notes what a look into a folder found, or why it did not work.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn note_scan(&mut self, id: FolderId, outcome: Result<Found, String>) -> Result<()> {
        let now = self.now().as_millisecond();
        let query = match outcome {
            Ok(counts) => sqlx::query("UPDATE folders SET scanned_at = ?, found = ?, problem = NULL WHERE id = ?")
                .bind(now)
                .bind(json(&counts)?),
            Err(problem) => {
                sqlx::query("UPDATE folders SET scanned_at = ?, problem = ? WHERE id = ?").bind(now).bind(problem)
            }
        };
        let done = query.bind(id.uuid()).execute(self.connection()).await?;
        found(&done, "folder")
    }
}

impl Store {
    /// All watched folders, by path.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn folders(&self) -> Result<Vec<Folder>> {
        let rows = sqlx::query("SELECT * FROM folders ORDER BY path, id").fetch_all(&self.reader).await?;
        rows.iter().map(folder_of).collect()
    }

    /// The folder with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn folder(&self, id: FolderId) -> Result<Option<Folder>> {
        let row =
            sqlx::query("SELECT * FROM folders WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(folder_of).transpose()
    }
}
