//! `c += a · b` where b is 32 columns wide: the inner step of attention and of products with dense weights.
//!
//! Each number of c is one chain of fused multiply-adds along k, in order, whatever the instruction set and the number
//! of rows: the bits never depend on either.

use super::isa::Isa;
use half::{bf16, f16};

/// Columns of b.
pub(crate) const WIDTH: usize = 32;

/// Rows of a that are multiplied at once, at most.
pub(crate) const ROWS: usize = 8;

/// What b is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F16,
    Bf16,
}

impl Element {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Where the numbers lie. Strides count elements.
#[derive(Clone, Copy)]
pub(crate) struct Operands {
    /// (rows, k)
    pub(crate) a: *const f32,
    pub(crate) a_stride: usize,
    /// (k, 32) of the element type
    pub(crate) b: *const u8,
    pub(crate) b_stride: usize,
    /// (rows, 32)
    pub(crate) c: *mut f32,
    pub(crate) c_stride: usize,
    pub(crate) k: usize,
}

/// Adds the product of `rows` rows, at most [`ROWS`].
///
/// # Safety
/// The operands have `rows` rows, k and 32 columns as their strides say, c overlaps neither of the others, and the
/// processor has the instructions of `isa`.
pub(crate) unsafe fn multiply(isa: Isa, element: Element, rows: usize, operands: Operands) {
    // SAFETY: the caller's promise.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx | Isa::Avx512 => avx512::multiply(element, rows, operands),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::multiply(element, rows, operands),
            _ => scalar(element, rows, operands),
        }
    }
}

