//! The words after the command's name.

use crate::failure::{Failure, Result};

/// What is left to read of a command line. Take what you know, then call [`Arguments::finish`].
#[derive(Debug)]
pub struct Arguments {
    rest: Vec<String>,
}

impl Arguments {
    /// Splits `--name=value` so that both spellings read the same.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        let split = |word: String| match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => vec![name.to_owned(), value.to_owned()],
            _ => vec![word],
        };
        Self { rest: words.into_iter().flat_map(split).collect() }
    }

    /// Takes `--name`; whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|word| word != name);
        self.rest.len() < before
    }

    /// Takes `--name VALUE`, the last one if it is given more than once.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        Ok(self.options(name)?.pop())
    }

    /// Takes every `--name VALUE`, in order.
    pub fn options(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        while let Some(at) = self.rest.iter().position(|word| word == name) {
            match self.rest.get(at + 1) {
                Some(value) if !value.starts_with("--") => values.push(value.clone()),
                _ => return Err(Failure::usage(format!("{name} needs a value"))),
            }
            self.rest.drain(at..=at + 1);
        }
        Ok(values)
    }

    /// Takes the next word that is not an option.
    pub fn word(&mut self) -> Option<String> {
        let at = self.rest.iter().position(|word| !word.starts_with('-'))?;
        Some(self.rest.remove(at))
    }

    /// Complains about anything that was not taken.
    pub fn finish(self) -> Result<()> {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => Err(Failure::usage(format!("'{word}' is not known here; see `cargo xtask help`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_flags_and_words_are_taken_in_any_order() {
        let mut line = arguments("--role a search --tiny --role=b --port 9");
        assert!(line.flag("--tiny"));
        assert_eq!(line.options("--role").unwrap(), ["a", "b"]);
        assert_eq!(line.option("--port").unwrap().as_deref(), Some("9"));
        assert_eq!(line.word().as_deref(), Some("search"));
        line.finish().unwrap();
    }

    #[test]
    fn a_missing_value_and_an_unknown_word_are_wrong_usage() {
        assert_eq!(arguments("--port").option("--port").unwrap_err().status(), 2);
        assert_eq!(arguments("--port --tiny").option("--port").unwrap_err().status(), 2);
        let unknown = arguments("--tinny").finish().unwrap_err();
        assert!(unknown.to_string().contains("--tinny"), "{unknown}");
    }
}
