//! Paragraphs, lists, tables and slides of a `content.xml` (part 3, sections 5, 9 and 10).

use super::space;
use super::styles::{Styles, length};
use crate::blocks::{Blocks, clean_title};
use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use domain::{Area, Block, BlockKind, Location};
use quick_xml::events::BytesStart;

/// How often a repeated cell counts.
const REPEATED: usize = 64;

/// The most cells of a row.
const COLUMNS: usize = 2_000;

/// Elements whose content is not part of the text as it reads now: tracked changes, comments, the mark of a note,
/// indexes made from the text, alternative texts, reading aids.
const SKIPPED: [&str; 13] = [
    "tracked-changes",
    "annotation",
    "note-citation",
    "table-of-content",
    "alphabetical-index",
    "illustration-index",
    "table-index",
    "ruby-text",
    "title",
    "desc",
    "forms",
    "script",
    "binary-data",
];

/// Elements that have a place on a slide.
const FRAMES: [&str; 12] = [
    "frame",
    "custom-shape",
    "rect",
    "ellipse",
    "circle",
    "line",
    "path",
    "polygon",
    "polyline",
    "connector",
    "caption",
    "regular-polygon",
];

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Presentation,
}

/// Reads the body into blocks.
pub(super) struct Body<'a> {
    blocks: Blocks<'a>,
    styles: &'a Styles,
    limits: &'a Limits,
    kind: Kind,
    in_body: bool,
    page: Option<u32>,
    page_size: Option<(f64, f64)>,
    /// Whether the first slide is the title of all; titles of slides stand under it.
    has_title_slide: bool,
    hidden: Vec<u32>,
    /// Shapes that are open, outermost first: their class and area.
    frames: Vec<(String, Option<Area>)>,
    /// Open paragraphs: text boxes and notes nest.
    paragraphs: Vec<Paragraph>,
    lists: usize,
    /// Rows of open tables, outermost first; nested tables are text of their cell.
    rows: Vec<Row>,
    /// Whether a note is open, and the paragraphs of notes that wait for the end of the paragraph around them.
    in_note: bool,
    notes: Vec<String>,
    /// The mark before the next paragraph of a speaker's notes, inside of these.
    speaker: Option<&'static str>,
    skipped: usize,
    title: Option<String>,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<u8>,
    is_title: bool,
}

#[derive(Default)]
struct Row {
    cells: Vec<String>,
    cell: String,
    repeated: usize,
    /// Bytes in the cells.
    bytes: usize,
}