unsafe fn scalar(element: Element, rows: usize, x: Operands) {
    // SAFETY: see `multiply`.
    unsafe {
        for row in 0..rows {
            for step in 0..x.k {
                let a = *x.a.add(row * x.a_stride + step);
                for column in 0..WIDTH {
                    let at = step * x.b_stride + column;
                    let b = match element {
                        Element::F32 => *x.b.cast::<f32>().add(at),
                        Element::F16 => (*x.b.cast::<f16>().add(at)).to_f32(),
                        Element::Bf16 => (*x.b.cast::<bf16>().add(at)).to_f32(),
                    };
                    let c = x.c.add(row * x.c_stride + column);
                    *c = a.mul_add(b, *c);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Element, Operands};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(super) unsafe fn multiply(element: Element, rows: usize, x: Operands) {
        // SAFETY: the caller's promise.
        unsafe {
            match element {
                Element::F32 => rows_of::<0>(rows, x),
                Element::F16 => rows_of::<1>(rows, x),
                Element::Bf16 => rows_of::<2>(rows, x),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn rows_of<const ELEMENT: u8>(rows: usize, x: Operands) {
        // SAFETY: the caller's promise.
        unsafe {
            match rows {
                1 => block::<1, ELEMENT>(x),
                2 => block::<2, ELEMENT>(x),
                3 => block::<3, ELEMENT>(x),
                4 => block::<4, ELEMENT>(x),
                5 => block::<5, ELEMENT>(x),
                6 => block::<6, ELEMENT>(x),
                7 => block::<7, ELEMENT>(x),
                _ => block::<8, ELEMENT>(x),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn load<const ELEMENT: u8>(b: *const u8, at: usize) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            match ELEMENT {
                0 => _mm512_loadu_ps(b.cast::<f32>().add(at)),
                1 => _mm512_cvtph_ps(_mm256_loadu_si256(b.cast::<u16>().add(at).cast())),
                _ => {
                    let half = _mm256_loadu_si256(b.cast::<u16>().add(at).cast());
                    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn block<const ROWS: usize, const ELEMENT: u8>(x: Operands) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
            for (row, sums) in sums.iter_mut().enumerate() {
                let c = x.c.add(row * x.c_stride);
                *sums = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(16))];
            }
            for step in 0..x.k {
                let at = step * x.b_stride;
                let (low, high) = (load::<ELEMENT>(x.b, at), load::<ELEMENT>(x.b, at + 16));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*x.a.add(row * x.a_stride + step));
                    *sums = [_mm512_fmadd_ps(a, low, sums[0]), _mm512_fmadd_ps(a, high, sums[1])];
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let c = x.c.add(row * x.c_stride);
                _mm512_storeu_ps(c, sums[0]);
                _mm512_storeu_ps(c.add(16), sums[1]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Element, Operands};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn multiply(element: Element, rows: usize, x: Operands) {
        // SAFETY: the caller's promise.
        unsafe {
            for row in (0..rows).step_by(2) {
                let x = Operands { a: x.a.add(row * x.a_stride), c: x.c.add(row * x.c_stride), ..x };
                match (rows - row, element) {
                    (1, Element::F32) => block::<1, 0>(x),
                    (1, Element::F16) => block::<1, 1>(x),
                    (1, Element::Bf16) => block::<1, 2>(x),
                    (_, Element::F32) => block::<2, 0>(x),
                    (_, Element::F16) => block::<2, 1>(x),
                    (_, Element::Bf16) => block::<2, 2>(x),
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load<const ELEMENT: u8>(b: *const u8, at: usize) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe {
            match ELEMENT {
                0 => _mm256_loadu_ps(b.cast::<f32>().add(at)),
                1 => _mm256_cvtph_ps(_mm_loadu_si128(b.cast::<u16>().add(at).cast())),
                _ => {
                    let half = _mm_loadu_si128(b.cast::<u16>().add(at).cast());
                    _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn block<const ROWS: usize, const ELEMENT: u8>(x: Operands) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 4]; ROWS];
            for (row, sums) in sums.iter_mut().enumerate() {
                for (part, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm256_loadu_ps(x.c.add(row * x.c_stride + part * 8));
                }
            }
            for step in 0..x.k {
                for part in 0..4 {
                    let b = load::<ELEMENT>(x.b, step * x.b_stride + part * 8);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let a = _mm256_set1_ps(*x.a.add(row * x.a_stride + step));
                        sums[part] = _mm256_fmadd_ps(a, b, sums[part]);
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                for (part, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(x.c.add(row * x.c_stride + part * 8), *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_chain_of_fused_steps() {
        let k = 70;
        let value = |i: usize| ((i * 7919) % 1013) as f32 / 500.0 - 1.0;
        let a: Vec<f32> = (0..ROWS * k).map(value).collect();
        let wide: Vec<f32> = (0..k * 48).map(|i| value(i + 5)).collect();
        let half: Vec<f16> = wide.iter().map(|x| f16::from_f32(*x)).collect();
        let brain: Vec<bf16> = wide.iter().map(|x| bf16::from_f32(*x)).collect();
        for (element, b) in [
            (Element::F32, wide.as_ptr().cast::<u8>()),
            (Element::F16, half.as_ptr().cast()),
            (Element::Bf16, brain.as_ptr().cast()),
        ] {
            for rows in 1..=ROWS {
                let run = |isa| {
                    let mut c: Vec<f32> = (0..ROWS * 40).map(value).collect();
                    let operands =
                        Operands { a: a.as_ptr(), a_stride: k, b, b_stride: 48, c: c.as_mut_ptr(), c_stride: 40, k };
                    // SAFETY: sized above.
                    unsafe { multiply(isa, element, rows, operands) };
                    c
                };
                let expected = run(Isa::Scalar);
                for isa in Isa::available() {
                    assert_eq!(run(isa), expected, "{isa:?} {element:?} {rows}");
                }
                let mut first = value(1);
                for step in 0..k {
                    let b = match element {
                        Element::F32 => wide[step * 48 + 1],
                        Element::F16 => half[step * 48 + 1].to_f32(),
                        Element::Bf16 => brain[step * 48 + 1].to_f32(),
                    };
                    first = a[step].mul_add(b, first);
                }
                assert_eq!(expected[1], first);
            }
        }
    }
}
