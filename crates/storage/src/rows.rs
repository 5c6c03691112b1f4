//! Columns of a row as domain types. What does not fit its type is damage, said with the column's name.

use crate::{Result, StorageError};
use domain::Label;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use std::str::FromStr;
use uuid::Uuid;

pub(crate) trait Columns {
    /// A value as SQLite has it.
    fn plain<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: &str) -> Result<T>;

    /// A 16-byte id.
    fn id<T: From<Uuid>>(&self, column: &str) -> Result<T> {
        Ok(self.plain::<Uuid>(column)?.into())
    }

    /// A 16-byte id that may be missing.
    fn id_if_any<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>> {
        Ok(self.plain::<Option<Uuid>>(column)?.map(T::from))
    }

    /// Bytes of a fixed length, such as a hash.
    fn bytes<'r, T: TryFrom<&'r [u8]>>(&'r self, column: &str) -> Result<T> {
        T::try_from(self.plain::<&'r [u8]>(column)?).map_err(|_| damaged(column))
    }

    /// A whole number of a narrower type.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.plain::<i64>(column)?).map_err(|_| damaged(column))
    }

    /// A whole number that may be missing.
    fn number_if_any<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>> {
        self.plain::<Option<i64>>(column)?.map(|number| T::try_from(number).map_err(|_| damaged(column))).transpose()
    }

    /// A moment.
    fn time(&self, column: &str) -> Result<Timestamp> {
        Timestamp::from_millisecond(self.plain(column)?).map_err(|_| damaged(column))
    }

    /// A moment that may be missing.
    fn time_if_any(&self, column: &str) -> Result<Option<Timestamp>> {
        let millis = self.plain::<Option<i64>>(column)?;
        millis.map(|millis| Timestamp::from_millisecond(millis).map_err(|_| damaged(column))).transpose()
    }

    /// A label by its rank.
    fn label(&self, column: &str) -> Result<Label> {
        Ok(Label::of_rank(self.number(column)?))
    }

    /// One of a fixed set of words.
    fn word<T: FromStr>(&self, column: &str) -> Result<T> {
        self.plain::<&str>(column)?.parse().map_err(|_| damaged(column))
    }

    /// One of a fixed set of words, looked up by its name.
    fn one_of<T: Copy>(&self, column: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
        let word = self.plain::<&str>(column)?;
        all.iter().copied().find(|item| name(*item) == word).ok_or_else(|| damaged(column))
    }

    /// A JSON value.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.plain(column)?).map_err(|_| damaged(column))
    }
}

impl Columns for SqliteRow {
    fn plain<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: &str) -> Result<T> {
        Ok(self.try_get(column)?)
    }
}

pub(crate) fn damaged(column: &str) -> StorageError {
    StorageError::Damaged { what: format!("the column '{column}' holds what does not belong there") }
}

/// A count from `SELECT count(*)`.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// `value` as JSON text. For plain data, which can always be written.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StorageError::Damaged { what: error.to_string() })
}

/// Ids as a JSON array of hexadecimal digits, for `json_each` and `unhex`: one variable however many there are.
pub(crate) fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| format!("\"{}\"", id.simple())).collect();
    format!("[{}]", ids.join(","))
}
