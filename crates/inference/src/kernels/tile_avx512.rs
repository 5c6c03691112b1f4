//! Unpacking and multiplying with AVX-512 and VNNI.

use super::form::{Bits, Form, GROUP, GROUP_QUADS, PANEL, QUAD, Scales, Tile};
use super::tile::Operand;
use std::arch::x86_64::*;

/// As [`super::tile::unpack`].
///
/// # Safety
/// The processor has the instructions, and `block` all bytes of a block of `groups` groups.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn unpack(form: Form, groups: usize, block: *const u8, tile: &mut Tile) {
    // SAFETY: every read stays within the sizes that `Form` gives, every write within the tile.
    unsafe {
        unpack_scales(form, groups, block, tile);
        let packed = block.add(form.scale_bytes(groups));
        let quants = tile.quants.as_mut_ptr();
        match form.bits {
            Bits::Four => unpack_four(groups, packed, quants),
            Bits::Six => unpack_six(groups, packed, quants),
            Bits::Eight => std::ptr::copy_nonoverlapping(packed, quants, groups * GROUP_QUADS * QUAD),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unpack_four(groups: usize, packed: *const u8, quants: *mut u8) {
    let mask = _mm512_set1_epi8(0x0f);
    // SAFETY: see `unpack`.
    unsafe {
        for pair in 0..groups * GROUP_QUADS / 2 {
            let both = _mm512_loadu_si512(packed.add(pair * QUAD).cast());
            _mm512_store_si512(quants.add(2 * pair * QUAD).cast(), _mm512_and_si512(both, mask));
            let second = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
            _mm512_store_si512(quants.add((2 * pair + 1) * QUAD).cast(), second);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unpack_six(groups: usize, packed: *const u8, quants: *mut u8) {
    let (low_mask, high_mask) = (_mm512_set1_epi8(0x0f), _mm512_set1_epi8(0x30));
    // (low & 0x0f) | (high & 0x30) in one step: high selects where the mask is set.
    // SAFETY: see `unpack`.
    unsafe {
        for group in 0..groups {
            let low = packed.add(group * GROUP_QUADS / 4 * 3 * QUAD);
            let high = low.add(GROUP_QUADS / 2 * QUAD);
            let quants = quants.add(group * GROUP_QUADS * QUAD);
            for half in 0..2 {
                let high = _mm512_loadu_si512(high.add(half * QUAD).cast());
                let first = _mm512_loadu_si512(low.add(2 * half * QUAD).cast());
                let second = _mm512_loadu_si512(low.add((2 * half + 1) * QUAD).cast());
                let parts = [
                    (first, _mm512_slli_epi16(high, 4)),
                    (_mm512_srli_epi16(first, 4), _mm512_slli_epi16(high, 2)),
                    (second, high),
                    (_mm512_srli_epi16(second, 4), _mm512_srli_epi16(high, 2)),
                ];
                for (index, (low, high)) in parts.into_iter().enumerate() {
                    let low = _mm512_and_si512(low, low_mask);
                    let whole = _mm512_ternarylogic_epi32::<0xf8>(low, high, high_mask);
                    _mm512_store_si512(quants.add((4 * half + index) * QUAD).cast(), whole);
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unpack_scales(form: Form, groups: usize, bytes: *const u8, tile: &mut Tile) {
    // SAFETY: see `unpack`.
    unsafe {
        let floats = |index: usize| _mm512_cvtph_ps(_mm256_loadu_si256(bytes.add(2 * PANEL * index).cast()));
        let (scales, minimums) = (&mut tile.scales, &mut tile.minimums);
        match form.scales {
            Scales::Nested32 => {
                let (scale, minimum) = (floats(0), floats(1));
                let factor = |index: usize| {
                    let bytes = _mm_loadu_si128(bytes.add(4 * PANEL + index * PANEL).cast());
                    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
                };
                for group in 0..groups {
                    _mm512_store_ps(scales[group].as_mut_ptr(), _mm512_mul_ps(scale, factor(2 * group)));
                    _mm512_store_ps(minimums[group].as_mut_ptr(), _mm512_mul_ps(minimum, factor(2 * group + 1)));
                }
            }
            Scales::Nested16 => {
                let (scale, offset) = (floats(0), _mm512_set1_ps(32.0));
                for group in 0..2 * groups {
                    let bytes = _mm_loadu_si128(bytes.add(2 * PANEL + group * PANEL).cast());
                    let scale = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
                    _mm512_store_ps(scales[group].as_mut_ptr(), scale);
                    _mm512_store_ps(minimums[group].as_mut_ptr(), _mm512_mul_ps(scale, offset));
                }
            }
            Scales::Flat(offset) => {
                let offset = _mm512_set1_ps(f32::from(offset));
                for group in 0..groups {
                    let scale = floats(group);
                    _mm512_store_ps(scales[group].as_mut_ptr(), scale);
                    _mm512_store_ps(minimums[group].as_mut_ptr(), _mm512_mul_ps(scale, offset));
                }
            }
            Scales::FlatMinimum => {
                for group in 0..groups {
                    _mm512_store_ps(scales[group].as_mut_ptr(), floats(2 * group));
                    _mm512_store_ps(minimums[group].as_mut_ptr(), floats(2 * group + 1));
                }
            }
        }
    }
}

/// As [`super::tile::multiply`], for `rows` from 1 to 8.
///
/// # Safety
/// As there, and the processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, operand: Operand, rows: usize, sums: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match form.group() {
            16 => rows_of::<4>(groups * GROUP / 16, tile, operand, rows, sums),
            _ => rows_of::<8>(groups, tile, operand, rows, sums),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn rows_of<const QUADS: usize>(groups: usize, tile: &Tile, operand: Operand, rows: usize, sums: *mut f32) {
    // SAFETY: see `multiply`.
    unsafe {
        match rows {
            1 => block::<1, QUADS>(groups, tile, operand, sums),
            2 => block::<2, QUADS>(groups, tile, operand, sums),
            3 => block::<3, QUADS>(groups, tile, operand, sums),
            4 => block::<4, QUADS>(groups, tile, operand, sums),
            5 => block::<5, QUADS>(groups, tile, operand, sums),
            6 => block::<6, QUADS>(groups, tile, operand, sums),
            7 => block::<7, QUADS>(groups, tile, operand, sums),
            _ => block::<8, QUADS>(groups, tile, operand, sums),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn block<const ROWS: usize, const QUADS: usize>(groups: usize, tile: &Tile, operand: Operand, sums: *mut f32) {
    // SAFETY: see `multiply`.
    unsafe {
        let Operand { quants, scales, sums: own_sums } = operand;
        let per_row = 64 / QUADS;
        let mut totals = [_mm512_setzero_ps(); ROWS];
        for group in 0..groups {
            let mut dots = [_mm512_setzero_si512(); ROWS];
            for quad in group * QUADS..(group + 1) * QUADS {
                let weights = _mm512_load_si512(tile.quants.as_ptr().add(quad * QUAD).cast());
                for (row, dot) in dots.iter_mut().enumerate() {
                    let four = quants.add(row * 256 + quad * 4).cast::<i32>().read_unaligned();
                    *dot = _mm512_dpbusd_epi32(*dot, weights, _mm512_set1_epi32(four));
                }
            }
            let scale = _mm512_load_ps(tile.scales[group].as_ptr());
            let minimum = _mm512_load_ps(tile.minimums[group].as_ptr());
            for (row, total) in totals.iter_mut().enumerate() {
                *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scale, *total);
                *total = _mm512_fnmadd_ps(minimum, _mm512_set1_ps(*own_sums.add(row * per_row + group)), *total);
            }
        }
        for (row, total) in totals.iter().enumerate() {
            let sum = sums.add(row * PANEL);
            let scale = _mm512_set1_ps(*scales.add(row));
            _mm512_storeu_ps(sum, _mm512_fmadd_ps(*total, scale, _mm512_loadu_ps(sum)));
        }
    }
}
