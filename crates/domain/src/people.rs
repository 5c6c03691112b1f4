//! People, groups and roles.

use crate::{Clearance, GroupId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a person is for. One role a person: admin and auditor are different people by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asks and reads.
    Staff,
    /// Also manages the collections that were granted for that.
    Curator,
    /// Manages people, groups, collections and models; does not read other people's questions.
    Admin,
    /// Reads the audit log; changes nothing.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Staff, Self::Curator, Self::Admin, Self::Auditor];

    /// The role's stable name, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Curator => "curator",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a role; use staff, curator, admin or auditor"))
    }
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Identity.
    pub id: UserId,
    /// Sign-in name, lower case, unique.
    pub name: String,
    /// How pages address the person.
    pub display_name: String,
    /// What the person is for.
    pub role: Role,
    /// The highest label the person may read.
    pub clearance: Clearance,
    /// A disabled account cannot sign in and its sessions end at once.
    pub disabled: bool,
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Identity.
    pub id: GroupId,
    /// Unique name.
    pub name: String,
}

/// Who acts: a user as resolved for one request, with the groups of this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The person.
    pub user: User,
    /// The groups that the person is in.
    pub groups: Vec<GroupId>,
}
