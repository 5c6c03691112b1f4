//! Multiplying many rows at once with AMX: the matrix unit sums whole numbers, and scales are applied in the order of the
//! other kernels, so the bits are theirs.
//!
//! Of nested forms, quants are multiplied by their groups' factors before. Such a number has 10 to 13 bits; it is cut in
//! two, `64 · high + low`, high signed and low unsigned, so that two products of bytes, each over all 256 columns of a
//! block, give the block's whole sum. Of flat forms each group has sums of its own: half of the unit's depth.

use super::amx::{ROWS, Tiles};
use super::form::{BLOCK, Form, GROUP, GROUP_QUADS, QUAD, Scales, Tile};
use super::tile::{Operand, Sums};
use super::tile_avx512;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// Rows of a step of nested forms.
const PAIR: usize = 2 * ROWS;

/// Rows from which the matrix unit is worth its setting up.
pub(super) fn least(form: Form) -> usize {
    if form.nested() { PAIR } else { ROWS }
}

/// The tile registers as products of `form` want them.
///
/// # Safety
/// As [`Tiles::new`].
pub(super) unsafe fn tiles(form: Form) -> Tiles {
    // SAFETY: the caller's promise.
    unsafe { Tiles::new(if form.nested() { 64 } else { GROUP }) }
}

/// Fills a tile's parts, if its form has them.
///
/// # Safety
/// The processor has AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn cut(form: Form, tile: &mut Tile) {
    match form.scales {
        Scales::Nested32 => cut_groups::<8>(tile),
        Scales::Nested16 => cut_groups::<4>(tile),
        Scales::Flat(_) | Scales::FlatMinimum => {}
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn cut_groups<const QUADS: usize>(tile: &mut Tile) {
    let (even, six) = (_mm512_set1_epi16(0x00ff), _mm512_set1_epi8(0x3f));
    let [high, low] = &mut tile.parts;
    for group in 0..const { BLOCK / 4 / QUADS } {
        // SAFETY: all of it lies within the tile, at multiples of 64 bytes.
        unsafe {
            let factor = _mm512_load_si512(tile.factors[group].as_ptr().cast());
            let factor = tile_avx512::pairs(factor, factor);
            // Quants of 16 columns count from 32.
            let minimum = if QUADS == 4 { _mm512_slli_epi16(factor, 5) } else { _mm512_setzero_si512() };
            for at in (group * QUADS..(group + 1) * QUADS).map(|quad| quad * QUAD) {
                let quants = _mm512_load_si512(tile.quants.as_ptr().add(at).cast());
                let scaled = |quants| _mm512_sub_epi16(_mm512_mullo_epi16(quants, factor), minimum);
                let first = scaled(_mm512_and_si512(quants, even));
                let second = scaled(_mm512_srli_epi16(quants, 8));
                // Bytes of `first` where `even` is set, of `second` elsewhere.
                let highs =
                    _mm512_ternarylogic_epi32::<0xca>(even, _mm512_srai_epi16(first, 6), _mm512_slli_epi16(second, 2));
                let lows = _mm512_ternarylogic_epi32::<0xca>(even, first, _mm512_slli_epi16(second, 8));
                _mm512_store_si512(high.as_mut_ptr().add(at).cast(), highs);
                _mm512_store_si512(low.as_mut_ptr().add(at).cast(), _mm512_and_si512(lows, six));
            }
        }
    }
}

/// Adds the products of some of `rows` rows with `panels` to `sums`, and says of how many.
///
/// # Safety
/// As [`super::tile::multiply`], the processor has AMX and AVX-512, `tiles` are for `form`, and nested panels are cut.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(
    tiles: &Tiles,
    form: Form,
    groups: usize,
    panels: &[Tile],
    x: Operand,
    rows: usize,
    sums: Sums,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match form.scales {
            Scales::Nested32 => nested::<8>(tiles, form, panels, x, rows, sums),
            Scales::Nested16 => nested::<4>(tiles, form, panels, x, rows, sums),
            Scales::Flat(_) | Scales::FlatMinimum => {
                let done = rows / ROWS * ROWS;
                for row in (0..done).step_by(ROWS) {
                    for (panel, tile) in panels.iter().enumerate() {
                        flat(tiles, groups, tile, x.at(form, row), sums.from(row, panel));
                    }
                }
                done
            }
        }
    }
}

