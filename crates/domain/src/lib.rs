//! The words everything else is written in: ids, people, access, documents, passages, time and randomness.
//!
//! Knows no input or output, no SQL, no HTTP and nothing asynchronous. Everything here is plain data that any
//! other crate may hold.

mod access;
mod corpus;
mod environment;
mod filter;
mod hash;
mod id;
mod people;

pub use access::{AccessScope, Clearance, Label, Permission};
pub use corpus::{Area, Block, BlockKind, Cells, Collection, Document, DocumentState, Location, Metadata, Passage};
pub use environment::{Clock, Environment, Random, SystemClock, SystemRandom};
pub use filter::DocumentFilter;
pub use hash::{ContentHash, ParseHashError};
pub use id::{
    AnswerId, ApprovalId, BatchId, CollectionId, ConversationId, DocumentId, FolderId, GroupId, JobId, OperationId,
    ParseIdError, PassageId, PrincipalId, SecurityKeyId, SessionId, TokenId, UserId,
};
pub use people::{Group, Principal, Role, User};
