//! Numbers with what they count.

use super::quantities::{number_word, readings, scale, shifted, unit};
use super::words::{Style, Token, is_capitalised, is_function_word, names_nothing};

/// What a number counts or measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Of {
    /// `24 days`
    Unit(&'static str),
    /// Nothing is named with it, as in a cell of a table or at the end of a clause; what it is of stands elsewhere.
    Unnamed,
    /// Something else: `30 people`, `section 30`. A unit may stand a few words further on: `24 paid annual leave days`.
    Else(Option<&'static str>),
}

/// A number and how many tokens it takes.
pub(super) struct Number {
    /// What its digits may mean, without separators.
    pub(super) readings: Vec<String>,
    pub(super) of: Of,
    pub(super) tokens: usize,
}

const CURRENCIES: [&str; 4] = ["eur", "usd", "gbp", "chf"];

/// How far behind a number its unit is looked for where it counts something else at first.
const REACH: usize = 4;

/// Numbers that share a unit at most: `5, 10 or 15 days`. A chain of any length would take the stack.
const SHARING: usize = 4;

/// Groups of three digits at most; more are the columns of a table.
const GROUPS: usize = 8;

/// Words such as `thousand` behind each other at most.
const SCALES: usize = 3;

/// The number that begins at a token.
pub(super) fn number(tokens: &[Token<'_>], at: usize, style: Style) -> Option<Number> {
    number_among(tokens, at, style, SHARING)
}

/// The same, with at most `sharing` numbers that share its unit, itself included.
fn number_among(tokens: &[Token<'_>], at: usize, style: Style, sharing: usize) -> Option<Number> {
    let text = tokens[at].text;
    let currency = text.chars().next().filter(|first| "€$£".contains(*first));
    let digits = currency.map_or(text, |sign| &text[sign.len_utf8()..]);
    let (mut values, mut behind, mut used) = if digits.starts_with(|c: char| c.is_ascii_digit()) {
        let end = digits.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '\''))).unwrap_or(digits.len());
        let more = groups_of_three(tokens, at, digits);
        let joined = tokens[at + 1..=at + more].iter().map(|token| token.text).collect::<String>();
        let values = if more > 0 { vec![format!("{digits}{joined}")] } else { readings(&digits[..end], style) };
        (values, digits[end..].trim_start_matches('-'), 1 + more)
    } else {
        (vec![number_word(text)?], "", 1)
    };
    // `6½`
    let half = behind
        .chars()
        .next()
        .and_then(|first| [('½', ".5"), ('¼', ".25"), ('¾', ".75")].into_iter().find(|(sign, _)| *sign == first));
    if let Some((sign, part)) = half {
        values.iter_mut().for_each(|value| value.push_str(part));
        behind = &behind[sign.len_utf8()..];
    }
    // `the 1980s`, `die 1980er`
    if matches!(behind, "s" | "er" | "ern") && digits.get(..4).is_some_and(is_year) {
        behind = "";
    }
    let before = at.checked_sub(1).map(|at| tokens[at].text.to_lowercase());
    // `1.5 million`, `5 Mio. Euro`, `2bn`, `two hundred thousand`
    let next = |offset: usize| tokens.get(at + offset).filter(|_| !tokens[at + offset - 1].ends_clause);
    if let Some(by) = scale(behind, style) {
        (values, behind) = (by_scale(&values, by), "");
    }
    for _ in 0..SCALES {
        let by = next(used).filter(|_| behind.is_empty()).and_then(|token| scale(token.text, style));
        let Some(by) = by else { break };
        (values, used) = (by_scale(&values, by), used + 1);
    }
    if tokens[at].negative || before.as_deref() == Some("minus") {
        values.iter_mut().for_each(|value| value.insert(0, '-'));
    }
    // Only of a currency the name may stand before the number.
    let sign = currency.map(|sign| match sign {
        '€' => "eur",
        '$' => "usd",
        _ => "gbp",
    });
    let named = before.as_deref().and_then(unit).filter(|unit| CURRENCIES.contains(unit));
    if let Some(unit) = sign.or(named).or_else(|| unit(behind)) {
        return Some(Number { readings: values, of: Of::Unit(unit), tokens: used });
    }
    let (of, used) = counted(tokens, (at, used), before.as_deref(), style, sharing);
    Some(Number { readings: values, of, tokens: used })
}

fn by_scale(values: &[String], digits: usize) -> Vec<String> {
    values.iter().filter_map(|value| shifted(value, digits)).collect()
}

