//! The records of a workbook and of its sheets.

use super::records::{Record, Records, f64_at, rk_at, u16_at, u32_at};
use super::strings::{shared, text_at};
use crate::grid::number::NumberFormat;
use crate::grid::texts::Texts;
use crate::grid::{Cell, CellKind, Grid, Row, STYLES};
use crate::{ExtractError, Limits};
use std::collections::{HashMap, HashSet};

// Types of records (MS-XLS, section 2.3.2).
const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const FILE_PASS: u16 = 0x002F;
const DATE_MODE: u16 = 0x0022;
const BOUND_SHEET: u16 = 0x0085;
const XF: u16 = 0x00E0;
const FORMAT: u16 = 0x041E;
const SST: u16 = 0x00FC;
const LABEL_SST: u16 = 0x00FD;
const LABEL: u16 = 0x0204;
const NUMBER: u16 = 0x0203;
const RK: u16 = 0x027E;
const MUL_RK: u16 = 0x00BD;
const BOOL_ERR: u16 = 0x0205;
const FORMULA: u16 = 0x0006;
const STRING: u16 = 0x0207;

/// What the records before the sheets say.
#[derive(Default)]
pub(super) struct Workbook {
    pub(super) sheets: Vec<Sheet>,
    texts: Texts,
    /// Number formats by the number that cells carry.
    styles: Vec<NumberFormat>,
    from_1904: bool,
}

pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) is_hidden: bool,
    pub(super) is_worksheet: bool,
    /// Where its records begin and end.
    start: usize,
    end: usize,
}

impl Workbook {
    pub(super) fn read(stream: &[u8], limits: &Limits) -> Result<Self, ExtractError> {
        const BIFF8: u16 = 0x0600;
        let mut records = Records::new(stream);
        let first = records.next().filter(|record| record.kind == BOF);
        match first.and_then(|record| u16_at(record.data, 0)) {
            Some(BIFF8) => {}
            Some(_) => return Err(ExtractError::unknown("it is an Excel workbook from before 1997; save it as XLSX")),
            None => return Err(ExtractError::damaged("its workbook has no beginning")),
        }
        let mut workbook = Self::default();
        let (mut formats, mut used) = (HashMap::new(), Vec::new());
        while let Some(Record { kind, data }) = records.next() {
            match kind {
                EOF => break,
                FILE_PASS => return Err(ExtractError::Encrypted),
                DATE_MODE => workbook.from_1904 = u16_at(data, 0) == Some(1),
                BOUND_SHEET => {
                    workbook.sheets.extend(bound_sheet(data));
                    limits.check_pages(workbook.sheets.len())?;
                }
                FORMAT => {
                    let length = u16_at(data, 2).map_or(0, usize::from);
                    let code = text_at(data, 4, length);
                    formats.extend(u16_at(data, 0).zip(code.as_deref().map(NumberFormat::parse)));
                }
                XF if used.len() < STYLES => used.push(u16_at(data, 2).unwrap_or(0)),
                SST => {
                    let parts: Vec<&[u8]> = std::iter::once(data).chain(records.continued()).collect();
                    workbook.texts = shared(&parts);
                }
                _ => {}
            }
        }
        // Sheets end where others begin, so that no byte is read for two of them.
        let mut starts: Vec<usize> = workbook.sheets.iter().map(|sheet| sheet.start).collect();
        starts.sort_unstable();
        let mut seen = HashSet::new();
        for sheet in &mut workbook.sheets {
            let next = starts.partition_point(|&start| start <= sheet.start);
            sheet.end = starts.get(next).copied().unwrap_or(stream.len()).min(stream.len());
            sheet.is_worksheet &= seen.insert(sheet.start);
        }
        let style = |id| formats.get(&id).cloned().unwrap_or_else(|| NumberFormat::built_in(u32::from(id)));
        workbook.styles = used.into_iter().map(style).collect();
        Ok(workbook)
    }

    /// Reads the cells of a sheet. After an error what was found until then stays in the grid.
    pub(super) fn read_sheet(
        &self,
        stream: &[u8],
        sheet: &Sheet,
        limits: &Limits,
        grid: &mut Grid<'_>,
    ) -> Result<(), ExtractError> {
        let cut_off = || ExtractError::damaged("a sheet ends too early");
        let mut row = Row { rows: (1, 1), cells: Vec::new() };
        let (mut depth, mut bytes) = (0_usize, 0_u64);
        // The place of a formula whose text comes in the next record.
        let mut formula = None;
        for Record { kind, data } in Records::new(stream.get(sheet.start..sheet.end).ok_or_else(cut_off)?) {
            match kind {
                BOF => depth += 1,
                EOF if depth <= 1 => return grid.push(row),
                EOF => depth -= 1,
                // Charts in the sheet have cells of their own.
                _ if depth != 1 => {}
                FORMULA if is_text_formula(data) => formula = place(data),
                STRING => {
                    let text = u16_at(data, 0).and_then(|length| text_at(data, 2, usize::from(length)));
                    if let Some(((number, column), text)) = formula.take().zip(text) {
                        let cell = Cell { column, text, kind: CellKind::Text };
                        add(cell, number, &mut row, &mut bytes, limits, grid)?;
                    }
                }
                _ => {
                    for (number, cell) in self.cells(kind, data) {
                        add(cell, number, &mut row, &mut bytes, limits, grid)?;
                    }
                }
            }
        }
        grid.push(row)?;
        Err(cut_off())
    }

