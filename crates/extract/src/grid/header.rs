//! Which row of a table names its columns.

use super::{Cell, CellKind, Row};
use std::collections::HashSet;

/// How far down the header may stand.
const DEPTH: usize = 10;

/// The longest name of a column, in characters.
const LABEL_CHARS: usize = 80;

/// The place of the row that names the columns: the first that is mostly words, all different, with rows under it.
/// After one header was found on a sheet another one needs stronger signs (`is_strict`): nothing but words, and
/// values under them.
pub(super) fn find(rows: &[Row], is_strict: bool) -> Option<usize> {
    let widest = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    (0..rows.len().saturating_sub(1).min(DEPTH)).find(|&at| {
        let (row, below) = (&rows[at], &rows[at + 1..]);
        is_header(row, below, is_strict) && row.cells.len() * 2 >= widest
    })
}

fn is_header(row: &Row, below: &[Row], is_strict: bool) -> bool {
    // The cheap questions come first: sheets can be wide.
    let words = row.cells.iter().filter(|cell| cell.kind == CellKind::Text).count();
    if row.cells.len() < 2 || words == 0 || (is_strict && words < row.cells.len()) || is_list_of_facts(row, below) {
        return false;
    }
    let names = row.cells.iter().filter(|cell| is_name(cell, below)).count();
    if names * 5 < row.cells.len() * 4 || row.cells.iter().any(|cell| cell.text.chars().count() > LABEL_CHARS) {
        return false;
    }
    let under_it = below.first().is_some_and(|next| next.cells.iter().any(|cell| at(row, cell.column).is_some()));
    let values_under_it = || below.iter().any(|row| row.cells.iter().any(|cell| cell.kind != CellKind::Text));
    let mut seen = HashSet::new();
    let mut all_differ = || row.cells.iter().all(|cell| seen.insert(cell.text.to_lowercase()));
    under_it && (!is_strict || values_under_it()) && all_differ()
}

/// Words name a column; so do years and dates over something else.
fn is_name(cell: &Cell, below: &[Row]) -> bool {
    let is_year = cell.text.parse::<u32>().is_ok_and(|year| (1900..2200).contains(&year));
    if cell.kind == CellKind::Text {
        return true;
    }
    let is_over_others = below.iter().filter_map(|row| at(row, cell.column)).all(|under| {
        let same_year = under.text.parse::<u32>().is_ok_and(|year| (1900..2200).contains(&year));
        !(is_year && same_year) && (is_year || under.kind != cell.kind)
    });
    (is_year || cell.kind == CellKind::Date) && is_over_others
}

/// `Name | Ada`, `Born | 1815`: two columns, the first of which names what stands in the second.
fn is_list_of_facts(row: &Row, below: &[Row]) -> bool {
    let narrow = row.cells.len() == 2 && below.iter().all(|row| row.cells.len() <= 2);
    let Some([key, value]) = row.cells.get(..2).filter(|_| narrow) else { return false };
    let keys_end_so = std::iter::once(row)
        .chain(below)
        .filter(|row| row.cells.first().is_some_and(|cell| cell.column == key.column && cell.text.ends_with(':')));
    let kinds: HashSet<bool> =
        below.iter().filter_map(|row| at(row, value.column)).map(|cell| cell.kind == CellKind::Text).collect();
    keys_end_so.count() >= 2 || kinds.len() == 2
}

/// Whether a row after a gap can stand under the header before it.
pub(super) fn fits(header: &[(u32, String)], row: &Row) -> bool {
    let named = row
        .cells
        .iter()
        .filter(|cell| header.binary_search_by_key(&cell.column, |(column, _)| *column).is_ok())
        .count();
    named == row.cells.len() && named * 2 >= header.len()
}

fn at(row: &Row, column: u32) -> Option<&Cell> {
    let at = row.cells.binary_search_by_key(&column, |cell| cell.column).ok()?;
    row.cells.get(at)
}

/// What a text without a type of its own holds: words are made of letters.
pub(crate) fn kind_of_text(text: &str) -> CellKind {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let shown = text.chars().filter(|c| !c.is_whitespace()).count();
    let lower = text.trim().to_ascii_lowercase();
    if letters * 2 < shown || matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "nan" | "null" | "n/a") {
        return CellKind::Value;
    }
    CellKind::Text
}
