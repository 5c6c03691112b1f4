//! The one place where SQL decides what a scope may read.

use crate::rows::id_list;
use domain::{AccessScope, CollectionId, PrincipalId, UserId};
use sqlx::{QueryBuilder, Sqlite};

/// Appends the condition that the document row `d` may be read. The same rule as [`AccessScope::allows`], and not
/// hidden, nor in quarantine: a file that no curator has released yet is not there for anybody.
pub(crate) fn push_condition(sql: &mut QueryBuilder<Sqlite>, scope: &AccessScope) {
    sql.push(
        "(d.hidden = 0 AND (d.version > 0 OR NOT EXISTS (SELECT 1 FROM jobs AS q WHERE q.document = d.id \
         AND q.state = 'held')) AND d.collection IN (SELECT unhex(value) FROM json_each(",
    )
    .push_bind(id_list(scope.collections().map(CollectionId::uuid)))
    .push(")) AND ");
    push_clearance(sql, scope);
    sql.push(")");
}

/// The part of the rule that is about the document row `d` itself: its label, and whom it is narrowed to.
fn push_clearance(sql: &mut QueryBuilder<Sqlite>, scope: &AccessScope) {
    sql.push("(d.label <= ")
        .push_bind(i64::from(scope.clearance().0.rank()))
        .push(
            " AND (d.narrowed = 0 OR EXISTS (SELECT 1 FROM document_readers AS r WHERE r.document = d.id \
             AND r.principal IN (SELECT unhex(value) FROM json_each(",
        )
        .push_bind(id_list(scope.principals().map(PrincipalId::uuid)))
        .push(")))))");
}

/// Who reads of jobs, of collections that this person works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReader {
    /// The account: what it submitted it may read of.
    pub user: UserId,
    /// Clearance, and the groups that documents may be narrowed to.
    pub scope: AccessScope,
}

/// Appends the condition that the row of `jobs` may be read of: the reader submitted it, or its document is there and
/// neither above the reader's clearance nor narrowed to others.
pub(crate) fn push_job_condition(sql: &mut QueryBuilder<Sqlite>, reader: &JobReader) {
    sql.push("(jobs.submitted_by = ")
        .push_bind(reader.user.uuid())
        .push(" OR EXISTS (SELECT 1 FROM documents AS d WHERE d.id = jobs.document AND ");
    push_clearance(sql, &reader.scope);
    sql.push("))");
}
