//! Records and the numbers in them (MS-XLS, section 2.1.4).

/// A record with its type; parts that did not fit follow as CONTINUE records.
pub(super) struct Record<'a> {
    pub(super) kind: u16,
    pub(super) data: &'a [u8],
}

/// Walks over records until the stream ends or is cut off.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream }
    }

    /// The CONTINUE records that come next.
    pub(super) fn continued(&mut self) -> Vec<&'a [u8]> {
        const CONTINUE: u16 = 0x003C;
        let mut parts = Vec::new();
        while u16_at(self.rest, 0) == Some(CONTINUE) {
            let Some(record) = self.next() else { break };
            parts.push(record.data);
        }
        parts
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let kind = u16_at(self.rest, 0)?;
        let length = usize::from(u16_at(self.rest, 2)?);
        let data = self.rest.get(4..4 + length)?;
        self.rest = &self.rest[4 + length..];
        Some(Record { kind, data })
    }
}

pub(super) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn f64_at(data: &[u8], at: usize) -> Option<f64> {
    Some(f64::from_le_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

/// A number in four bytes (RkNumber, section 2.5.217): an integer of 30 bits or the upper 30 bits of a double, either
/// of them possibly a hundred times too large.
pub(super) fn rk_at(data: &[u8], at: usize) -> Option<f64> {
    let bits = u32_at(data, at)?;
    let value =
        if bits & 2 == 2 { f64::from(bits.cast_signed() >> 2) } else { f64::from_bits(u64::from(bits & !3) << 32) };
    Some(if bits & 1 == 1 { value / 100.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers() {
        for (bits, value) in
            [(0x3FF0_0000_u32, 1.0), (0x3FF0_0001, 0.01), (123_456 << 2 | 3, 1234.56), ((-5_i32 as u32) << 2 | 2, -5.0)]
        {
            assert_eq!(rk_at(&bits.to_le_bytes(), 0), Some(value), "{bits:x}");
        }
    }

    #[test]
    fn records_that_are_cut_off_end_the_stream() {
        let stream = [0x0A, 0, 1, 0, 7, 0x3C, 0, 2, 0, 1, 2, 0x3C, 0, 9, 0, 1];
        let mut records = Records::new(&stream);
        assert_eq!(records.next().map(|record| (record.kind, record.data)), Some((10, &[7_u8][..])));
        assert_eq!(records.continued(), [&[1_u8, 2][..]]);
        assert!(records.next().is_none());
    }
}
