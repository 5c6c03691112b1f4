//! Dates in metadata.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment, as a file says it. Which one a time without its zone is, is for those to say who know where the file lies:
/// extraction runs where no clock and no zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dated {
    /// With its zone.
    At(Timestamp),
    /// A day, or a time by the clock on the wall.
    Local(DateTime),
}

impl Dated {
    /// The moment, if the clock on the wall was one of `zone`.
    #[must_use]
    pub fn within(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Local(time) => Some(time.to_zoned(zone.clone()).ok()?.timestamp()),
        }
    }
}

impl fmt::Display for Dated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Local(time) => time.fmt(f),
        }
    }
}

/// Reads the profile of ISO 8601 that metadata uses (W3C NOTE-datetime): a year, a month, a day, or a time with or
/// without its zone. What is not said is the first of it.
pub(crate) fn parse(text: &str) -> Option<Dated> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(Dated::At(timestamp));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Some(Dated::At(zoned.timestamp()));
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(Dated::Local(time));
    }
    let (year, month) = text.split_once('-').unwrap_or((text, "1"));
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let year = year.parse().ok().filter(|_| is_year)?;
    Some(Dated::Local(Date::new(year, month.parse().ok()?, 1).ok()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_of_a_date() {
        for (text, expected) in [
            ("2026-03-01T10:30:00Z", Some("2026-03-01T10:30:00Z")),
            ("2026-03-01T10:30:00+02:00", Some("2026-03-01T08:30:00Z")),
            (" 2026-03-01T10:30:00.5 ", Some("2026-03-01T10:30:00.5")),
            ("2026-03-01", Some("2026-03-01T00:00:00")),
            ("2026-03", Some("2026-03-01T00:00:00")),
            ("2026", Some("2026-01-01T00:00:00")),
            ("26", None),
            ("March 2026", None),
            ("2026-13", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_day_is_a_day_where_it_is_read() {
        let west = TimeZone::fixed(jiff::tz::offset(-5));
        let moment = |text: &str| parse(text)?.within(&west);
        assert_eq!(moment("2026"), Some("2026-01-01T05:00:00Z".parse().unwrap()));
        assert_eq!(moment("2026").map(|at| at.to_zoned(west.clone()).year()), Some(2026));
        assert_eq!(moment("2026-03-01T10:30:00+02:00"), Some("2026-03-01T08:30:00Z".parse().unwrap()));
    }
}
