//! Unpacking and multiplying with AVX-512 and VNNI.

use super::form::{BLOCK, Bits, Form, GROUP, GROUP_QUADS, PANEL, QUAD, Scales, Tile};
use super::tile::{Operand, Sums};
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
                _mm512_store_ps(scales[0].as_mut_ptr(), floats(0));
                _mm512_store_ps(minimums[0].as_mut_ptr(), floats(1));
                let factor = |index: usize| {
                    let bytes = _mm_loadu_si128(bytes.add(4 * PANEL + index * PANEL).cast());
                    _mm512_cvtepu8_epi32(bytes)
                };
                for group in 0..groups {
                    let factor = factor(2 * group);
                    _mm512_store_si512(tile.factors[group].as_mut_ptr().cast(), factor);
                }
                for pair in 0..groups / 2 {
                    let both = pairs(factor(4 * pair + 1), factor(4 * pair + 3));
                    _mm512_store_si512(tile.minimum_factors[pair].as_mut_ptr().cast(), both);
                }
            }
            Scales::Nested16 => {
                _mm512_store_ps(scales[0].as_mut_ptr(), floats(0));
                _mm512_store_ps(minimums[0].as_mut_ptr(), floats(0));
                let factor = |group: usize| {
                    let bytes = _mm_loadu_si128(bytes.add(2 * PANEL + group * PANEL).cast());
                    _mm512_cvtepi8_epi32(bytes)
                };
                for pair in 0..groups {
                    let (first, second) = (factor(2 * pair), factor(2 * pair + 1));
                    _mm512_store_si512(tile.factors[2 * pair].as_mut_ptr().cast(), first);
                    _mm512_store_si512(tile.factors[2 * pair + 1].as_mut_ptr().cast(), second);
                    let both = _mm512_slli_epi16(pairs(first, second), 5);
                    _mm512_store_si512(tile.minimum_factors[pair].as_mut_ptr().cast(), both);
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

/// The low halves of 16 whole numbers each, side by side.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn pairs(low: __m512i, high: __m512i) -> __m512i {
    _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32(high, 16))
}

/// As [`super::tile::multiply`], for `rows` from 1 to 8.
///
/// # Safety
/// As there, and the processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, operand: Operand, rows: usize, sums: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => block::<1>(form, groups, tile, operand, sums),
            2 => block::<2>(form, groups, tile, operand, sums),
            3 => block::<3>(form, groups, tile, operand, sums),
            4 => block::<4>(form, groups, tile, operand, sums),
            5 => block::<5>(form, groups, tile, operand, sums),
            6 => block::<6>(form, groups, tile, operand, sums),
            7 => block::<7>(form, groups, tile, operand, sums),
            _ => block::<8>(form, groups, tile, operand, sums),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn block<const ROWS: usize>(form: Form, groups: usize, tile: &Tile, operand: Operand, sums: Sums) {
    // SAFETY: see `multiply`.
    unsafe {
        let totals = match form.scales {
            Scales::Nested32 => nested::<ROWS, 8>(tile, operand),
            Scales::Nested16 => nested::<ROWS, 4>(tile, operand),
            Scales::Flat(_) | Scales::FlatMinimum => flat::<ROWS>(groups, tile, operand),
        };
        for (row, total) in totals.iter().enumerate() {
            let sum = sums.row(row);
            let scale = _mm512_set1_ps(*operand.scales.add(row));
            _mm512_storeu_ps(sum, _mm512_fmadd_ps(*total, scale, _mm512_loadu_ps(sum)));
        }
    }
}

/// The dot products of a group of `QUADS` quads.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn dots<const ROWS: usize, const QUADS: usize>(group: usize, tile: &Tile, quants: *const i8) -> [__m512i; ROWS] {
    let mut dots = [_mm512_setzero_si512(); ROWS];
    for quad in group * QUADS..(group + 1) * QUADS {
        // SAFETY: see `multiply`.
        unsafe {
            let weights = _mm512_load_si512(tile.quants.as_ptr().add(quad * QUAD).cast());
            for (row, dot) in dots.iter_mut().enumerate() {
                let four = quants.add(row * BLOCK + quad * 4).cast::<i32>().read_unaligned();
                *dot = _mm512_dpbusd_epi32(*dot, weights, _mm512_set1_epi32(four));
            }
        }
    }
    dots
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn flat<const ROWS: usize>(groups: usize, tile: &Tile, operand: Operand) -> [__m512; ROWS] {
    let mut totals = [_mm512_setzero_ps(); ROWS];
    for group in 0..groups {
        // SAFETY: see `multiply`.
        unsafe {
            let dots = dots::<ROWS, 8>(group, tile, operand.quants);
            let scale = _mm512_load_ps(tile.scales[group].as_ptr());
            let minimum = _mm512_load_ps(tile.minimums[group].as_ptr());
            for (row, total) in totals.iter_mut().enumerate() {
                let sum = _mm512_set1_ps(*operand.sums.add(row * (BLOCK / GROUP) + group));
                *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scale, *total);
                *total = _mm512_fnmadd_ps(minimum, sum, *total);
            }
        }
    }
    totals
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn nested<const ROWS: usize, const QUADS: usize>(tile: &Tile, operand: Operand) -> [__m512; ROWS] {
    let groups = const { BLOCK / 4 / QUADS };
    let mut totals = [_mm512_setzero_si512(); ROWS];
    // SAFETY: see `multiply`.
    unsafe {
        for group in 0..groups {
            let dots = dots::<ROWS, QUADS>(group, tile, operand.quants);
            let factor = _mm512_load_si512(tile.factors[group].as_ptr().cast());
            for (row, total) in totals.iter_mut().enumerate() {
                *total = _mm512_add_epi32(*total, _mm512_mullo_epi32(dots[row], factor));
            }
        }
        let mut minimums = [_mm512_setzero_si512(); ROWS];
        for pair in 0..groups / 2 {
            let factors = _mm512_load_si512(tile.minimum_factors[pair].as_ptr().cast());
            for (row, minimum) in minimums.iter_mut().enumerate() {
                let sums = operand.whole_sums.add(row * groups + 2 * pair).cast::<i32>().read_unaligned();
                *minimum = _mm512_dpwssd_epi32(*minimum, factors, _mm512_set1_epi32(sums));
            }
        }
        let scale = _mm512_load_ps(tile.scales[0].as_ptr());
        let minimum_scale = _mm512_load_ps(tile.minimums[0].as_ptr());
        let mut sums = [_mm512_setzero_ps(); ROWS];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = match QUADS {
                4 => _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(totals[row], minimums[row])), scale),
                _ => {
                    let total = _mm512_mul_ps(_mm512_cvtepi32_ps(totals[row]), scale);
                    _mm512_fnmadd_ps(minimum_scale, _mm512_cvtepi32_ps(minimums[row]), total)
                }
            };
        }
        sums
    }
}
