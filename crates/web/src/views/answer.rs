//! One question with its answer and its sources. The page and the event stream render the same two partials.

use super::Place;
use askama::Template;
use domain::Label;
use std::ops::Range;

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerState {
    /// Passages are being looked for.
    Searching,
    /// The model reads or writes.
    Writing,
    /// Complete.
    Finished,
    /// Nothing that the person may see answers the question.
    Refused,
    /// The reader stopped it.
    Stopped,
    /// Something broke; `error` says what.
    Failed,
}

impl AnswerState {
    /// The state's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Writing => "writing",
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether more is to come.
    #[must_use]
    pub const fn in_work(self) -> bool {
        matches!(self, Self::Searching | Self::Writing)
    }
}

/// Whether the passages that a sentence cites say what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// They do.
    Supported,
    /// They say some of it.
    Partly,
    /// They do not.
    NotFound,
    /// Nobody looked, as for a sentence that claims nothing.
    NotChecked,
}

impl Support {
    /// The name of its style.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Partly => "partly",
            Self::NotFound => "notfound",
            Self::NotChecked => "unchecked",
        }
    }

    /// What it is called beside a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Supported => "supported by its source",
            Self::Partly => "partly supported by its source",
            Self::NotFound => "not found in the documents",
            Self::NotChecked => "not checked",
        }
    }

    /// What it is called in a count.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Partly => "partly",
            Self::NotFound => "not found",
            Self::NotChecked => "not checked",
        }
    }
}

/// One sentence of an answer.
#[derive(Debug, Clone)]
pub struct SentenceView {
    /// Its text, without citation marks.
    pub text: String,
    /// The numbers of the sources that it cites.
    pub citations: Vec<u32>,
    /// Whether those say so.
    pub support: Support,
    /// What of it they do not have, in the order of the text.
    pub marks: Vec<Mark>,
    /// Whether a new paragraph begins here.
    pub starts_paragraph: bool,
    /// Whether it begins (with `starts_paragraph`) or continues an item of a list.
    pub list_item: bool,
}

/// A number, date or name that the sources of its sentence do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where in the sentence it stands, in bytes.
    pub range: Range<usize>,
    /// What is said of it.
    pub words: &'static str,
}

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its text.
    pub text: &'a str,
    /// What is said of it if it is marked.
    pub words: Option<&'static str>,
}

impl SentenceView {
    /// The text, divided where something is marked. A mark that does not fit the text is left out.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        let (mut pieces, mut at) = (Vec::new(), 0);
        for Mark { range, words } in &self.marks {
            let (Some(before), Some(text)) = (self.text.get(at..range.start), self.text.get(range.clone())) else {
                continue;
            };
            pieces.push(Piece { text: before, words: None });
            pieces.push(Piece { text, words: Some(words) });
            at = range.end;
        }
        pieces.push(Piece { text: self.text.get(at..).unwrap_or_default(), words: None });
        pieces.retain(|piece| !piece.text.is_empty());
        pieces
    }
}

/// A passage that an answer was made from.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// 1-based number within the answer, as cited.
    pub number: u32,
    /// Id of the document.
    pub document: String,
    /// Id of the passage.
    pub passage: String,
    /// Title of the document.
    pub title: String,
    /// Name of its collection.
    pub collection: String,
    /// Code of the document's language.
    pub lang: Option<String>,
    /// The headings above the passage, such as `Leave › Annual leave`; empty when there are none.
    pub heading: String,
    /// Where in the document the passage stands.
    pub at: Place,
    /// Version of the document.
    pub version: u32,
    /// How sensitive the document is.
    pub label: Label,
    /// The passage, or its part that fits the question best.
    pub quote: String,
    /// How well it fits the question, in percent.
    pub matched: Option<u8>,
}

impl SourceView {
    /// `Employee Handbook, page 12`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.at.long() {
            place if place.is_empty() => self.title.clone(),
            place => format!("{}, {place}", self.title),
        }
    }
}

