//! Files that could not be taken in, as a table for other programs.

use crate::site::Failure;
use std::path::Path;

/// A file, and why it could not be taken in.
pub(crate) type Failed = (String, String);

/// The table as CSV, to a file that is made anew.
pub(crate) fn write_csv(path: &Path, failed: &[Failed]) -> Result<(), Failure> {
    let file = std::fs::File::create(path).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    csv_to(file, failed)
}

/// The table as CSV.
pub(crate) fn csv_to(to: impl std::io::Write, failed: &[Failed]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(["file", "reason"])?;
    for (file, reason) in failed {
        writer.write_record([cell(file), cell(reason)])?;
    }
    writer.flush()?;
    Ok(())
}

/// A file name must not become a formula in the program that opens the table.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula() {
        let mut table = Vec::new();
        csv_to(&mut table, &[("=cmd()|a.txt".to_owned(), "the file is empty".to_owned())]).unwrap();
        assert_eq!(String::from_utf8(table).unwrap(), "file,reason\n'=cmd()|a.txt,the file is empty\n");
    }
}
