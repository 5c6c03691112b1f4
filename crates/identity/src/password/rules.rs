//! What a password must be, after NIST SP 800-63B-4, section 3.1.1.2: long enough, and none that many people choose.
//! No rules on what kinds of characters it is made of.

use super::PasswordError;
use super::common::{BUILT_IN, CommonPasswords, SHORTEST};
use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization;

/// Shortest password accepted where it stands alone.
pub const MINIMUM_PASSWORD_CHARACTERS: usize = 15;
/// Shortest password accepted beside a second factor.
pub const MINIMUM_WITH_SECOND_FACTOR: usize = 8;
/// Longer ones are refused so that hashing cannot be made a burden.
pub(super) const MAXIMUM_PASSWORD_BYTES: usize = 1024;
/// Checks `password` for the account `name` at `organisation`, whose own list is `refused`, and says whether it is long
/// enough only beside a second factor.
pub(crate) fn check(
    name: &str,
    organisation: &str,
    refused: &CommonPasswords,
    password: &str,
    second_factor: bool,
) -> Result<bool, PasswordError> {
    let length = password.chars().count();
    let least = if second_factor { MINIMUM_WITH_SECOND_FACTOR } else { MINIMUM_PASSWORD_CHARACTERS };
    if length < least {
        return Err(PasswordError::TooShort { least });
    }
    if password.len() > MAXIMUM_PASSWORD_BYTES {
        return Err(PasswordError::TooLong);
    }
    let plain: String = password.nfkc().flat_map(char::to_lowercase).collect();
    let letters = plain.trim_matches(|c: char| !c.is_alphabetic());
    if letters.is_empty() {
        // Digits and signs alone.
        return Err(PasswordError::Guessable);
    }
    for folded in [fold(&plain), fold(letters)] {
        // Of the site's list the whole: it is long, and two of its entries are often two good words.
        let listed = is_common(&folded) || refused.has(once(&folded));
        if trivial(&folded) || listed || names(&folded, name) || names(&folded, organisation) {
            return Err(PasswordError::Guessable);
        }
    }
    Ok(length < MINIMUM_PASSWORD_CHARACTERS)
}

/// As the lists have their entries: lower case, digits and signs that stand for letters read as those, nothing else.
pub(super) fn fold(text: &str) -> String {
    let letter = |c: char| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        other => other,
    };
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    text.chars().map(letter).filter(|c| c.is_alphanumeric()).collect()
}

/// Few different characters, or a run through the alphabet or the digits.
fn trivial(folded: &str) -> bool {
    let characters: Vec<char> = folded.chars().collect();
    let distinct = characters.iter().collect::<HashSet<_>>().len();
    let runs = characters.windows(2).filter(|pair| u32::from(pair[0]).abs_diff(u32::from(pair[1])) <= 1).count();
    distinct < 5 || runs * 4 >= characters.len() * 3
}

/// Whether it is an entry of the list that is built in, or two of them, each perhaps said several times.
fn is_common(folded: &str) -> bool {
    let listed = |text: &str| BUILT_IN.contains(once(text));
    let cuts = folded.char_indices().map(|(at, _)| at);
    listed(folded)
        || cuts
            .filter(|at| *at >= SHORTEST && folded.len() - at >= SHORTEST)
            .any(|at| listed(&folded[..at]) && listed(&folded[at..]))
}

/// `tide` for `tidetidetide`.
fn once(text: &str) -> &str {
    let lengths =
        (1..=text.len() / 2).filter(|length| text.len().is_multiple_of(*length) && text.is_char_boundary(*length));
    let mut units = lengths.map(|length| &text[..length]);
    units.find(|unit| unit.repeat(text.len() / unit.len()) == text).unwrap_or(text)
}

/// Whether the password says the name of the account or of the organisation; of shorter names that would say nothing.
fn names(folded: &str, name: &str) -> bool {
    let name = fold(name);
    name.chars().count() >= 3 && folded.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(password: &str) -> Result<bool, PasswordError> {
        at("ada", "Port Elsin", password, false)
    }

    fn at(name: &str, organisation: &str, password: &str, second_factor: bool) -> Result<bool, PasswordError> {
        check(name, organisation, &CommonPasswords::default(), password, second_factor)
    }

    #[test]
    fn length_is_what_counts() {
        assert_eq!(alone("short"), Err(PasswordError::TooShort { least: 15 }));
        assert_eq!(alone("quiet herons a"), Err(PasswordError::TooShort { least: 15 }));
        assert_eq!(alone("quiet herons at noon"), Ok(false));
        assert_eq!(alone("ruhige reiher überm moor"), Ok(false));
        assert_eq!(alone(&"xy ".repeat(500)), Err(PasswordError::TooLong));
        assert_eq!(at("ada", "Port Elsin", "heron at", true), Ok(true));
        assert_eq!(at("ada", "Port Elsin", "heron a", true), Err(PasswordError::TooShort { least: 8 }));
        assert_eq!(at("ada", "Port Elsin", "quiet herons at noon", true), Ok(false));
    }

    #[test]
    fn what_many_choose_is_refused_however_it_is_dressed_up() {
        for password in [
            "passwordpassword",
            "P@ssw0rdP@ssw0rd!",
            "sunshine.princess",
            "1234567890123456",
            "9876543210987654",
            "qwertyuiop 2026!!",
            "abcdefghijklmnopq",
            "abababababababab",
            "Monkey-Dragon-2024",
            "ＰＡＳＳＷＯＲＤ ｐａｓｓｗｏｒｄ",
            "-----------------",
        ] {
            assert_eq!(alone(password), Err(PasswordError::Guessable), "{password}");
        }
        assert_eq!(at("ada", "", "Passw0rd", true), Err(PasswordError::Guessable));
    }

    #[test]
    fn what_a_site_has_on_its_list_is_refused_as_a_whole() {
        let list = CommonPasswords::parse("harbour lights\nquiet herons\n").unwrap();
        let with = |password: &str| check("ada", "", &list, password, false);
        assert_eq!(with("H4rbour-Lights 2026"), Err(PasswordError::Guessable));
        assert_eq!(with("quiet herons quiet herons"), Err(PasswordError::Guessable));
        assert_eq!(with("harbour lights, quiet herons"), Ok(false));
    }

    #[test]
    fn names_of_account_and_organisation_are_refused() {
        assert_eq!(alone("i am ada and i know it"), Err(PasswordError::Guessable));
        assert_eq!(alone("harbour of P0rt-Elsin"), Err(PasswordError::Guessable));
        assert_eq!(at("al", "", "al walks along the quay", false), Ok(false), "two letters stand in any sentence");
    }

    #[test]
    fn the_list_is_there_and_folded() {
        assert!(BUILT_IN.len() > 5000);
        for entry in BUILT_IN.iter() {
            assert_eq!(fold(entry), *entry);
            assert!(entry.chars().count() >= SHORTEST, "{entry}");
        }
    }
}
