//! Spreadsheets, made here part by part and record by record.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::sheets::{ods, record, sheet, xls, xls_of, xlsx};
use common::{check, check_refused, read};
use domain::Cells;
use extract::{Alone, ExtractError, Format, Limits, extract, sniff};

#[test]
fn xlsx_rows_carry_their_header() {
    let rows = "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='inlineStr'><is><t>Rooms</t></is></c>\
                <c r='C1' t='str'><v>Share</v></c><c r='D1' t='str'><v>Since</v></c><c r='E1' t='str'><v>Paid</v></c></row>\
                <row r='2'><c r='A2' t='s'><v>1</v></c><c r='B2'><f>1+2</f><v>3.0000000000000004</v></c>\
                <c r='C2' s='2'><v>0.125</v></c><c r='D2' s='1'><v>46082</v></c><c r='E2' t='b'><v>1</v></c></row>\
                <row r='3'/><row r='4'><c t='s'><v>99</v></c><c t='e'><v>#DIV/0!</v></c></row>";
    let file = xlsx(&[("Flats", "", rows), ("Old", "state='hidden'", "<row><c><v>7</v></c></row>")], &[]);
    let extracted = check(
        &file,
        "x.xlsx",
        &[
            "1 h1 Flats",
            "1 tr Name | Rooms | Share | Since | Paid",
            "1 tr Name: Ada & Co | Rooms: 3 | Share: 12.5% | Since: 2026-03-01 | Paid: TRUE",
            "1 tr #DIV/0!",
            "2 h1 Old",
            "2 tr 7",
        ],
    );
    assert_eq!(extracted.pages, Some(2));
    assert_eq!(extracted.warnings, ["the sheet \"Old\" is hidden and was read"]);
    assert_eq!(extracted.blocks[2].location.cells, Some(Cells { first: (1, 2), last: (5, 2) }));
    assert_eq!(extracted.blocks[3].location.cells, Some(Cells { first: (2, 4), last: (2, 4) }));
}

