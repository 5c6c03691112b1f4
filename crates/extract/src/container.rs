//! Which document an archive or a compound file is.

use crate::package::Package;
use crate::{ExtractError, Format, Limits};

/// Says what a ZIP archive holds: by the main part of Office files, by the `mimetype` entry of OpenDocument and EPUB;
/// else it holds files that nobody asks after.
///
/// # Errors
/// [`ExtractError::UnknownKind`] with what it is instead, [`ExtractError::Damaged`], [`ExtractError::TooLarge`].
pub(crate) fn of_archive(bytes: &[u8]) -> Result<Format, ExtractError> {
    let limits = Limits::default();
    let mut package = Package::open(bytes, &limits)?;
    if let Some(format) = of_media_type(&mut package)? {
        return Ok(format);
    }
    if let Some(main) = package.main_part()? {
        return of_office(&mut package, &main);
    }
    if package.has("META-INF/container.xml") {
        return Ok(Format::Epub);
    }
    Ok(Format::Zip)
}

/// OpenDocument 1.3, part 2, section 3.3, and EPUB 3.3, section 4.2.6.3: an entry `mimetype` comes first. Some programs
/// leave it out; the manifest of OpenDocument says the same.
fn of_media_type(package: &mut Package<'_>) -> Result<Option<Format>, ExtractError> {
    let mut media_type = package.read_extra("mimetype")?.unwrap_or_default();
    if media_type.is_empty() && package.has("content.xml") {
        media_type = package.read_extra("META-INF/manifest.xml")?.unwrap_or_default();
    }
    let says = |name: &str| media_type.windows(name.len()).any(|window| window == name.as_bytes());
    Ok(match () {
        () if says("application/epub+zip") => Some(Format::Epub),
        () if says("opendocument.spreadsheet") => Some(Format::Ods),
        () if says("opendocument.presentation") || says("opendocument.graphics") => Some(Format::Odp),
        () if says("opendocument.text") => Some(Format::Odt),
        () if says("opendocument.") => {
            return Err(ExtractError::unknown("it is an OpenDocument formula, chart or database; save it as PDF"));
        }
        () => None,
    })
}

/// Office files with macros, templates and slide shows differ from plain ones only in the type of their main part.
fn of_office(package: &mut Package<'_>, main: &str) -> Result<Format, ExtractError> {
    let media_type = package.content_type(main)?;
    let is = |names: [&str; 2], folder: &str| {
        names.iter().any(|name| media_type.contains(name)) || (media_type.is_empty() && main.starts_with(folder))
    };
    Ok(match () {
        () if media_type.contains("sheet.binary") || main.ends_with(".bin") => {
            return Err(ExtractError::unknown("it is a binary Excel workbook (XLSB); save it as XLSX"));
        }
        () if is(["wordprocessingml", "ms-word"], "word/") => Format::Docx,
        () if is(["spreadsheetml", "ms-excel"], "xl/") => Format::Xlsx,
        () if is(["presentationml", "ms-powerpoint"], "ppt/") => Format::Pptx,
        () if main.starts_with("word/") => Format::Docx,
        () if main.starts_with("xl/") => Format::Xlsx,
        () if main.starts_with("ppt/") => Format::Pptx,
        () => return Err(ExtractError::unknown("it is an Office file of a kind that is not known; save it as PDF")),
    })
}

/// An OLE compound file: an encrypted Office file (MS-OFFCRYPTO) or one of the Office formats before 2007. Its
/// directory holds the stream names in UTF-16LE.
pub(crate) fn of_compound_file(bytes: &[u8]) -> Result<Format, ExtractError> {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(name.len()).any(|window| window == name)
    };
    if names("EncryptedPackage") {
        return Err(ExtractError::Encrypted);
    }
    if names("__properties_version1.0") && !names("WordDocument") {
        return Err(ExtractError::damaged("it begins as an Outlook message and cannot be opened as one"));
    }
    // A document can have a workbook embedded, not the other way round in a way that matters.
    Err(ExtractError::unknown(match () {
        () if names("WordDocument") => "it is in the Word format from before 2007; save it as DOCX or PDF",
        () if names("PowerPoint Document") => "it is a presentation from before 2007; save it as PPTX or PDF",
        () if names("Workbook") => return Ok(Format::Xls),
        () => "it is in an old Office format; save it as DOCX, XLSX or PDF",
    }))
}
