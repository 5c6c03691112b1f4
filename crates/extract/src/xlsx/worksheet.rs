//! The cells of a sheet (section 18.3), read as a stream.

use crate::grid::number::NumberFormat;
use crate::grid::texts::Texts;
use crate::grid::{CELL_CHARS, Cell, CellKind, Grid, Row, cut_cell};
use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};

/// The last column that there is, `XFD`.
const LAST_COLUMN: u32 = 16_384;

/// The last row that there is.
const LAST_ROW: u32 = 1_048_576;

/// Reads one sheet.
pub(super) struct Worksheet<'a> {
    strings: &'a Texts,
    styles: &'a [NumberFormat],
    from_1904: bool,
    row: Row,
    row_bytes: u64,
    cell: Open,
}

/// The cell that is being read.
#[derive(Default)]
struct Open {
    column: u32,
    kind: String,
    style: usize,
    value: String,
    /// Whether the text that comes now is its value.
    is_inside: bool,
}

impl<'a> Worksheet<'a> {
    pub(super) fn new(strings: &'a Texts, styles: &'a [NumberFormat], from_1904: bool) -> Self {
        Self { strings, styles, from_1904, row: Row::default(), row_bytes: 0, cell: Open::default() }
    }

    /// Reads a sheet to its end. After an error what was found until then stays in the grid.
    pub(super) fn read(mut self, part: &[u8], limits: &Limits, grid: &mut Grid<'_>) -> Result<(), ExtractError> {
        let mut in_phonetic = false;
        xml::for_each(part, |event| {
            match event {
                Xml::Start(element, "row") => {
                    let number = xml::attribute(element, "r").and_then(|number| number.parse().ok());
                    let number = number.unwrap_or(self.row.rows.0.saturating_add(1)).min(LAST_ROW);
                    self.row = Row { rows: (number, number), cells: Vec::new() };
                    self.row_bytes = 0;
                    self.cell.column = 0;
                }
                Xml::End("row") => {
                    let cells = std::mem::take(&mut self.row.cells);
                    grid.push(Row { rows: self.row.rows, cells })?;
                }
                Xml::Start(element, "c") => {
                    let column = xml::attribute(element, "r").as_deref().and_then(column_of);
                    self.cell = Open {
                        column: column.unwrap_or(self.cell.column + 1).min(LAST_COLUMN),
                        kind: xml::attribute(element, "t").unwrap_or_default(),
                        style: xml::attribute(element, "s").and_then(|style| style.parse().ok()).unwrap_or(0),
                        ..Open::default()
                    };
                }
                Xml::End("c") => self.finish_cell(limits)?,
                Xml::Start(_, "v" | "t") => self.cell.is_inside = !in_phonetic,
                Xml::End("v" | "t") => self.cell.is_inside = false,
                Xml::Start(_, "rPh") => in_phonetic = true,
                Xml::End("rPh") => in_phonetic = false,
                Xml::Text(text) if self.cell.is_inside && self.cell.value.len() < 4 * CELL_CHARS => {
                    self.cell.value.push_str(text);
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn finish_cell(&mut self, limits: &Limits) -> Result<(), ExtractError> {
        let value = std::mem::take(&mut self.cell.value);
        let (mut text, kind) = self.show(value);
        cut_cell(&mut text);
        // Cells without a place of their own could go on behind the last column.
        if text.trim().is_empty() || self.row.cells.len() >= LAST_COLUMN as usize {
            return Ok(());
        }
        self.row_bytes += text.len() as u64;
        limits.check_text(self.row_bytes)?;
        self.row.cells.push(Cell { column: self.cell.column, text, kind });
        Ok(())
    }

    /// A value as it is shown (ST_CellType, section 18.18.11).
    fn show(&self, value: String) -> (String, CellKind) {
        match self.cell.kind.as_str() {
            "s" => {
                let text = value.trim().parse().ok().and_then(|at| self.strings.get(at));
                (text.unwrap_or_default().to_owned(), CellKind::Text)
            }
            "str" | "inlineStr" => (value, CellKind::Text),
            "b" => ((if value.trim() == "1" { "TRUE" } else { "FALSE" }).to_owned(), CellKind::Value),
            "e" => (value, CellKind::Value),
            "d" => (value.trim_end_matches("T00:00:00").replacen('T', " ", 1), CellKind::Date),
            _ => match (value.trim().parse::<f64>(), self.styles.get(self.cell.style)) {
                (Ok(number), Some(style)) => style.show(number, self.from_1904),
                (Ok(number), None) => NumberFormat::default().show(number, self.from_1904),
                (Err(_), _) => (value, CellKind::Value),
            },
        }
    }
}

/// The column in a reference such as `AB12`, counted from 1.
fn column_of(reference: &str) -> Option<u32> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let column = letters.fold(0_u32, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    (1..=LAST_COLUMN).contains(&column).then_some(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_their_letters() {
        for (reference, column) in [
            ("A1", Some(1)),
            ("z9", Some(26)),
            ("AB12", Some(28)),
            ("XFD1", Some(16_384)),
            ("XFE1", None),
            ("12", None),
        ] {
            assert_eq!(column_of(reference), column, "{reference}");
        }
    }
}
