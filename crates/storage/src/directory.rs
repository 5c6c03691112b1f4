//! People and groups.

use crate::act::found;
use crate::error::naming;
use crate::rows::Columns;
use crate::{Act, PrincipalKind, Result, Store};
use domain::{Clearance, Group, GroupId, PrincipalId, User, UserId};
use sqlx::sqlite::SqliteRow;

impl Act {
    /// Adds an account. `password_hash` is the argon2id string in PHC form.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_user(&mut self, user: &User, password_hash: &str) -> Result<()> {
        self.insert_principal(user.id.into(), PrincipalKind::User).await?;
        sqlx::query(
            "INSERT INTO users (id, name, display_name, role, clearance, disabled, password_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(user.id.uuid())
        .bind(&user.name)
        .bind(&user.display_name)
        .bind(user.role.as_str())
        .bind(user.clearance.0.rank())
        .bind(user.disabled)
        .bind(password_hash)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Replaces everything but the password.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the name is taken.
    pub async fn update_user(&mut self, user: &User) -> Result<()> {
        let done = sqlx::query(
            "UPDATE users SET name = ?, display_name = ?, role = ?, clearance = ?, disabled = ? WHERE id = ?",
        )
        .bind(&user.name)
        .bind(&user.display_name)
        .bind(user.role.as_str())
        .bind(user.clearance.0.rank())
        .bind(user.disabled)
        .bind(user.id.uuid())
        .execute(self.connection())
        .await?;
        found(&done, "user")
    }

    /// Replaces the password hash.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_password(&mut self, user: UserId, password_hash: &str) -> Result<()> {
        let done = sqlx::query("UPDATE users SET password_hash = ? WHERE id = ?")
            .bind(password_hash)
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "user")
    }

    /// Adds a group.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_group(&mut self, group: &Group) -> Result<()> {
        self.insert_principal(group.id.into(), PrincipalKind::Group).await?;
        sqlx::query("INSERT INTO groups (id, name) VALUES (?, ?)")
            .bind(group.id.uuid())
            .bind(&group.name)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Deletes a group with its memberships and grants. A document that was narrowed to it alone stays narrowed: to
    /// nobody.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_group(&mut self, group: GroupId) -> Result<()> {
        // The index holds the readers of documents that were narrowed to the group.
        sqlx::query("INSERT INTO index_changes (document) SELECT document FROM document_readers WHERE principal = ?")
            .bind(group.uuid())
            .execute(self.connection())
            .await?;
        let done = sqlx::query("DELETE FROM principals WHERE id = ? AND kind = 'group'")
            .bind(group.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "group")
    }

    /// Adds someone to a group; nothing happens if they are in it already.
    ///
    /// # Errors
    /// `NotFound` if either does not exist.
    pub async fn add_member(&mut self, group: GroupId, user: UserId) -> Result<()> {
        sqlx::query("INSERT INTO members (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(group.uuid())
            .bind(user.uuid())
            .execute(self.connection())
            .await
            .map_err(naming("group or user"))?;
        Ok(())
    }

    /// Takes someone out of a group; nothing happens if they are not in it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn remove_member(&mut self, group: GroupId, user: UserId) -> Result<()> {
        sqlx::query("DELETE FROM members WHERE group_id = ? AND user_id = ?")
            .bind(group.uuid())
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Act {
    pub(crate) async fn insert_principal(&mut self, id: PrincipalId, kind: PrincipalKind) -> Result<()> {
        sqlx::query("INSERT INTO principals (id, kind) VALUES (?, ?)")
            .bind(id.uuid())
            .bind(kind.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

fn user_of(row: &SqliteRow) -> Result<User> {
    Ok(User {
        id: row.id("id")?,
        name: row.plain("name")?,
        display_name: row.plain("display_name")?,
        role: row.word("role")?,
        clearance: Clearance(row.label("clearance")?),
        disabled: row.plain("disabled")?,
    })
}

fn group_of(row: &SqliteRow) -> Result<Group> {
    Ok(Group { id: row.id("id")?, name: row.plain("name")? })
}

impl Store {
    /// The account with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        let row = sqlx::query("SELECT * FROM users WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(user_of).transpose()
    }

    /// The account with this sign-in name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        let row = sqlx::query("SELECT * FROM users WHERE name = ?").bind(name).fetch_optional(&self.reader).await?;
        row.as_ref().map(user_of).transpose()
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn users(&self) -> Result<Vec<User>> {
        let rows = sqlx::query("SELECT * FROM users ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(user_of).collect()
    }

    /// The account's password hash.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn password_hash(&self, user: UserId) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT password_hash FROM users WHERE id = ?")
            .bind(user.uuid())
            .fetch_optional(&self.reader)
            .await?)
    }

    /// All groups by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn groups(&self) -> Result<Vec<Group>> {
        let rows = sqlx::query("SELECT * FROM groups ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(group_of).collect()
    }

    /// The group with this name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        let row = sqlx::query("SELECT * FROM groups WHERE name = ?").bind(name).fetch_optional(&self.reader).await?;
        row.as_ref().map(group_of).transpose()
    }

    /// A group's members by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn members(&self, group: GroupId) -> Result<Vec<User>> {
        let rows = sqlx::query(
            "SELECT u.* FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.group_id = ? ORDER BY u.name",
        )
        .bind(group.uuid())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(user_of).collect()
    }

    /// The groups that someone is in, by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn groups_of(&self, user: UserId) -> Result<Vec<Group>> {
        let rows = sqlx::query(
            "SELECT g.* FROM members AS m JOIN groups AS g ON g.id = m.group_id WHERE m.user_id = ? ORDER BY g.name",
        )
        .bind(user.uuid())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(group_of).collect()
    }
}
