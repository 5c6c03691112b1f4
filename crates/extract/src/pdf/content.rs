//! Reads content streams (ISO 32000-1, section 7.8.2) token by token, without recursion and mostly without copying.

use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'c> {
    Number(f64),
    Name(Cow<'c, [u8]>),
    Text(Cow<'c, [u8]>),
    /// `[`, `]`, `<<` or `>>`: structure is flat here, what needs it looks for these.
    Bracket(u8),
    Operator(&'c [u8]),
}

/// The tokens of a content stream; what makes no sense is skipped.
pub(super) struct Tokens<'c> {
    bytes: &'c [u8],
    at: usize,
}

impl<'c> Tokens<'c> {
    pub(super) fn new(bytes: &'c [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Skips the data of an inline picture, after its `ID`.
    pub(super) fn skip_picture(&mut self) {
        let mut from = self.at + 1;
        while let Some(found) = self.bytes.get(from..).and_then(|rest| rest.windows(2).position(|two| two == b"EI")) {
            let at = from + found;
            let before = self.bytes.get(at - 1).is_some_and(|&byte| is_space(byte));
            let after = self.bytes[at + 2..].first().is_none_or(|&byte| is_space(byte));
            // Data may hold these letters by chance: then it goes on with what is no text.
            let next = &self.bytes[at + 2..self.bytes.len().min(at + 12)];
            if before && after && next.iter().all(|&byte| is_space(byte) && byte != 0 || (b' '..=b'~').contains(&byte))
            {
                self.at = at + 2;
                return;
            }
            from = at + 2;
        }
        self.at = self.bytes.len();
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'c [u8] {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn name(&mut self) -> Cow<'c, [u8]> {
        let raw = self.take_while(is_regular);
        if !raw.contains(&b'#') {
            return Cow::Borrowed(raw);
        }
        let mut name = Vec::with_capacity(raw.len());
        let mut at = 0;
        while let Some(&byte) = raw.get(at) {
            let code =
                (byte == b'#').then(|| Some(digit(*raw.get(at + 1)?)? << 4 | digit(*raw.get(at + 2)?)?)).flatten();
            name.push(code.unwrap_or(byte));
            at += if code.is_some() { 3 } else { 1 };
        }
        Cow::Owned(name)
    }

    /// A string in brackets, behind the first one (ISO 32000-1, section 7.3.4.2).
    fn literal(&mut self) -> Cow<'c, [u8]> {
        let rest = &self.bytes[self.at..];
        let plain = rest.iter().position(|byte| matches!(byte, b'(' | b')' | b'\\' | b'\r')).unwrap_or(rest.len());
        if rest.get(plain) == Some(&b')') {
            self.at += plain + 1;
            return Cow::Borrowed(&rest[..plain]);
        }
        let mut text = rest[..plain].to_vec();
        self.at += plain;
        let mut depth = 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                b'\\' => {
                    self.escape(&mut text);
                    continue;
                }
                b'\r' => {
                    self.skip_byte(b'\n');
                    text.push(b'\n');
                    continue;
                }
                _ => {}
            }
            text.push(byte);
        }
        Cow::Owned(text)
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(&byte) = self.bytes.get(self.at) else { return };
        self.at += 1;
        match byte {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'\r' => self.skip_byte(b'\n'),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut code = u16::from(byte - b'0');
                for _ in 0..2 {
                    let Some(&next @ b'0'..=b'7') = self.bytes.get(self.at) else { break };
                    code = code << 3 | u16::from(next - b'0');
                    self.at += 1;
                }
                #[allow(clippy::cast_possible_truncation)]
                text.push(code as u8);
            }
            other => text.push(other),
        }
    }

    fn skip_byte(&mut self, byte: u8) {
        if self.bytes.get(self.at) == Some(&byte) {
            self.at += 1;
        }
    }
}

impl<'c> Iterator for Tokens<'c> {
    type Item = Token<'c>;

