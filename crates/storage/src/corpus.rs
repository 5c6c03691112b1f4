//! Collections and who may do what in them.

use crate::act::found;
use crate::error::naming;
use crate::rows::{Columns, id_list};
use crate::{Act, Result, StorageError, Store};
use domain::{Collection, CollectionId, Permission, PrincipalId};
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl PrincipalKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The kind's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// A permission that someone holds in a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub principal: PrincipalId,
    /// The name of the user or group.
    pub name: String,
    /// Which of the two it is.
    pub kind: PrincipalKind,
    /// What they may do.
    pub permission: Permission,
}

impl Act {
    /// Adds a collection.
    ///
    /// # Errors
    /// `Conflict` if the name is taken.
    pub async fn insert_collection(&mut self, collection: &Collection) -> Result<()> {
        sqlx::query("INSERT INTO collections (id, name, description, default_label) VALUES (?, ?, ?, ?)")
            .bind(collection.id.uuid())
            .bind(&collection.name)
            .bind(&collection.description)
            .bind(collection.default_label.rank())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// The collection with this id, as it stands within this act.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn collection(&mut self, id: CollectionId) -> Result<Option<Collection>> {
        let row = sqlx::query("SELECT * FROM collections WHERE id = ?")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await?;
        row.as_ref().map(collection_of).transpose()
    }

    /// Replaces name, description and default label.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the name is taken.
    pub async fn update_collection(&mut self, collection: &Collection) -> Result<()> {
        let done = sqlx::query("UPDATE collections SET name = ?, description = ?, default_label = ? WHERE id = ?")
            .bind(&collection.name)
            .bind(&collection.description)
            .bind(collection.default_label.rank())
            .bind(collection.id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "collection")
    }

    /// Deletes an empty collection and its grants.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if documents are left in it.
    pub async fn delete_collection(&mut self, id: CollectionId) -> Result<()> {
        let done = sqlx::query("DELETE FROM collections WHERE id = ?").bind(id.uuid()).execute(self.connection()).await;
        match done {
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(StorageError::Conflict {
                what: "documents are left in this collection; delete them first".to_owned(),
            }),
            done => found(&done?, "collection"),
        }
    }

    /// Gives, changes or (with `None`) takes away what a principal may do in a collection. Holds for the next query.
    ///
    /// # Errors
    /// `NotFound` if either does not exist.
    pub async fn set_grant(
        &mut self,
        collection: CollectionId,
        principal: PrincipalId,
        permission: Option<Permission>,
    ) -> Result<()> {
        let Some(permission) = permission else {
            sqlx::query("DELETE FROM grants WHERE collection = ? AND principal = ?")
                .bind(collection.uuid())
                .bind(principal.uuid())
                .execute(self.connection())
                .await?;
            return Ok(());
        };
        sqlx::query(
            "INSERT INTO grants (collection, principal, permission) VALUES (?, ?, ?) \
             ON CONFLICT (collection, principal) DO UPDATE SET permission = excluded.permission",
        )
        .bind(collection.uuid())
        .bind(principal.uuid())
        .bind(permission.as_str())
        .execute(self.connection())
        .await
        .map_err(naming("collection, user or group"))?;
        Ok(())
    }
}

fn collection_of(row: &SqliteRow) -> Result<Collection> {
    Ok(Collection {
        id: row.id("id")?,
        name: row.plain("name")?,
        description: row.plain("description")?,
        default_label: row.label("default_label")?,
    })
}

impl Store {
    /// All collections by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn collections(&self) -> Result<Vec<Collection>> {
        let rows = sqlx::query("SELECT * FROM collections ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(collection_of).collect()
    }

    /// The collection with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn collection(&self, id: CollectionId) -> Result<Option<Collection>> {
        let row =
            sqlx::query("SELECT * FROM collections WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(collection_of).transpose()
    }

    /// The collection with this name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn collection_by_name(&self, name: &str) -> Result<Option<Collection>> {
        let row =
            sqlx::query("SELECT * FROM collections WHERE name = ?").bind(name).fetch_optional(&self.reader).await?;
        row.as_ref().map(collection_of).transpose()
    }

    /// Whether documents are left in a collection. Knows no scope: for those who manage it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn collection_has_documents(&self, id: CollectionId) -> Result<bool> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM documents WHERE collection = ?)")
            .bind(id.uuid())
            .fetch_one(&self.reader)
            .await?)
    }

    /// Who may do what in a collection, by name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn grants(&self, collection: CollectionId) -> Result<Vec<Grant>> {
        let rows = sqlx::query(
            "SELECT n.principal, n.permission, p.kind, coalesce(u.name, g.name) AS name FROM grants AS n \
             JOIN principals AS p ON p.id = n.principal LEFT JOIN users AS u ON u.id = p.id \
             LEFT JOIN groups AS g ON g.id = p.id WHERE n.collection = ? ORDER BY 4, 1",
        )
        .bind(collection.uuid())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Grant {
                    principal: row.id("principal")?,
                    name: row.plain("name")?,
                    kind: row.one_of("kind", &PrincipalKind::ALL, PrincipalKind::as_str)?,
                    permission: row.word("permission")?,
                })
            })
            .collect()
    }

    /// What someone who is all of these principals may do: the highest permission in each collection. No role gives
    /// any by itself.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn permissions(&self, principals: &[PrincipalId]) -> Result<BTreeMap<CollectionId, Permission>> {
        let rows = sqlx::query(
            "SELECT collection, permission FROM grants WHERE principal IN (SELECT unhex(value) FROM json_each(?))",
        )
        .bind(id_list(principals.iter().map(|id| id.uuid())))
        .fetch_all(&self.reader)
        .await?;
        let mut highest = BTreeMap::new();
        for row in rows {
            let permission: Permission = row.word("permission")?;
            let held = highest.entry(row.id("collection")?).or_insert(permission);
            *held = permission.max(*held);
        }
        Ok(highest)
    }
}
