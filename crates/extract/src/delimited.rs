//! CSV: values with a separator between them (RFC 4180), whatever the separator is.

use crate::grid::header::kind_of_text;
use crate::grid::{Cell, Grid, Row, cut_cell};
use crate::{ExtractError, Extracted, Limits, encoding, sniff};
use csv::{ByteRecord, ReaderBuilder};

/// Separators, the most likely first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The most columns of a line.
const COLUMNS: usize = 100_000;

/// How many records are looked at to find the separator.
const SAMPLE: usize = 60;

/// How many bytes of them at most.
const SAMPLE_BYTES: usize = 1 << 20;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let (text, damaged) = encoding::decode(bytes, None);
    if sniff::is_binary(&text) {
        return Err(ExtractError::unknown("it is not a text file; export the table again as CSV"));
    }
    let mut warnings = if damaged { vec!["some characters could not be decoded".to_owned()] } else { Vec::new() };
    // What is read is nearly all text, and a record with millions of fields costs far more memory than bytes.
    limits.check_text(text.len() as u64 / 2)?;
    let (separator, text) = separator(&text);
    let widest = text.lines().map(|line| line.bytes().filter(|&byte| byte == separator).count()).max().unwrap_or(0);
    if widest > COLUMNS {
        return Err(ExtractError::TooLarge { what: "the number of its columns", limit: COLUMNS.to_string() });
    }
    let mut grid = Grid::new(limits);
    let mut records = reader(separator, text);
    let mut record = ByteRecord::new();
    let mut number = 0_u32;
    // Lines are counted by records: a quoted field with line breaks in it is one row of the sheet.
    loop {
        match records.read_byte_record(&mut record) {
            Ok(true) => number = number.saturating_add(1),
            Ok(false) => break,
            Err(_) => {
                warnings.push(format!("reading ended after row {number}, which is damaged"));
                break;
            }
        }
        let cells = record.iter().zip(1..).filter(|(field, _)| !field.is_empty()).map(|(field, column)| {
            let mut text = String::from_utf8_lossy(field).into_owned();
            cut_cell(&mut text);
            Cell { column, kind: kind_of_text(&text), text }
        });
        grid.push(Row { rows: (number, number), cells: cells.collect() })?;
    }
    let blocks = grid.finish()?;
    if blocks.is_empty() {
        return Err(ExtractError::Empty);
    }
    Ok(Extracted { blocks, warnings, ..Extracted::default() })
}

fn reader(separator: u8, text: &str) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// The separator and the text after a line that names it, as Excel reads it: `sep=;`.
fn separator(text: &str) -> (u8, &str) {
    if let Some((line, rest)) = text.split_once('\n')
        && let [separator] = line.trim_end_matches('\r').strip_prefix("sep=").unwrap_or_default().as_bytes()
        && SEPARATORS.contains(separator)
    {
        return (*separator, rest);
    }
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    let best = SEPARATORS.into_iter().rev().max_by_key(|&separator| agreement(separator, sample));
    (best.unwrap_or(b','), text)
}

/// How well a separator fits: how many thousandths of the records have the most common number of fields above one,
/// then that number.
fn agreement(separator: u8, text: &str) -> (usize, usize) {
    let mut counts = std::collections::BTreeMap::<usize, usize>::new();
    let mut records = reader(separator, text);
    let mut record = ByteRecord::new();
    let mut seen = 0;
    while seen < SAMPLE && records.read_byte_record(&mut record).unwrap_or(false) {
        seen += 1;
        *counts.entry(record.len()).or_default() += 1;
    }
    let most = counts.into_iter().filter(|&(fields, _)| fields > 1).max_by_key(|&(fields, times)| (times, fields));
    most.map_or((0, 0), |(fields, times)| (times * 1000 / seen.max(1), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_found() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n3,5;4\n", b';'),
            ("a\tb\n1, and more\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            ("name;note\n\"x, y, z\";\"a, b, c\"\n", b';'),
            ("only words\n", b','),
            ("sep=|\na,b|c\n", b'|'),
        ] {
            assert_eq!(char::from(separator(text).0), char::from(expected), "{text}");
        }
    }
}
