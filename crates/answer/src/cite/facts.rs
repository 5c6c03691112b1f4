//! Facts: what of a sentence can be compared exactly with a passage: numbers with their units, times, dates, and names.
//!
//! English and German, since those are the languages in which numbers are also written as words here; digits, dates in
//! figures and names in capitals are found in any language.

use super::numbers::{Of, number};
use super::quantities::{afternoon, date_in_figures, in_half, month, of_clock, time};
use super::words::{Style, Token, has_code_shape, is_capitalised, is_function_word, tokens};
use serde::{Deserialize, Serialize};

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
    /// Whether it is so or not so, before or after, at least or at most.
    Sense,
}

/// A fact and where in its text it stands, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// What the digits may mean, without separators, and of what.
    Number {
        readings: Vec<String>,
        of: Of,
    },
    /// `8:30`
    Time(String),
    Date(Date),
    Name(Name),
}

/// A day; without a year any year is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) day: u32,
    pub(super) month: u32,
    pub(super) year: Option<u32>,
}

/// The words of a name in lower case, and its codes without what divides them: `sr231`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) words: Vec<String>,
    pub(super) codes: Vec<String>,
    /// How many other words may stand among its own: `Hafenbehörde von Tiedeholm`.
    pub(super) slack: usize,
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
pub(crate) fn facts(text: &str, style: Style) -> Vec<Fact> {
    let tokens = tokens(text);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let (value, used) = match quantity(&tokens, at, style).or_else(|| name(&tokens, at, style)) {
            Some(found) => found,
            None => {
                at += 1;
                continue;
            }
        };
        let (start, end) = (tokens[at].start, tokens[at + used - 1].end);
        // The answer speaks of its sources: "According to passage 2".
        if !at.checked_sub(1).is_some_and(|before| names_a_passage(tokens[before].text)) {
            found.push(Fact { start, end, value });
        }
        at += used;
    }
    found
}

