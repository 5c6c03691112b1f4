//! XLS: workbooks of Excel 97 to 2003 (MS-XLS), a stream of records in a compound file (MS-CFB).

mod records;
mod strings;
mod workbook;

use crate::grid::Grid;
use crate::xlsx::only_sheet;
use crate::{ExtractError, Extracted, Limits};
use std::io::{Cursor, Read};
use workbook::Workbook;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let stream = workbook_stream(bytes, limits)?;
    let workbook = Workbook::read(&stream, limits)?;
    let mut warnings = Vec::new();
    let mut grid = Grid::new(limits);
    for (number, sheet) in (1..).zip(&workbook.sheets).filter(|(_, sheet)| sheet.is_worksheet) {
        if sheet.is_hidden {
            warnings.push(format!("the sheet \"{}\" is hidden and was read", sheet.name));
        }
        grid.begin_sheet(number, &sheet.name)?;
        match workbook.read_sheet(&stream, sheet, limits, &mut grid) {
            Err(ExtractError::Damaged { .. }) => {
                warnings.push(format!("the sheet \"{}\" is damaged and partly missing", sheet.name));
            }
            result => result?,
        }
    }
    let blocks = grid.finish()?;
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "all its sheets are empty; check that it is the right file" });
    }
    let title = only_sheet(workbook.sheets.len(), &blocks);
    let pages = u32::try_from(workbook.sheets.len()).ok();
    Ok(Extracted { title, blocks, pages, warnings, ..Extracted::default() })
}

fn workbook_stream(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, ExtractError> {
    let broken = || ExtractError::damaged("its inner file system cannot be read");
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|_| broken())?;
    let stream = file
        .open_stream("/Workbook")
        .map_err(|_| ExtractError::unknown("it is an Excel workbook from before 1997; save it as XLSX"))?;
    // A stream is part of the file, whatever its length says.
    let mut content = Vec::new();
    stream.take(bytes.len() as u64 + 1).read_to_end(&mut content).map_err(|_| broken())?;
    limits.check_unpacked(content.len() as u64)?;
    Ok(content)
}
