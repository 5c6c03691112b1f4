//! Texts of a wanted length for benchmarks: running words of real documents, never one token repeated.

use crate::site::Failure;
use std::path::PathBuf;

/// What is read when no file is named.
const WORDS: &str = "The harbour office keeps a register of every vessel that asks for a berth, with its length, its \
draught and the hour at which it is expected; the pilot on duty signs each line before the tide turns.";

/// The words of some text, read round and round.
pub(super) struct Words(Vec<String>);

impl Words {
    /// The words of these files one behind the other; a built-in sentence's when there is none.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut text = String::new();
        for file in files {
            let unreadable = |error| format!("cannot read {} as text: {error}", file.display());
            text += &std::fs::read_to_string(file).map_err(unreadable)?;
            text.push('\n');
        }
        let text = if text.trim().is_empty() { WORDS } else { &text };
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }

    /// All of them once.
    pub(super) fn whole(&self) -> String {
        self.take(0, self.0.len())
    }

    /// `count` words from the word number `skip` on.
    pub(super) fn take(&self, skip: usize, count: usize) -> String {
        let words: Vec<&str> =
            self.0.iter().map(String::as_str).cycle().skip(skip % self.0.len()).take(count).collect();
        words.join(" ")
    }

    /// As many words from the word number `skip` on as `tokens` allow; `measure` counts the tokens of a text.
    pub(super) fn of_tokens<E>(
        &self,
        skip: usize,
        tokens: usize,
        measure: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<String, E> {
        let (mut low, mut high) = (0, tokens * 2);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if measure(&self.take(skip, middle))? <= tokens { low = middle } else { high = middle - 1 }
        }
        Ok(self.take(skip, low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_words_as_fit_from_any_place() {
        let words = Words("a b c d".split(' ').map(str::to_owned).collect());
        let count = |text: &str| Ok::<_, Failure>(text.split_whitespace().count());
        assert_eq!(words.of_tokens(3, 6, count).unwrap(), "d a b c d a");
        assert_eq!(words.of_tokens(0, 0, count).unwrap(), "");
        assert_eq!(Words::read(&[]).unwrap().take(1, 2), "harbour office");
    }
}
