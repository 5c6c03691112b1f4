//! What every page shows: one plain struct a page, one askama template beside it in `templates/`.
//!
//! Views know nothing of storage, models or HTTP. A route fills a struct with what the person may see, and the
//! template only lays it out. Ids, times and sizes arrive as text, already written for a reader.

mod account;
mod answer;
mod approvals;
mod ask;
mod audit;
mod batches;
mod checkpoint;
mod collection;
mod collections_admin;
mod compare;
mod document;
mod filters;
mod folders;
mod health;
mod insight;
mod jobs;
mod layout;
mod library;
mod manual;
mod messages;
mod models;
mod people;
mod place;
mod search;
mod setup;
mod steps;
mod text;
mod upload;
mod viewer;

pub use account::{AccountPage, FactorView, KeyRow, NewSecret, SessionRow, TokenRow};
pub use answer::{
    AnswerPartial, AnswerState, AnswerView, Mark, Piece, SentenceGroup, SentenceView, SourceView, SourcesPartial,
    Support,
};
pub use approvals::{ApprovalRow, ApprovalStanding, ApprovalsPage};
pub use ask::{AskPage, CollectionChoice, ConversationGroup, ConversationLink};
pub use audit::{
    AuditEventPage, AuditFilter, AuditHead, AuditOutcome, AuditPage, AuditRow, PurgedView, ShownPassage, Verification,
};
pub use batches::{BatchCounts, BatchPage, BatchView};
pub use checkpoint::{CheckpointPage, CheckpointView, ExportPage, ExportState};
pub use collection::{
    CollectionPage, DocumentRow, GrantRow, GrantsEditor, PrincipalChoice, PrincipalKind, UploadRules,
};
pub use collections_admin::{CollectionEdit, CollectionsAdminPage, Matrix, MatrixRow};
pub use compare::{ComparePage, CompareSide, EvaluationRow, EvaluationView};
pub use document::{CitationNav, DocumentLink, DocumentPage, PassageView, VersionLink};
pub use folders::{FolderRow, FoldersPage};
pub use health::{EngineRow, EngineState, FindingRow, HealthCard, HealthPage, HealthState, ModelRow};
pub use insight::{ActionBar, DayBar, DayPage, OverviewPage, ReaderRow, ReadersPage, UsagePage, UsageRow};
pub use jobs::{JobFilter, JobRow, JobState, JobsPage, JobsPartial};
pub use layout::{Chrome, Flash, FlashKind, Nav, NavItem, Pager, Person, Theme};
pub use library::{CollectionCard, LibraryPage};
pub use manual::{ManualLink, ManualPage};
pub use messages::{CertificatePage, ConfirmPage, ErrorPage, SignInPage};
pub use models::{ElsewhereView, InboxRow, MemoryView, ModelDone, ModelStanding, ModelView, ModelWork, ModelsPage};
pub use people::{GroupCard, Member, NewPassword, PeoplePage, UserRow};
pub use place::{Part, Place};
pub use search::{Copy, Facet, FacetGroup, Narrowing, SearchPage, SearchResult};
pub use setup::{SetupCollection, SetupFields, SetupPage};
pub use steps::{ChoosePasswordPage, CodePage, EnrolPage, RecoveryCodesPage};
pub use text::{Table, TextBlock, text_blocks};
pub use upload::{FileOutcome, UploadedPage};
pub use viewer::{Leaf, Outline, Viewer};

#[cfg(test)]
mod contrast;
#[cfg(test)]
mod tests;
