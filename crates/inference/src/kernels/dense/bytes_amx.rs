//! Products of bytes with AMX, sixteen rows and a whole panel at a time. Sums of a group come from the matrix unit; the
//! rest is done as [`super::bytes::product`] does it with AVX-512, so the bits are the same.

use super::bytes::{ByteProduct, GROUP};
use super::product::PANEL;
use crate::kernels::amx::{ROWS, Tiles};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// Columns of a register.
const LANES: usize = 16;

/// The first rows of `product` as far as whole tiles go, and how many those are.
///
/// # Safety
/// As [`super::bytes::product`], the processor has AMX and AVX-512, the depth is whole groups, and `tiles` are 64 deep.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
pub(super) unsafe fn product(tiles: &Tiles, product: &ByteProduct) -> usize {
    let groups = product.depth / GROUP;
    let whole = product.rows / ROWS * ROWS;
    let steps = whole / ROWS * groups;
    // Of two steps by turns: while one is scaled, the matrix unit works on the next.
    let mut sums = MaybeUninit::<[[[__m512i; ROWS]; PANEL / LANES]; 2]>::uninit();
    let sums = sums.as_mut_ptr().cast::<__m512i>();
    // SAFETY: rows and columns are those of the product, and the panel is filled up.
    unsafe {
        let sums = |step: usize| sums.add(step % 2 * (PANEL / LANES) * ROWS);
        let multiply = |step: usize| {
            let (first, group) = (step / groups * ROWS, step % groups);
            let a = product.a.add(first * product.a_stride + group * GROUP);
            let b = product.b.add(group * GROUP * PANEL);
            tiles.unsigned_by_signed(a, product.a_stride, b, sums(step).cast());
        };
        multiply(0);
        for step in 0..steps {
            if step + 1 < steps {
                multiply(step + 1);
            }
            let (first, group) = (step / groups * ROWS, step % groups);
            for column in (0..product.columns).step_by(LANES) {
                let sums = sums(step).add(column / LANES * ROWS);
                let at = group * PANEL + column;
                let scales = _mm512_loadu_ps(product.b_scales.add(at));
                let shift = _mm512_mul_ps(_mm512_loadu_ps(product.b_sums.add(at)), _mm512_set1_ps(128.0));
                let left = (product.columns - column).min(LANES);
                let lanes = u16::MAX >> (LANES - left);
                for row in first..first + ROWS {
                    let to = product.c.add(row * product.c_stride + column);
                    let sum = _mm512_cvtepi32_ps(sums.add(row - first).read());
                    let own = _mm512_set1_ps(*product.a_scales.add(row * groups + group));
                    let before = if group == 0 { _mm512_setzero_ps() } else { _mm512_maskz_loadu_ps(lanes, to) };
                    let value = _mm512_fmadd_ps(_mm512_sub_ps(sum, shift), _mm512_mul_ps(scales, own), before);
                    _mm512_mask_storeu_ps(to, lanes, value);
                }
            }
        }
    }
    whole
}
