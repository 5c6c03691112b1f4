//! ODS: OpenDocument spreadsheets (OpenDocument 1.3, part 3, section 9). Cells hold their text as it is shown, and
//! repeated ones are written once with a count; a count is never a loop over empty cells.

use crate::grid::{CELL_CHARS, Cell, CellKind, Grid, Row, cut_cell};
use crate::opendocument::{self, space};
use crate::properties::Properties;
use crate::xlsx::only_sheet;
use crate::xml::{self, Xml};
use crate::{ExtractError, Extracted, Limits};
use quick_xml::events::BytesStart;
use std::collections::HashSet;

/// How many columns with the same content are written one by one.
const REPEATED: u32 = 64;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = opendocument::open(bytes, limits)?;
    let content = package.need("content.xml")?;
    let mut sheets = Sheets::new(limits);
    let result = xml::for_each(&content, |event| sheets.read(&event));
    let mut warnings = std::mem::take(&mut sheets.warnings);
    match result {
        Err(ExtractError::Damaged { .. }) if sheets.number > 0 => {
            warnings.push("the file is damaged and partly missing".to_owned());
        }
        result => result?,
    }
    let count = sheets.number;
    let blocks = sheets.grid.finish()?;
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "all its sheets are empty; check that it is the right file" });
    }
    let properties = Properties::read(&mut package, "meta.xml")?;
    let title = properties.title.clone().or_else(|| only_sheet(count as usize, &blocks));
    Ok(properties.with(Extracted { title, blocks, pages: Some(count), warnings, ..Extracted::default() }))
}

/// Reads the tables of the body.
struct Sheets<'a> {
    grid: Grid<'a>,
    limits: &'a Limits,
    number: u32,
    /// How deep in tables: a table in a cell is text of that cell.
    tables: usize,
    /// The table styles that hide a sheet, and the style that is being read.
    hiding: HashSet<String>,
    style: String,
    next_row: u32,
    row: Row,
    row_bytes: u64,
    next_column: u32,
    cell: Option<Open>,
    /// How deep in elements that are not the text of a cell, such as its comment.
    skipped: usize,
    /// Whether it was told that a cell is repeated too often.
    has_long_repeat: bool,
    warnings: Vec<String>,
}

/// The cell that is being read.
struct Open {
    repeated: u32,
    kind: CellKind,
    /// What it holds, where that says more than the text: dates, and values without a text.
    value: Option<String>,
    text: String,
}

impl<'a> Sheets<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            grid: Grid::new(limits),
            limits,
            number: 0,
            tables: 0,
            hiding: HashSet::new(),
            style: String::new(),
            next_row: 1,
            row: Row::default(),
            row_bytes: 0,
            next_column: 1,
            cell: None,
            skipped: 0,
            has_long_repeat: false,
            warnings: Vec::new(),
        }
    }

    fn read(&mut self, event: &Xml<'_>) -> Result<(), ExtractError> {
        match event {
            Xml::Start(..) if self.skipped > 0 => self.skipped += 1,
            // Changes that were tracked hold the cells as they were.
            Xml::Start(_, "annotation" | "tracked-changes" | "dde-links") => self.skipped = 1,
            Xml::End(_) if self.skipped > 0 => self.skipped -= 1,
            Xml::Start(element, name) => self.start(element, name)?,
            Xml::End(name) => self.end(name)?,
            Xml::Text(text) if self.skipped == 0 => self.text(text),
            Xml::Text(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>, name: &str) -> Result<(), ExtractError> {
        let value = |name: &str| xml::attribute(element, name);
        let repeated = |name: &str| value(name).and_then(|count| count.parse::<u32>().ok()).unwrap_or(1).max(1);
        match name {
            "style" => self.style = value("name").unwrap_or_default(),
            "table-properties" if value("display").as_deref() == Some("false") => {
                self.hiding.insert(std::mem::take(&mut self.style));
            }
            "table" => {
                self.tables += 1;
                if self.tables == 1 {
                    self.begin_sheet(value("name").as_deref().unwrap_or_default(), value("style-name"))?;
                }
            }
            "table-row" if self.tables == 1 => {
                let last = self.next_row.saturating_add(repeated("number-rows-repeated") - 1);
                self.row = Row { rows: (self.next_row, last), cells: Vec::new() };
                self.next_row = last.saturating_add(1);
                (self.next_column, self.row_bytes) = (1, 0);
            }
            "table-cell" | "covered-table-cell" if self.tables == 1 => {
                self.cell = Some(open_cell(element, repeated("number-columns-repeated")));
            }
            "p" | "line-break" | "tab" => self.text(" "),
            "s" => self.text(&space(value("c"))),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), ExtractError> {
        match name {
            "table" => self.tables = self.tables.saturating_sub(1),
            "table-row" if self.tables == 1 => {
                let cells = std::mem::take(&mut self.row.cells);
                self.grid.push(Row { rows: self.row.rows, cells })?;
            }
            "table-cell" | "covered-table-cell" if self.tables == 1 => self.finish_cell()?,
            _ => {}
        }
        Ok(())
    }

    fn begin_sheet(&mut self, name: &str, style: Option<String>) -> Result<(), ExtractError> {
        self.number += 1;
        self.next_row = 1;
        if style.is_some_and(|style| self.hiding.contains(&style)) {
            self.warnings.push(format!("the sheet \"{name}\" is hidden and was read"));
        }
        self.grid.begin_sheet(self.number, name)
    }

    fn text(&mut self, text: &str) {
        if let Some(cell) = &mut self.cell
            && cell.text.len() < 4 * CELL_CHARS
        {
            cell.text.push_str(text);
        }
    }

    fn finish_cell(&mut self) -> Result<(), ExtractError> {
        let Some(cell) = self.cell.take() else { return Ok(()) };
        let first = self.next_column;
        self.next_column = first.saturating_add(cell.repeated);
        let mut text = match cell.value {
            Some(value) if cell.kind == CellKind::Date || cell.text.trim().is_empty() => value,
            _ => cell.text,
        };
        cut_cell(&mut text);
        if text.trim().is_empty() {
            return Ok(());
        }
        if cell.repeated > REPEATED && !std::mem::replace(&mut self.has_long_repeat, true) {
            self.warnings.push(format!("the same cell stands {} times in row {}", cell.repeated, self.row.rows.0));
        }
        for column in (first..self.next_column).take(REPEATED as usize) {
            self.row_bytes += text.len() as u64;
            self.limits.check_text(self.row_bytes)?;
            self.row.cells.push(Cell { column, text: text.clone(), kind: cell.kind });
        }
        Ok(())
    }
}

/// A cell by its attributes (section 19.385 and those after it).
fn open_cell(element: &BytesStart<'_>, repeated: u32) -> Open {
    let value = |name: &str| xml::attribute(element, name);
    let (kind, value) = match value("value-type").as_deref() {
        Some("date") => {
            let date = value("date-value");
            (CellKind::Date, date.map(|date| date.trim_end_matches("T00:00:00").replacen('T', " ", 1)))
        }
        Some("time") => (CellKind::Value, value("time-value")),
        Some("boolean") => (CellKind::Value, value("boolean-value").map(|value| value.to_uppercase())),
        Some("float" | "percentage" | "currency") => (CellKind::Value, value("value")),
        _ => (CellKind::Text, value("string-value")),
    };
    Open { repeated, kind, value, text: String::new() }
}
