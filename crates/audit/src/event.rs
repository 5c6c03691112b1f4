//! What happened, who did it, to what.
//!
//! Fields stand in alphabetical order: serialisation keeps it, and canonical JSON wants it.

use crate::{Action, canonical};
use domain::{Label, OperationId, SessionId, User, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What kind of actor it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person with an account.
    User,
    /// Whoever runs commands on the appliance itself.
    Console,
    /// The appliance on its own.
    System,
    /// Someone who is not signed in.
    Anonymous,
}

impl ActorKind {
    /// The kind's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Console => "console",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Network address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What kind of actor.
    pub kind: ActorKind,
    /// The person's sign-in name at that moment, or the kind's name.
    pub name: String,
    /// The session, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The account, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

impl Actor {
    /// A person, in a session and from an address if known.
    #[must_use]
    pub fn user(user: &User, session: Option<SessionId>, address: Option<String>) -> Self {
        Self { address, kind: ActorKind::User, name: user.name.clone(), session, user: Some(user.id) }
    }

    /// A command at the appliance's console.
    #[must_use]
    pub fn console() -> Self {
        Self::nameless(ActorKind::Console, None)
    }

    /// The appliance itself.
    #[must_use]
    pub fn system() -> Self {
        Self::nameless(ActorKind::System, None)
    }

    /// Someone who is not signed in, at this network address.
    #[must_use]
    pub fn anonymous(address: impl Into<String>) -> Self {
        Self::nameless(ActorKind::Anonymous, Some(address.into()))
    }

    fn nameless(kind: ActorKind, address: Option<String>) -> Self {
        Self { address, kind, name: kind.as_str().to_owned(), session: None, user: None }
    }
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its id as text.
    pub id: String,
    /// What it is, such as `document`.
    pub kind: String,
    /// Its name or title at that moment.
    pub name: String,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Denied,
    /// It was tried and did not work.
    Failed,
}

impl Outcome {
    /// The outcome's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What happened, before it has a place in the chain. Never holds a password, a token or another secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What was done.
    pub action: Action,
    /// By whom.
    pub actor: Actor,
    /// What else is known; its shape depends on the action. Numbers other than whole ones below 2⁵³ are sealed as text.
    #[serde(default, skip_serializing_if = "Value::is_null", serialize_with = "canonical::serialize")]
    pub detail: Value,
    /// To what, if to one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// The request or command that it was part of.
    pub operation: OperationId,
    /// How it went.
    pub outcome: Outcome,
}

impl Event {
    /// A success without object and detail; the methods below add to it.
    #[must_use]
    pub fn new(action: Action, actor: &Actor, operation: OperationId) -> Self {
        Self { action, actor: actor.clone(), detail: Value::Null, object: None, operation, outcome: Outcome::Success }
    }

    /// Names what it was done to.
    #[must_use]
    pub fn on(mut self, kind: &str, id: impl fmt::Display, name: impl Into<String>) -> Self {
        self.object = Some(Object { id: id.to_string(), kind: kind.to_owned(), name: name.into() });
        self
    }

    /// Says how it went.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Adds what else is known.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// The highest label that the detail names: of a passage shown, of an answer, before or after a change.
    #[must_use]
    pub fn label(&self) -> Option<Label> {
        fn highest(value: &Value) -> Option<Label> {
            match value {
                Value::Array(items) => items.iter().filter_map(highest).max(),
                Value::Object(members) => members
                    .iter()
                    .filter_map(|(name, value)| match value {
                        Value::String(text) if matches!(name.as_str(), "label" | "before" | "after") => {
                            text.parse().ok()
                        }
                        value => highest(value),
                    })
                    .max(),
                _ => None,
            }
        }
        highest(&self.detail)
    }
}
