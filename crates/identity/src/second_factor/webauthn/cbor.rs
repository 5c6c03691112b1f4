//! The little of CBOR (RFC 8949) that authenticators speak: the canonical form of CTAP 2 (section 8, "Message
//! Encoding"): lengths are known, numbers as short as they can be, nothing deeper than four levels, no tags and no
//! fractions. Anything else is refused.

/// Levels of arrays and maps.
const DEEPEST: usize = 4;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Unsigned(u64),
    /// `-1 - n`.
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    /// No key stands there twice.
    Map(Vec<(Self, Self)>),
    Bool(bool),
    Null,
}

/// What was read is not what an authenticator writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCanonical;

impl Value {
    /// What a map has under a number; negative ones as COSE counts them.
    pub(super) fn at(&self, label: i64) -> Option<&Self> {
        let wanted = match u64::try_from(label) {
            Ok(number) => Self::Unsigned(number),
            Err(_) => Self::Negative(label.unsigned_abs() - 1),
        };
        self.under(&wanted)
    }

    /// What a map has under a word.
    pub(super) fn named(&self, name: &str) -> Option<&Self> {
        self.under(&Self::Text(name.to_owned()))
    }

    fn under(&self, wanted: &Self) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number that fits.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Negative(number) => i64::try_from(*number).ok().map(|number| -1 - number),
            _ => None,
        }
    }
}

/// The first value, and what stands behind it.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, &[u8]), NotCanonical> {
    let mut rest = bytes;
    let value = value(&mut rest, 0)?;
    Ok((value, rest))
}

/// A value with nothing behind it.
pub(super) fn read_all(bytes: &[u8]) -> Result<Value, NotCanonical> {
    match read(bytes)? {
        (value, []) => Ok(value),
        _ => Err(NotCanonical),
    }
}

fn value(rest: &mut &[u8], depth: usize) -> Result<Value, NotCanonical> {
    let (&first, behind) = rest.split_first().ok_or(NotCanonical)?;
    *rest = behind;
    let (major, low) = (first >> 5, first & 0x1f);
    if major == 7 {
        return match low {
            20 => Ok(Value::Bool(false)),
            21 => Ok(Value::Bool(true)),
            22 => Ok(Value::Null),
            _ => Err(NotCanonical),
        };
    }
    let number = argument(rest, low)?;
    // A level more is entered only for what holds others.
    let inside = || if depth < DEEPEST { Ok(depth + 1) } else { Err(NotCanonical) };
    match major {
        0 => Ok(Value::Unsigned(number)),
        1 => Ok(Value::Negative(number)),
        2 => Ok(Value::Bytes(take(rest, number)?.to_vec())),
        3 => Ok(Value::Text(std::str::from_utf8(take(rest, number)?).map_err(|_| NotCanonical)?.to_owned())),
        4 => {
            let depth = inside()?;
            let mut items = Vec::new();
            for _ in 0..number {
                items.push(value(rest, depth)?);
            }
            Ok(Value::Array(items))
        }
        5 => {
            let depth = inside()?;
            let mut pairs: Vec<(Value, Value)> = Vec::new();
            for _ in 0..number {
                let key = value(rest, depth)?;
                if pairs.iter().any(|(known, _)| *known == key) {
                    return Err(NotCanonical);
                }
                pairs.push((key, value(rest, depth)?));
            }
            Ok(Value::Map(pairs))
        }
        _ => Err(NotCanonical),
    }
}