    /// The cells in a record, each with its row.
    fn cells(&self, kind: u16, data: &[u8]) -> Vec<(u32, Cell)> {
        let Some((row, column)) = place(data) else { return Vec::new() };
        let style = u16_at(data, 4).unwrap_or(0);
        let found = match kind {
            LABEL_SST => {
                let text = u32_at(data, 6).and_then(|at| self.texts.get(at as usize));
                text.map(|text| (text.to_owned(), CellKind::Text))
            }
            LABEL => {
                let text = u16_at(data, 6).and_then(|length| text_at(data, 8, usize::from(length)));
                text.map(|text| (text, CellKind::Text))
            }
            NUMBER => f64_at(data, 6).map(|value| self.show(value, style)),
            RK => rk_at(data, 6).map(|value| self.show(value, style)),
            MUL_RK => {
                let values = data.get(4..data.len() - 2).unwrap_or_default().chunks_exact(6);
                let cells = values.zip(column..).filter_map(|(value, column)| {
                    let (text, kind) = self.show(rk_at(value, 2)?, u16_at(value, 0)?);
                    Some((row, Cell { column, text, kind }))
                });
                return cells.collect();
            }
            BOOL_ERR => data.get(6).zip(data.get(7)).map(|(&value, &is_error)| truth_or_error(value, is_error == 1)),
            FORMULA => match data.get(6..14) {
                Some(&[1, _, value, .., 0xFF, 0xFF]) => Some(truth_or_error(value, false)),
                Some(&[2, _, value, .., 0xFF, 0xFF]) => Some(truth_or_error(value, true)),
                Some(&[.., 0xFF, 0xFF]) => None,
                _ => f64_at(data, 6).map(|value| self.show(value, style)),
            },
            _ => None,
        };
        found.map(|(text, kind)| (row, Cell { column, text, kind })).into_iter().collect()
    }

    fn show(&self, value: f64, style: u16) -> (String, CellKind) {
        match self.styles.get(usize::from(style)) {
            Some(style) => style.show(value, self.from_1904),
            None => NumberFormat::default().show(value, self.from_1904),
        }
    }
}

fn add(
    cell: Cell,
    number: u32,
    row: &mut Row,
    bytes: &mut u64,
    limits: &Limits,
    grid: &mut Grid<'_>,
) -> Result<(), ExtractError> {
    if number != row.rows.0 {
        grid.push(std::mem::take(row))?;
        row.rows = (number, number);
        *bytes = 0;
    }
    *bytes += cell.text.len() as u64;
    limits.check_text(*bytes)?;
    row.cells.push(cell);
    Ok(())
}

/// Row and column, counted from 1.
fn place(data: &[u8]) -> Option<(u32, u32)> {
    Some((u32::from(u16_at(data, 0)?) + 1, u32::from(u16_at(data, 2)?) + 1))
}

/// Whether the result of a formula is a text (FormulaValue, section 2.5.133).
fn is_text_formula(data: &[u8]) -> bool {
    matches!(data.get(6..14), Some(&[0, .., 0xFF, 0xFF]))
}

/// Bes, section 2.5.10.
fn truth_or_error(value: u8, is_error: bool) -> (String, CellKind) {
    let text = match (is_error, value) {
        (false, 0) => "FALSE",
        (false, _) => "TRUE",
        (true, 0x00) => "#NULL!",
        (true, 0x07) => "#DIV/0!",
        (true, 0x0F) => "#VALUE!",
        (true, 0x17) => "#REF!",
        (true, 0x1D) => "#NAME?",
        (true, 0x24) => "#NUM!",
        (true, _) => "#N/A",
    };
    (text.to_owned(), CellKind::Value)
}

/// BoundSheet8, section 2.4.28.
fn bound_sheet(data: &[u8]) -> Option<Sheet> {
    let (&state, &kind, &length) = (data.get(4)?, data.get(5)?, data.get(6)?);
    Some(Sheet {
        name: text_at(data, 7, usize::from(length))?,
        is_hidden: state & 3 != 0,
        is_worksheet: kind == 0,
        start: u32_at(data, 0)? as usize,
        end: usize::MAX,
    })
}
