//! Identifiers. All are UUID version 7 (RFC 9562): sortable by creation time and not guessable.

use crate::Environment;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier")]
pub struct ParseIdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "uuid::serde::simple")] Uuid);

        impl $name {
            /// A new identifier from the environment's clock and random source.
            #[must_use]
            pub fn new(environment: &Environment) -> Self {
                Self(environment.uuid_v7())
            }

            /// The identifier as the database stores it.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError)
            }
        }
    };
}

id! {
    /// A person with an account.
    UserId
}
id! {
    /// A group of people.
    GroupId
}
id! {
    /// A user or a group: what a grant names.
    PrincipalId
}
id! {
    /// A collection of documents.
    CollectionId
}
id! {
    /// A document, the same through all its versions.
    DocumentId
}
id! {
    /// One passage of one version of a document.
    PassageId
}
id! {
    /// A conversation of one person.
    ConversationId
}
id! {
    /// One question and its answer within a conversation; the record id that a reader can quote.
    AnswerId
}
id! {
    /// A job of the ingest queue.
    JobId
}
id! {
    /// Files that were handed in together.
    BatchId
}
id! {
    /// A watched folder.
    FolderId
}
id! {
    /// A signed-in session.
    SessionId
}
id! {
    /// A security key of a person.
    SecurityKeyId
}
id! {
    /// A token with which programs act for a person.
    TokenId
}
id! {
    /// A request that needs a second person.
    ApprovalId
}
id! {
    /// One request or command; stands in error messages, the log and the audit log.
    OperationId
}

impl From<UserId> for PrincipalId {
    fn from(id: UserId) -> Self {
        Self(id.0)
    }
}

impl From<GroupId> for PrincipalId {
    fn from(id: GroupId) -> Self {
        Self(id.0)
    }
}
