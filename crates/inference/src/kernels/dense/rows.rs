//! Elementwise functions and reductions over rows.

use super::Norm;
use super::vector::Vector;

/// Puts `$result` in the place of every register `$x` at `$index` of a row; lanes behind the row's end are not kept. A
/// macro, for a closure would be compiled without the processor's features.
macro_rules! each {
    ($v:ty, $row:expr, |$index:pat_param, $x:ident| $result:expr) => {{
        let (to, length, mut index) = ($row.as_mut_ptr(), $row.len(), 0);
        while index + <$v>::LANES <= length {
            let ($index, $x) = (index, <$v>::load(to.add(index)));
            let result: $v = $result;
            result.store(to.add(index));
            index += <$v>::LANES;
        }
        if index < length {
            let ($index, $x) = (index, <$v>::load_first(to.add(index), length - index));
            let result: $v = $result;
            result.store_first(to.add(index), length - index);
        }
    }};
}

/// The register at `index` of `row`, which goes on behind it; lanes behind the row's end are 0.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
unsafe fn at<V: Vector>(row: &[f32], index: usize) -> V {
    let row = &row[index..];
    // SAFETY: only what the row holds is read.
    unsafe {
        match row.len() {
            left if left >= V::LANES => V::load(row.as_ptr()),
            left => V::load_first(row.as_ptr(), left),
        }
    }
}

/// e^x for x up to 88, as [`crate::math::exp`].
#[inline(always)]
fn exp<V: Vector>(x: V) -> V {
    let round = x.splat(12_582_912.0);
    let x = x.max(x.splat(-87.0));
    let rounded = x.mul_add(x.splat(std::f32::consts::LOG2_E), round);
    let n = rounded.sub(round);
    let r = n.mul_add(x.splat(-0.693_359_4), x);
    let r = n.mul_add(x.splat(2.121_944_4e-4), r);
    let mut p = x.splat(1.987_569_1e-4);
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p.mul_add(r, x.splat(coefficient));
    }
    p.mul(r).mul_add(r, r).add(x.splat(1.0)).mul(rounded.power_of_two())
}

/// GELU with the error function, which is within 1e-6 (Abramowitz and Stegun, 7.1.28: no power of e).
#[inline(always)]
pub(super) fn gelu<V: Vector>(x: V) -> V {
    let one = x.splat(1.0);
    let z = x.abs().mul(x.splat(std::f32::consts::FRAC_1_SQRT_2));
    let mut p = x.splat(4.306_38e-5);
    for coefficient in [2.765_672e-4, 1.520_143e-4, 9.270_527e-3, 4.228_201e-2, 7.052_308e-2, 1.0] {
        p = p.mul_add(z, x.splat(coefficient));
    }
    for _ in 0..4 {
        p = p.mul(p);
    }
    let erf = one.sub(one.div(p));
    x.mul(x.splat(0.5)).mul(erf.with_signs_of(x).add(one))
}

/// `row += bias`.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn add<V: Vector>(row: &mut [f32], bias: &[f32]) {
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe { each!(V, row, |index, x| x.add(at(bias, index))) };
}

/// `row = gelu(row + bias)`.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn add_gelu<V: Vector>(row: &mut [f32], bias: &[f32]) {
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe { each!(V, row, |index, x| gelu(x.add(at(bias, index)))) };
}

/// `row = gelu(row) · gate`.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn gelu_times<V: Vector>(row: &mut [f32], gate: &[f32]) {
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe { each!(V, row, |index, x| gelu(x).mul(at(gate, index))) };
}

/// Layer norm (Ba et al. 2016) in place.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn normalise<V: Vector>(row: &mut [f32], norm: &Norm) {
    let n = row.len() as f32;
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe {
        let mut sum = V::zero();
        each!(V, row, |_, x| {
            sum = sum.add(x);
            x
        });
        let mean = sum.sum() / n;
        let mut squares = V::zero();
        let whole = row.len() - row.len() % V::LANES;
        each!(V, row, |index, x| {
            let x = x.sub(x.splat(mean));
            if index < whole {
                squares = x.mul_add(x, squares);
            }
            x
        });
        let rest: f32 = row[whole..].iter().map(|x| x * x).sum();
        let inverse = 1.0 / ((squares.sum() + rest) / n + norm.epsilon).sqrt();
        each!(V, row, |index, x| x.mul(x.splat(inverse)).mul_add(at(&norm.gain, index), at(&norm.offset, index)));
    }
}

/// `row = e^(scale · row + bias - greatest)`, and gives the sum: softmax without its last division.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn exponents<V: Vector>(row: &mut [f32], mut scale: f32, bias: Option<&[f32]>) -> f32 {
    let whole = row.len() - row.len() % V::LANES;
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe {
        if let Some(bias) = bias {
            each!(V, row, |index, x| x.mul_add(x.splat(scale), at(bias, index)));
            scale = 1.0;
        }
        let mut greatest = V::zero().splat(f32::NEG_INFINITY);
        for register in row[..whole].chunks_exact(V::LANES) {
            greatest = greatest.max(V::load(register.as_ptr()));
        }
        let greatest = row[whole..].iter().copied().fold(greatest.greatest(), f32::max);
        let mut sum = V::zero();
        each!(V, row, |index, x| {
            let power = exp(x.mul_add(x.splat(scale), x.splat(-scale * greatest)));
            if index < whole {
                sum = sum.add(power);
            }
            power
        });
        sum.sum() + row[whole..].iter().sum::<f32>()
    }
}

/// `row *= factor`.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn scale<V: Vector>(row: &mut [f32], factor: f32) {
    // SAFETY: registers lie within the row; the caller vouches for the features.
    unsafe { each!(V, row, |_, x| x.mul(x.splat(factor))) };
}
