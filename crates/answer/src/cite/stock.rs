//! Stock: what a text has to compare facts with.

use super::facts::{Date, Fact, Name, Value, facts, folded};
use super::numbers::Of;
use super::words::{Style, tokens};
use std::collections::{BTreeMap, BTreeSet};

/// What a text has to compare facts with.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// By value; what each is of, `None` where it may be of anything.
    numbers: BTreeMap<String, BTreeSet<Option<&'static str>>>,
    times: BTreeSet<String>,
    dates: Vec<Date>,
    /// Days and years of dates: "by the 31st", "in 2026". They count nothing, so "31 days" does not stand in "31 March".
    parts_of_dates: BTreeSet<String>,
    /// In their order.
    words: Vec<String>,
}

impl Stock {
    pub(crate) fn of(text: &str, style: Style) -> Self {
        let mut stock = Self::default();
        for fact in facts(text, style) {
            match fact.value {
                Value::Number { readings, of } => {
                    for reading in readings {
                        let units = stock.numbers.entry(reading).or_default();
                        match of {
                            Of::Unit(unit) | Of::Else(Some(unit)) => units.insert(Some(unit)),
                            Of::Unnamed => units.insert(None),
                            Of::Else(None) => false,
                        };
                    }
                    // What may be one number may be two: `12 500 euros` in the row of a table.
                    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
                    let parts: Vec<&str> = text[fact.start..fact.end].split(' ').filter(digits).collect();
                    for part in parts.iter().filter(|_| parts.len() > 1) {
                        stock.numbers.entry(part.trim_start_matches('0').to_owned()).or_default().insert(None);
                    }
                }
                Value::Time(time) => {
                    stock.times.insert(time);
                }
                Value::Date(date) => {
                    let parts = [Some(date.day), date.year].into_iter().flatten();
                    stock.parts_of_dates.extend(parts.map(|part| part.to_string()));
                    stock.dates.push(date);
                }
                Value::Name(_) => {
                    // `SR-231` may be told as `SR 231`, `mid-1980s` as `the 1980s`.
                    for word in folded(&text[fact.start..fact.end]) {
                        let digits = word.trim_start_matches('0').split(|c: char| !c.is_ascii_digit()).next();
                        if let Some(digits) = digits.filter(|digits| !digits.is_empty()) {
                            stock.numbers.entry(digits.to_owned()).or_default();
                        }
                    }
                }
            }
        }
        stock.words = tokens(text).iter().flat_map(|token| folded(token.text)).collect();
        stock
    }

    /// Whether the fact stands there.
    pub(crate) fn has(&self, fact: &Fact) -> bool {
        match &fact.value {
            Value::Number { readings, of } => readings.iter().any(|reading| {
                let stands = self.numbers.get(reading).is_some_and(|units| match of {
                    // A number with nothing behind it, as in a table whose head has the unit, is compared as a number alone.
                    Of::Unit(unit) => units.contains(&None) || units.contains(&Some(unit)),
                    Of::Unnamed | Of::Else(_) => true,
                });
                stands || !matches!(of, Of::Unit(_)) && self.parts_of_dates.contains(reading)
            }),
            Value::Time(time) => self.times.contains(time),
            Value::Date(date) => self.dates.iter().any(|here| {
                let year = match (date.year, here.year) {
                    (Some(year), Some(here)) => year == here,
                    (Some(year), None) => {
                        let year = year.to_string();
                        self.numbers.contains_key(&year) || self.parts_of_dates.contains(&year)
                    }
                    (None, _) => true,
                };
                (date.day, date.month) == (here.day, here.month) && year
            }),
            Value::Name(name) => self.names(name),
        }
    }

    /// Whether the words of a name stand together, in any order, and its codes as they are: of Ruth Adeyemi and Tom
    /// Verhage no Ruth Verhage comes.
    fn names(&self, name: &Name) -> bool {
        // `a Sunday` stands in `on Sundays`.
        let same = |one: &str, other: &str| one == other || one.strip_suffix('s') == Some(other);
        let is_in = |word: &str, words: &[String]| words.iter().any(|other| same(word, other) || same(other, word));
        let near = |window: &[String]| name.words.iter().all(|word| is_in(word, window));
        let reach = (name.words.len() + name.slack).min(self.words.len()).max(1);
        let together = match name.words.len() {
            0 => true,
            1 => is_in(&name.words[0], &self.words),
            _ => self.words.windows(reach).any(near),
        };
        together && name.codes.iter().all(|code| self.has_code(code))
    }

    /// `sr231` stands in `SR-231`, `SR 231` and `sr231`.
    fn has_code(&self, code: &str) -> bool {
        (0..self.words.len()).any(|at| {
            let mut rest = code;
            for word in &self.words[at..] {
                match rest.strip_prefix(word.as_str()) {
                    Some("") => return true,
                    Some(more) => rest = more,
                    None => return false,
                }
            }
            false
        })
    }
}
