//! Rotary position embeddings (Su et al. 2021): the two halves of each head are turned against each other.

use super::config::Config;
use crate::kernels::dense;

/// Sines and cosines of both kinds of layers.
pub(super) struct Rotation {
    global: Vec<f32>,
    local: Vec<f32>,
    /// Half of a head.
    half: usize,
}

impl Rotation {
    /// For every position of a model's texts.
    pub(super) fn new(config: &Config) -> Self {
        let half = config.hidden / config.heads / 2;
        let table = |base: f64| {
            let angle = |position: usize, index: usize| {
                let frequency = base.powf(-(index as f64) / half as f64);
                position as f64 * frequency
            };
            // (positions, 2, half): cosines, then sines.
            (0..config.longest())
                .flat_map(|position| {
                    let cosines = (0..half).map(move |index| angle(position, index).cos() as f32);
                    cosines.chain((0..half).map(move |index| angle(position, index).sin() as f32))
                })
                .collect()
        };
        Self { global: table(config.rotary.global_base), local: table(config.rotary.local_base), half }
    }

    /// Turns queries and keys of `projected` (tokens, 3 · hidden) by their `positions`.
    pub(super) fn apply(&self, projected: &mut [f32], positions: &[usize], hidden: usize, local: bool) {
        let (half, table) = (self.half, if local { &self.local } else { &self.global });
        dense::each_row(projected, 3 * hidden, &|index, row| {
            let (cosines, sines) = table[positions[index] * 2 * half..][..2 * half].split_at(half);
            for head in row[..2 * hidden].chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                }
            }
        });
    }
}
