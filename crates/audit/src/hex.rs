//! Lower-case hexadecimal digits.

use std::fmt;

/// Writes two digits a byte.
pub(crate) fn write(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// The bytes as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    struct Digits<'a>(&'a [u8]);
    impl fmt::Display for Digits<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(self.0, f)
        }
    }
    Digits(bytes).to_string()
}

/// Exactly `N` bytes from twice as many lower-case digits.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_read() {
        assert_eq!(read::<2>("0aff"), Some([0x0a, 0xff]));
        for wrong in ["0aFF", "0af", "0aff0", "0agf", ""] {
            assert_eq!(read::<2>(wrong), None, "{wrong}");
        }
    }
}
