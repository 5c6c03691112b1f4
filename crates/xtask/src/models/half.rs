//! Half precision (IEEE 754 binary16), both ways.

/// The value of a half.
pub fn from_half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3FF));
    let size = match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}

/// The nearest half, of two equally near ones the even one.
pub fn to_half(value: f32) -> u16 {
    let sign = u16::from(value.is_sign_negative()) << 15;
    let size = value.abs();
    if size.is_nan() {
        return sign | 0x7E00;
    }
    // 65,520 is half-way between the largest half and what would come after it.
    if size >= 65_520.0 {
        return sign | 0x7C00;
    }
    let exponent = (size.to_bits() >> 23) as i32 - 127;
    // One in the last place; below the smallest normal half all steps are alike. Powers of two, so the division is exact.
    let step = 2_f32.powi(exponent.max(-14) - 10);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2,048")]
    let steps = (size / step).round_ties_even() as u16;
    // A carry out of the fraction goes on into the exponent, as it should.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 29")]
    let below = (exponent.max(-14) + 14) as u16;
    sign | (below * 1024 + steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for bits in 0..=u16::MAX {
            let value = from_half(bits);
            if value.is_nan() {
                assert!(from_half(to_half(value)).is_nan());
            } else {
                assert_eq!(to_half(value), bits, "{value}");
            }
        }
    }

    #[test]
    fn what_lies_between_goes_to_the_nearest() {
        assert_eq!(from_half(to_half(1.0 + 1.0 / 2048.0)), 1.0, "of two equally near ones the even one");
        assert_eq!(from_half(to_half(1.0 + 3.0 / 2048.0)), 1.0 + 2.0 / 1024.0);
        assert_eq!(from_half(to_half(0.1)), 0.099_975_586);
        assert_eq!(from_half(to_half(65_519.0)), 65_504.0);
        assert_eq!(to_half(65_520.0), 0x7C00);
        assert_eq!(to_half(-0.0), 0x8000);
    }
}
