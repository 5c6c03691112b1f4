//! Server-sent events (HTML Living Standard, section 9.2), as far as such an engine uses them: their data.

/// Longest line, and longest data of one event.
pub(super) const LONGEST: usize = 1 << 20;

/// Cuts a body into the data of its events. Bytes may arrive cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
    any: bool,
}

/// What cannot be such a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoEvents {
    TooLong,
    NotText,
}

impl NoEvents {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "a line of it is longer than a megabyte",
            Self::NotText => "it is no UTF-8",
        }
    }
}

impl Events {
    /// Adds bytes and appends the data of each event that is complete to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<String>) -> Result<(), NoEvents> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..at])?;
            rest = &rest[at + 1..];
            let line = std::mem::take(&mut self.line);
            self.take(&line, out)?;
        }
        self.extend(rest)
    }

    /// What the last lines said, when the body ends without an empty one.
    pub(super) fn finish(&mut self, out: &mut Vec<String>) -> Result<(), NoEvents> {
        let line = std::mem::take(&mut self.line);
        self.take(&line, out)?;
        self.take(b"", out)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), NoEvents> {
        if self.line.len() + bytes.len() > LONGEST {
            return Err(NoEvents::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take(&mut self, line: &[u8], out: &mut Vec<String>) -> Result<(), NoEvents> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            if std::mem::take(&mut self.any) {
                out.push(std::mem::take(&mut self.data));
            }
            return Ok(());
        }
        let Some(value) = line.strip_prefix(b"data:") else { return Ok(()) };
        let value = std::str::from_utf8(value).map_err(|_| NoEvents::NotText)?;
        if self.data.len() + value.len() > LONGEST {
            return Err(NoEvents::TooLong);
        }
        if self.any {
            self.data.push('\n');
        }
        self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
        self.any = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, NoEvents> {
        let (mut events, mut out) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, &mut out)?;
        }
        events.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn only_data_counts() {
        let body = b": ping\nevent: x\ndata: {\"a\":1}\n\nid: 4\r\ndata:two\r\ndata: lines\r\n\r\n\ndata: [DONE]";
        assert_eq!(read(&[body]).unwrap(), ["{\"a\":1}", "two\nlines", "[DONE]"]);
    }

    #[test]
    fn what_does_not_end_is_too_long() {
        assert_eq!(read(&[&vec![b'x'; LONGEST + 1]]), Err(NoEvents::TooLong));
        let many = b"data: 0123456789\n".repeat(LONGEST / 10 + 1);
        assert_eq!(read(&[&many]), Err(NoEvents::TooLong));
        assert_eq!(read(&[b"data: \xff\n\n"]), Err(NoEvents::NotText));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..60), cut in 0usize..60) {
            let text = [b"data: ab\n\ndata".as_slice(), &bytes, b"\n\ndata: c\n\n"].concat();
            let (first, second) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(read(&[first, second]), read(&[&text]));
        }
    }
}
