//! Causal attention over paged keys and values, one block of tokens at a time with a running softmax (Milakov and
//! Gimelshein 2018, as FlashAttention uses it): scores never lie in memory.
//!
//! Blocks are taken by absolute position and every row keeps its own sums, so a token's output has the same bits
//! however its sequence was cut into chunks and whatever runs beside it.

use super::elementwise::compiled_for_each;
use super::isa::Isa;
use super::kv::{BLOCK_TOKENS, KvLayer};
use super::pool::{Shared, parallel};
use super::product::{self, Element, Operands, ROWS, WIDTH};
use crate::math;

/// How scores are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scores {
    pub(crate) scale: f32,
    /// Scores are squashed to ± this by tanh.
    pub(crate) softcap: Option<f32>,
    /// Tokens that a query sees, itself included; all when `None`.
    pub(crate) window: Option<usize>,
}

/// Queries of one sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'a> {
    /// Row of its first query.
    pub(crate) row: usize,
    pub(crate) tokens: usize,
    /// Position of its first query; everything before it is in the blocks.
    pub(crate) position: usize,
    pub(crate) blocks: &'a [u32],
}

/// Attends from `queries` (rows, heads · dimension) to the keys of `layer`, which hold the queries' own tokens already;
/// writes as many numbers to `out`.
pub(crate) fn attend(
    spans: &[Span<'_>],
    heads: usize,
    scores: Scores,
    layer: &KvLayer,
    queries: &[f32],
    out: &mut [f32],
) {
    let group = heads / layer.heads();
    let mut tasks = Vec::new();
    for span in spans {
        let tiles = (span.tokens * group).div_ceil(ROWS);
        for head in 0..layer.heads() {
            // The longest first: what is left at the end is short, and no thread waits long for another.
            tasks.extend((0..tiles).rev().map(|tile| (span, head, tile * ROWS)));
        }
    }
    let out = Shared::new(out);
    let isa = Isa::detect();
    parallel(tasks.len(), &|task| {
        let (span, head, first) = tasks[task];
        let tile = Tile { isa, heads, group, scores, layer, queries, out, span, head, first };
        tile.run();
    });
}

/// Up to eight rows of one key head: query heads of one token, then of the next.
struct Tile<'a> {
    isa: Isa,
    heads: usize,
    group: usize,
    scores: Scores,
    layer: &'a KvLayer,
    queries: &'a [f32],
    out: Shared<f32>,
    span: &'a Span<'a>,
    head: usize,
    first: usize,
}

