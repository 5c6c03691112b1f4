//! Numbers as a sheet shows them: the number formats of Excel (ECMA-376, part 1, section 18.8.31, and MS-XLS, section
//! 2.4.126), with two differences. Dates become ISO dates whatever their order, and what a format shows with fractions,
//! exponents or conditions is shown as a plain number.

use super::CellKind;
use jiff::Span;
use jiff::civil::{Date, date};

/// The most digits after the point that are shown.
const DECIMALS: usize = 15;

/// What a number format does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NumberFormat {
    /// For positive numbers, negative ones and zero, as far as given.
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Section {
    /// As short as the number is.
    General,
    Date(DateParts),
    Number(Digits),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct DateParts {
    has_day: bool,
    has_month_or_year: bool,
    has_time: bool,
    /// Hours that do not end at 24.
    is_duration: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Digits {
    before: String,
    after: String,
    /// Digits after the point that are always shown, and those that may be.
    decimals: (usize, usize),
    has_groups: bool,
    percents: i32,
    thousands: i32,
    has_digits: bool,
}

impl NumberFormat {
    /// The formats that files only name by a number (ECMA-376, part 1, section 18.8.30).
    pub(crate) fn built_in(id: u32) -> Self {
        Self::parse(match id {
            1 => "0",
            2 => "0.00",
            3 | 37 | 38 => "#,##0",
            4 | 39 | 40 => "#,##0.00",
            9 => "0%",
            10 => "0.00%",
            14..=17 | 27..=31 | 34..=36 | 50..=58 => "yyyy-mm-dd",
            18..=21 | 32 | 33 | 45 | 47 => "hh:mm:ss",
            22 => "yyyy-mm-dd hh:mm",
            46 => "[h]:mm:ss",
            _ => "General",
        })
    }

    pub(crate) fn parse(code: &str) -> Self {
        Self { sections: sections(code).iter().take(3).map(|section| Section::parse(section)).collect() }
    }

    /// Shows a number; days count from 1899-12-30, or from 1904-01-01 where the workbook says so.
    pub(crate) fn show(&self, value: f64, from_1904: bool) -> (String, CellKind) {
        let general = Section::General;
        let at = match self.sections.len() {
            2.. if value < 0.0 => 1,
            3.. if value == 0.0 => 2,
            _ => 0,
        };
        match self.sections.get(at).unwrap_or(&general) {
            Section::General => (plain(value), CellKind::Value),
            Section::Date(parts) => match show_date(value, *parts, from_1904) {
                Some(text) => (text, CellKind::Date),
                None => (plain(value), CellKind::Value),
            },
            Section::Number(digits) => (digits.show(if at == 1 { value.abs() } else { value }), CellKind::Value),
        }
    }
}

/// The parts between semicolons that do not stand in quotes or brackets.
fn sections(code: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut in_quotes, mut escaped) = (false, false);
    for c in code.chars().take(1_000) {
        if c == ';' && !in_quotes && !escaped {
            found.push(String::new());
            continue;
        }
        if c == '"' && !escaped {
            in_quotes = !in_quotes;
        }
        escaped = c == '\\' && !escaped && !in_quotes;
        if let Some(last) = found.last_mut() {
            last.push(c);
        }
    }
    found
}

impl Section {
    fn parse(code: &str) -> Self {
        let (mut digits, mut date) = (Digits::default(), DateParts::default());
        let (mut is_general, mut after_point, mut commas) = (false, false, 0);
        let mut literal = String::new();
        let mut chars = code.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' => literal.extend(chars.by_ref().take_while(|&c| c != '"')),
                '\\' | '!' => literal.extend(chars.next()),
                // Space as wide as the next character, or the next character until the cell is full.
                '_' | '*' => {
                    chars.next();
                }
                '[' => {
                    let inside: String = chars.by_ref().take_while(|&c| c != ']').collect();
                    match inside.strip_prefix('$') {
                        Some(currency) => literal.push_str(currency.split('-').next().unwrap_or_default()),
                        None if !inside.is_empty() && inside.chars().all(|c| "hmsHMS".contains(c)) => {
                            date.is_duration = true;
                            date.has_time = true;
                        }
                        None => is_general |= inside.starts_with(['<', '>', '=']),
                    }
                }
                'G' | 'g' if code.to_ascii_lowercase().contains("general") => is_general = true,
                'd' | 'D' => date.has_day = true,
                'm' | 'M' | 'y' | 'Y' => date.has_month_or_year = true,
                'h' | 'H' | 's' | 'S' => date.has_time = true,
                'E' if chars.peek().is_some_and(|&next| next == '+' || next == '-') => is_general = true,
                '/' if digits.has_digits => is_general = true,
                '0' | '#' | '?' => {
                    if !digits.has_digits {
                        digits.before = std::mem::take(&mut literal);
                    }
                    digits.has_digits = true;
                    digits.has_groups |= commas > 0 && !after_point;
                    commas = 0;
                    if after_point {
                        digits.decimals.1 += 1;
                        if c == '0' {
                            digits.decimals.0 = digits.decimals.1;
                        }
                    }
                }
                ',' if digits.has_digits => commas += 1,
                '.' => after_point = true,
                '%' => {
                    digits.percents += 1;
                    literal.push('%');
                }
                '@' => is_general = true,
                c => literal.push(c),
            }
        }
        digits.thousands = commas;
        digits.after = literal;
        digits.decimals.0 = digits.decimals.0.min(DECIMALS);
        digits.decimals.1 = digits.decimals.1.min(DECIMALS);
        // Months and minutes share a letter: beside hours or seconds it means minutes.
        if date.has_time && !date.has_day && !code.contains(['y', 'Y']) {
            date.has_month_or_year = false;
        }
        match () {
            () if is_general => Self::General,
            () if date != DateParts::default() && !digits.has_digits => Self::Date(date),
            () if date != DateParts::default() && date.has_time => Self::Date(date),
            () if code.is_empty() => Self::General,
            () => Self::Number(digits),
        }
    }
}

