//! Facts: what of a sentence can be compared exactly with a passage: numbers with their units, times, dates, and names.
//!
//! English and German, since those are the languages in which numbers are also written as words here; digits, dates in
//! figures and names in capitals are found in any language.

use super::quantities::{date_in_figures, month, number_word, readings, time, unit};
use super::words::{Token, has_code_shape, is_capitalised, is_function_word, is_german, tokens};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of fact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// A number, with its unit if it has one.
    Number,
    /// A time of day or a date.
    Date,
    /// The name of a person, a place, a thing, or a code such as `SR-200`.
    Name,
}

/// A fact and where in its text it stands, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) start: usize,
    pub(crate) end: usize,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// What the digits may mean, without separators, and in what.
    Number {
        readings: Vec<String>,
        unit: Option<&'static str>,
    },
    /// `8:30`
    Time(String),
    Date(Date),
    /// The words of a name, in lower case.
    Name(Vec<String>),
}

/// A day; without a year any year is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) day: u32,
    pub(super) month: u32,
    pub(super) year: Option<u32>,
}

impl Fact {
    pub(crate) const fn kind(&self) -> FactKind {
        match self.value {
            Value::Number { .. } => FactKind::Number,
            Value::Time(_) | Value::Date(_) => FactKind::Date,
            Value::Name(_) => FactKind::Name,
        }
    }
}

/// The facts of `text`, in their order.
pub(crate) fn facts(text: &str) -> Vec<Fact> {
    let tokens = tokens(text);
    let german = is_german(&tokens);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let (value, used) = match quantity(&tokens, at).or_else(|| name(&tokens, at, german)) {
            Some(found) => found,
            None => {
                at += 1;
                continue;
            }
        };
        let (start, end) = (tokens[at].start, tokens[at + used - 1].end);
        found.push(Fact { start, end, value });
        at += used;
    }
    found
}

/// The words of the names and codes in `text`.
pub(crate) fn names(text: &str) -> Vec<String> {
    let named = facts(text).into_iter().filter(|fact| fact.kind() == FactKind::Name);
    named
        .flat_map(|fact| text[fact.start..fact.end].split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// A date, a time or a number that begins at a token, and how many tokens it takes.
fn quantity(tokens: &[Token<'_>], at: usize) -> Option<(Value, usize)> {
    let token = &tokens[at];
    let next = |offset: usize| tokens.get(at + offset);
    if let Some(date) = date_in_figures(token.text) {
        return Some((Value::Date(date), 1));
    }
    if let Some(time) = time(token.text) {
        return Some((Value::Time(time), 1));
    }
    let day_of = |token: &Token<'_>| {
        let digits = token.text.trim_end_matches(|c: char| c.is_alphabetic());
        digits.parse::<u32>().ok().filter(|day| (1..=31).contains(day))
    };
    let year_of = |token: Option<&Token<'_>>| {
        token.and_then(|token| token.text.parse::<u32>().ok()).filter(|year| (1000..3000).contains(year))
    };
    // 31 March 2026, 31st of March
    if let Some(day) = day_of(token) {
        let behind = if next(1).is_some_and(|word| word.text == "of") { 2 } else { 1 };
        if let Some(month) = next(behind).and_then(|word| month(word.text)) {
            let year = year_of(next(behind + 1));
            return Some((Value::Date(Date { day, month, year }), behind + 1 + usize::from(year.is_some())));
        }
    }
    // March 31, 2026
    if let (Some(month), Some(day)) = (month(token.text), next(1).and_then(day_of)) {
        let year = year_of(next(2));
        return Some((Value::Date(Date { day, month, year }), 2 + usize::from(year.is_some())));
    }
    number(tokens, at)
}

const CURRENCIES: [&str; 3] = ["eur", "usd", "gbp"];

fn number(tokens: &[Token<'_>], at: usize) -> Option<(Value, usize)> {
    let text = tokens[at].text;
    let currency = text.chars().next().filter(|first| "€$£".contains(*first));
    let digits = currency.map_or(text, |sign| &text[sign.len_utf8()..]);
    let before = at.checked_sub(1).and_then(|at| unit(tokens[at].text)).filter(|unit| CURRENCIES.contains(unit));
    // Only of a currency the name may stand before the number.
    let sign = currency.map(|sign| match sign {
        '€' => "eur",
        '$' => "usd",
        _ => "gbp",
    });
    let (values, behind) = if digits.starts_with(|c: char| c.is_ascii_digit()) {
        let end = digits.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '\''))).unwrap_or(digits.len());
        (readings(&digits[..end]), digits[end..].trim_start_matches('-'))
    } else {
        (vec![number_word(text)?], "")
    };
    if let Some(unit) = sign.or(before).or_else(|| unit(behind)) {
        return Some((Value::Number { readings: values, unit: Some(unit) }, 1));
    }
    // `14 calendar days`: a word may stand between a number and its unit, but no end of a clause.
    for offset in 1..=2 {
        let Some(token) = tokens.get(at + offset).filter(|_| !tokens[at + offset - 1].ends_clause) else { break };
        if token.text.starts_with(|c: char| c.is_ascii_digit()) || number_word(token.text).is_some() {
            break;
        }
        if let Some(unit) = unit(token.text).filter(|_| offset == 1 || token.text.len() > 2) {
            return Some((Value::Number { readings: values, unit: Some(unit) }, offset + 1));
        }
    }
    Some((Value::Number { readings: values, unit: None }, 1))
}