impl Tile<'_> {
    fn run(&self) {
        let (dimension, padded) = (self.layer.dimension(), self.layer.padded());
        let rows = ROWS.min(self.span.tokens * self.group - self.first);
        let mut queries = vec![0f32; rows * padded];
        let mut sums = vec![0f32; rows * padded];
        let mut softmax = [Softmax::new(); ROWS];
        let mut first_key = usize::MAX;
        let mut last = 0;
        for (row, query) in queries.chunks_exact_mut(padded).enumerate() {
            let (token, at) = self.place(row);
            for (x, q) in query.iter_mut().zip(&self.queries[at..at + dimension]) {
                *x = q * self.scores.scale;
            }
            let end = self.span.position + token + 1;
            softmax[row].end = end;
            softmax[row].start = self.scores.window.map_or(0, |window| end.saturating_sub(window));
            first_key = first_key.min(softmax[row].start);
            last = last.max(end);
        }
        for index in first_key / BLOCK_TOKENS..last.div_ceil(BLOCK_TOKENS) {
            let (keys, values) = self.layer.parts(self.span.blocks[index], self.head);
            let mut scores = [0f32; ROWS * WIDTH];
            let operands = Operands {
                a: queries.as_ptr(),
                a_stride: padded,
                b: keys.as_ptr().cast(),
                b_stride: BLOCK_TOKENS,
                c: scores.as_mut_ptr(),
                c_stride: WIDTH,
                k: dimension,
            };
            // SAFETY: (rows, dimension) · (dimension, 32) → (rows, 32), as allocated above.
            unsafe { product::multiply(self.isa, Element::F16, rows, operands) };
            for (row, scores) in scores.chunks_exact_mut(WIDTH).take(rows).enumerate() {
                let sums = &mut sums[row * padded..(row + 1) * padded];
                weigh(scores, index * BLOCK_TOKENS, self.scores.softcap, &mut softmax[row], sums);
            }
            for column in (0..padded).step_by(WIDTH) {
                let operands = Operands {
                    a: scores.as_ptr(),
                    a_stride: WIDTH,
                    b: values[column..].as_ptr().cast(),
                    b_stride: padded,
                    c: sums[column..].as_mut_ptr(),
                    c_stride: padded,
                    k: BLOCK_TOKENS,
                };
                // SAFETY: (rows, 32) · (32, 32 columns of the padded values) → 32 columns of the sums.
                unsafe { product::multiply(self.isa, Element::F16, rows, operands) };
            }
        }
        for (row, sums) in sums.chunks_exact(padded).enumerate() {
            let inverse = 1.0 / math::sum(&softmax[row].total);
            // SAFETY: every (token, head) belongs to one tile.
            let out = unsafe { self.out.part(self.place(row).1, dimension) };
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * inverse);
        }
    }

    /// The token of a row within the span, and where its query head begins.
    fn place(&self, row: usize) -> (usize, usize) {
        let (token, member) = ((self.first + row) / self.group, (self.first + row) % self.group);
        let head = self.head * self.group + member;
        (token, ((self.span.row + token) * self.heads + head) * self.layer.dimension())
    }
}

/// The running softmax of a row.
#[derive(Clone, Copy)]
struct Softmax {
    /// Positions that the row sees.
    start: usize,
    end: usize,
    greatest: f32,
    /// Lanes of the sum of weights.
    total: [f32; 16],
}

impl Softmax {
    const fn new() -> Self {
        Self { start: 0, end: 0, greatest: f32::NEG_INFINITY, total: [0.0; 16] }
    }
}

compiled_for_each! {
    /// Turns a row's scores of the 32 tokens from `position` on into weights, 0 where the row sees nothing, and fits
    /// `sums`, the weighted values so far, to the new greatest score.
    fn weigh(scores: &mut [f32], position: usize, softcap: Option<f32>, softmax: &mut Softmax, sums: &mut [f32]) = weigh_body;
}

