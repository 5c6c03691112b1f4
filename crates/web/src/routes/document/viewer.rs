//! The pages of a document as they look: which of them, what is marked on them, and what of the text belongs to each.

use super::Wanted;
use super::open::Opened;
use crate::app::App;
use crate::views::{Leaf, Outline, Pager, Viewer};
use domain::{Passage, PassageId};
use ingest::Pages;
use std::ops::Range;

/// Pages on one page of ours.
const LEAVES: u32 = 10;

/// The pages to show, and which passages their text is.
pub(super) struct Shown {
    /// None for the text alone.
    pub(super) viewer: Option<Viewer>,
    pub(super) pager: Option<Pager>,
    pub(super) passages: Range<usize>,
}

/// How many pages that look like something the opened version has.
pub(super) fn pages_of(opened: &Opened) -> Option<u32> {
    let version = opened.version.as_ref().filter(|version| Pages::can_draw(&version.media_type))?;
    Some(version.pages.unwrap_or(1).max(1))
}

/// The page on which the text of a passage stands here: its first one.
fn page_of(passage: &Passage) -> u32 {
    passage.places.iter().filter_map(|place| place.page).chain(passage.page).min().unwrap_or(1)
}

/// Whether a part of a passage stands on a page.
fn is_on(passage: &Passage, page: u32) -> bool {
    passage.places.iter().any(|place| place.page == Some(page))
}

/// Which passages stand with which page, if `here` is the first page shown.
struct Texts<'a> {
    /// All of the version, in reading order.
    passages: &'a [Passage],
    here: u32,
}

impl Texts<'_> {
    /// The first passage that begins on a page or after it. In reading order the pages of passages never go back; if a
    /// file has it otherwise, the text goes with the page before.
    fn begin(&self, page: u32) -> usize {
        if page == 1 { 0 } else { self.passages.partition_point(|passage| page_of(passage) < page) }
    }

    /// The first passage that reaches a page, though it may begin before.
    fn reach(&self, page: u32) -> usize {
        let before = &self.passages[..self.begin(page)];
        before.iter().rposition(|passage| !is_on(passage, page)).map_or(0, |at| at + 1)
    }

    /// What stands with a page: what begins there; with the first page shown also what reaches it. What reaches others
    /// stands with the page that it begins on, and nothing stands twice.
    fn of(&self, page: u32) -> Range<usize> {
        let first = if page == self.here { self.reach(page) } else { self.begin(page) };
        first..self.begin(page + 1).max(first)
    }

    /// The page on which the text of a page begins, if that is one before.
    fn begins(&self, page: u32) -> Option<u32> {
        self.passages[self.reach(page)..self.begin(page)].first().map(page_of)
    }
}

/// `passages` are all of the version in reading order; `sources` those that the answer rests on, of any document.
pub(super) fn show(
    app: &App,
    opened: &Opened,
    wanted: &Wanted,
    of: u32,
    passages: &[Passage],
    sources: &[Passage],
) -> Shown {
    let cited = opened.cited.as_ref();
    let here = wanted.page.or_else(|| cited.map(page_of)).unwrap_or(1).clamp(1, of);
    let last = here.saturating_add(LEAVES - 1).min(of);
    let zoom = zoom_of(wanted);
    let texts = Texts { passages, here };
    let first_text = texts.of(here).start;
    let (content, number) = (opened.content(), opened.number());
    let kept = kept(opened, wanted);
    let address = |page: u32, zoom: u32| {
        let kept: String = kept.iter().map(|(name, value)| format!("{name}={value}&")).collect();
        format!("/documents/{}?{kept}page={page}{}", opened.document.id, zoomed(zoom))
    };
    let at = |page: u32| format!("{}#page-{page}", address(page, zoom));
    let leaf = |page: u32| {
        let text = texts.of(page);
        Leaf {
            number: page,
            picture: format!("/documents/{}/pages/{page}.png?version={number}", opened.document.id),
            refused: app.pages.known_failure(content, page),
            marks: marks(page, cited, sources, opened),
            cited: cited.is_some_and(|passage| passages[text.clone()].iter().any(|other| other.id == passage.id)),
            begins: texts
                .begins(page)
                .map(|first| (first, if first < here { at(first) } else { format!("#page-{first}") })),
            text: text.start - first_text..text.end - first_text,
        }
    };
    let leaves: Vec<Leaf> = (here..=last).map(leaf).collect();
    let zooms = Viewer::ZOOMS.into_iter();
    let pager = (of > LEAVES).then(|| Pager {
        summary: format!("Pages {here} to {last} of {of}"),
        previous: (here > 1).then(|| at(here.saturating_sub(LEAVES).max(1))),
        next: (last < of).then(|| at(last + 1)),
    });
    let viewer = Some(Viewer {
        leaves,
        here,
        of,
        zoom,
        widths: Pages::WIDTHS.to_vec(),
        previous: (here > 1).then(|| at(here - 1)),
        next: (here < of).then(|| at(here + 1)),
        larger: zooms.clone().find(|other| *other > zoom).map(|zoom| address(here, zoom)),
        smaller: zooms.rev().find(|other| *other < zoom).map(|zoom| address(here, zoom)),
        as_text: as_text(opened, wanted),
        kept: kept.into_iter().chain([("zoom", zoom.to_string())]).collect(),
    });
    Shown { viewer, pager, passages: first_text..texts.of(last).end }
}

