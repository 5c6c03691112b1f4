//! Which documents a filter lets through, among those that a scope allows.

use crate::rows::{Columns, json};
use crate::{Result, Store, scope};
use domain::{AccessScope, DocumentFilter, DocumentId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

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
        let said = Said::of(filter);
        let columns = if said.is_empty() { "d.id" } else { "d.id, d.author, d.title, d.fields" };
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT ");
        sql.push(columns).push(" FROM documents AS d WHERE d.state = 'ready' AND ");
        scope::push_condition(&mut sql, scope);
        push_filter(&mut sql, filter)?;
        let rows = sql.build().fetch_all(&self.reader).await?;
        let mut found = BTreeSet::new();
        for row in &rows {
            if said.is_empty() || said.lets_through(row)? {
                found.insert(row.id("id")?);
            }
        }
        Ok(found)
    }
}

/// What is compared whatever its case. Databases fold the case of ASCII alone or by the machine's language, so it is done
/// here.
struct Said {
    author: Option<String>,
    title: Option<String>,
    fields: Vec<(String, String)>,
}

impl Said {
    fn of(filter: &DocumentFilter) -> Self {
        let [author, title] = [&filter.author, &filter.title].map(|part| part.as_deref().map(folded));
        let fields = filter.fields.iter().map(|(name, value)| (name.to_lowercase(), folded(value))).collect();
        Self { author, title, fields }
    }

    fn is_empty(&self) -> bool {
        self.author.is_none() && self.title.is_none() && self.fields.is_empty()
    }

    fn lets_through(&self, row: &SqliteRow) -> Result<bool> {
        let stands_in = |part: &Option<String>, text: Option<&str>| {
            part.as_deref().is_none_or(|part| text.is_some_and(|text| folded(text).contains(part)))
        };
        if !stands_in(&self.author, row.plain("author")?) || !stands_in(&self.title, row.plain("title")?) {
            return Ok(false);
        }
        let fields: BTreeMap<String, String> = row.json("fields")?;
        let has = |(name, value): &(String, String)| fields.get(name).is_some_and(|found| folded(found) == *value);
        Ok(self.fields.iter().all(has))
    }
}

/// A text as it is compared whatever its case, composed or not: by way of capitals, so that `ß` is `SS` and the sigma at the
/// end of a word any other.
fn folded(text: &str) -> String {
    text.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The conditions that a database compares as they are.
fn push_filter(sql: &mut QueryBuilder<Sqlite>, filter: &DocumentFilter) -> Result<()> {
    let DocumentFilter { languages, media_types, labels, path, since, before, author: _, title: _, fields: _ } = filter;
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
    if let Some(path) = path {
        // `instr` and not LIKE: nothing that a person types is a pattern.
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
    Ok(())
}

fn one_of(sql: &mut QueryBuilder<Sqlite>, column: &str, values: String) {
    sql.push(format!(" AND {column} IN (SELECT value FROM json_each(")).push_bind(values).push("))");
}