impl Digits {
    fn show(&self, value: f64) -> String {
        if !self.has_digits {
            // Nothing but words, such as "none" for zero.
            return self.after.clone();
        }
        let scaled = value * 100_f64.powi(self.percents.min(4)) / 1000_f64.powi(self.thousands.min(6));
        if !scaled.is_finite() || scaled.abs() >= 1e15 {
            return plain(value);
        }
        // Through fifteen digits first, so that 0.285 rounds as people expect.
        let scaled: f64 = format!("{scaled:.14e}").parse().unwrap_or(scaled);
        let text = round_half_up(scaled.abs(), self.decimals.1);
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let fraction = match fraction.trim_end_matches('0').len() {
            shown if shown < self.decimals.0 => &fraction[..self.decimals.0.min(fraction.len())],
            shown => &fraction[..shown],
        };
        let mut shown = String::new();
        if scaled < 0.0 && text.contains(|c: char| ('1'..='9').contains(&c)) {
            shown.push('-');
        }
        shown.push_str(&self.before);
        for (at, digit) in whole.chars().enumerate() {
            if self.has_groups && at > 0 && (whole.len() - at) % 3 == 0 {
                shown.push(',');
            }
            shown.push(digit);
        }
        if !fraction.is_empty() {
            shown.push('.');
            shown.push_str(fraction);
        }
        shown + &self.after
    }
}

/// Rounds the shortest decimal digits of a number, as sheets do, instead of its binary value.
fn round_half_up(value: f64, decimals: usize) -> String {
    let exact = format!("{value}");
    let fraction = exact.split_once('.').map_or("", |(_, fraction)| fraction);
    let is_half = fraction.len() == decimals + 1 && fraction.ends_with('5');
    let nudge = if is_half { 10_f64.powi(-(i32::try_from(decimals).unwrap_or(0) + 2)) } else { 0.0 };
    format!("{:.decimals$}", value + nudge)
}

/// A number with at most fifteen digits, without the noise of binary fractions.
pub(crate) fn plain(value: f64) -> String {
    if !value.is_finite() {
        return "#NUM!".to_owned();
    }
    let value: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() >= 1e21 || value.abs() < 1e-9 { format!("{value:E}") } else { format!("{value}") }
}

