//! Passwords that many people choose: the list that is built in, and one that a site brings.

use super::rules::fold;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// Shortest entry of the lists; shorter pieces say nothing.
pub(super) const SHORTEST: usize = 4;
/// Longest line and most lines of a site's list: what a server keeps in its memory.
const LONGEST_LINE: usize = 200;
const MOST: usize = 1_000_000;

pub(super) static BUILT_IN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
});

/// A site's own list of passwords that are refused, beside the one that is built in: such as those of known breaches, or
/// what the site's own walls say.
#[derive(Debug, Clone, Default)]
pub struct CommonPasswords(Arc<HashSet<Box<str>>>);

impl CommonPasswords {
    /// Reads a list: a password a line. Empty lines, and those that begin with `#`, are passed over. Case, and digits that
    /// stand for letters, do not count.
    ///
    /// # Errors
    /// A sentence, if a line is too long, there are too many, or there are none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut entries = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            if line.len() > LONGEST_LINE {
                return Err(format!("line {} is longer than {LONGEST_LINE} bytes: no list of passwords", number + 1));
            }
            let folded = if line.starts_with('#') { String::new() } else { fold(line) };
            if folded.chars().count() >= SHORTEST {
                entries.insert(folded.into_boxed_str());
            }
            if entries.len() > MOST {
                return Err(format!("it has more than {MOST} passwords; the most frequent ones do"));
            }
        }
        if entries.is_empty() {
            return Err("there is no password in it".to_owned());
        }
        Ok(Self(Arc::new(entries)))
    }

    /// Whether this folded text stands in the site's list.
    pub(super) fn has(&self, folded: &str) -> bool {
        self.0.contains(folded)
    }
}

#[cfg(test)]
mod tests {
    use super::CommonPasswords;

    #[test]
    fn a_list_is_a_password_a_line() {
        let list = CommonPasswords::parse("# of our walls\n\nTr0ub4dor and Three\r\nabc\n").unwrap();
        assert!(list.has("troubadorandthree"));
        assert!(!list.has("abc") && !list.has("ofourwalls"));
        assert_eq!(CommonPasswords::parse("# nothing\n\n").unwrap_err(), "there is no password in it");
        let long = format!("fine\n{}", "x".repeat(300));
        assert!(CommonPasswords::parse(&long).unwrap_err().starts_with("line 2"));
    }
}
