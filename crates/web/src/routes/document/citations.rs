//! The way through the passages that an answer rests on.

use super::{Wanted, viewer};
use crate::app::App;
use crate::error::WebError;
use crate::session::Reader;
use crate::views::CitationNav;
use domain::{AnswerId, Passage, PassageId};

/// The sources of an answer, as seen from one of them.
pub(super) struct Citations {
    pub(super) nav: CitationNav,
    /// All of them that the person may read, in the order of the answer.
    pub(super) passages: Vec<Passage>,
}

/// The way through the sources of an answer of this person.
pub(super) async fn citations(
    app: &App,
    reader: &Reader,
    answer: AnswerId,
    cited: Option<PassageId>,
    wanted: &Wanted,
) -> Result<Option<Citations>, WebError> {
    let owner = reader.who.principal.user.id;
    let (Some(record), Some(cited)) = (app.store.answer(answer, owner).await?, cited) else { return Ok(None) };
    let scope = reader.scope(app).await?;
    let ids: Vec<_> = app.store.sources(answer).await?.iter().map(|source| source.passage).collect();
    let shown = app.store.passages_by_id(&ids, &scope).await?;
    let Some(at) = shown.iter().position(|(passage, _)| passage.id == cited) else { return Ok(None) };
    let zoom = viewer::zoom_kept(wanted);
    let address = |at: usize| {
        let (passage, document) = shown.get(at)?;
        Some(format!("/documents/{}?passage={}&answer={answer}{zoom}#p{}", document.id, passage.id, passage.id))
    };
    let nav = CitationNav {
        position: format!("Source {} of {}", at + 1, shown.len()),
        question: record.question,
        back: format!("/conversations/{}#a{answer}", record.conversation),
        previous: at.checked_sub(1).and_then(address),
        next: address(at + 1),
    };
    Ok(Some(Citations { nav, passages: shown.into_iter().map(|(passage, _)| passage).collect() }))
}