#[test]
fn office_properties_and_variants() {
    let core = "<cp:coreProperties><dc:title>Flats of the co-op</dc:title><dc:creator>Ada L</dc:creator>\
                <dcterms:created>2026-03-01T10:00:00Z</dcterms:created><dcterms:modified>2026-03-02</dcterms:modified></cp:coreProperties>";
    let types = "<Types><Override PartName='/xl/workbook.xml' ContentType='application/vnd.ms-excel.sheet.macroEnabled.main+xml'/></Types>";
    let file = xlsx(
        &[("Flats", "", "<row><c><v>7</v></c></row>")],
        &[("docProps/core.xml", core), ("[Content_Types].xml", types)],
    );
    assert_eq!(sniff(&file, "x.xlsm"), Ok(Format::Xlsx));
    let extracted = read(&file, "x.xlsm").unwrap();
    assert_eq!(extracted.title.as_deref(), Some("Flats of the co-op"));
    assert_eq!(extracted.author.as_deref(), Some("Ada L"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-03-01T10:00:00Z");
    assert_eq!(extracted.modified_at.unwrap().to_string(), "2026-03-02T00:00:00");
    let binary = types.replace("macroEnabled.main+xml", "binary.macroEnabled.main");
    check_refused(&xlsx(&[], &[("[Content_Types].xml", &binary)]), "x.xlsb", "save it as XLSX");
}

#[test]
fn damaged_sheets_are_told_and_empty_ones_refused() {
    let rows = "<row><c t='str'><v>kept</v></c></row><row><c></row>";
    let extracted = check(&xlsx(&[("A", "", rows)], &[]), "x.xlsx", &["1 h1 A", "1 tr kept"]);
    assert_eq!(extracted.warnings, ["the sheet \"A\" is damaged and partly missing"]);
    check_refused(&xlsx(&[("A", "", "<row/>")], &[]), "x.xlsx", "all its sheets are empty");
    check_refused(&ods("<table:table table:name='A'/>"), "x.ods", "all its sheets are empty");
}

#[test]
fn ods_cells_are_read_as_shown_and_repeats_cost_nothing() {
    let cell =
        |text: &str| format!("<table:table-cell office:value-type='string'><text:p>{text}</text:p></table:table-cell>");
    let rows = format!(
        "<table:table table:name='Flats'><table:table-row>{}{}{}{}</table:table-row>\
         <table:table-row>{}<table:table-cell office:value-type='percentage' office:value='0.125'><text:p>12,5 %</text:p></table:table-cell>\
         <table:table-cell office:value-type='date' office:date-value='2026-03-01'><text:p>1.3.26</text:p></table:table-cell>\
         <table:table-cell table:number-columns-repeated='2000000000'/></table:table-row>\
         <table:table-row table:number-rows-repeated='1000000000'><table:table-cell table:number-columns-repeated='16384'/></table:table-row>\
         <table:table-row table:number-rows-repeated='48576'>{}</table:table-row>\
         <table:table-row><table:table-cell table:number-columns-repeated='4000000000' office:value-type='string'><text:p>x</text:p>\
         <office:annotation><text:p>note</text:p></office:annotation></table:table-cell></table:table-row></table:table>",
        cell("Name"),
        cell("Share"),
        cell("Since"),
        cell("Note"),
        cell("Ada<text:s/>L"),
        cell("same")
    );
    let extracted = read(&ods(&rows), "x.ods").unwrap();
    let texts: Vec<_> = extracted.blocks.iter().map(|block| block.text.as_str()).collect();
    assert_eq!(texts[..3], ["Flats", "Name | Share | Since | Note", "Name: Ada L | Share: 12,5 % | Since: 2026-03-01"]);
    assert_eq!(extracted.blocks[3].text, "same");
    assert_eq!(extracted.blocks[3].location.cells, Some(Cells { first: (1, 1_000_000_003), last: (1, 1_000_048_578) }));
    assert!(extracted.blocks.len() < 12 && extracted.warnings.len() == 1, "{:?}", extracted.warnings);
}

#[test]
fn xls_records_become_rows() {
    let extracted = check(
        &xls(),
        "x.xls",
        &[
            "1 h1 Flats",
            "1 tr Name | Rooms | Share | Since | Total",
            "1 tr Name: Ada ä | Rooms: 3 | Share: 12.5% | Since: 2026-03-01 | Total: text",
            "1 tr Name: Bo | Rooms: #DIV/0! | Share: TRUE",
        ],
    );
    assert_eq!(extracted.warnings, ["the sheet \"Flats\" is hidden and was read"]);
    let protected = xls_of(&[record(0x0809, b"\0\x06\x05\0"), record(0x002F, b"\x01\0")].concat());
    check_refused(&protected, "x.xls", "encrypted");
    check_refused(&xls_of(&record(0x0809, b"\0\x05\x05\0")), "x.xls", "before 1997");
    check_refused(&xls_of(b"nonsense"), "x.xls", "damaged");
}

#[test]
fn xls_sheets_that_share_their_records_are_read_once() {
    let globals = 4 + 4 + 300 * (4 + 9) + 4;
    let mut bound = u32::try_from(globals).unwrap().to_le_bytes().to_vec();
    bound.extend(b"\0\0\x01\0A");
    let start = record(0x0809, b"\0\x06\x05\0");
    let stream = [start, record(0x0085, &bound).repeat(300), record(0x000A, b""), sheet(&[])].concat();
    let extracted = read(&xls_of(&stream), "x.xls").unwrap();
    assert_eq!(extracted.blocks.len(), 2);
}

#[test]
fn csv_by_separator_and_encoding() {
    let file = b"sep=;\r\nName;Geb\xfchr;Seit\r\n\"Ada; L\";1,5;2026-03-01\r\n;;\r\nBo;2\r\n";
    let extracted = check(
        file,
        "x.csv",
        &[
            "- tr Name | Gebühr | Seit",
            "- tr Name: Ada; L | Gebühr: 1,5 | Seit: 2026-03-01",
            "- tr Name: Bo | Gebühr: 2",
        ],
    );
    assert_eq!(extracted.blocks[1].location.cells, Some(Cells { first: (1, 2), last: (3, 2) }));
    check(b"a\tb\n1\t2\n", "x.tsv", &["- tr a | b", "- tr a: 1 | b: 2"]);
    check(b"\"never closed,1\nx", "x.csv", &["- tr never closed,1 x"]);
    check_refused(b",,,\n,,\n", "x.csv", "empty");
}

#[test]
fn bombs_are_refused() {
    let too_large =
        |file: &[u8], format: Format, limits: &Limits, part: &str| match extract(file, format, limits, &mut Alone) {
            Err(error @ ExtractError::TooLarge { .. }) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("{:?}", other.map(|found| found.blocks.len())),
        };
    let small = Limits { unpacked_bytes: 1 << 20, ..Limits::default() };
    let spaces = " ".repeat(4 << 20);
    let bomb = xlsx(&[("A", "", &spaces)], &[]);
    assert!(bomb.len() < 50 << 10);
    too_large(&bomb, Format::Xlsx, &small, "unpacked size");
    too_large(&ods(&spaces), Format::Ods, &small, "unpacked size");

    // One long shared text in every cell.
    let strings = format!("<sst><si><t>{}</t></si></sst>", "long ".repeat(6_000));
    let rows = format!("<row>{}</row>", "<c t='s'><v>0</v></c>".repeat(16_000)).repeat(2);
    let file = xlsx(&[("A", "", &rows)], &[("xl/sharedStrings.xml", &strings)]);
    too_large(&file, Format::Xlsx, &Limits::default(), "its text");

    let rows = "<row><c><v>1</v></c></row>".repeat(2_000);
    too_large(&xlsx(&[("A", "", &rows)], &[]), Format::Xlsx, &Limits { blocks: 1_000, ..Limits::default() }, "rows");
    let sheets = vec![("A", "", ""); 20];
    too_large(&xlsx(&sheets, &[]), Format::Xlsx, &Limits { pages: 10, ..Limits::default() }, "pages");

    // A lie about its size, in the directory and the local header.
    let mut liar = bomb;
    let size =
        u32::try_from(spaces.len() + "<worksheet><sheetData></sheetData></worksheet>".len()).unwrap().to_le_bytes();
    let mut lies = 0;
    while let Some(at) = liar.windows(4).position(|window| window == size) {
        liar[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
        lies += 1;
    }
    assert!(lies >= 1);
    let error = extract(&liar, Format::Xlsx, &small, &mut Alone).unwrap_err();
    assert!(matches!(error, ExtractError::TooLarge { .. } | ExtractError::Damaged { .. }), "{error}");
}