    fn next(&mut self) -> Option<Token<'c>> {
        loop {
            self.take_while(is_space);
            let &byte = self.bytes.get(self.at)?;
            match byte {
                b'%' => {
                    self.take_while(|byte| byte != b'\n' && byte != b'\r');
                }
                b'/' => {
                    self.at += 1;
                    return Some(Token::Name(self.name()));
                }
                b'(' => {
                    self.at += 1;
                    return Some(Token::Text(self.literal()));
                }
                b'<' | b'>' if self.bytes.get(self.at + 1) == Some(&byte) => {
                    self.at += 2;
                    return Some(Token::Bracket(byte));
                }
                b'<' => {
                    self.at += 1;
                    let digits = self.take_while(|byte| byte != b'>');
                    self.skip_byte(b'>');
                    return Some(Token::Text(Cow::Owned(unhex(digits))));
                }
                b'[' | b']' => {
                    self.at += 1;
                    return Some(Token::Bracket(byte));
                }
                b'+' | b'-' | b'.' | b'0'..=b'9' => {
                    if let Some(number) = real(self.take_while(is_regular)) {
                        return Some(Token::Number(number));
                    }
                }
                _ if is_regular(byte) => return Some(Token::Operator(self.take_while(is_regular))),
                _ => self.at += 1,
            }
        }
    }
}

/// The bytes of hexadecimal digits; other signs are skipped, a missing last digit is 0.
pub(super) fn unhex(digits: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(digits.len() / 2 + 1);
    let mut high = None;
    for digit in digits.iter().filter_map(|&byte| digit(byte)) {
        match high.take() {
            Some(high) => bytes.push(high << 4 | digit),
            None => high = Some(digit),
        }
    }
    bytes.extend(high.map(|high: u8| high << 4));
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A number as viewers read it: `--5` and `5-3` occur. Never infinite.
fn real(word: &[u8]) -> Option<f64> {
    let is_negative = word.first() == Some(&b'-');
    let (mut value, mut scale, mut has_digits) = (0.0_f64, 0.0_f64, false);
    for &byte in word.iter().skip_while(|byte| matches!(byte, b'+' | b'-')) {
        match byte {
            b'0'..=b'9' => {
                has_digits = true;
                let digit = f64::from(byte - b'0');
                if scale > 0.0 {
                    value += digit * scale;
                    scale /= 10.0;
                } else {
                    value = value * 10.0 + digit;
                }
            }
            b'.' if scale == 0.0 => scale = 0.1,
            b'-' => break,
            _ => return None,
        }
    }
    has_digits.then(|| if is_negative { -value } else { value }.clamp(-1e9, 1e9))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: &str) {
        let found: Vec<String> = Tokens::new(content)
            .map(|token| match token {
                Token::Number(number) => format!("{number}"),
                Token::Name(name) => format!("/{}", String::from_utf8_lossy(&name)),
                Token::Text(text) => format!("({})", String::from_utf8_lossy(&text)),
                Token::Bracket(byte) => char::from(byte).to_string(),
                Token::Operator(word) => String::from_utf8_lossy(word).into_owned(),
            })
            .collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn tokens_of_all_kinds() {
        check(b"/F#311 -12.50 Tf % note\n[(a\\(b\\)) -.5(c)]TJ", "/F11 -12.5 Tf [ (a(b)) -0.5 (c) ] TJ");
        check(b"<48 6f7> Tj <</A/B>>BDC T* (a(b)c\\\r\nd\\101\\7) '", "(Hop) Tj < /A /B > BDC T* (a(b)cdA\u{7}) '");
        check(b"--5 1-2 +3 . 1e5 ) } (open", "-5 1 3 (open)");
    }

    #[test]
    fn pictures_are_skipped() {
        let mut tokens = Tokens::new(b"ID x EI\x01 EI \x02y\nEI Q");
        assert_eq!(tokens.next(), Some(Token::Operator(b"ID")));
        tokens.skip_picture();
        assert_eq!(tokens.next(), Some(Token::Operator(b"Q")));
    }
}
