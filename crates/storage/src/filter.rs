//! Which documents a filter lets through, among those that a scope allows.

use crate::rows::json;
use crate::{Result, Store, scope};
use domain::{AccessScope, DocumentFilter, DocumentId};
use sqlx::{QueryBuilder, Sqlite};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Store {
    /// The documents in use that `filter` lets through and `scope` allows. Linear in the number of documents.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn documents_matching(
        &self,
        filter: &DocumentFilter,
        scope: &AccessScope,
    ) -> Result<BTreeSet<DocumentId>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT d.id FROM documents AS d WHERE d.state = 'ready' AND ");
        scope::push_condition(&mut sql, scope);
        push_filter(&mut sql, filter)?;
        let ids: Vec<Uuid> = sql.build_query_scalar().fetch_all(&self.reader).await?;
        Ok(ids.into_iter().map(DocumentId::from).collect())
    }
}

fn push_filter(sql: &mut QueryBuilder<Sqlite>, filter: &DocumentFilter) -> Result<()> {
    let DocumentFilter { languages, media_types, labels, author, title, path, since, before, fields } = filter;
    if !languages.is_empty() {
        one_of(sql, "d.language", json(languages)?);
    }
    if !media_types.is_empty() {
        sql.push(" AND EXISTS (SELECT 1 FROM json_each(")
            .push_bind(json(media_types)?)
            .push(") AS m WHERE d.media_type = m.value OR (m.value LIKE '%/*' AND substr(d.media_type, 1, length(m.value) - 1) = substr(m.value, 1, length(m.value) - 1)))");
    }
    if !labels.is_empty() {
        one_of(sql, "d.label", json(&labels.iter().map(|label| label.rank()).collect::<Vec<_>>())?);
    }
    // `instr` and not LIKE: nothing that a person types is a pattern.
    for (column, part) in [("d.author", author), ("d.title", title)] {
        if let Some(part) = part {
            sql.push(format!(" AND instr(lower({column}), lower(")).push_bind(part.clone()).push(")) > 0");
        }
    }
    if let Some(path) = path {
        sql.push(" AND EXISTS (SELECT 1 FROM sources AS s WHERE s.document = d.id AND instr(s.source, ")
            .push_bind(path.clone())
            .push(") = 1)");
    }
    for (moment, comparison) in [(since, " >= "), (before, " < ")] {
        if let Some(moment) = moment {
            sql.push(" AND coalesce(d.written_at, d.modified_at, d.updated_at)")
                .push(comparison)
                .push_bind(moment.as_millisecond());
        }
    }
    for (name, value) in fields {
        sql.push(" AND EXISTS (SELECT 1 FROM json_each(d.fields) AS f WHERE f.key = ")
            .push_bind(name.to_lowercase())
            .push(" AND lower(f.value) = lower(")
            .push_bind(value.clone())
            .push("))");
    }
    Ok(())
}

fn one_of(sql: &mut QueryBuilder<Sqlite>, column: &str, values: String) {
    sql.push(format!(" AND {column} IN (SELECT value FROM json_each(")).push_bind(values).push("))");
}
