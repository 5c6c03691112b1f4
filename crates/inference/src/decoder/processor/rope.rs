//! Rotary positions (Su et al. 2021): tables for every position, and their use on queries and keys.

use crate::decoder::architecture::RopeStyle;
use crate::decoder::shape::Shape;
use crate::kernels::{rotate_halves, rotate_neighbours};

/// Cosines and sines of shape (context, rotated elements / 2).
#[derive(Debug)]
pub(crate) struct Rope {
    cos: Vec<f32>,
    sin: Vec<f32>,
    style: RopeStyle,
    rotated: usize,
}

impl Rope {
    /// Tables for `shape` with `base`; `scaled` applies the model's stretching.
    pub(super) fn new(shape: &Shape, base: f32, scaled: bool) -> Self {
        let [cos, sin] = shape.angles(base, scaled);
        Self { cos, sin, style: shape.architecture.rope, rotated: shape.rope_dimension }
    }

    /// Rotates the heads of one token, each of `dimension` numbers, to `position`.
    pub(super) fn apply(&self, heads: &mut [f32], dimension: usize, position: usize) {
        let pairs = self.rotated / 2;
        let (cos, sin) = (&self.cos[position * pairs..][..pairs], &self.sin[position * pairs..][..pairs]);
        for head in heads.chunks_exact_mut(dimension) {
            match self.style {
                RopeStyle::Halves => rotate_halves(&mut head[..self.rotated], cos, sin),
                RopeStyle::Interleaved => rotate_neighbours(&mut head[..self.rotated], cos, sin),
            }
        }
    }

    /// Whether a rotated head can be rotated on: not where rotation also stretches.
    pub(super) fn can_move(&self) -> bool {
        self.cos.first() == Some(&1.0)
    }

    /// Rotates heads that are rotated already by `by` more positions.
    pub(super) fn shift(&self, heads: &mut [f32], dimension: usize, by: isize) {
        let pairs = self.rotated / 2;
        let row = by.unsigned_abs() * pairs..(by.unsigned_abs() + 1) * pairs;
        let cos = &self.cos[row.clone()];
        let sin: Vec<f32> = self.sin[row].iter().map(|sin| if by < 0 { -sin } else { *sin }).collect();
        for head in heads.chunks_exact_mut(dimension) {
            match self.style {
                RopeStyle::Halves => rotate_halves(&mut head[..self.rotated], cos, &sin),
                RopeStyle::Interleaved => rotate_neighbours(&mut head[..self.rotated], cos, &sin),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_head_is_the_head_rotated_there() {
        for style in [RopeStyle::Halves, RopeStyle::Interleaved] {
            let angles = |function: fn(f64) -> f64| -> Vec<f32> {
                (0..100).flat_map(|p| [1.0, 0.1, 0.01].map(|f| function(f64::from(p) * f) as f32)).collect()
            };
            let rope = Rope { cos: angles(f64::cos), sin: angles(f64::sin), style, rotated: 6 };
            assert!(rope.can_move());
            let head: Vec<f32> = (0..8).map(|i| (i as f32 * 1.7).sin()).collect();
            for (from, to) in [(10, 70), (70, 10), (5, 5)] {
                let rotated = |position| {
                    let mut head = head.clone();
                    rope.apply(&mut head, 8, position);
                    head
                };
                let mut moved = rotated(from);
                rope.shift(&mut moved, 8, to as isize - from as isize);
                for (found, expected) in moved.iter().zip(rotated(to)) {
                    assert!((found - expected).abs() < 1e-5, "{style:?}: {found} {expected}");
                }
            }
        }
    }
}
