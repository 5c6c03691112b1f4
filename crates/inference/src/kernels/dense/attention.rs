//! Attention of an encoder: every token of a text looks at every other, or at those near it.

use super::lines::Lines;
use super::product::{PANEL, Product, product};
use super::rows;
use super::vector::Vector;
use std::cell::RefCell;
use std::ops::Range;

/// Queries whose scores are held at once: few enough to stay in the first-level cache with a page of keys.
const QUERIES: usize = 24;

/// How the heads lie in a row, and what they look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape<'a> {
    pub(crate) heads: usize,
    /// Numbers of a head. A row of queries, keys and values is `3 · heads · dimension` long, in this order.
    pub(crate) dimension: usize,
    /// Keys further away than this are not looked at.
    pub(crate) reach: Option<usize>,
    /// What is added to scaled scores.
    pub(crate) bias: Option<&'a DistanceBias>,
}

/// A number for each head and distance between key and query.
#[derive(Debug)]
pub(crate) struct DistanceBias {
    /// (heads, 2 · longest - 1), by key - query + longest - 1.
    pub(crate) values: Vec<f32>,
    /// Tokens of the longest text.
    pub(crate) longest: usize,
}

impl DistanceBias {
    /// What is added to the scores of keys `from..` for the query at `query`.
    fn row(&self, head: usize, query: usize, keys: &Range<usize>) -> &[f32] {
        let begin = head * (2 * self.longest - 1) + self.longest - 1 - query;
        &self.values[begin + keys.start..begin + keys.end]
    }
}

/// Memory that a thread keeps from one head to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// Keys in panels of (dimension, PANEL).
    keys: Lines,
    /// (tokens, dimension rounded up)
    values: Lines,
    /// (QUERIES, keys rounded up)
    scores: Lines,
}

thread_local! {
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One head of one text: reads `text`'s rows (tokens, 3 · heads · dimension), and writes softmax(Q·Kᵀ)·V from `out` on,
/// rows `heads · dimension` apart.
///
/// # Safety
/// The processor has `V`'s features; `out` is writable where this writes, and nothing else touches it.
#[inline(always)]
pub(super) unsafe fn head<V: Vector>(
    scratch: &mut Scratch,
    text: &[f32],
    shape: &AttentionShape<'_>,
    head: usize,
    out: *mut f32,
) {
    let hidden = shape.heads * shape.dimension;
    let tokens = text.len() / (3 * hidden);
    let padded = shape.dimension.next_multiple_of(16);
    scratch.pack(text, shape, head, tokens, padded);
    let scale = 1.0 / (shape.dimension as f32).sqrt();
    for first in (0..tokens).step_by(QUERIES) {
        let last = (first + QUERIES).min(tokens);
        // Whole panels of keys that one of these queries looks at.
        let reach = shape.reach.unwrap_or(tokens);
        let begin = first.saturating_sub(reach) / PANEL * PANEL;
        let end = (last + reach).min(tokens);
        let stride = (end - begin).next_multiple_of(PANEL);
        let scores = scratch.scores.resize(QUERIES * stride);
        for panel in (begin..end).step_by(PANEL) {
            // SAFETY: queries and panel are as long as said; scores have room for whole panels of each query.
            unsafe {
                product::<V>(Product {
                    a: text[first * 3 * hidden + head * shape.dimension..].as_ptr(),
                    a_stride: 3 * hidden,
                    b: scratch.keys[panel * shape.dimension..].as_ptr(),
                    b_stride: PANEL,
                    c: scores[panel - begin..].as_mut_ptr(),
                    c_stride: stride,
                    rows: last - first,
                    depth: shape.dimension,
                    columns: PANEL,
                });
            }
        }
        let mut sums = [0.0; QUERIES];
        for (query, sum) in (first..last).zip(&mut sums) {
            let row = &mut scores[(query - first) * stride..][..end - begin];
            let seen = query.saturating_sub(reach)..(query + reach + 1).min(tokens);
            let bias = shape.bias.map(|bias| bias.row(head, query, &seen));
            let seen = seen.start - begin..seen.end - begin;
            row[..seen.start].fill(0.0);
            row[seen.end..].fill(0.0);
            // SAFETY: bias and row are of one length; the caller vouches for the features.
            *sum = unsafe { rows::exponents::<V>(&mut row[seen], scale, bias) };
        }
        // SAFETY: values are padded; the caller vouches for `out`.
        unsafe {
            let out = out.add(first * hidden);
            product::<V>(Product {
                a: scores.as_ptr(),
                a_stride: stride,
                b: scratch.values[begin * padded..].as_ptr(),
                b_stride: padded,
                c: out,
                c_stride: hidden,
                rows: last - first,
                depth: end - begin,
                columns: shape.dimension,
            });
            for (row, sum) in sums.iter().enumerate().take(last - first) {
                let row = std::slice::from_raw_parts_mut(out.add(row * hidden), shape.dimension);
                rows::scale::<V>(row, 1.0 / sum);
            }
        }
    }
}

impl Scratch {
    /// Lays out a head's keys and values for products.
    #[inline(always)]
    fn pack(&mut self, text: &[f32], shape: &AttentionShape<'_>, head: usize, tokens: usize, padded: usize) {
        let (hidden, dimension) = (shape.heads * shape.dimension, shape.dimension);
        let (key, value) = (hidden + head * dimension, 2 * hidden + head * dimension);
        let panels = self.keys.resize(tokens.next_multiple_of(PANEL) * dimension).chunks_exact_mut(PANEL * dimension);
        for (panel, rows) in panels.zip(text.chunks(PANEL * 3 * hidden)) {
            for (column, row) in rows.chunks_exact(3 * hidden).enumerate() {
                let key = &row[key..key + dimension];
                panel[column..].iter_mut().step_by(PANEL).zip(key).for_each(|(to, x)| *to = *x);
            }
        }
        let values = self.values.resize(tokens * padded);
        for (to, row) in values.chunks_exact_mut(padded).zip(text.chunks_exact(3 * hidden)) {
            to[..dimension].copy_from_slice(&row[value..value + dimension]);
        }
    }
}