#[inline(always)]
fn weigh_body(scores: &mut [f32], position: usize, softcap: Option<f32>, softmax: &mut Softmax, sums: &mut [f32]) {
    let Some(scores) = scores.first_chunk_mut::<WIDTH>() else { return };
    let start = softmax.start.saturating_sub(position).min(WIDTH);
    let end = softmax.end.saturating_sub(position).min(WIDTH);
    if start >= end {
        scores.fill(0.0);
        return;
    }
    if let Some(cap) = softcap {
        scores.iter_mut().for_each(|x| *x = math::softcap(*x, cap));
    }
    let whole = start == 0 && end == WIDTH;
    if !whole {
        scores[..start].fill(f32::NEG_INFINITY);
        scores[end..].fill(f32::NEG_INFINITY);
    }
    let greatest = math::maximum(scores);
    if greatest > softmax.greatest {
        let factor = math::exp(softmax.greatest - greatest);
        softmax.greatest = greatest;
        softmax.total.iter_mut().for_each(|x| *x *= factor);
        sums.iter_mut().for_each(|x| *x *= factor);
    }
    for x in scores.iter_mut() {
        *x = math::exp(*x - softmax.greatest);
    }
    if !whole {
        scores[..start].fill(0.0);
        scores[end..].fill(0.0);
    }
    for (lane, total) in softmax.total.iter_mut().enumerate() {
        *total += scores[lane] + scores[lane + 16];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| (((i * 7919 + seed * 104_729) % 10_007) as f32 / 5003.0 - 1.0) * 2.0).collect()
    }

    struct Case {
        heads: usize,
        kv_heads: usize,
        dimension: usize,
        tokens: usize,
        scores: Scores,
    }

    /// Attention of every token, run in pieces of `chunk`, over a table of blocks that is out of order.
    fn run(case: &Case, keys: &[f32], values: &[f32], queries: &[f32], chunk: usize) -> Vec<f32> {
        let mut layer = KvLayer::new(case.kv_heads, case.dimension);
        let count = case.tokens.div_ceil(BLOCK_TOKENS);
        layer.allocate(count + 1);
        let blocks: Vec<u32> = (0..count as u32).rev().map(|block| block + 1).collect();
        let (kv, width) = (case.kv_heads * case.dimension, case.heads * case.dimension);
        let mut out = vec![f32::NAN; queries.len()];
        for first in (0..case.tokens).step_by(chunk) {
            let tokens = chunk.min(case.tokens - first);
            for token in first..first + tokens {
                let part = token * kv..(token + 1) * kv;
                let (block, slot) = (blocks[token / BLOCK_TOKENS], token % BLOCK_TOKENS);
                layer.write(block, slot, &keys[part.clone()], &values[part]);
            }
            let part = first * width..(first + tokens) * width;
            let span = Span { row: 0, tokens, position: first, blocks: &blocks };
            attend(&[span], case.heads, case.scores, &layer, &queries[part.clone()], &mut out[part]);
        }
        out
    }

    fn reference(case: &Case, keys: &[f32], values: &[f32], queries: &[f32]) -> Vec<f64> {
        let (kv, group) = (case.kv_heads * case.dimension, case.heads / case.kv_heads);
        let mut out = Vec::new();
        for token in 0..case.tokens {
            for head in 0..case.heads {
                let query = &queries[(token * case.heads + head) * case.dimension..][..case.dimension];
                let start = case.scores.window.map_or(0, |window| (token + 1).saturating_sub(window));
                let at = |position: usize| position * kv + head / group * case.dimension;
                let weights: Vec<f64> = (start..=token)
                    .map(|position| {
                        let key = &keys[at(position)..][..case.dimension];
                        let dot: f64 = query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                        let score = dot * f64::from(case.scores.scale);
                        case.scores.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                out.extend((0..case.dimension).map(|column| {
                    let sum: f64 = (start..=token)
                        .zip(&weights)
                        .map(|(position, weight)| weight * f64::from(values[at(position) + column]))
                        .sum();
                    sum / total
                }));
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_definition_and_does_not_depend_on_chunks() {
        let plain = Scores { scale: 0.125, softcap: None, window: None };
        for (heads, kv_heads, dimension, tokens, scores) in [
            (4, 4, 64, 70, plain),
            (6, 2, 128, 100, plain),
            (12, 1, 96, 45, Scores { softcap: Some(5.0), ..plain }),
            (2, 1, 40, 90, Scores { window: Some(37), ..plain }),
            (9, 3, 64, 33, Scores { window: Some(5), softcap: Some(30.0), ..plain }),
        ] {
            let case = Case { heads, kv_heads, dimension, tokens, scores };
            let (keys, values) = (noise(tokens * kv_heads * dimension, 1), noise(tokens * kv_heads * dimension, 2));
            let queries = noise(tokens * heads * dimension, 3);
            let found = run(&case, &keys, &values, &queries, tokens);
            for (found, expected) in found.iter().zip(reference(&case, &keys, &values, &queries)) {
                assert!((f64::from(*found) - expected).abs() < 5e-3, "{heads}/{kv_heads}: {found} {expected}");
            }
            for chunk in [1, 7, 32] {
                assert_eq!(run(&case, &keys, &values, &queries, chunk), found, "in pieces of {chunk}");
            }
        }
    }
}
