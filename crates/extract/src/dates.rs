//! Dates in metadata.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Reads the profile of ISO 8601 that metadata uses (W3C NOTE-datetime): a year, a month, a day, or a time with or
/// without its zone. What is not said is the first of it, in UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Some(zoned.timestamp());
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return in_utc(time);
    }
    let (year, month) = text.split_once('-').unwrap_or((text, "1"));
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let year = year.parse().ok().filter(|_| is_year)?;
    in_utc(Date::new(year, month.parse().ok()?, 1).ok()?.into())
}

/// A time without a zone, taken as UTC.
pub(crate) fn in_utc(time: DateTime) -> Option<Timestamp> {
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_of_a_date() {
        for (text, expected) in [
            ("2026-03-01T10:30:00Z", Some("2026-03-01T10:30:00Z")),
            ("2026-03-01T10:30:00+02:00", Some("2026-03-01T08:30:00Z")),
            (" 2026-03-01T10:30:00.5 ", Some("2026-03-01T10:30:00.5Z")),
            ("2026-03-01", Some("2026-03-01T00:00:00Z")),
            ("2026-03", Some("2026-03-01T00:00:00Z")),
            ("2026", Some("2026-01-01T00:00:00Z")),
            ("26", None),
            ("March 2026", None),
            ("2026-13", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }
}