fn show_date(value: f64, parts: DateParts, from_1904: bool) -> Option<String> {
    // Up to the end of the year 9999.
    if !(0.0..2_958_466.0).contains(&value) {
        return None;
    }
    let mut days = value.floor();
    let mut seconds = ((value - days) * 86_400.0).round();
    if seconds >= 86_400.0 {
        (days, seconds) = (days + 1.0, 0.0);
    }
    let (days, seconds) = (days as i64, seconds as i64);
    let time = |hours: i64| {
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        let rest = if rest == 0 { String::new() } else { format!(":{rest:02}") };
        format!("{hours:02}:{minutes:02}{rest}")
    };
    if parts.is_duration {
        return Some(time(days * 24 + seconds / 3600));
    }
    if !parts.has_day && !parts.has_month_or_year {
        return Some(time(seconds / 3600));
    }
    let epoch: Date = match days {
        _ if from_1904 => date(1904, 1, 1),
        // Excel takes 1900 for a leap year.
        ..60 => date(1899, 12, 31),
        _ => date(1899, 12, 30),
    };
    let day = epoch.checked_add(Span::new().try_days(days).ok()?).ok()?;
    Some(match () {
        () if parts.has_time && seconds > 0 => format!("{day} {}", time(seconds / 3600)),
        () if !parts.has_day && day.day() == 1 => format!("{:04}-{:02}", day.year(), day.month()),
        () => day.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, value: f64, expected: &str) {
        assert_eq!(NumberFormat::parse(code).show(value, false).0, expected, "{code} of {value}");
    }

    #[test]
    fn numbers_as_people_see_them() {
        check("General", 0.1 + 0.2, "0.3");
        check("General", 27600.0, "27600");
        check("General", -1e-12, "-1E-12");
        check("General", 1e300, "1E300");
        check("0%", 0.125, "13%");
        check("0.0%", 0.1234, "12.3%");
        check("0.00", 0.285, "0.29");
        check("0.00", 1.005, "1.01");
        check("0.##", 1.5, "1.5");
        check("#,##0.00\\ \"€\"", 1234567.5, "1,234,567.50 €");
        check("[$€-407] #,##0.00", -3.0, "-€ 3.00");
        check("#,##0_);[Red](#,##0)", -1234.0, "(1,234)");
        check("0;-0;\"none\"", 0.0, "none");
        check("#,##0,\"k\"", 27600.0, "28k");
        check("0.00E+00", 12345.0, "12345");
        check("# ?/?", 0.5, "0.5");
        check("0", 1e18, "1000000000000000000");
        check("0", -0.2, "0");
        check("0.0000000000000000000000", 1.0, "1.000000000000000");
        check("", 2.5, "2.5");
        check("0", f64::NAN, "#NUM!");
    }

    #[test]
    fn dates_are_iso_dates() {
        check("d.m.yyyy", 46082.0, "2026-03-01");
        check("yyyy-mm-dd hh:mm", 46082.4375, "2026-03-01 10:30");
        check("[$-407]d. mmmm yyyy;@", 46082.0, "2026-03-01");
        check("mmm yy", 46082.0, "2026-03");
        check("hh:mm", 0.4375, "10:30");
        check("[h]:mm:ss", 1.5, "36:00");
        check("mm:ss.0", 0.0007, "00:01");
        check("dd/mm/yy", 1.0, "1900-01-01");
        check("dd/mm/yy", 59.0, "1900-02-28");
        check("dd/mm/yy", 61.0, "1900-03-01");
        check("dd/mm/yy", -1.0, "-1");
        check("dd/mm/yy", 1e9, "1000000000");
        assert_eq!(NumberFormat::built_in(14).show(44620.0, true).0, "2026-03-01");
        assert_eq!(NumberFormat::built_in(9).show(0.5, false), ("50%".to_owned(), CellKind::Value));
        assert_eq!(NumberFormat::built_in(14).show(46082.0, false), ("2026-03-01".to_owned(), CellKind::Date));
    }
}