/// The number of a head, in as few bytes as it needs.
fn argument(rest: &mut &[u8], low: u8) -> Result<u64, NotCanonical> {
    let (length, least) = match low {
        0..24 => return Ok(u64::from(low)),
        24 => (1, 24),
        25 => (2, 1 << 8),
        26 => (4, 1 << 16),
        27 => (8, 1 << 32),
        _ => return Err(NotCanonical),
    };
    let number = take(rest, length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    if number < least { Err(NotCanonical) } else { Ok(number) }
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], NotCanonical> {
    let length = usize::try_from(length).map_err(|_| NotCanonical)?;
    let (taken, behind) = rest.split_at_checked(length).ok_or(NotCanonical)?;
    *rest = behind;
    Ok(taken)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The opposite of [`read`].
    pub(in super::super) fn write(value: &Value) -> Vec<u8> {
        let head = |major: u8, number: u64| {
            let bytes = number.to_be_bytes();
            let (low, length) = match number {
                0..24 => return vec![major << 5 | u8::try_from(number).unwrap()],
                24..256 => (24, 1),
                256..65_536 => (25, 2),
                65_536..4_294_967_296 => (26, 4),
                _ => (27, 8),
            };
            [&[major << 5 | low][..], &bytes[8 - length..]].concat()
        };
        let many = |items: Vec<Vec<u8>>| items.concat();
        match value {
            Value::Unsigned(number) => head(0, *number),
            Value::Negative(number) => head(1, *number),
            Value::Bytes(bytes) => [head(2, bytes.len() as u64), bytes.clone()].concat(),
            Value::Text(text) => [head(3, text.len() as u64), text.clone().into_bytes()].concat(),
            Value::Array(items) => [head(4, items.len() as u64), many(items.iter().map(write).collect())].concat(),
            Value::Map(pairs) => {
                let pairs_written = pairs.iter().map(|(key, value)| [write(key), write(value)].concat()).collect();
                [head(5, pairs.len() as u64), many(pairs_written)].concat()
            }
            Value::Bool(truth) => vec![if *truth { 0xf5 } else { 0xf4 }],
            Value::Null => vec![0xf6],
        }
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(Value::Unsigned),
            (0u64..40).prop_map(Value::Unsigned),
            any::<u64>().prop_map(Value::Negative),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
            ".{0,40}".prop_map(Value::Text),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ]
    }

    fn tree() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((leaf(), inner), 0..6).prop_map(|mut pairs| {
                    let mut known: Vec<Value> = Vec::new();
                    pairs.retain(|(key, _)| {
                        !known.contains(key) && {
                            known.push(key.clone());
                            true
                        }
                    });
                    Value::Map(pairs)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_with_what_stands_behind_it(value in tree(), behind in any::<Vec<u8>>()) {
            let bytes = write(&value);
            prop_assert_eq!(read_all(&bytes), Ok(value.clone()));
            let longer = [bytes, behind.clone()].concat();
            prop_assert_eq!(read(&longer), Ok((value, &behind[..])));
        }

        #[test]
        fn what_is_cut_short_is_refused(value in tree(), cut in any::<prop::sample::Index>()) {
            let bytes = write(&value);
            prop_assert_eq!(read_all(&bytes[..cut.index(bytes.len())]), Err(NotCanonical));
        }

        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((value, rest)) = read(&bytes) {
                prop_assert_eq!([write(&value), rest.to_vec()].concat(), bytes);
            }
        }
    }

    #[test]
    fn long_numbers_loops_tags_fractions_and_twins_are_refused() {
        for bytes in [
            &[0x18, 0x17][..],
            &[0x19, 0x00, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0x5f, 0x41, 0x00, 0xff],
            &[0x9f, 0xff],
            &[0xbf, 0xff],
            &[0xc0, 0x00],
            &[0xf9, 0x00, 0x00],
            &[0xf7],
            &[0xa2, 0x01, 0x00, 0x01, 0x00],
            &[0x61, 0xff],
            &[0x81, 0x81, 0x81, 0x81, 0x81, 0x00],
            // More bytes and more items than there are: nothing is set aside for them.
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(read(bytes), Err(NotCanonical), "{bytes:02x?}");
        }
        assert!(read(&[0x81, 0x81, 0x81, 0x81, 0x00]).is_ok());
    }
}
