//! Unpacking and multiplying with AVX2.

use super::form::{Bits, Form, GROUP, PANEL, QUAD, Tile};
use super::tile::{self, Operand};
use std::arch::x86_64::*;

/// Rows of activations at once: with 16 registers more would spill.
const ROWS: usize = 2;

/// As [`tile::unpack`], compiled with wider vectors.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn unpack(form: Form, groups: usize, block: &[u8], tile: &mut Tile) {
    tile::unpack(form, groups, block, tile);
}

/// As [`tile::multiply`].
///
/// # Safety
/// As there, and the processor has the instructions.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, x: Operand, rows: usize, sums: *mut f32) {
    let wide = form.bits == Bits::Eight;
    let per_row = 256 / form.group();
    for row in (0..rows).step_by(ROWS) {
        // SAFETY: the caller's promise.
        unsafe {
            let x =
                Operand { quants: x.quants.add(row * 256), scales: x.scales.add(row), sums: x.sums.add(row * per_row) };
            let sums = sums.add(row * PANEL);
            let groups = groups * GROUP / form.group();
            match (form.group(), wide, rows - row) {
                (16, _, 1) => block::<1, 4, false>(groups, tile, x, sums),
                (16, ..) => block::<2, 4, false>(groups, tile, x, sums),
                (_, false, 1) => block::<1, 8, false>(groups, tile, x, sums),
                (_, false, _) => block::<2, 8, false>(groups, tile, x, sums),
                (_, true, 1) => block::<1, 8, true>(groups, tile, x, sums),
                (_, true, _) => block::<2, 8, true>(groups, tile, x, sums),
            }
        }
    }
}

/// Both halves of a panel, eight rows each. With `WIDE`, quants use all 8 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn block<const ROWS: usize, const QUADS: usize, const WIDE: bool>(
    groups: usize,
    tile: &Tile,
    x: Operand,
    sums: *mut f32,
) {
    let ones = _mm256_set1_epi16(1);
    let per_row = 64 / QUADS;
    for half in 0..2 {
        // SAFETY: see `multiply`.
        unsafe {
            let mut totals = [_mm256_setzero_ps(); ROWS];
            for group in 0..groups {
                let mut dots = [_mm256_setzero_si256(); ROWS];
                for quad in group * QUADS..(group + 1) * QUADS {
                    let weights = _mm256_load_si256(tile.quants.as_ptr().add(quad * QUAD + half * 32).cast());
                    for (row, dot) in dots.iter_mut().enumerate() {
                        let four = x.quants.add(row * 256 + quad * 4).cast::<i32>().read_unaligned();
                        let four = _mm256_set1_epi32(four);
                        let part = if WIDE {
                            // Sums of two products of 8 bits overflow 16: the highest bit is taken on its own.
                            let low = _mm256_and_si256(weights, _mm256_set1_epi8(0x7f));
                            let high = _mm256_and_si256(_mm256_srli_epi16(weights, 7), _mm256_set1_epi8(1));
                            let low = _mm256_madd_epi16(_mm256_maddubs_epi16(low, four), ones);
                            let high = _mm256_maddubs_epi16(high, four);
                            _mm256_add_epi32(low, _mm256_madd_epi16(high, _mm256_set1_epi16(128)))
                        } else {
                            _mm256_madd_epi16(_mm256_maddubs_epi16(weights, four), ones)
                        };
                        *dot = _mm256_add_epi32(*dot, part);
                    }
                }
                let scale = _mm256_load_ps(tile.scales[group].as_ptr().add(half * 8));
                let minimum = _mm256_load_ps(tile.minimums[group].as_ptr().add(half * 8));
                for (row, total) in totals.iter_mut().enumerate() {
                    let sum = _mm256_set1_ps(*x.sums.add(row * per_row + group));
                    *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scale, *total);
                    *total = _mm256_fnmadd_ps(minimum, sum, *total);
                }
            }
            for (row, total) in totals.iter().enumerate() {
                let sum = sums.add(row * PANEL + half * 8);
                let scale = _mm256_set1_ps(*x.scales.add(row));
                _mm256_storeu_ps(sum, _mm256_fmadd_ps(*total, scale, _mm256_loadu_ps(sum)));
            }
        }
    }
}
