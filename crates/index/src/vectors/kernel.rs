//! The inner product that scans are made of, compiled for the widest vector instructions that the machine has. All forms give
//! the same bits: integers add up to the same in any order.

/// The inner product of a question in 12 bits and a code; both equally long.
pub(crate) fn products(question: &[i16], code: &[u8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has what the function is compiled for; the code itself is safe.
            #[allow(unsafe_code, reason = "only the check above makes these instructions callable")]
            return unsafe { wide(question, code) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            #[allow(unsafe_code, reason = "only the check above makes these instructions callable")]
            return unsafe { middle(question, code) };
        }
    }
    plain(question, code)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn wide(question: &[i16], code: &[u8]) -> i32 {
    plain(question, code)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn middle(question: &[i16], code: &[u8]) -> i32 {
    plain(question, code)
}

/// In 64 lanes, which compilers turn into multiplications of 16 bits that add pairs.
#[inline(always)]
fn plain(question: &[i16], code: &[u8]) -> i32 {
    const LANES: usize = 64;
    let (question, code) = (question.chunks_exact(LANES), code.chunks_exact(LANES));
    let product = |(question, code): (&i16, &u8)| {
        #[allow(clippy::cast_possible_wrap, reason = "the bits of an i8, kept as a byte")]
        let code = i32::from(*code as i8);
        i32::from(*question) * code
    };
    // What a question is rounded to keeps the sum within 32 bits; a check at each step would cost the vector instructions.
    let add = |sum: i32, pair| sum.wrapping_add(product(pair));
    let rest = question.remainder().iter().zip(code.remainder()).fold(0, add);
    question.zip(code).fold(rest, |sum, (question, code)| question.iter().zip(code).fold(sum, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_the_same_bits() {
        for length in [0, 1, 63, 64, 65, 384, 1_000] {
            let question: Vec<i16> = (0..length).map(|place| (place * 7_919 % 4_095) as i16 - 2_047).collect();
            let code: Vec<u8> = (0..length).map(|place| (place * 104_729 % 255) as u8).collect();
            let exact: i64 = question.iter().zip(&code).map(|(a, b)| i64::from(*a) * i64::from(*b as i8)).sum();
            assert_eq!(i64::from(products(&question, &code)), exact);
            assert_eq!(i64::from(plain(&question, &code)), exact);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function is compiled for.
                #[allow(unsafe_code, reason = "as above")]
                let middle = unsafe { middle(&question, &code) };
                assert_eq!(i64::from(middle), exact);
            }
        }
    }
}
