//! Bytes to tokens (section "RTF Syntax").

/// The longest control word.
const WORD_BYTES: usize = 32;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// `\word` with the number after it.
    Word(&'a str, Option<i32>),
    /// `\` and something that is no letter.
    Symbol(u8),
    /// A byte of text, in the encoding of its font.
    Byte(u8),
}

/// Walks over a file. Nothing in it is an error: what cannot be followed is text or left out.
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn after_backslash(&mut self) -> Option<Token<'a>> {
        let first = *self.rest.first()?;
        if first == b'\'' {
            let digits = std::str::from_utf8(self.take(3).get(1..)?).ok()?;
            return Some(Token::Byte(u8::from_str_radix(digits, 16).unwrap_or(b' ')));
        }
        if !first.is_ascii_alphabetic() {
            self.take(1);
            return Some(Token::Symbol(first));
        }
        let length = self.rest.iter().take(WORD_BYTES).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = std::str::from_utf8(self.take(length)).ok()?;
        let sign = usize::from(self.rest.first() == Some(&b'-'));
        let digits = self.rest.iter().skip(sign).take(11).take_while(|byte| byte.is_ascii_digit()).count();
        let number = if digits > 0 { std::str::from_utf8(self.take(sign + digits)).ok() } else { None };
        if self.rest.first() == Some(&b' ') {
            self.take(1);
        }
        let number = number.and_then(|number| number.parse().ok());
        if word == "bin" {
            self.take(number.and_then(|count| usize::try_from(count).ok()).unwrap_or(0));
        }
        Some(Token::Word(word, number))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            return match self.take(1).first()? {
                b'{' => Some(Token::Open),
                b'}' => Some(Token::Close),
                b'\\' => self.after_backslash(),
                b'\r' | b'\n' | 0 => continue,
                &byte => Some(Token::Byte(byte)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token() {
        let found: Vec<_> = Tokens::new(b"{\\b1 a\\u-10 ?\\'e4\\~\r\n\\bin3 }}}\\par}\\").collect();
        use Token::{Byte, Close, Open, Symbol, Word};
        let expected = [
            Open,
            Word("b", Some(1)),
            Byte(b'a'),
            Word("u", Some(-10)),
            Byte(b'?'),
            Byte(0xe4),
            Symbol(b'~'),
            Word("bin", Some(3)),
            Word("par", None),
            Close,
        ];
        assert_eq!(found, expected);
    }
}
