//! Lists of jobs, as far as somebody may read of them.

use crate::queue::{Job, JobFilter, job_of};
use crate::rows::id_list;
use crate::scope::push_job_condition;
use crate::{Page, Result, Store};
use sqlx::{QueryBuilder, Sqlite};

impl Store {
    /// A part of the jobs, the latest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn jobs_page(&self, filter: &JobFilter, page: Page) -> Result<Vec<Job>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM jobs WHERE 1 = 1");
        if let Some(state) = filter.state {
            sql.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(batch) = filter.batch {
            sql.push(" AND batch = ").push_bind(batch.uuid());
        }
        if let Some(collections) = &filter.collections {
            sql.push(" AND collection IN (SELECT unhex(value) FROM json_each(")
                .push_bind(id_list(collections.iter().map(|id| id.uuid())))
                .push("))");
        }
        if let Some(reader) = &filter.reader {
            sql.push(" AND ");
            push_job_condition(&mut sql, reader);
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(page.limit);
        sql.push(" OFFSET ").push_bind(page.offset);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(job_of).collect()
    }
}
