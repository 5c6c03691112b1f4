//! Rows of cells to blocks that can be understood alone.
//!
//! A reader of row 4711 has to know what its columns mean, so every data row carries the header of its table:
//! `Name: Ada | Rooms: 3`. Rows come in one by one, are looked at a few at a time and go out again: a sheet never
//! lies in memory as a whole, and what it claims to be large costs nothing.

pub(crate) mod header;
pub(crate) mod number;
pub(crate) mod texts;

use crate::blocks::{Blocks, running};
use crate::{ExtractError, Limits};
use domain::{Block, BlockKind, Cells, Location};

/// How many rows of a table are looked at to find its header.
const LOOK_AHEAD: usize = 12;

/// The most styles that count, as Excel has it.
pub(crate) const STYLES: usize = 65_536;

/// How long a block may get, in bytes, before the rest of a row goes into the next one.
const BLOCK_BYTES: usize = 1_200;

/// The longest first cell that is repeated in the later blocks of a row, in bytes.
const KEY_BYTES: usize = 100;

/// The longest text of a cell, in characters, as Excel has it.
pub(crate) const CELL_CHARS: usize = 32_767;

/// A cell with something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Counted from 1.
    pub(crate) column: u32,
    /// As people see it.
    pub(crate) text: String,
    /// What it is; headers are mostly words.
    pub(crate) kind: CellKind,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// Words.
    Text,
    /// A number, a truth value or an error.
    Value,
    /// A date or time.
    Date,
}

/// A row, or several that are all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    /// First and last row number, counted from 1.
    pub(crate) rows: (u32, u32),
    /// From left to right.
    pub(crate) cells: Vec<Cell>,
}

/// Collects sheets.
pub(crate) struct Grid<'a> {
    blocks: Blocks<'a>,
    limits: &'a Limits,
    sheet: Option<u32>,
    /// The name of the sheet until something stands under it.
    heading: Option<String>,
    /// The rows of a table while its header is looked for, and the bytes in them.
    waiting: Vec<Row>,
    waiting_bytes: u64,
    is_decided: bool,
    /// Columns and their names.
    header: Vec<(u32, String)>,
    last_row: u32,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self {
            blocks: Blocks::new(limits),
            limits,
            sheet: None,
            heading: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            is_decided: false,
            header: Vec::new(),
            last_row: 0,
        }
    }

    /// Begins a sheet, counted from 1; its name becomes a heading once there is something under it.
    pub(crate) fn begin_sheet(&mut self, number: u32, name: &str) -> Result<(), ExtractError> {
        self.settle()?;
        self.limits.check_pages(number as usize)?;
        (self.sheet, self.heading) = (Some(number), Some(name.to_owned()));
        (self.is_decided, self.last_row) = (false, 0);
        self.header.clear();
        Ok(())
    }

    /// Adds the next row; empty cells and rows are left out.
    pub(crate) fn push(&mut self, mut row: Row) -> Result<(), ExtractError> {
        for cell in &mut row.cells {
            cell.text = running(&cell.text);
        }
        row.cells.retain(|cell| !cell.text.is_empty());
        // Files may have them in any order.
        row.cells.sort_by_key(|cell| cell.column);
        if row.cells.is_empty() {
            return Ok(());
        }
        // An empty row between may mean that another table begins.
        if self.last_row > 0 && row.rows.0 > self.last_row.saturating_add(1) {
            self.settle()?;
            self.is_decided = false;
        }
        self.last_row = row.rows.1;
        if self.is_decided {
            return self.write(&row);
        }
        self.waiting_bytes += row.cells.iter().map(|cell| cell.text.len() as u64).sum::<u64>();
        self.limits.check_text(self.waiting_bytes)?;
        self.waiting.push(row);
        if self.waiting.len() == LOOK_AHEAD { self.settle() } else { Ok(()) }
    }

    /// The blocks of all sheets.
    pub(crate) fn finish(mut self) -> Result<Vec<Block>, ExtractError> {
        self.settle()?;
        Ok(self.blocks.into_vec())
    }

    /// Decides which of the waiting rows is the header and writes them.
    fn settle(&mut self) -> Result<(), ExtractError> {
        let rows = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.is_decided = true;
        let Some(first) = rows.first() else { return Ok(()) };
        let place = header::find(&rows, !self.header.is_empty());
        if place.is_some() || !header::fits(&self.header, first) {
            self.header.clear();
        }
        for (at, row) in rows.iter().enumerate() {
            self.write(row)?;
            if Some(at) == place {
                self.header = row.cells.iter().map(|cell| (cell.column, label(&cell.text))).collect();
            }
        }
        Ok(())
    }

    fn write(&mut self, row: &Row) -> Result<(), ExtractError> {
        if let Some(name) = self.heading.take() {
            self.blocks.push(BlockKind::Heading(1), &name, self.sheet)?;
        }
        let mut parts = Vec::new();
        let (mut length, mut key, mut first, mut last) = (0, None, 0, 0);
        for cell in &row.cells {
            let label = self.header.binary_search_by_key(&cell.column, |(column, _)| *column);
            let part = match label.ok().and_then(|at| self.header.get(at)) {
                Some((_, label)) => format!("{label}: {}", cell.text),
                None => cell.text.clone(),
            };
            if length > 0 && length + part.len() > BLOCK_BYTES {
                self.write_block(&parts, (first, last), row.rows)?;
                parts.clear();
                parts.extend(key.clone());
                length = parts.iter().map(String::len).sum();
                first = cell.column;
            } else if length == 0 {
                key = (part.len() <= KEY_BYTES).then(|| part.clone());
                first = cell.column;
            }
            last = cell.column;
            length += part.len() + 3;
            parts.push(part);
        }
        self.write_block(&parts, (first, last), row.rows)
    }

    fn write_block(&mut self, parts: &[String], columns: (u32, u32), rows: (u32, u32)) -> Result<(), ExtractError> {
        let cells = Cells { first: (columns.0, rows.0), last: (columns.1, rows.1) };
        let location = Location { page: self.sheet, area: None, cells: Some(cells) };
        self.blocks.push_at(BlockKind::TableRow, &parts.join(" | "), location)
    }
}