/// A name that begins at a token, and how many tokens it takes. Where every noun has a capital, two of them in a row
/// are taken for a name.
fn name(tokens: &[Token<'_>], at: usize, german: bool) -> Option<(Value, usize)> {
    let opens = at == 0 || tokens[at - 1].ends_clause;
    let capital = |token: &Token<'_>| is_capitalised(token.text) && !is_function_word(token.text);
    let mut used = 0;
    while let Some(token) = tokens.get(at + used).filter(|token| capital(token) || has_code_shape(token.text)) {
        used += 1;
        if token.ends_clause {
            break;
        }
    }
    let certain = tokens[at..at + used].iter().any(|token| has_code_shape(token.text));
    if used == 0 || (used == 1 && !certain && (opens || german)) {
        return None;
    }
    let words = tokens[at..at + used].iter().flat_map(|token| folded(token.text)).collect();
    Some((Value::Name(words), used))
}

/// The words of a token, in lower case and without a possessive ending.
fn folded(text: &str) -> impl Iterator<Item = String> {
    let text = text.trim_end_matches("'s").trim_end_matches("’s");
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// What a text has to compare facts with.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    numbers: BTreeMap<String, BTreeSet<Option<&'static str>>>,
    times: BTreeSet<String>,
    dates: Vec<Date>,
    /// Days and years of dates: "by the 31st", "in 2026". They count nothing, so "31 days" does not stand in "31 March".
    parts_of_dates: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl Stock {
    pub(crate) fn of(text: &str) -> Self {
        let mut stock = Self::default();
        for fact in facts(text) {
            match fact.value {
                Value::Number { readings, unit } => {
                    for reading in readings {
                        stock.numbers.entry(reading).or_default().insert(unit);
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
                Value::Name(_) => {}
            }
        }
        stock.words = tokens(text).iter().flat_map(|token| folded(token.text)).collect();
        stock
    }

    /// Whether the fact stands there.
    pub(crate) fn has(&self, fact: &Fact) -> bool {
        match &fact.value {
            Value::Number { readings, unit } => readings.iter().any(|reading| {
                let stands = self.numbers.get(reading).is_some_and(|units| {
                    // A number without a unit, as in a table whose head has it, is compared as a number alone.
                    unit.is_none() || units.contains(&None) || units.contains(unit)
                });
                stands || unit.is_none() && self.parts_of_dates.contains(reading)
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
            Value::Name(words) => words.iter().all(|word| self.words.contains(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(sentence: &str, passage: &str) -> Vec<String> {
        let stock = Stock::of(passage);
        let missing = facts(sentence).into_iter().filter(|fact| !stock.has(fact));
        missing.map(|fact| sentence[fact.start..fact.end].to_owned()).collect()
    }

    #[test]
    fn numbers_are_compared_with_their_units() {
        let passage = "The first year has 24 days of leave. Rates of EUR 1,500 or 1.67 percent apply within two hours.";
        for same in ["24 days", "twenty-four days", "1500 euros", "€1,500", "1.67 %", "2 hours"] {
            assert!(missing(&format!("It is {same}."), passage).is_empty(), "{same}");
        }
        for other in ["24 months", "25 days", "1501 euros", "1.67 euros", "three hours"] {
            assert_eq!(missing(&format!("It is {other}."), passage).len(), 1, "{other}");
        }
        assert!(
            missing("It is 24 days.", "| First year | 24 | 2.0 |").is_empty(),
            "a table may have its unit elsewhere"
        );
    }

    #[test]
    fn numbers_of_german_texts_are_read_as_such() {
        let passage = "Die Pauschale steigt auf 39.270,40 Euro, jede Schicht hat drei Brandschutzhelfer.";
        assert!(missing("Die Pauschale beträgt 39.270,40 Euro.", passage).is_empty());
        assert!(missing("The fee is EUR 39,270.40.", passage).is_empty());
        assert!(missing("Es sind 3 Brandschutzhelfer.", passage).is_empty());
        assert_eq!(missing("Die Pauschale beträgt 38.400,00 Euro.", passage), ["38.400,00 Euro"]);
    }

    #[test]
    fn dates_and_times_are_compared_as_such() {
        let passage = "Leave lapses on 31 March of the following year. On 11 March 2026 at 08:30 the line is cut.";
        for same in ["March 31", "31st of March", "11.03.2026", "2026-03-11", "11. März 2026", "8:30"] {
            assert!(missing(&format!("Am Ende ist es {same} so."), passage).is_empty(), "{same}");
        }
        assert!(missing("It lapses on the 31st in 2026.", passage).is_empty(), "parts of a date may be told alone");
        assert_eq!(missing("It is 31 days, and 11 hours.", passage), ["31 days", "11 hours"], "a date counts nothing");
        for other in ["30 March", "11 March 2027", "9:30"] {
            assert_eq!(missing(&format!("It is on {other} then."), passage), [other]);
        }
    }

    #[test]
    fn names_and_codes_are_compared_word_by_word() {
        let passage = "The head of safety, Ruth Adeyemi, signs form SR-231 for crane NQ2.";
        assert!(missing("Form SR-231 is signed by Ruth Adeyemi's deputy.", passage).is_empty());
        assert_eq!(missing("It is signed by Ruth Verhage for NQ3.", passage), ["Ruth Verhage", "NQ3"]);
        assert!(missing("The lock is cut.", passage).is_empty(), "a capital opens a sentence");
    }

    #[test]
    fn german_nouns_are_no_names() {
        let passage = "Die Brandwache bleibt zwei Stunden vor Ort. Verantwortlich ist Ruth Adeyemi.";
        assert!(missing("Nach der Arbeit ist eine Wache für zwei Stunden da.", passage).is_empty());
        assert_eq!(missing("Dafür ist die Leiterin Hedda Lorenz zuständig und nicht die Werkstatt.", passage).len(), 1);
    }
}
