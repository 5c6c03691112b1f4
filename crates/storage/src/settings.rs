//! Settings: a name and a JSON value.

use crate::rows::{Columns, json};
use crate::{Act, Result, Store};
use serde_json::Value;

impl Store {
    /// The setting's value.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn setting(&self, key: &str) -> Result<Option<Value>> {
        let row =
            sqlx::query("SELECT value FROM settings WHERE key = ?").bind(key).fetch_optional(&self.reader).await?;
        row.map(|row| row.json("value")).transpose()
    }
}

impl Act {
    /// Sets it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn set_setting(&mut self, key: &str, value: &Value) -> Result<()> {
        sqlx::query(
            "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(json(value)?)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
