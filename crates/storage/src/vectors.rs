//! The vectors of passages, for comparing texts with them.

use crate::rows::{Columns, id_list};
use crate::{Result, Store};
use domain::PassageId;
use std::collections::HashMap;

impl Store {
    /// The unit vectors of these passages; one that is not embedded yet, or gone, is left out. A vector tells nothing
    /// that can be read, so there is no scope: whoever asks has the passages already.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn vectors(&self, ids: &[PassageId]) -> Result<HashMap<PassageId, Vec<f32>>> {
        let rows = sqlx::query(
            "SELECT v.passage, v.vector FROM json_each(?) AS wanted CROSS JOIN vectors AS v ON v.passage = unhex(wanted.value)",
        )
        .bind(id_list(ids.iter().map(|id| id.uuid())))
        .fetch_all(&self.reader)
        .await?;
        let vector = |bytes: &[u8]| {
            let (numbers, _) = bytes.as_chunks();
            numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
        };
        rows.iter().map(|row| Ok((row.id("passage")?, vector(row.plain::<&[u8]>("vector")?)))).collect()
    }
}
