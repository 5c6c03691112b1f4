//! The aggregates on SQLite: directory, corpus, documents, conversations, queue, audit log, settings, models.
//!
//! Reads are methods of [`Store`], writes are methods of [`Act`]: a transaction that can only be committed together
//! with its audit events. Knows no web and no models. What a person reads goes through an `AccessScope` that the SQL
//! itself applies.

mod accounts;
mod act;
mod approvals;
mod attempts;
mod batches;
mod conversations;
mod copy;
mod corpus;
mod directory;
mod documents;
mod error;
mod examine;
mod figures;
mod filter;
mod folders;
mod job_lists;
mod models;
mod outbox;
mod publishing;
mod queue;
mod reading;
mod rows;
mod scope;
mod second_factors;
mod security_keys;
mod sessions;
mod settings;
mod setup;
mod sources;
mod store;
mod tokens;
mod trail;
mod vectors;
mod versions;

pub use accounts::{Account, AccountSource};
pub use act::Act;
pub use approvals::{Approval, ApprovalState};
pub use attempts::{Attempt, Failures};
pub use batches::{Batch, BatchPlace, BatchProgress};
pub use conversations::{AnswerRecord, AnswerState, Conversation, Source};
pub use corpus::{Grant, PrincipalKind};
pub use error::StorageError;
pub use examine::Schema;
pub use folders::{Folder, Found, Removal};
pub use models::{Model, ModelFinding, ModelState};
pub use outbox::IndexedDocument;
pub use publishing::{PublishedVersion, Unembedded};
pub use queue::{Job, JobFilter, JobState};
pub use reading::Page;
pub use scope::JobReader;
pub use second_factors::SecondFactor;
pub use security_keys::SecurityKey;
pub use sessions::{Session, SignInStep};
pub use sources::KnownSource;
pub use store::Store;
pub use tokens::ApiToken;
pub use trail::{
    ActionCount, AuditChecked, AuditFilter, Forwarding, LegalHold, Reading, RetentionClass, RetentionError,
    SourceToday, Usage,
};
pub use versions::Version;

/// Results of this crate.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;
