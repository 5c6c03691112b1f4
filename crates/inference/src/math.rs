//! Elementwise functions in plain loops that compilers turn into vector code: a polynomial instead of a call a number.

/// Lanes of the accumulators that keep reductions free of a serial dependency.
const LANES: usize = 16;

/// e^x within 2 units in the last place for x in [-87, 88], clamped outside (Cody and Waite's reduction, Cephes'
/// polynomial).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 0.166_666_65;
    p = p * r + 0.5;
    let mantissa = p * r * r + r + 1.0;
    mantissa * f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// x · sigmoid(x).
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// GELU in its tanh form (Hendrycks and Gimpel 2016).
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    // tanh(a) = 2 · sigmoid(2a) - 1
    let twice = 1.595_769 * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-twice))
}

/// GELU with the error function, by Abramowitz and Stegun 7.1.26 (absolute error under 2e-7).
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let z = (x * std::f32::consts::FRAC_1_SQRT_2).abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152_1;
    p = p * t + 1.421_413_8;
    p = p * t - 0.284_496_72;
    p = p * t + 0.254_829_6;
    let erf = 1.0 - p * t * exp(-z * z);
    0.5 * x * (1.0 + erf.copysign(x))
}

/// `cap · tanh(x / cap)`.
#[inline(always)]
pub(crate) fn softcap(x: f32, cap: f32) -> f32 {
    cap * (2.0 / (1.0 + exp(-2.0 * x / cap)) - 1.0)
}

/// The greatest number of `row`.
#[inline(always)]
pub(crate) fn maximum(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().copied().fold(rest, f32::max)
}

/// The sum of `row`.
#[inline(always)]
pub(crate) fn sum(row: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// The scalar product of two rows of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    for (a, b) in a.zip(b) {
        for ((lane, x), y) in lanes.iter_mut().zip(a).zip(b) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> impl Iterator<Item = f32> {
        (-8000..8000).map(|i| i as f32 * 0.01)
    }

    #[test]
    fn exp_agrees_with_the_library() {
        for x in grid() {
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours - theirs).abs() <= 4e-7 * theirs, "{x}: {ours} {theirs}");
        }
        assert!(exp(-1e30) < 1e-37);
        assert!(exp(1e30).is_finite());
    }

    #[test]
    fn activations_agree_with_double_precision() {
        for x in grid().map(|x| x * 0.1) {
            let wide = f64::from(x);
            let silu_wide = wide / (1.0 + (-wide).exp());
            assert!((f64::from(silu(x)) - silu_wide).abs() < 1e-5, "silu {x}");
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
            assert!((f64::from(gelu_tanh(x)) - 0.5 * wide * (1.0 + inner.tanh())).abs() < 1e-5, "gelu_tanh {x}");
            // The two forms of GELU never differ by more than this.
            assert!((gelu(x) - gelu_tanh(x)).abs() < 5e-4, "gelu {x}");
            assert!((f64::from(softcap(x, 3.0)) - 3.0 * (wide / 3.0).tanh()).abs() < 1e-5, "softcap {x}");
        }
        for (x, expected) in [(1.0, 0.841_344_7), (-1.0, -0.158_655_25), (0.5, 0.345_731_23), (2.0, 1.954_499_8)] {
            assert!((gelu(x) - expected).abs() < 1e-6, "gelu {x}: {}", gelu(x));
        }
    }
}
