//! How pages write times, sizes and kinds, and how a template becomes a response.

use crate::error::WebError;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A rendered page.
pub(crate) fn page(template: &impl Template) -> Result<Response, WebError> {
    Ok(Html(template.render()?).into_response())
}

/// `14 March 2026, 09:41`
pub(crate) fn moment(at: Timestamp) -> String {
    local(at, "%-d %B %Y, %H:%M")
}

/// `14 March 2026`
pub(crate) fn day(at: Timestamp) -> String {
    local(at, "%-d %B %Y")
}

/// `2026-03-14 09:41:07`, for lists that are compared.
pub(crate) fn second(at: Timestamp) -> String {
    local(at, "%Y-%m-%d %H:%M:%S")
}

fn local(at: Timestamp, format: &str) -> String {
    at.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// Whether two moments are on one local day.
pub(crate) fn same_day(a: Timestamp, b: Timestamp) -> bool {
    day(a) == day(b)
}

/// `1.4 MB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    #[allow(clippy::cast_precision_loss, reason = "rounded to two digits anyway")]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `32,768`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// `8.4 s`
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

/// `about 3 minutes`
pub(crate) fn about(seconds: u64) -> String {
    match seconds {
        0..45 => "less than a minute".to_owned(),
        45..90 => "about a minute".to_owned(),
        90..5_400 => format!("about {} minutes", (seconds + 30) / 60),
        _ => format!("about {} hours", (seconds + 1_800) / 3_600),
    }
}

/// `12` or `3.4`
pub(crate) fn rate(per_second: f64) -> String {
    let digits = usize::from(per_second < 9.95);
    format!("{per_second:.digits$}")
}

/// What people call a kind of file.
pub(crate) fn kind(media_type: &str) -> &str {
    match media_type {
        "application/pdf" => "PDF",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "Word",
        "text/html" => "HTML",
        "text/markdown" => "Markdown",
        "text/plain" => "Text",
        "text/csv" => "Table",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "application/vnd.ms-excel" => "Excel",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "PowerPoint",
        "application/vnd.oasis.opendocument.text" => "OpenDocument text",
        "application/vnd.oasis.opendocument.spreadsheet" => "OpenDocument table",
        "application/vnd.oasis.opendocument.presentation" => "OpenDocument slides",
        "application/rtf" => "RTF",
        "application/epub+zip" => "EPUB",
        "message/rfc822" | "application/vnd.ms-outlook" => "Mail",
        "application/mbox" => "Mailbox",
        "application/zip" | "application/x-tar" | "application/gzip" => "Archive",
        other if other.starts_with("image/") => "Picture",
        "application/octet-stream" => "File",
        other => other,
    }
}

/// What people call a language.
pub(crate) fn language(code: &str) -> String {
    let name = match code {
        "af" => "Afrikaans",
        "ak" => "Akan",
        "am" => "Amharic",
        "ar" => "Arabic",
        "hy" => "Armenian",
        "az" => "Azerbaijani",
        "be" => "Belarusian",
        "bn" => "Bengali",
        "bg" => "Bulgarian",
        "my" => "Burmese",
        "ca" => "Catalan",
        "zh" => "Chinese",
        "hr" => "Croatian",
        "cs" => "Czech",
        "da" => "Danish",
        "nl" => "Dutch",
        "en" => "English",
        "eo" => "Esperanto",
        "et" => "Estonian",
        "fi" => "Finnish",
        "fr" => "French",
        "ka" => "Georgian",
        "de" => "German",
        "el" => "Greek",
        "gu" => "Gujarati",
        "he" => "Hebrew",
        "hi" => "Hindi",
        "hu" => "Hungarian",
        "id" => "Indonesian",
        "it" => "Italian",
        "ja" => "Japanese",
        "jv" => "Javanese",
        "kn" => "Kannada",
        "km" => "Khmer",
        "ko" => "Korean",
        "lo" => "Lao",
        "la" => "Latin",
        "lv" => "Latvian",
        "lt" => "Lithuanian",
        "mk" => "Macedonian",
        "ml" => "Malayalam",
        "mr" => "Marathi",
        "ne" => "Nepali",
        "or" => "Odia",
        "fa" => "Persian",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "pa" => "Punjabi",
        "ro" => "Romanian",
        "ru" => "Russian",
        "sr" => "Serbian",
        "sn" => "Shona",
        "si" => "Sinhala",
        "sk" => "Slovak",
        "sl" => "Slovenian",
        "es" => "Spanish",
        "sv" => "Swedish",
        "tl" => "Tagalog",
        "ta" => "Tamil",
        "te" => "Telugu",
        "th" => "Thai",
        "tr" => "Turkish",
        "tk" => "Turkmen",
        "uk" => "Ukrainian",
        "ur" => "Urdu",
        "uz" => "Uzbek",
        "vi" => "Vietnamese",
        "cy" => "Welsh",
        "yi" => "Yiddish",
        "zu" => "Zulu",
        "nb" | "no" => "Norwegian",
        other => other,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits() {
        let cases =
            [(0, "0 bytes"), (999, "999 bytes"), (1_440_000, "1.4 MB"), (64_000_000, "64 MB"), (999_900, "1.0 MB")];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(seconds(8_449), "8.4 s");
        assert_eq!(
            [10, 60, 200, 9_000].map(about).join(", "),
            "less than a minute, about a minute, about 3 minutes, about 3 hours"
        );
        assert_eq!([0.25, 12.4].map(rate), ["0.2", "12"]);
        assert_eq!([0, 999, 4096, 1_048_576].map(grouped), ["0", "999", "4,096", "1,048,576"]);
    }
}