/// The name of a column as it stands before its values.
fn label(text: &str) -> String {
    text.trim_end_matches([':', ' ']).to_owned()
}

/// Cuts a text that is longer than a cell may be.
pub(crate) fn cut_cell(text: &mut String) {
    if text.len() > CELL_CHARS
        && let Some((at, _)) = text.char_indices().nth(CELL_CHARS)
    {
        text.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, cells: &[&str]) -> Row {
        let cells = cells.iter().zip(1..).map(|(text, column)| Cell {
            column,
            text: (*text).to_owned(),
            kind: header::kind_of_text(text),
        });
        Row { rows: (number, number), cells: cells.collect() }
    }

    fn check(rows: &[Row], expected: &[&str]) {
        let limits = Limits::default();
        let mut grid = Grid::new(&limits);
        grid.begin_sheet(1, "Sheet").unwrap();
        for row in rows {
            grid.push(row.clone()).unwrap();
        }
        let blocks = grid.finish().unwrap();
        let found: Vec<_> = blocks.iter().skip(1).map(|block| block.text.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_carry_their_header() {
        check(
            &[
                row(1, &["Flats in May"]),
                row(2, &["Name:", "Rooms", "2024", "2025"]),
                row(3, &["Ada", "3", "1.5", "", "spare"]),
                row(4, &["", "", ""]),
                row(5, &["Bo", "2"]),
                row(9, &["Street", "City", "Lamps"]),
                row(10, &["Quay", "Hull", "14"]),
            ],
            &[
                "Flats in May",
                "Name: | Rooms | 2024 | 2025",
                "Name: Ada | Rooms: 3 | 2024: 1.5 | spare",
                "Name: Bo | Rooms: 2",
                "Street | City | Lamps",
                "Street: Quay | City: Hull | Lamps: 14",
            ],
        );
    }

    #[test]
    fn without_a_header_rows_stay_plain() {
        check(&[row(1, &["1", "2"]), row(2, &["3", "4"])], &["1 | 2", "3 | 4"]);
        check(&[row(1, &["Name:", "Ada"]), row(2, &["Born:", "1815"])], &["Name: | Ada", "Born: | 1815"]);
        check(
            &[row(1, &["Name", "Ada"]), row(2, &["Born", "1815"]), row(3, &["City", "London"])],
            &["Name | Ada", "Born | 1815", "City | London"],
        );
        check(&[row(1, &["a", "a", "a"]), row(2, &["1", "2", "3"])], &["a | a | a", "1 | 2 | 3"]);
        check(&[row(1, &["only", "words"])], &["only | words"]);
    }

    #[test]
    fn another_table_does_not_inherit_the_header() {
        let rows = [row(1, &["Name", "Rooms"]), row(2, &["Ada", "3"]), row(4, &["a", "b", "c"]), row(5, &["d", "e"])];
        check(&rows, &["Name | Rooms", "Name: Ada | Rooms: 3", "a | b | c", "d | e"]);
    }

    #[test]
    fn wide_rows_are_cut_and_keep_their_key() {
        let limits = Limits::default();
        let mut grid = Grid::new(&limits);
        let wide: Vec<String> = (0..300).map(|at| format!("value {at}")).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        grid.push(row(7, &wide)).unwrap();
        let blocks = grid.finish().unwrap();
        assert!(blocks.len() > 2 && blocks.iter().all(|block| block.text.starts_with("value 0")));
        let mut next = 1;
        for cells in blocks.iter().map(|block| block.location.cells.unwrap()) {
            assert_eq!((cells.first, cells.last.1), ((next, 7), 7));
            next = cells.last.0 + 1;
        }
        assert_eq!(next, 301);
    }
}