/// How many tokens go on with the digits of `1 500 000`: three each, behind a space that does not break, or with a unit
/// behind them, for otherwise they may be the columns of a table.
fn groups_of_three(tokens: &[Token<'_>], at: usize, digits: &str) -> usize {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=3).contains(&digits.len()) || !all_digits(digits) || digits.starts_with('0') {
        return 0;
    }
    let mut more = 0;
    let mut fixed = true;
    while let Some(token) = tokens.get(at + more + 1).filter(|token| token.text.len() == 3 && all_digits(token.text)) {
        let last = &tokens[at + more];
        if last.ends_clause || last.joined {
            break;
        }
        if more == GROUPS {
            return 0;
        }
        // A space that does not break has two or three bytes.
        fixed &= (2..=3).contains(&(token.start - last.end));
        more += 1;
    }
    let with_unit = tokens
        .get(at + more + 1)
        .filter(|_| !tokens[at + more].ends_clause)
        .is_some_and(|token| unit(token.text).is_some() || scale(token.text, Style::Unknown).is_some());
    if fixed || with_unit { more } else { 0 }
}

/// What a number of `used` tokens is of, and how many tokens it takes with its unit.
fn counted(
    tokens: &[Token<'_>],
    (at, used): (usize, usize),
    before: Option<&str>,
    style: Style,
    sharing: usize,
) -> (Of, usize) {
    if before.is_some_and(is_label) {
        return (Of::Else(None), used);
    }
    // `14 calendar days`: words may stand between a number and its unit, but no end of a clause and no other number.
    let clause = (used..used + REACH).map_while(|offset| {
        let token = tokens.get(at + offset).filter(|_| !tokens[at + offset - 1].ends_clause)?;
        let number = token.text.starts_with(|c: char| c.is_ascii_digit()) || number_word(token.text).is_some();
        (!number).then_some(token)
    });
    let clause: Vec<&Token<'_>> = clause.collect();
    if let [per, cent, ..] = clause[..]
        && per.text.eq_ignore_ascii_case("per")
        && cent.text.eq_ignore_ascii_case("cent")
    {
        return (Of::Unit("%"), used + 2);
    }
    for (offset, token) in clause.iter().enumerate().take(2) {
        if let Some(unit) = unit(token.text).filter(|_| offset == 0 || token.text.len() > 2) {
            return (Of::Unit(unit), used + offset + 1);
        }
    }
    // `5-10 days`, `5 to 10 days`
    let connects = |word: &str| matches!(word.to_lowercase().as_str(), "to" | "or" | "and" | "bis" | "oder" | "und");
    let other = match clause.first() {
        _ if tokens[at + used - 1].joined => Some(at + used),
        Some(word) if clause.len() == 1 && connects(word.text) => Some(at + used + 1),
        _ => None,
    };
    let other = other.filter(|other| sharing > 1 && *other < tokens.len());
    let other = other.and_then(|other| number_among(tokens, other, style, sharing - 1));
    if let Some(Number { of: Of::Unit(unit), .. }) = other.filter(|_| !is_year(tokens[at].text)) {
        return (Of::Unit(unit), used);
    }
    let further = || clause.iter().skip(2).filter(|token| token.text.len() > 2).find_map(|token| unit(token.text));
    let noun = |token: &&Token<'_>| is_capitalised(token.text) && !is_function_word(token.text);
    let of_something = match style {
        Style::English => clause.first().is_some_and(|token| !names_nothing(token.text)),
        Style::German => clause.iter().take(2).any(noun),
        // Whose words are not known here.
        Style::Continental | Style::Unknown => false,
    };
    (if of_something { Of::Else(further()) } else { Of::Unnamed }, used)
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.parse::<u32>().is_ok_and(|year| (1900..2100).contains(&year))
}

/// Words whose number is a name: `section 30` says nothing of 30 days.
fn is_label(word: &str) -> bool {
    const WORDS: [&str; 40] = [
        "section",
        "sections",
        "chapter",
        "page",
        "pages",
        "annex",
        "appendix",
        "article",
        "figure",
        "table",
        "step",
        "no",
        "nr",
        "form",
        "room",
        "line",
        "version",
        "level",
        "berth",
        "gate",
        "floor",
        "paragraph",
        "clause",
        "rule",
        "abschnitt",
        "kapitel",
        "seite",
        "seiten",
        "anhang",
        "artikel",
        "abs",
        "absatz",
        "bild",
        "abbildung",
        "tabelle",
        "schritt",
        "ziffer",
        "raum",
        "formular",
        "zeile",
    ];
    WORDS.contains(&word)
}
