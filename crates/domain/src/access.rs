//! Who may see what. Unknown means denied.

use crate::{CollectionId, PrincipalId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What a grant allows in a collection; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Search, ask and open documents.
    Read,
    /// Also upload, replace and delete documents.
    Write,
    /// Also change grants and labels.
    Manage,
}

impl Permission {
    /// All permissions, weakest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Manage];

    /// The permission's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a permission; use read, write or manage"))
    }
}

/// How sensitive a document is. Ordered: a higher label needs a higher clearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Anyone.
    Public,
    /// Anyone in the organisation.
    Internal,
    /// Only those who need it.
    Confidential,
    /// The highest.
    Secret,
}

impl Label {
    /// All labels, lowest first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Secret];

    /// The label's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Secret => "secret",
        }
    }

    /// 0 for the lowest. What the indexes and the database compare.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The label of this rank; an unknown rank reads as the highest label, so that it is denied rather than shown.
    #[must_use]
    pub fn of_rank(rank: u8) -> Self {
        Self::ALL.get(usize::from(rank)).copied().unwrap_or(Self::Secret)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|label| label.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a label; use public, internal, confidential or secret"))
    }
}

/// The highest label a person may read (no read up).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Clearance(pub Label);

impl Clearance {
    /// Whether a document with this label may be read.
    #[must_use]
    pub fn covers(self, label: Label) -> bool {
        label <= self.0
    }
}

/// What one principal may read at one moment. Both indexes, the database and the caches filter by it.
///
/// Only the `identity` crate issues one for a person (a test over the sources enforces that), so no code can reach
/// a passage without someone having been authenticated. It holds for one request: the next one resolves it anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessScope {
    principals: BTreeSet<PrincipalId>,
    collections: BTreeSet<CollectionId>,
    clearance: Clearance,
}

impl AccessScope {
    /// A scope for someone who is `principals` (the user and the groups), may read `collections` and is cleared up
    /// to `clearance`.
    #[must_use]
    pub fn issue(
        principals: impl IntoIterator<Item = PrincipalId>,
        collections: impl IntoIterator<Item = CollectionId>,
        clearance: Clearance,
    ) -> Self {
        Self { principals: principals.into_iter().collect(), collections: collections.into_iter().collect(), clearance }
    }

    /// The user and the groups whose names narrowing lists are compared with.
    pub fn principals(&self) -> impl Iterator<Item = PrincipalId> + '_ {
        self.principals.iter().copied()
    }

    /// The collections that may be read.
    pub fn collections(&self) -> impl Iterator<Item = CollectionId> + '_ {
        self.collections.iter().copied()
    }

    /// The highest label that may be read.
    #[must_use]
    pub const fn clearance(&self) -> Clearance {
        self.clearance
    }

    /// Whether nothing at all can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// The same rights, looking only into these collections. Never widens.
    #[must_use]
    pub fn narrowed_to(&self, collections: &[CollectionId]) -> Self {
        let collections = self.collections.iter().filter(|id| collections.contains(id)).copied().collect();
        Self { principals: self.principals.clone(), collections, clearance: self.clearance }
    }

    /// Whether a document in `collection` with `label`, narrowed to `readers` if it is, may be read.
    #[must_use]
    pub fn allows(&self, collection: CollectionId, label: Label, readers: Option<&[PrincipalId]>) -> bool {
        self.collections.contains(&collection)
            && self.clearance.covers(label)
            && readers.is_none_or(|readers| readers.iter().any(|reader| self.principals.contains(reader)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, UserId};

    #[test]
    fn every_condition_is_needed() {
        let environment = Environment::system();
        let me = PrincipalId::from(UserId::new(&environment));
        let other = PrincipalId::from(UserId::new(&environment));
        let (open, closed) = (CollectionId::new(&environment), CollectionId::new(&environment));
        let scope = AccessScope::issue([me], [open], Clearance(Label::Internal));

        assert!(scope.allows(open, Label::Internal, None));
        assert!(scope.allows(open, Label::Public, Some(&[other, me])));
        assert!(!scope.allows(closed, Label::Public, None));
        assert!(!scope.allows(open, Label::Confidential, None));
        assert!(!scope.allows(open, Label::Public, Some(&[other])));
        assert!(!scope.allows(open, Label::Public, Some(&[])), "narrowed to nobody means nobody");
        assert!(scope.narrowed_to(&[closed]).is_empty(), "narrowing never widens");
    }

    #[test]
    fn an_unknown_label_is_the_highest() {
        assert_eq!(Label::of_rank(200), Label::Secret);
    }
}