/// Sums of a step, as the matrix unit leaves them: (half of the rows, part, row, column).
type Left = [[[__m512i; ROWS]; 2]; 2];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn nested<const QUADS: usize>(
    tiles: &Tiles,
    form: Form,
    panels: &[Tile],
    x: Operand,
    rows: usize,
    sums: Sums,
) -> usize {
    let done = rows / PAIR * PAIR;
    // Of two steps by turns: while one is scaled, the matrix unit works on the next.
    let mut left = [MaybeUninit::<Left>::uninit(), MaybeUninit::uninit()];
    let mut before: Option<(&Tile, Operand, Sums)> = None;
    let mut turn = 0;
    // SAFETY: the caller's promise; what is scaled was left there a step before.
    unsafe {
        for row in (0..done).step_by(PAIR) {
            let x = x.at(form, row);
            for (panel, tile) in panels.iter().enumerate() {
                tiles.parts(x.quants, tile.parts.as_ptr().cast(), left[turn].as_mut_ptr().cast());
                turn = 1 - turn;
                if let Some((tile, x, sums)) = before {
                    scale::<QUADS>(left[turn].assume_init_ref(), tile, x, sums);
                }
                before = Some((tile, x, sums.from(row, panel)));
            }
        }
        if let Some((tile, x, sums)) = before {
            scale::<QUADS>(left[1 - turn].assume_init_ref(), tile, x, sums);
        }
    }
    done
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn scale<const QUADS: usize>(left: &Left, tile: &Tile, x: Operand, sums: Sums) {
    // SAFETY: see `multiply`.
    unsafe {
        let own_scale = _mm512_load_ps(tile.scales[0].as_ptr());
        let minimum_scale = _mm512_load_ps(tile.minimums[0].as_ptr());
        let factors = |pair: usize| _mm512_load_si512(tile.minimum_factors[pair].as_ptr().cast());
        let factors = [factors(0), factors(1), factors(2), factors(3)];
        for (half, [high, low]) in left.iter().enumerate() {
            for (row, (high, low)) in high.iter().zip(low).enumerate() {
                let row = half * ROWS + row;
                let total = _mm512_add_epi32(_mm512_slli_epi32(*high, 6), *low);
                let mut total = _mm512_mul_ps(_mm512_cvtepi32_ps(total), own_scale);
                if QUADS == 8 {
                    let own = x.whole_sums.add(row * (BLOCK / GROUP)).cast::<i32>();
                    let pair = |pair: usize| _mm512_set1_epi32(own.add(pair).read_unaligned());
                    let first = _mm512_dpwssd_epi32(_mm512_setzero_si512(), factors[0], pair(0));
                    let second = _mm512_dpwssd_epi32(_mm512_setzero_si512(), factors[1], pair(1));
                    let first = _mm512_dpwssd_epi32(first, factors[2], pair(2));
                    let second = _mm512_dpwssd_epi32(second, factors[3], pair(3));
                    let minimum = _mm512_cvtepi32_ps(_mm512_add_epi32(first, second));
                    total = _mm512_fnmadd_ps(minimum_scale, minimum, total);
                }
                let sum = sums.row(row);
                let scale = _mm512_set1_ps(*x.scales.add(row));
                _mm512_storeu_ps(sum, _mm512_fmadd_ps(total, scale, _mm512_loadu_ps(sum)));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn flat(tiles: &Tiles, groups: usize, tile: &Tile, x: Operand, sums: Sums) {
    // SAFETY: see `multiply`.
    unsafe {
        // Of two groups by turns, as above.
        let mut dots = MaybeUninit::<[[__m512i; ROWS]; 2]>::uninit();
        let dots = dots.as_mut_ptr().cast::<__m512i>();
        let dots = |group: usize| dots.add(group % 2 * ROWS);
        let multiply = |group: usize| {
            let weights = tile.quants.as_ptr().add(group * GROUP_QUADS * QUAD);
            tiles.signed_by_unsigned(x.quants.add(group * GROUP), BLOCK, weights, dots(group).cast());
        };
        let mut totals = [_mm512_setzero_ps(); ROWS];
        multiply(0);
        for group in 0..groups {
            if group + 1 < groups {
                multiply(group + 1);
            }
            let scale = _mm512_load_ps(tile.scales[group].as_ptr());
            let minimum = _mm512_load_ps(tile.minimums[group].as_ptr());
            for (row, total) in totals.iter_mut().enumerate() {
                let dot = _mm512_cvtepi32_ps(dots(group).add(row).read());
                let sum = _mm512_set1_ps(*x.sums.add(row * (BLOCK / GROUP) + group));
                *total = _mm512_fmadd_ps(dot, scale, *total);
                *total = _mm512_fnmadd_ps(minimum, sum, *total);
            }
        }
        for (row, total) in totals.iter().enumerate() {
            let sum = sums.row(row);
            let scale = _mm512_set1_ps(*x.scales.add(row));
            _mm512_storeu_ps(sum, _mm512_fmadd_ps(*total, scale, _mm512_loadu_ps(sum)));
        }
    }
}
