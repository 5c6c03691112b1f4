//! Steps that go over a row number by number, compiled for every instruction set. The code is the same for all, so the
//! bits are too.

use super::isa::Isa;
use crate::math;

/// Makes `$name`, which runs `$body` compiled for the widest instruction set of this processor.
macro_rules! compiled_for_each {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),*) = $body:path;) => {
        $(#[$doc])*
        $visibility fn $name($($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx512($($argument: $kind),*) {
                $body($($argument),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($argument: $kind),*) {
                $body($($argument),*);
            }
            match Isa::detect() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the instructions were found.
                Isa::Amx | Isa::Avx512 => unsafe { avx512($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Isa::Avx2 => unsafe { avx2($($argument),*) },
                _ => $body($($argument),*),
            }
        }
    };
}
pub(crate) use compiled_for_each;

compiled_for_each! {
    /// `out = x / rms(x) · gain` (Zhang and Sennrich 2019).
    pub(crate) fn rms_norm(x: &[f32], gain: &[f32], epsilon: f32, out: &mut [f32]) = rms_norm_body;
}

compiled_for_each! {
    /// `out = silu(gate) · up`.
    pub(crate) fn silu_gate(gate: &[f32], up: &[f32], out: &mut [f32]) = silu_body;
}

compiled_for_each! {
    /// `out = gelu_tanh(gate) · up`.
    pub(crate) fn gelu_gate(gate: &[f32], up: &[f32], out: &mut [f32]) = gelu_body;
}

compiled_for_each! {
    /// `x += y`.
    pub(crate) fn add(x: &mut [f32], y: &[f32]) = add_body;
}

compiled_for_each! {
    /// `x += scale · y`.
    pub(crate) fn add_scaled(x: &mut [f32], y: &[f32], scale: f32) = add_scaled_body;
}

compiled_for_each! {
    /// Rotates the pairs (i, i + n/2) of the n numbers of `x` by angles whose cosines and sines are given, n/2 each.
    pub(crate) fn rotate_halves(x: &mut [f32], cos: &[f32], sin: &[f32]) = rotate_halves_body;
}

compiled_for_each! {
    /// Rotates the pairs (2i, 2i + 1) of `x`.
    pub(crate) fn rotate_neighbours(x: &mut [f32], cos: &[f32], sin: &[f32]) = rotate_neighbours_body;
}

#[inline(always)]
fn rms_norm_body(x: &[f32], gain: &[f32], epsilon: f32, out: &mut [f32]) {
    let inverse = 1.0 / (math::dot(x, x) / x.len() as f32 + epsilon).sqrt();
    for ((out, x), gain) in out.iter_mut().zip(x).zip(gain) {
        *out = x * inverse * gain;
    }
}

#[inline(always)]
fn silu_body(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = math::silu(*gate) * up;
    }
}

#[inline(always)]
fn gelu_body(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = math::gelu_tanh(*gate) * up;
    }
}

#[inline(always)]
fn add_body(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[inline(always)]
fn add_scaled_body(x: &mut [f32], y: &[f32], scale: f32) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += scale * y;
    }
}

#[inline(always)]
fn rotate_halves_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
        (*low, *high) = (*low * cos - *high * sin, *low * sin + *high * cos);
    }
}

#[inline(always)]
fn rotate_neighbours_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, cos), sin) in x.chunks_exact_mut(2).zip(cos).zip(sin) {
        (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos);
    }
}
