//! Counts for those who watch the server.

use crate::rows::Columns;
use crate::{JobState, Result, Store};

impl Store {
    /// How many jobs there are in each state, in the order of [`JobState::ALL`].
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn jobs_by_state(&self) -> Result<Vec<(JobState, u64)>> {
        let rows =
            sqlx::query("SELECT state, count(*) AS jobs FROM jobs GROUP BY state").fetch_all(&self.reader).await?;
        let mut counts = JobState::ALL.map(|state| (state, 0));
        for row in &rows {
            let name: &str = row.plain("state")?;
            if let Some((_, count)) = counts.iter_mut().find(|(state, _)| state.as_str() == name) {
                *count = row.number("jobs")?;
            }
        }
        Ok(counts.to_vec())
    }
}
