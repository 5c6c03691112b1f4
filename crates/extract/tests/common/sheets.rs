//! Builds little spreadsheets.

use super::archive;
use std::io::{Cursor, Write};

/// A workbook of sheets, each with its name, its attributes and its rows; shared texts are `Name` and `Ada & Co`,
/// style 1 is a date, style 2 a percentage. `more` replaces or adds parts.
pub fn xlsx(sheets: &[(&str, &str, &str)], more: &[(&str, &str)]) -> Vec<u8> {
    let numbered = || sheets.iter().zip(1..);
    let list: String = numbered()
        .map(|((name, attributes, _), id)| format!("<sheet name='{name}' sheetId='{id}' {attributes} r:id='r{id}'/>"))
        .collect();
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id='{id}' Type='http://x/{kind}' Target='{target}'/>")
    };
    let mut relations: String = numbered()
        .map(|(_, id)| relation(&format!("r{id}"), "worksheet", &format!("worksheets/sheet{id}.xml")))
        .collect();
    relations += &relation("s", "styles", "styles.xml");
    relations += &relation("t", "sharedStrings", "/xl/sharedStrings.xml");
    let mut parts = vec![
        ("xl/workbook.xml".to_owned(), format!("<workbook><sheets>{list}</sheets></workbook>")),
        ("xl/_rels/workbook.xml.rels".to_owned(), format!("<Relationships>{relations}</Relationships>")),
        (
            "xl/sharedStrings.xml".to_owned(),
            "<sst><si><t>Name</t></si><si><r><t>Ada </t></r><r><t>&amp; Co</t></r></si></sst>".to_owned(),
        ),
        (
            "xl/styles.xml".to_owned(),
            "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='0.0%'/></numFmts><cellXfs><xf numFmtId='0'/>\
             <xf numFmtId='14'/><xf numFmtId='164'/></cellXfs></styleSheet>"
                .to_owned(),
        ),
    ];
    for ((_, _, rows), id) in numbered() {
        let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{id}.xml"), sheet));
    }
    parts.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    parts.extend(more.iter().map(|(name, part)| ((*name).to_owned(), (*part).to_owned())));
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, part)| (name.as_str(), part.as_bytes())).collect();
    archive(&parts)
}

pub fn ods(tables: &str) -> Vec<u8> {
    super::opendocument("spreadsheet", &format!("<office:spreadsheet>{tables}</office:spreadsheet>"), &[])
}

/// A record of a workbook before 2007.
pub fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&kind.to_le_bytes(), &length.to_le_bytes(), data].concat()
}

/// The records of a sheet that begins with a truth value.
pub fn sheet(records: &[Vec<u8>]) -> Vec<u8> {
    let truth = record(0x0205, b"\x03\0\x02\0\0\0\x01\0");
    [record(0x0809, b"\0\x06\x10\0"), records.concat(), truth, record(0x000A, b"")].concat()
}

/// A compound file with this workbook stream.
pub fn xls_of(stream: &[u8]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.create_stream("/Workbook").unwrap().write_all(stream).unwrap();
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// One hidden sheet with every kind of cell.
pub fn xls() -> Vec<u8> {
    let texts: [&[u8]; 7] = [
        b"\x04\0\0Name",
        b"\x05\0\0Rooms",
        b"\x05\0\0Share",
        b"\x05\0\0Since",
        b"\x05\0\0Total",
        b"\x05\0\x01A\0d\0a\0 \0\xe4\0",
        b"\x02\0\0Bo",
    ];
    let shared = [b"\x07\0\0\0\x07\0\0\0".as_slice(), &texts.concat()].concat();
    let format = record(0x041E, b"\xa4\0\x04\0\x000.0%");
    let style = |format: u8| record(0x00E0, &[0, 0, format, 0, 0, 0]);
    let at = |row: u8, column: u8, style: u8| vec![row, 0, column, 0, style, 0];
    let with = |kind: u16, place: Vec<u8>, data: &[u8]| record(kind, &[place.as_slice(), data].concat());
    let label = |row, column, text: u8| with(0x00FD, at(row, column, 0), &[text, 0, 0, 0]);
    let rk = |value: u32| (value << 2 | 2).to_le_bytes();
    let mut cells: Vec<Vec<u8>> = (0..5).map(|column| label(0, column, column)).collect();
    cells.extend([
        record(0x0208, b"\0\0\0\0"),
        label(1, 0, 5),
        // Two packed numbers in one record: 3 and 0.125.
        record(0x00BD, &[&[1, 0, 1, 0, 0, 0][..], &rk(3), &[2, 0], &0x3FC0_0000_u32.to_le_bytes(), &[2, 0]].concat()),
        with(0x0203, at(1, 3, 1), &46082_f64.to_le_bytes()),
        with(0x0006, at(1, 4, 0), &[0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0]),
        record(0x0207, b"\x04\0\0text"),
        // A chart in the sheet.
        record(0x0809, b"\0\x06\x20\0"),
        label(2, 0, 1),
        record(0x000A, b""),
        label(3, 0, 6),
        with(0x0006, at(3, 1, 0), &[2, 0, 7, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0]),
    ]);
    let head = |start: u32| {
        let mut bound = start.to_le_bytes().to_vec();
        bound.extend(b"\x01\0\x05\0Flats");
        [
            record(0x0809, b"\0\x06\x05\0"),
            record(0x0085, &bound),
            format.clone(),
            style(0),
            style(14),
            style(0xa4),
            record(0x00FC, &shared),
            record(0x000A, b""),
        ]
        .concat()
    };
    let start = u32::try_from(head(0).len()).unwrap();
    xls_of(&[head(start), sheet(&cells)].concat())
}
