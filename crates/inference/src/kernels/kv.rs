//! Keys and values in blocks (Kwon et al. 2023, PagedAttention), in 16 bits.

use super::isa::Isa;
use super::product::WIDTH;
use half::f16;

/// Tokens of a block: as many as attention takes at once.
pub(crate) const BLOCK_TOKENS: usize = WIDTH;

/// The blocks of one layer. Within a block, key heads follow each other; each has its keys as (dimension, tokens), so
/// that scores of neighbouring tokens are neighbours, then its values as (tokens, dimension).
pub(crate) struct KvLayer {
    heads: usize,
    /// Of a head, without and with padding to whole vectors.
    dimension: usize,
    padded: usize,
    numbers: Vec<u16>,
}

impl KvLayer {
    pub(crate) fn new(heads: usize, dimension: usize) -> Self {
        Self { heads, dimension, padded: dimension.next_multiple_of(WIDTH), numbers: Vec::new() }
    }

    /// Makes room for `blocks` blocks, all zero. The system hands out memory only as it is written.
    pub(crate) fn allocate(&mut self, blocks: usize) {
        self.numbers = vec![0; blocks * self.block_numbers()];
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(&self) -> usize {
        self.block_numbers() * size_of::<u16>()
    }

    fn block_numbers(&self) -> usize {
        2 * self.heads * self.padded * BLOCK_TOKENS
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Length of a head with padding.
    pub(crate) fn padded(&self) -> usize {
        self.padded
    }

    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    fn head(&self, block: u32, head: usize) -> usize {
        block as usize * self.block_numbers() + 2 * head * self.padded * BLOCK_TOKENS
    }

    /// Keys, (padded dimension, tokens), and values, (tokens, padded dimension), of a head in a block.
    pub(super) fn parts(&self, block: u32, head: usize) -> (&[u16], &[u16]) {
        let begin = self.head(block, head);
        self.numbers[begin..begin + 2 * self.padded * BLOCK_TOKENS].split_at(self.padded * BLOCK_TOKENS)
    }

    /// Puts the keys and values of a token, each (heads, dimension), into a block's place `slot`.
    pub(crate) fn write(&mut self, block: u32, slot: usize, keys: &[f32], values: &[f32]) {
        for head in 0..self.heads {
            let part = head * self.dimension..(head + 1) * self.dimension;
            let begin = self.head(block, head);
            let head = &mut self.numbers[begin..begin + 2 * self.padded * BLOCK_TOKENS];
            let (all_keys, all_values) = head.split_at_mut(self.padded * BLOCK_TOKENS);
            let mut short = [0u16; 32];
            for (piece, keys) in keys[part.clone()].chunks(32).enumerate() {
                shorten(keys, &mut short[..keys.len()]);
                for (index, key) in short[..keys.len()].iter().enumerate() {
                    all_keys[(piece * 32 + index) * BLOCK_TOKENS + slot] = *key;
                }
            }
            shorten(&values[part], &mut all_values[slot * self.padded..slot * self.padded + self.dimension]);
        }
    }

    /// Makes block `to` equal to block `from`.
    pub(crate) fn copy(&mut self, from: u32, to: u32) {
        let length = self.block_numbers();
        let begin = from as usize * length;
        self.numbers.copy_within(begin..begin + length, to as usize * length);
    }

    /// Reads what [`Self::write`] wrote, as f32.
    pub(crate) fn read(&self, block: u32, slot: usize, keys: &mut [f32], values: &mut [f32]) {
        for head in 0..self.heads {
            let (all_keys, all_values) = self.parts(block, head);
            for index in 0..self.dimension {
                let at = head * self.dimension + index;
                keys[at] = f16::from_bits(all_keys[index * BLOCK_TOKENS + slot]).to_f32();
                values[at] = f16::from_bits(all_values[slot * self.padded + index]).to_f32();
            }
        }
    }
}

/// Rounds to f16. Numbers beyond its range become its largest: an infinity in a stale place would poison sums.
fn shorten(x: &[f32], out: &mut [u16]) {
    match Isa::detect() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were found.
        Isa::Amx | Isa::Avx512 | Isa::Avx2 => unsafe { shorten_f16c(x, out) },
        _ => shorten_plain(x, out),
    }
}

fn shorten_plain(x: &[f32], out: &mut [u16]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = f16::from_f32(x.clamp(-65504.0, 65504.0)).to_bits();
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn shorten_f16c(x: &[f32], out: &mut [u16]) {
    use std::arch::x86_64::{_MM_FROUND_TO_NEAREST_INT, _mm_storeu_si128, _mm256_cvtps_ph, _mm256_loadu_ps};
    let whole = x.len() / 8 * 8;
    for (x, out) in x.chunks_exact(8).zip(out.chunks_exact_mut(8)) {
        let mut clamped = [0f32; 8];
        clamped.iter_mut().zip(x).for_each(|(c, x)| *c = x.clamp(-65504.0, 65504.0));
        // SAFETY: eight numbers are read and written.
        unsafe {
            let short = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(clamped.as_ptr()));
            _mm_storeu_si128(out.as_mut_ptr().cast(), short);
        }
    }
    shorten_plain(&x[whole..], &mut out[whole..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_within_half_precision() {
        for (heads, dimension) in [(1, 64), (2, 96), (3, 40)] {
            let mut layer = KvLayer::new(heads, dimension);
            layer.allocate(4);
            let x: Vec<f32> = (0..heads * dimension).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
            let y: Vec<f32> = x.iter().map(|x| -x * 0.5).collect();
            layer.write(2, 7, &x, &y);
            let (mut keys, mut values) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            layer.read(2, 7, &mut keys, &mut values);
            for (found, expected) in keys.iter().zip(&x).chain(values.iter().zip(&y)) {
                assert!((found - expected).abs() <= expected.abs() / 1024.0);
            }
            layer.read(2, 8, &mut keys, &mut values);
            assert!(keys.iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn rounding_is_the_same_with_and_without_vectors_and_never_infinite() {
        let x: Vec<f32> = (0..67).map(|i| (i as f32 - 33.0) * 2.7f32.powi(i % 13)).chain([1e30, -1e30]).collect();
        let (mut a, mut b) = (vec![0; x.len()], vec![0; x.len()]);
        shorten(&x, &mut a);
        shorten_plain(&x, &mut b);
        assert_eq!(a, b);
        assert!(a.iter().all(|bits| f16::from_bits(*bits).is_finite()));
    }
}
