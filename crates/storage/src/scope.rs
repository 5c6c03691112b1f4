//! The one place where SQL decides what a scope may read.

use crate::rows::id_list;
use domain::{AccessScope, CollectionId, PrincipalId};
use sqlx::{QueryBuilder, Sqlite};

/// Appends the condition that the document row `d` may be read. The same rule as [`AccessScope::allows`], and not
/// hidden.
pub(crate) fn push_condition(sql: &mut QueryBuilder<Sqlite>, scope: &AccessScope) {
    sql.push("(d.hidden = 0 AND d.collection IN (SELECT unhex(value) FROM json_each(")
        .push_bind(id_list(scope.collections().map(CollectionId::uuid)))
        .push(")) AND d.label <= ")
        .push_bind(i64::from(scope.clearance().0.rank()))
        .push(
            " AND (d.narrowed = 0 OR EXISTS (SELECT 1 FROM document_readers AS r WHERE r.document = d.id \
               AND r.principal IN (SELECT unhex(value) FROM json_each(",
        )
        .push_bind(id_list(scope.principals().map(PrincipalId::uuid)))
        .push(")))))");
}
