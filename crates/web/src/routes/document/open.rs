//! Opening a document: whether it may be read, in which version, and the record of that.

use super::Wanted;
use crate::app::App;
use crate::error::WebError;
use crate::session::{Acting, scope_of};
use ::audit::{Action, Event, Outcome};
use domain::{AccessScope, ContentHash, Document, DocumentId, Passage, PassageId};
use serde_json::json;
use storage::Version;

/// A document that may be read, in one of its versions.
pub(crate) struct Opened {
    pub(crate) document: Document,
    pub(crate) scope: AccessScope,
    /// All versions, the newest first.
    pub(crate) versions: Vec<Version>,
    /// The one that was asked for; none before the first was read.
    pub(crate) version: Option<Version>,
    /// The passage that was asked for.
    pub(crate) cited: Option<Passage>,
}

impl Opened {
    pub(crate) fn number(&self) -> u32 {
        self.version.as_ref().map_or(0, |version| version.version)
    }

    pub(crate) fn content(&self) -> ContentHash {
        self.version.as_ref().map_or(self.document.content, |version| version.content)
    }

    pub(crate) fn is_current(&self) -> bool {
        self.number() == self.document.version
    }
}

/// When an opening is recorded; a refusal always is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Each time: a page of the document, or its original.
    Always,
    /// Unless the person has the document open: a part of its page.
    OncePerView,
}

/// The document in the version that is wanted, if this person may read it; both outcomes are recorded. One that is
/// hidden answers as one that does not exist, and takes the same steps to say so.
pub(crate) async fn open(
    app: &App,
    caller: &impl Acting,
    id: &str,
    wanted: &Wanted,
    recorded: Recorded,
) -> Result<Opened, WebError> {
    let id: DocumentId = id.parse().map_err(|_| WebError::NotFound)?;
    let scope = scope_of(app, caller).await?;
    let allowed = app.store.document(id, &scope).await?;
    // For the auditor only: what it was that was refused.
    let known = app.store.document_for_ingest(id).await?;
    let name = known.as_ref().map_or("", |document| document.title.as_str());
    let passage: Option<PassageId> = wanted.passage.as_deref().and_then(|id| id.parse().ok());
    let cited = match passage {
        Some(passage) => app.store.passage(passage, &scope).await?.map(|(passage, _)| passage),
        None => None,
    };
    let cited = cited.filter(|passage| passage.document == id);
    let versions = app.store.versions(id, &scope).await?;
    let opened = allowed.and_then(|document| {
        let number = cited.as_ref().map(|passage| passage.version).or(wanted.version).unwrap_or(document.version);
        let version = versions.iter().find(|version| version.version == number).cloned();
        let is_there = version.is_some() || (document.version == 0 && number == 0);
        is_there.then_some(Opened { document, scope, versions, version, cited })
    });
    let (user, now) = (caller.principal().user.id, app.store.environment().now());
    let has_it_open = |opened: &Opened| app.openings.has(user, id, opened.number(), now);
    let opened = match opened {
        Some(opened) if recorded == Recorded::OncePerView && has_it_open(&opened) => return Ok(opened),
        opened => opened,
    };
    let (action, outcome) = match opened {
        Some(_) => (Action::DocumentOpened, Outcome::Success),
        None => (Action::DocumentRefused, Outcome::Denied),
    };
    let detail = json!({
        "exists": known.is_some(),
        "passage": passage,
        "version": opened.as_ref().map_or(wanted.version, |opened| Some(opened.number())),
        "content": opened.as_ref().map(Opened::content),
    });
    let event = Event::new(action, &caller.actor(), caller.operation()).on("document", id, name);
    let mut act = app.store.begin().await?;
    act.record(event.outcome(outcome).detail(detail)).await?;
    act.commit().await?;
    if let Some(opened) = &opened {
        app.openings.note(user, id, opened.number(), now);
    }
    opened.ok_or(WebError::NotFound)
}