impl<'a> Body<'a> {
    pub(super) fn new(styles: &'a Styles, limits: &'a Limits, kind: Kind, content: &[u8]) -> Self {
        Self {
            blocks: Blocks::new(limits),
            styles,
            limits,
            kind,
            in_body: false,
            page: None,
            page_size: None,
            has_title_slide: first_slide_has_subtitle(content),
            hidden: Vec::new(),
            frames: Vec::new(),
            paragraphs: Vec::new(),
            lists: 0,
            rows: Vec::new(),
            in_note: false,
            notes: Vec::new(),
            speaker: None,
            skipped: 0,
            title: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.as_slice().is_empty()
    }

    /// The blocks, the number of slides, the text of the paragraph in title style, and the hidden slides.
    pub(super) fn finish(self) -> (Vec<Block>, Option<u32>, Option<String>, Vec<u32>) {
        (self.blocks.into_vec(), self.page, self.title, self.hidden)
    }

    pub(super) fn read(&mut self, event: &Xml<'_>) -> Result<(), ExtractError> {
        match event {
            Xml::Start(_, "body") => self.in_body = true,
            _ if !self.in_body => {}
            Xml::Start(..) if self.skipped > 0 => self.skipped += 1,
            Xml::End(_) if self.skipped > 0 => self.skipped -= 1,
            Xml::Start(_, name) if SKIPPED.contains(name) => self.skipped = 1,
            Xml::Start(element, name) => self.start(element, name)?,
            Xml::End(name) => self.end(name)?,
            Xml::Text(text) if self.skipped == 0 => self.text(text)?,
            Xml::Text(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>, name: &str) -> Result<(), ExtractError> {
        let value = |name: &str| xml::attribute(element, name);
        match name {
            "page" if self.kind == Kind::Presentation => {
                let page = self.page.unwrap_or(0) + 1;
                self.limits.check_pages(page as usize)?;
                self.page = Some(page);
                self.page_size = value("master-page-name").and_then(|master| self.styles.page_size(&master));
                if value("style-name").is_some_and(|style| self.styles.hides(&style)) {
                    self.hidden.push(page);
                }
            }
            "notes" => self.speaker = Some("Notes: "),
            name if FRAMES.contains(&name) => {
                let area = self.page_size.and_then(|size| area(element, size));
                self.frames.push((value("class").unwrap_or_default(), area));
            }
            "p" | "h" => {
                let style = value("style-name");
                let is_title = style.as_ref().is_some_and(|style| self.styles.is_title(style));
                let outline = || value("outline-level").and_then(|level| level.parse().ok());
                let level = match name {
                    "h" => Some(outline().unwrap_or(1)),
                    _ => style.and_then(|style| self.styles.heading_level(&style)),
                };
                self.paragraphs.push(Paragraph { level, is_title, ..Paragraph::default() });
            }
            "s" => self.text(&space(value("c")))?,
            "tab" | "line-break" => self.text(" ")?,
            "list" | "numbered-paragraph" => self.lists += 1,
            "note" => self.in_note = true,
            "table" => self.rows.push(Row::default()),
            "table-row" => {
                if let Some(row) = self.rows.last_mut() {
                    *row = Row::default();
                }
            }
            "table-cell" | "covered-table-cell" => {
                let repeated = value("number-columns-repeated").and_then(|count| count.parse().ok());
                if let Some(row) = self.rows.last_mut() {
                    row.repeated = repeated.unwrap_or(1).clamp(1, REPEATED);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), ExtractError> {
        match name {
            "body" => self.in_body = false,
            "notes" => self.speaker = None,
            name if FRAMES.contains(&name) => {
                self.frames.pop();
            }
            "p" | "h" => {
                let Some(paragraph) = self.paragraphs.pop() else { return Ok(()) };
                self.finish_paragraph(&paragraph)?;
                self.write_notes()?;
            }
            "list" | "numbered-paragraph" => self.lists = self.lists.saturating_sub(1),
            "note" => self.in_note = false,
            "table" => {
                self.rows.pop();
                self.write_notes()?;
            }
            "table-row" => self.finish_row()?,
            "table-cell" | "covered-table-cell" => {
                if let Some(row) = self.rows.last_mut() {
                    let cell = std::mem::take(&mut row.cell);
                    row.bytes += cell.len() * row.repeated;
                    self.limits.check_text(row.bytes as u64)?;
                    let room = COLUMNS.saturating_sub(row.cells.len());
                    row.cells.extend(std::iter::repeat_n(cell, row.repeated.min(room)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            self.limits.check_text((paragraph.text.len() + text.len()) as u64)?;
            paragraph.text.push_str(text);
        }
        Ok(())
    }

    fn finish_paragraph(&mut self, paragraph: &Paragraph) -> Result<(), ExtractError> {
        if paragraph.text.trim().is_empty() {
            return Ok(());
        }
        if self.in_note {
            self.notes.push(paragraph.text.clone());
            return self.limits.check_blocks(self.notes.len());
        }
        if let Some(row) = self.rows.last_mut() {
            if !row.cell.is_empty() {
                row.cell.push(' ');
            }
            row.cell.push_str(&paragraph.text);
            return Ok(());
        }
        let (class, area) = self.frames.last().map_or(("", None), |(class, area)| (class.as_str(), *area));
        if matches!(class, "header" | "footer" | "date-time" | "page-number") {
            return Ok(());
        }
        if let Some(mark) = self.speaker {
            self.speaker = Some("");
            return self.blocks.push(BlockKind::Paragraph, &format!("{mark}{}", paragraph.text), self.page);
        }
        let is_slide_title = class == "title" && self.kind == Kind::Presentation;
        let kind = match paragraph.level {
            _ if is_slide_title => BlockKind::Heading(if self.has_title_slide && self.page > Some(1) { 2 } else { 1 }),
            Some(level @ 1..) => BlockKind::Heading(level.min(6)),
            _ if paragraph.is_title => BlockKind::Heading(1),
            _ if self.lists > 0 => BlockKind::ListItem,
            _ => BlockKind::Paragraph,
        };
        if paragraph.is_title && self.title.is_none() {
            self.title = clean_title(&paragraph.text);
        }
        self.blocks.push_at(kind, &paragraph.text, Location { area, ..Location::on_page(self.page) })
    }

    /// Writes waiting footnotes, once nothing is open that they would divide.
    fn write_notes(&mut self) -> Result<(), ExtractError> {
        if self.paragraphs.is_empty() && self.rows.is_empty() {
            for note in std::mem::take(&mut self.notes) {
                self.blocks.push(BlockKind::Paragraph, &note, self.page)?;
            }
        }
        Ok(())
    }

    fn finish_row(&mut self) -> Result<(), ExtractError> {
        let depth = self.rows.len();
        let Some(row) = self.rows.last_mut().map(std::mem::take) else { return Ok(()) };
        if depth == 1 {
            let area = self.frames.last().and_then(|(_, area)| *area);
            return self.blocks.push_row_at(&row.cells, Location { area, ..Location::on_page(self.page) });
        }
        if let Some(outer) = self.rows.get_mut(depth - 2) {
            outer.cell.push(' ');
            outer.cell.push_str(&row.cells.join(" "));
            self.limits.check_text(outer.cell.len() as u64)?;
        }
        Ok(())
    }
}

/// The place of a shape (part 3, sections 19.573 and 19.575) on a page of this size, both in points.
fn area(element: &BytesStart<'_>, (width, height): (f64, f64)) -> Option<Area> {
    let at = |name: &str| xml::attribute(element, name).as_deref().and_then(length);
    let (left, top) = (at("x")?, at("y")?);
    let part = |at: f64, of: f64| (at / of * 10_000.0).round().clamp(0.0, 10_000.0) as u16;
    let area = Area {
        left: part(left, width),
        top: part(top, height),
        right: part(left + at("width")?, width),
        bottom: part(top + at("height")?, height),
    };
    (area.left < area.right && area.top < area.bottom).then_some(area)
}

/// Whether the first slide looks like the title of the whole presentation.
fn first_slide_has_subtitle(content: &[u8]) -> bool {
    let find = |from: usize, mark: &str| {
        let rest = content.get(from..)?;
        rest.windows(mark.len()).position(|window| window == mark.as_bytes()).map(|at| from + at)
    };
    let Some(first) = find(0, "<draw:page ") else { return false };
    let second = find(first + 1, "<draw:page ").unwrap_or(content.len());
    find(first, "presentation:class=\"subtitle\"").is_some_and(|at| at < second)
}
