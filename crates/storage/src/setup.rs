//! The first people of an empty site.

use crate::{Act, PrincipalKind, Result, Store};
use domain::Group;

const ANYBODY: &str = "SELECT EXISTS (SELECT 1 FROM users)";

impl Act {
    /// Whether there is an account, as it stands within this act.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn has_users(&mut self) -> Result<bool> {
        Ok(sqlx::query_scalar(ANYBODY).fetch_one(self.connection()).await?)
    }

    /// Adds a group that every account joins when it is made, from now on.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_group_of_everybody(&mut self, group: &Group) -> Result<()> {
        self.insert_principal(group.id.into(), PrincipalKind::Group).await?;
        sqlx::query("INSERT INTO groups (id, name, everybody) VALUES (?, ?, 1)")
            .bind(group.id.uuid())
            .bind(&group.name)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Whether there is an account.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn has_users(&self) -> Result<bool> {
        Ok(sqlx::query_scalar(ANYBODY).fetch_one(&self.reader).await?)
    }
}
