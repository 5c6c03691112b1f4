//! Tokens to text while they arrive.

use super::TextTokenizer;

/// Turns tokens into text, holding bytes back until they are whole characters.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    pending: Vec<u8>,
    started: bool,
}

impl TextStream {
    /// The text that `token` completes; often empty for parts of characters.
    pub(crate) fn push(&mut self, token: u32, tokenizer: &TextTokenizer) -> String {
        let mut bytes = tokenizer.bytes(token);
        if !self.started && !bytes.is_empty() {
            self.started = true;
            if tokenizer.adds_space() {
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
        }
        self.push_bytes(bytes)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let (whole, rest) = self.pending.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(whole));
                    let Some(length) = error.error_len() else {
                        // The beginning of a character: its rest may still come.
                        self.pending = rest.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending = rest[length..].to_vec();
                }
            }
        }
    }

    /// What is left at the end: a replacement character for a broken one.
    pub(crate) fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pieces: &[&[u8]]) -> Vec<String> {
        let mut stream = TextStream::default();
        let mut texts: Vec<String> = pieces.iter().map(|piece| stream.push_bytes(piece)).collect();
        texts.push(stream.finish());
        texts
    }

    #[test]
    fn characters_are_held_back_until_they_are_whole() {
        let euro = "€".as_bytes();
        assert_eq!(stream(&[b"5 ", &euro[..1], &euro[1..2], &euro[2..], b"!"]), ["5 ", "", "", "€", "!", ""]);
    }

    #[test]
    fn broken_bytes_become_one_replacement_character() {
        assert_eq!(stream(&[b"a\xffb", b"\xe2\x82", b"c"]), ["a\u{fffd}b", "", "\u{fffd}c", ""]);
        assert_eq!(stream(&[b"\xf0\x9f"]), ["", "\u{fffd}"]);
    }
}
