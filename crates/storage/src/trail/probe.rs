//! Whether the log can be written: as long as it cannot, nothing is done that would have to be recorded.

use crate::{Result, Store};
use audit::{Action, Actor, Event};
use domain::OperationId;
use serde_json::json;

impl Store {
    /// Tries both halves of recording: an event, which is taken back, and a commit to the disk.
    ///
    /// # Errors
    /// Why nothing can be recorded: `Full`, `ReadOnly`, `Busy`, `Damaged` or what the database says.
    pub async fn audit_writable(&self) -> Result<()> {
        let mut act = self.begin().await?;
        let operation = OperationId::new(self.environment());
        act.record(Event::new(Action::ConfigurationChanged, &Actor::system(), operation)).await?;
        drop(act);
        let mut act = self.begin().await?;
        let now = act.now();
        act.set_setting("audit.probe", &json!(now)).await?;
        act.commit_housekeeping().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StorageError;
    use domain::Environment;

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_is_not_the_end_of_writing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("carrel.db"), Environment::system()).await.unwrap();
        let mut act = store.begin().await.unwrap();
        // As SQLite does when a commit finds the disk full.
        sqlx::query("ROLLBACK").execute(act.connection()).await.unwrap();
        drop(act);
        store.audit_writable().await.unwrap();
    }

    async fn pragma(store: &Store, statement: &'static str) -> i64 {
        let mut act = store.begin().await.unwrap();
        sqlx::query_scalar(statement).fetch_optional(act.connection()).await.unwrap().unwrap_or_default()
    }

    async fn limit(store: &Store, pages: i64) {
        let mut act = store.begin().await.unwrap();
        let statement = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(statement).execute(act.connection()).await.unwrap();
    }

    /// Acts until one fails; what had been done stays, what failed leaves nothing.
    async fn fails(store: &Store, expected: fn(&StorageError) -> bool) {
        let event = || {
            let operation = OperationId::new(store.environment());
            Event::new(Action::QuestionAsked, &Actor::console(), operation)
                .detail(json!({ "question": "x".repeat(9000) }))
        };
        for number in 0..1000_u32 {
            let before = store.audit_last().await.unwrap();
            let act = async {
                let mut act = store.begin().await?;
                act.set_setting("number", &json!(number)).await?;
                act.record(event()).await?;
                act.commit().await
            };
            if let Err(error) = act.await {
                assert!(expected(&error), "{error:?}");
                assert_eq!(store.audit_last().await.unwrap(), before);
                let last = number.checked_sub(1).map(|last| json!(last));
                assert_eq!(store.setting("number").await.unwrap(), last, "the act did not happen either");
                // What is left may hold the trial, but never more than one act.
                assert!(number > 0 || expected(&store.audit_writable().await.unwrap_err()));
                return;
            }
        }
        panic!("every act was recorded");
    }

    #[tokio::test]
    async fn on_a_full_or_read_only_disk_no_act_happens_and_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a.db"), Environment::system()).await.unwrap();
        store.audit_writable().await.unwrap();
        assert_eq!(store.audit_last().await.unwrap(), None, "trying leaves no event");

        // As many pages as there are, and a few: what a full disk is to SQLite.
        let pages = pragma(&store, "PRAGMA page_count").await;
        limit(&store, pages + 12).await;
        fails(&store, |error| matches!(error, StorageError::Full)).await;
        limit(&store, 1_000_000).await;
        store.audit_writable().await.unwrap();

        let store = Store::open(&folder.path().join("b.db"), Environment::system()).await.unwrap();
        pragma(&store, "PRAGMA query_only = ON").await;
        fails(&store, |error| matches!(error, StorageError::ReadOnly)).await;
        assert!(matches!(store.audit_writable().await, Err(StorageError::ReadOnly)));
    }
}