/// The size of pages that is wanted, in percent.
fn zoom_of(wanted: &Wanted) -> u32 {
    wanted.zoom.filter(|zoom| Viewer::ZOOMS.contains(zoom)).unwrap_or(100)
}

/// What an address says of it, unless pages are as wide as they are at first.
fn zoomed(zoom: u32) -> String {
    if zoom == 100 { String::new() } else { format!("&zoom={zoom}") }
}

/// What addresses say of the size of pages that is wanted.
pub(super) fn zoom_kept(wanted: &Wanted) -> String {
    zoomed(zoom_of(wanted))
}

/// What the address of another page of the same view says, too.
fn kept(opened: &Opened, wanted: &Wanted) -> Vec<(&'static str, String)> {
    let version = ("version", opened.number().to_string());
    let passage = opened.cited.as_ref().map(|passage| ("passage", passage.id.to_string()));
    let answer = wanted.answer.as_deref().and_then(|id| id.parse::<domain::AnswerId>().ok());
    let answer = answer.map(|answer| ("answer", answer.to_string()));
    std::iter::once(version).chain(passage).chain(answer).collect()
}

/// Address of the text of the same view.
fn as_text(opened: &Opened, wanted: &Wanted) -> String {
    let kept: String = kept(opened, wanted).iter().map(|(name, value)| format!("{name}={value}&")).collect();
    let at = opened.cited.as_ref().map(|passage| format!("#p{}", passage.id)).unwrap_or_default();
    format!("/documents/{}?{kept}view=text{}{at}", opened.document.id, zoom_kept(wanted))
}

/// Address of the pages, from the text.
pub(super) fn as_pages(opened: &Opened, wanted: &Wanted) -> String {
    as_text(opened, wanted).replacen("&view=text", "", 1)
}

/// The boxes on a page: of the cited passage, and of the other sources of the same answer that stand here. Links lead
/// to the first box of the cited passage.
fn marks(page: u32, cited: Option<&Passage>, sources: &[Passage], opened: &Opened) -> Vec<Outline> {
    let first_marked = cited.and_then(|passage| passage.places.iter().find(|place| place.area.is_some()));
    let here = |passage: &Passage| passage.document == opened.document.id && passage.version == opened.number();
    let is_cited = |id: PassageId| cited.is_some_and(|passage| passage.id == id);
    let others = sources.iter().filter(|passage| here(passage) && !is_cited(passage.id));
    let mut marks = Vec::new();
    // The cited one is drawn last, over the others.
    for passage in others.chain(cited) {
        for place in passage.places.iter().filter(|place| place.page.unwrap_or(1) == page) {
            let is_first = is_cited(passage.id) && first_marked == Some(place);
            let anchor = is_first.then(|| passage.id.to_string());
            marks.extend(place.area.map(|area| Outline::around(area, anchor, is_cited(passage.id))));
        }
    }
    marks
}

/// Whether a box of this passage is among the marks, so that links to it lead there.
pub(super) fn is_marked(viewer: &Viewer, passage: &str) -> bool {
    let mut marks = viewer.leaves.iter().flat_map(|leaf| &leaf.marks);
    marks.any(|mark| mark.anchor.as_deref() == Some(passage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ContentHash, Location};

    #[test]
    fn text_that_reaches_a_page_stands_with_it_once() {
        let environment = domain::Environment::system();
        let document = domain::DocumentId::new(&environment);
        let passage = |pages: &[u32]| Passage {
            id: PassageId::new(&environment),
            document,
            version: 1,
            ordinal: 0,
            page: pages.first().copied(),
            heading_path: Vec::new(),
            text: String::new(),
            places: pages.iter().map(|page| Location::on_page(Some(*page))).collect(),
            hash: ContentHash::of(b""),
        };
        let passages = [&[1][..], &[1, 2, 3], &[3], &[5]].map(passage);
        let shown = |here: u32| {
            let texts = Texts { passages: &passages, here };
            (here..=5).map(|page| (texts.of(page), texts.begins(page))).collect::<Vec<_>>()
        };
        let from_1 = [(0..2, None), (2..2, Some(1)), (2..3, Some(1)), (3..3, None), (3..4, None)];
        assert_eq!(shown(1), from_1);
        assert_eq!(shown(2)[..2], [(1..2, Some(1)), (2..3, Some(1))], "its beginning is not shown: it stands here");
        assert_eq!(shown(3)[0], (1..3, Some(1)));
        assert_eq!(shown(4)[0], (3..3, None), "which has no text");
    }
}
