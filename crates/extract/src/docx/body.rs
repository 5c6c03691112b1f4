//! Paragraphs and tables of a document part.

use super::styles::{Role, Styles, is_on, outline_level};
use crate::blocks::{Blocks, clean_title};
use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use domain::{Block, BlockKind};
use quick_xml::events::BytesStart;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The main document; it has pages.
    Document,
    /// Footnotes or endnotes.
    Notes,
}

/// Elements whose content is not part of the text as it reads now: deleted and moved text, the second of two
/// alternatives, and the marks that separate notes.
const SKIPPED: [&str; 5] = ["del", "moveFrom", "Fallback", "delText", "instrText"];

/// Reads parts into blocks.
pub(crate) struct Body<'a> {
    blocks: Blocks<'a>,
    styles: &'a Styles,
    limits: &'a Limits,
    /// Open paragraphs: text boxes nest.
    paragraphs: Vec<Paragraph>,
    /// Cells of the open row of each open table, outermost first; nested tables are text of their cell.
    rows: Vec<Row>,
    title: Option<String>,
    pages: Pages,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    role: Role,
    has_numbering: Option<bool>,
    /// The page at its first text.
    page: Option<u32>,
}

#[derive(Default)]
struct Row {
    cells: Vec<String>,
    cell: String,
    page: Option<u32>,
}

/// Counts pages. Word leaves marks where pages began when it last laid out the text; only without any of these
/// explicit breaks count, since Word marks the page after an explicit break as well.
#[derive(Default)]
struct Pages {
    is_rendered: bool,
    current: Option<u32>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(blocks: Blocks<'a>, styles: &'a Styles, limits: &'a Limits) -> Self {
        Self { blocks, styles, limits, paragraphs: Vec::new(), rows: Vec::new(), title: None, pages: Pages::default() }
    }

    /// Reads one part to its end. After an error what was found until then stays.
    pub(crate) fn read(&mut self, part: &[u8], kind: Part) -> Result<(), ExtractError> {
        if kind == Part::Document {
            let has = |mark: &str| part.windows(mark.len()).any(|window| window == mark.as_bytes());
            self.pages.is_rendered = has("lastRenderedPageBreak");
            let has_breaks = has("pageBreakBefore") || has("type=\"page\"") || has("type='page'");
            self.pages.current = (self.pages.is_rendered || has_breaks).then_some(1);
        } else {
            self.pages.current = None;
        }
        let mut skipped = 0_usize;
        let mut in_text = false;
        let result = xml::for_each(part, |event| {
            match event {
                // `pPrChange` and its like hold the properties as they were before a tracked change.
                Xml::Start(_, name) if skipped > 0 || SKIPPED.contains(&name) || name.ends_with("PrChange") => {
                    skipped += 1;
                }
                Xml::Start(element, "footnote" | "endnote")
                    if xml::attribute(element, "type").is_some_and(|kind| kind != "normal") =>
                {
                    skipped += 1;
                }
                Xml::End(_) if skipped > 0 => skipped -= 1,
                Xml::Start(_, "t") => in_text = true,
                Xml::End("t") => in_text = false,
                Xml::Text(text) if in_text && skipped == 0 => self.text(text)?,
                Xml::Text(_) => {}
                Xml::Start(element, name) => self.start(element, name)?,
                Xml::End(name) => self.end(name)?,
            }
            Ok(())
        });
        self.paragraphs.clear();
        self.rows.clear();
        result
    }

    /// The number of pages, if the document part said something about them.
    pub(crate) fn pages(&self) -> Option<u32> {
        self.pages.current
    }

    /// The blocks and the text of the paragraph in title style.
    pub(crate) fn finish(self) -> Result<(Vec<Block>, Option<String>), ExtractError> {
        Ok((self.blocks.into_vec(), self.title))
    }

    fn start(&mut self, element: &BytesStart<'_>, name: &str) -> Result<(), ExtractError> {
        let value = || xml::attribute(element, "val");
        match name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.rows.push(Row::default()),
            "tr" => {
                if let Some(row) = self.rows.last_mut() {
                    *row = Row::default();
                }
            }
            "tab" | "cr" | "ptab" => self.text(" ")?,
            "noBreakHyphen" => self.text("-")?,
            "br" if xml::attribute(element, "type").as_deref() == Some("page") => self.page_break(false)?,
            "br" => self.text(" ")?,
            "lastRenderedPageBreak" => self.page_break(true)?,
            "pStyle" => {
                let role = self.styles.role(&value().unwrap_or_default());
                if role.breaks_page {
                    self.page_break(false)?;
                }
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.role = Role { heading: paragraph.role.heading.or(role.heading), ..role };
                }
            }
            "pageBreakBefore" if is_on(value().as_deref()) => self.page_break(false)?,
            "outlineLvl" => {
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.role.heading = outline_level(value().as_deref());
                }
            }
            // `numId` 0 takes the numbering of the style away.
            "numId" => {
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.has_numbering = Some(value().as_deref() != Some("0"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), ExtractError> {
        match name {
            "p" => {
                let Some(paragraph) = self.paragraphs.pop() else { return Ok(()) };
                self.finish_paragraph(&paragraph)?;
            }
            "tc" => {
                if let Some(row) = self.rows.last_mut() {
                    let cell = std::mem::take(&mut row.cell);
                    row.cells.push(cell);
                }
            }
            "tr" => self.finish_row()?,
            "tbl" => {
                self.rows.pop();
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        let page = self.pages.current;
        if let Some(paragraph) = self.paragraphs.last_mut() {
            if paragraph.page.is_none() && !text.trim().is_empty() {
                paragraph.page = page;
            }
            self.limits.check_text((paragraph.text.len() + text.len()) as u64)?;
            paragraph.text.push_str(text);
        }
        Ok(())
    }

    fn page_break(&mut self, is_rendered: bool) -> Result<(), ExtractError> {
        if self.pages.is_rendered == is_rendered
            && let Some(page) = &mut self.pages.current
        {
            *page += 1;
            self.limits.check_pages(*page as usize)?;
        }
        Ok(())
    }

    fn finish_paragraph(&mut self, paragraph: &Paragraph) -> Result<(), ExtractError> {
        let page = paragraph.page.or(self.pages.current);
        if let Some(row) = self.rows.last_mut() {
            if !row.cell.is_empty() {
                row.cell.push(' ');
            }
            row.cell.push_str(&paragraph.text);
            row.page = row.page.or(page);
            return Ok(());
        }
        let role = paragraph.role;
        let kind = match role.heading {
            _ if role.is_title && role.heading.is_none() => BlockKind::Heading(1),
            Some(level @ 1..) => BlockKind::Heading(level.min(6)),
            _ if paragraph.has_numbering.unwrap_or(role.is_list) => BlockKind::ListItem,
            _ => BlockKind::Paragraph,
        };
        if role.is_title && self.title.is_none() {
            self.title = clean_title(&paragraph.text);
        }
        self.blocks.push(kind, &paragraph.text, page)
    }

    fn finish_row(&mut self) -> Result<(), ExtractError> {
        let depth = self.rows.len();
        let Some(row) = self.rows.last_mut().map(std::mem::take) else { return Ok(()) };
        if depth == 1 {
            return self.blocks.push_row(&row.cells, row.page);
        }
        if let Some(outer) = self.rows.get_mut(depth - 2) {
            outer.cell.push(' ');
            outer.cell.push_str(&row.cells.join(" "));
            outer.page = outer.page.or(row.page);
            self.limits.check_text(outer.cell.len() as u64)?;
        }
        Ok(())
    }
}
