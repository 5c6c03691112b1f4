//! Multiplying sixteen rows at once with AMX. Sums of a group come from the matrix unit; scales are applied in the order
//! of the other kernels, so the bits are theirs.

use super::amx::{ROWS, Tiles};
use super::form::{Form, GROUP, PANEL, QUAD, Tile};
use super::tile::Operand;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// The tile registers as products of `form` want them.
///
/// # Safety
/// As [`Tiles::new`].
pub(super) unsafe fn tiles(form: Form) -> Tiles {
    // SAFETY: the caller's promise.
    unsafe { Tiles::new(form.group()) }
}

/// As [`super::tile::multiply`], for sixteen rows.
///
/// # Safety
/// As there, the processor has AMX and AVX-512, and `tiles` are for `form`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(tiles: &Tiles, form: Form, groups: usize, tile: &Tile, operand: Operand, sums: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match form.group() {
            16 => block::<4>(tiles, groups * GROUP / 16, tile, operand, sums),
            _ => block::<8>(tiles, groups, tile, operand, sums),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn block<const QUADS: usize>(tiles: &Tiles, groups: usize, tile: &Tile, operand: Operand, sums: *mut f32) {
    // SAFETY: see `multiply`.
    unsafe {
        let Operand { quants, scales, sums: own_sums } = operand;
        let per_row = 64 / QUADS;
        // Of two groups by turns: while one is scaled, the matrix unit works on the next.
        let mut dots = MaybeUninit::<[[__m512i; ROWS]; 2]>::uninit();
        let dots = dots.as_mut_ptr().cast::<__m512i>();
        let dots = |group: usize| dots.add(group % 2 * ROWS);
        let multiply = |group: usize| {
            let weights = tile.quants.as_ptr().add(group * QUADS * QUAD);
            tiles.signed_by_unsigned(quants.add(group * QUADS * 4), 256, weights, dots(group).cast());
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
                *total = _mm512_fmadd_ps(dot, scale, *total);
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