/// A question with its answer.
#[derive(Debug, Clone)]
pub struct AnswerView {
    /// Id of the answer.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// Where the answer stands.
    pub state: AnswerState,
    /// What it is doing now, such as `searching 1,480 passages`; only while in work.
    pub progress: Option<String>,
    /// The answer so far.
    pub sentences: Vec<SentenceView>,
    /// Something was written and taken back, since the passages do not bear it out.
    pub withdrawn: bool,
    /// What it was made from, or what came nearest when refused.
    pub sources: Vec<SourceView>,
    /// The highest label of the sources.
    pub label: Option<Label>,
    /// Name of the model that wrote it.
    pub model: String,
    /// Name of the smaller model whose answer was given up for this one.
    pub first_model: Option<String>,
    /// The record id that a reader can quote.
    pub record: String,
    /// When it was asked, such as `14 March 2026, 09:41`.
    pub asked_at: String,
    /// How long it took, such as `8.4 s`.
    pub seconds: Option<String>,
    /// Why it failed, one sentence.
    pub error: Option<String>,
}

impl AnswerView {
    /// The source of this number.
    #[must_use]
    pub fn source(&self, number: &u32) -> Option<&SourceView> {
        self.sources.iter().find(|source| source.number == *number)
    }

    /// Sentences gathered into paragraphs and lists, in order.
    #[must_use]
    pub fn groups(&self) -> Vec<SentenceGroup<'_>> {
        let block_goes_on = |before: &SentenceView, sentence: &SentenceView| {
            !sentence.starts_paragraph && before.list_item == sentence.list_item
        };
        let mut groups: Vec<SentenceGroup<'_>> = Vec::new();
        for block in self.sentences.chunk_by(block_goes_on) {
            let list = block.iter().any(|sentence| sentence.list_item);
            match groups.last_mut() {
                Some(last) if list && last.list => last.items.push(block),
                _ => groups.push(SentenceGroup { list, items: vec![block] }),
            }
        }
        groups
    }

    /// Whether a finished answer left this source out.
    #[must_use]
    pub fn leaves_out(&self, number: &u32) -> bool {
        self.state == AnswerState::Finished
            && !self.sentences.iter().any(|sentence| sentence.citations.contains(number))
    }

    /// How many sentences stand at this level, for those that were checked.
    #[must_use]
    pub fn tally(&self) -> Vec<(Support, u64)> {
        [Support::Supported, Support::Partly, Support::NotFound]
            .into_iter()
            .map(|level| (level, self.sentences.iter().filter(|sentence| sentence.support == level).count() as u64))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// What the sources are called.
    #[must_use]
    pub fn sources_heading(&self) -> &'static str {
        if self.state == AnswerState::Refused { "Nearest passages" } else { "Sources" }
    }
}

/// A paragraph, or a list with its items.
#[derive(Debug, Clone)]
pub struct SentenceGroup<'a> {
    /// Whether it is a list.
    pub list: bool,
    /// The paragraph, or the items of the list.
    pub items: Vec<&'a [SentenceView]>,
}

/// The `<article>` of one answer, as the event stream sends it when it is complete.
#[derive(Debug, Template)]
#[template(path = "partials/answer.html")]
pub struct AnswerPartial<'a> {
    /// The answer.
    pub answer: &'a AnswerView,
    /// Anti-forgery token of the reader's session.
    pub csrf: &'a str,
}

/// The `<aside>` with the sources of one answer, as the event stream sends it before the first word.
#[derive(Debug, Template)]
#[template(path = "partials/sources.html")]
pub struct SourcesPartial<'a> {
    /// The answer.
    pub answer: &'a AnswerView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_divided_where_it_is_marked() {
        let mark = |range: Range<usize>| Mark { range, words: "not there" };
        let view = |marks| SentenceView {
            text: "Über 30 Tage".to_owned(),
            citations: Vec::new(),
            support: Support::Partly,
            marks,
            starts_paragraph: false,
            list_item: false,
        };
        let pieces = |marks| -> Vec<(String, bool)> {
            view(marks).pieces().iter().map(|piece| (piece.text.to_owned(), piece.words.is_some())).collect()
        };
        let expected =
            [("Über ", false), ("30", true), (" Tage", false)].map(|(text, marked)| (text.to_owned(), marked));
        assert_eq!(pieces(vec![mark(6..8)]), expected);
        // Damaged records must not break a page: inside a letter, behind the end, twice the same.
        for range in [1..3, 8..99] {
            assert_eq!(pieces(vec![mark(range)]), [("Über 30 Tage".to_owned(), false)]);
        }
        assert_eq!(pieces(vec![mark(6..8), mark(6..8)]), expected);
    }
}

#[cfg(test)]
mod samples;