/// The words of the names and codes in `text`.
pub(crate) fn names(text: &str) -> Vec<String> {
    let named = facts(text, Style::of(text, None)).into_iter().filter(|fact| fact.kind() == FactKind::Name);
    named
        .flat_map(|fact| text[fact.start..fact.end].split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn names_a_passage(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "passage" | "passages" | "passagen" | "textstelle")
}

/// A date, a time or a number that begins at a token, and how many tokens it takes.
fn quantity(tokens: &[Token<'_>], at: usize, style: Style) -> Option<(Value, usize)> {
    let token = &tokens[at];
    let next = |offset: usize| tokens.get(at + offset);
    if let Some(date) = date_in_figures(token.text) {
        return Some((Value::Date(date), 1));
    }
    if let Some((time, used)) = time_of_day(tokens, at, style) {
        return Some((Value::Time(time), used));
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
    number(tokens, at, style).map(|number| (Value::Number { readings: number.readings, of: number.of }, number.tokens))
}

/// What behind a figure makes it a time of day.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Half(bool),
    Hours,
}

/// `8:30`, `8 pm`, `8.30 Uhr`, and the first of `8 to 10 pm`.
fn time_of_day(tokens: &[Token<'_>], at: usize, style: Style) -> Option<(String, usize)> {
    let text = tokens[at].text;
    let read = |text: &str, clock: Clock| match clock {
        Clock::Half(afternoon) => in_half(text, afternoon),
        Clock::Hours => of_clock(text),
    };
    if let Some((clock, digits, used)) = clock(tokens, at, style) {
        return read(digits, clock).map(|time| (time, used));
    }
    let till = |word: &str| matches!(word.to_lowercase().as_str(), "to" | "till" | "until" | "and" | "bis" | "und");
    let end = match tokens.get(at + 1) {
        Some(_) if tokens[at].joined => at + 1,
        Some(next) if till(next.text) => at + 2,
        _ => usize::MAX,
    };
    let of_end = tokens.get(end).and_then(|_| clock(tokens, end, style));
    let through =
        of_end.filter(|_| text.starts_with(|c: char| c.is_ascii_digit())).and_then(|(clock, ..)| read(text, clock));
    through.or_else(|| time(text)).map(|time| (time, 1))
}

/// What says that the figure at a token is a time, the figure, and how many tokens both take.
fn clock<'a>(tokens: &[Token<'a>], at: usize, style: Style) -> Option<(Clock, &'a str, usize)> {
    let text = tokens[at].text;
    // In German `am` is a word like any other.
    let half = |word: &str| afternoon(word).filter(|afternoon| *afternoon || style != Style::German).map(Clock::Half);
    let digits = text.find(char::is_alphabetic).unwrap_or(text.len());
    if digits == 0 || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits < text.len() {
        return half(&text[digits..]).map(|clock| (clock, &text[..digits], 1));
    }
    let next = tokens.get(at + 1).filter(|_| !tokens[at].ends_clause)?;
    let hours = matches!(next.text.to_lowercase().as_str(), "uhr" | "o'clock" | "o’clock").then_some(Clock::Hours);
    hours.or_else(|| half(next.text)).map(|clock| (clock, text, 2))
}

/// A name that begins at a token, and how many tokens it takes. Where every noun has a capital, two of them in a row
/// are taken for a name.
fn name(tokens: &[Token<'_>], at: usize, style: Style) -> Option<(Value, usize)> {
    let german = style == Style::German;
    let opens = at == 0 || tokens[at - 1].ends_sentence;
    let capital = |token: &Token<'_>| is_capitalised(token.text) && !is_function_word(token.text);
    let mut used = 0;
    while let Some(token) = tokens.get(at + used).filter(|token| capital(token) || has_code_shape(token.text)) {
        used += 1;
        if token.ends_clause {
            break;
        }
    }
    let taken = &tokens[at..at + used];
    let (codes, words): (Vec<&Token<'_>>, Vec<&Token<'_>>) = taken.iter().partition(|token| has_code_shape(token.text));
    if used == 0 || (used == 1 && codes.is_empty() && (opens || german)) {
        return None;
    }
    let name = Name {
        words: words.iter().flat_map(|token| folded(token.text)).collect(),
        codes: codes.iter().map(|token| folded(token.text).collect()).collect(),
        // Its codes may stand among its words.
        slack: codes.iter().flat_map(|token| folded(token.text)).count() + if german { 2 } else { 1 },
    };
    Some((Value::Name(name), used))
}

/// The words of a token, in lower case and without a possessive ending.
pub(super) fn folded(text: &str) -> impl Iterator<Item = String> {
    let text = text.trim_end_matches("'s").trim_end_matches("’s");
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::super::stock::Stock;
    use super::*;

    fn missing(sentence: &str, passage: &str) -> Vec<String> {
        let [own, here] = [sentence, passage].map(|text| Style::of(text, None));
        let stock = Stock::of(passage, here);
        let missing = facts(sentence, own).into_iter().filter(|fact| !stock.has(fact));
        missing.map(|fact| sentence[fact.start..fact.end].to_owned()).collect()
    }

    /// What of a sentence stands, and what of one does not, against each passage.
    fn compared(passage: &str, stands: &[&str], made_up: &[&str]) {
        for sentence in stands {
            assert_eq!(missing(sentence, passage), Vec::<String>::new(), "{sentence} | {passage}");
        }
        for sentence in made_up {
            assert_ne!(missing(sentence, passage), Vec::<String>::new(), "{sentence} | {passage}");
        }
    }

    #[test]
    fn another_size_sign_or_unit_is_another_number() {
        compared(
            "Gifts up to EUR 40 are kept by the staff.",
            &["The limit is EUR 40."],
            &["The limit is EUR 40,000.", "The limit is 40.000 Euro.", "The limit of the gift is 0.40 euros."],
        );
        compared(
            "The gap of the door is 1.5 metres.",
            &["It is 1.5 m wide.", "It is 1.50 m wide."],
            &["It is 1,500 metres to the door.", "It is 15 m wide."],
        );
        compared(
            "The cost of it is 1.5 million euros.",
            &["It is EUR 1,500,000.", "It is 1.5 million euros."],
            &["It is 1.5 billion euros.", "It is 1.5 euros."],
        );
        compared(
            "Die Kosten der Halle betragen 5 Mio. Euro.",
            &["Die Halle und das Dach kosten 5.000.000 Euro."],
            &["Die Halle und das Dach kosten 5 Euro."],
        );
        compared(
            "The store is kept at -18 °C by the staff.",
            &["It is kept at -18 °C.", "It is kept at minus 18 °C."],
            &["It is kept at 18 °C."],
        );
        compared(
            "The dose is 5 mg and the line has 400 V.",
            &["It is 5 mg at 400 V."],
            &["It is 5 g.", "It has 400 kV."],
        );
        compared(
            "A team of 30 people receives 24 days.",
            &["They receive 24 days.", "The team has 30 members."],
            &["They receive 30 days."],
        );
        compared("The limit of section 30 is 24 days.", &["The limit is 24 days."], &["The limit is 30 days."]);
        compared("There are 24 paid annual leave days.", &["There are 24 days."], &["There are 25 days."]);
        compared("Of the 24 days, 5 may be carried over.", &["5 days may be carried over."], &["It ends on 5 May."]);
        compared("It grows by 5 per cent.", &["It grows by 5 %.", "It grows by 5 percent."], &["It costs 5 cents."]);
        compared(
            "The fee is 1\u{a0}500 euros, or 2 400 euros for the two halls.",
            &["The fee is EUR 1,500.", "It is 2400 euros."],
            &["The fee is 500 dollars."],
        );
        compared(
            "It needs 6½ hours since the mid-1980s.",
            &["It needs 6.5 hours since the 1980s."],
            &["It needs 6 hours."],
        );
        compared(
            "It is paid double on Sundays.",
            &["It is paid double on a Sunday."],
            &["It is paid double on a Monday."],
        );
        compared("The protein p53 is found.", &["It is p53."], &["It is p63."]);
        compared("It takes two hundred days.", &["It takes 200 days."], &["It takes 2 days."]);
    }

    #[test]
    fn both_ends_of_a_range_are_read() {
        compared(
            "Delivery takes 5-10 days.",
            &["It takes up to 10 days.", "It takes 5 to 10 days.", "It takes 5 days or more."],
            &["It takes 5-30 days.", "It takes 10 weeks."],
        );
        compared("Open 08:00-16:00 for the staff.", &["It opens from 08:00 to 16:00."], &["It is open 08:00-23:00."]);
        compared("It opens at 8:30 pm.", &["It opens at 20:30.", "It opens at 8:30 p.m."], &["It opens at 8:30 am."]);
        compared(
            "It is closed from 8 to 10 pm.",
            &["It is closed from 20:00 to 22:00."],
            &["It is closed from 8 to 10 am."],
        );
        compared(
            "Die Kantine ist von 8 bis 16.30 Uhr offen.",
            &["Sie ist ab 8:00 Uhr und bis 16:30 offen."],
            &["Die Prüfung dauert 8 Stunden und ist lang."],
        );
        compared("The lease ends on 3/31/2026.", &["It ends on March 31, 2026."], &["It ends on 3/15/2026."]);
    }

    #[test]
    fn the_number_of_a_passage_is_no_figure() {
        compared(
            "Leave is 24 days.",
            &["According to passage 2, leave is 24 days.", "Passage 1 says that it is 24 days."],
            &[],
        );
    }

    #[test]
    fn a_name_stands_together_and_a_code_as_it_is() {
        let passage = "Ruth Adeyemi signs the form SR-231 and Tom Verhage keeps it with NQ-200 for the Harbour Authority of Tiedeholm.";
        compared(
            passage,
            &[
                "It is signed by Ruth Adeyemi.",
                "It is signed by Adeyemi on SR 231.",
                "Ask the Tiedeholm Harbour Authority.",
            ],
            &[
                "It is signed by Ruth Verhage.",
                "The form is SR-200.",
                "The head of safety, Halloran, signs it.",
                "The head (Halloran) signs it.",
            ],
        );
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
