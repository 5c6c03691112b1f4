//! Unpacking and multiplying with AVX2.

use super::form::{BLOCK, Bits, Form, GROUP, GROUP_QUADS, QUAD, Scales, Tile};
use super::tile::{self, Operand, Sums};
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
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, x: Operand, rows: usize, sums: Sums) {
    for row in (0..rows).step_by(ROWS) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.at(form, row);
            let sums = sums.from(row, 0);
            match rows - row {
                1 => block::<1>(form, groups, tile, x, sums),
                _ => block::<ROWS>(form, groups, tile, x, sums),
            }
        }
    }
}

/// Both halves of a panel, eight rows each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn block<const ROWS: usize>(form: Form, groups: usize, tile: &Tile, x: Operand, sums: Sums) {
    for half in 0..2 {
        // SAFETY: see `multiply`.
        unsafe {
            let totals = match (form.scales, form.bits) {
                (Scales::Nested32, _) => nested::<ROWS, 8>(half, tile, x),
                (Scales::Nested16, _) => nested::<ROWS, 4>(half, tile, x),
                (_, Bits::Eight) => flat::<ROWS, true>(half, groups, tile, x),
                _ => flat::<ROWS, false>(half, groups, tile, x),
            };
            for (row, total) in totals.iter().enumerate() {
                let sum = sums.row(row).add(half * 8);
                let scale = _mm256_set1_ps(*x.scales.add(row));
                _mm256_storeu_ps(sum, _mm256_fmadd_ps(*total, scale, _mm256_loadu_ps(sum)));
            }
        }
    }
}

/// With `WIDE`, quants use all 8 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn flat<const ROWS: usize, const WIDE: bool>(
    half: usize,
    groups: usize,
    tile: &Tile,
    x: Operand,
) -> [__m256; ROWS] {
    let ones = _mm256_set1_epi16(1);
    let mut totals = [_mm256_setzero_ps(); ROWS];
    for group in 0..groups {
        // SAFETY: see `multiply`.
        unsafe {
            let mut dots = [_mm256_setzero_si256(); ROWS];
            for quad in group * GROUP_QUADS..(group + 1) * GROUP_QUADS {
                let weights = _mm256_load_si256(tile.quants.as_ptr().add(quad * QUAD + half * 32).cast());
                for (row, dot) in dots.iter_mut().enumerate() {
                    let four = four(x, row, quad);
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
                let sum = _mm256_set1_ps(*x.sums.add(row * (BLOCK / GROUP) + group));
                *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scale, *total);
                *total = _mm256_fnmadd_ps(minimum, sum, *total);
            }
        }
    }
    totals
}

/// Factors take the place of the ones that sums of pairs are multiplied by anyway.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn nested<const ROWS: usize, const QUADS: usize>(half: usize, tile: &Tile, x: Operand) -> [__m256; ROWS] {
    let groups = const { BLOCK / 4 / QUADS };
    let mut totals = [_mm256_setzero_si256(); ROWS];
    let mut minimums = [_mm256_setzero_si256(); ROWS];
    // SAFETY: see `multiply`.
    unsafe {
        for group in 0..groups {
            // Each twice.
            let factors = _mm256_load_si256(tile.factors[group].as_ptr().add(half * 8).cast());
            let factors = _mm256_blend_epi16::<0xaa>(factors, _mm256_slli_epi32(factors, 16));
            for quad in group * QUADS..(group + 1) * QUADS {
                let weights = _mm256_load_si256(tile.quants.as_ptr().add(quad * QUAD + half * 32).cast());
                for (row, total) in totals.iter_mut().enumerate() {
                    let pairs = _mm256_maddubs_epi16(weights, four(x, row, quad));
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(pairs, factors));
                }
            }
        }
        for pair in 0..groups / 2 {
            let factors = _mm256_load_si256(tile.minimum_factors[pair].as_ptr().add(half * 8).cast());
            for (row, minimum) in minimums.iter_mut().enumerate() {
                let sums = x.whole_sums.add(row * groups + 2 * pair).cast::<i32>().read_unaligned();
                *minimum = _mm256_add_epi32(*minimum, _mm256_madd_epi16(factors, _mm256_set1_epi32(sums)));
            }
        }
        let scale = _mm256_load_ps(tile.scales[0].as_ptr().add(half * 8));
        let minimum_scale = _mm256_load_ps(tile.minimums[0].as_ptr().add(half * 8));
        let mut sums = [_mm256_setzero_ps(); ROWS];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = match QUADS {
                4 => _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(totals[row], minimums[row])), scale),
                _ => {
                    let total = _mm256_mul_ps(_mm256_cvtepi32_ps(totals[row]), scale);
                    _mm256_fnmadd_ps(minimum_scale, _mm256_cvtepi32_ps(minimums[row]), total)
                }
            };
        }
        sums
    }
}

/// Four numbers of a row, as often as a vector holds them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn four(x: Operand, row: usize, quad: usize) -> __m256i {
    // SAFETY: see `multiply`.
    unsafe { _mm256_set1_epi32(x.quants.add(row * BLOCK + quad * 4).cast::<i32>().read_unaligned()) }
}
