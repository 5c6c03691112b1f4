//! f32 products, attention and row functions of encoders, for texts that are packed one behind the other.
//!
//! Numbers of a row are computed in an order that depends on nothing but the row's own text, so a text's result has
//! the same bits alone and in a batch.

mod attention;
mod bytes;
#[cfg(target_arch = "x86_64")]
mod bytes_amx;
mod dispatch;
mod lines;
mod product;
mod rows;
mod step;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use attention::{AttentionShape, DistanceBias};
pub(crate) use bytes::{DenseBytes, Rounded};
pub(crate) use lines::Lines;

use super::isa::Isa;
use super::pool::{Shared, parallel, threads};
use product::{PANEL, Product};
use std::ops::Range;

/// Rows of `x` that a task takes.
const ROWS: usize = 96;
/// Rows that a task of a row function takes.
const FEW_ROWS: usize = 32;
/// Bytes of weights that a task takes: they stay in the second-level cache while tasks go through the rows.
const WEIGHT_BYTES: usize = 600 << 10;

/// What happens to a product's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After<'a> {
    Nothing,
    /// A bias for each output is added.
    Bias(&'a [f32]),
    /// As `Bias`, then GELU.
    BiasGelu(&'a [f32]),
}

impl After<'_> {
    fn check(self, outputs: usize) {
        if let Self::Bias(bias) | Self::BiasGelu(bias) = self {
            assert_eq!(bias.len(), outputs, "a bias for each output");
        }
    }
}

/// f32 weights of `y = x · Wᵀ`, laid out for the processor.
#[derive(Debug)]
pub(crate) struct Dense {
    /// Panels of (columns, PANEL) weights, the last one filled up with 0.
    panels: Lines,
    /// Outputs.
    rows: usize,
    /// Inputs.
    columns: usize,
}

impl Dense {
    /// Packs `weights` (rows, columns).
    pub(crate) fn pack(weights: &[f32], rows: usize, columns: usize) -> Self {
        let mut panels = Lines::default();
        let packed = panels.resize(rows.next_multiple_of(PANEL) * columns);
        for (row, weights) in weights.chunks_exact(columns).enumerate() {
            let panel = &mut packed[row / PANEL * PANEL * columns + row % PANEL..];
            panel.iter_mut().step_by(PANEL).zip(weights).for_each(|(to, x)| *to = *x);
        }
        Self { panels, rows, columns }
    }

    /// Outputs.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = after(x · Wᵀ)`, x (tokens, columns), out (tokens, rows).
    pub(crate) fn multiply(&self, x: &[f32], out: &mut [f32], after: After<'_>) {
        self.multiply_with(Isa::detect(), x, out, after);
    }

    fn multiply_with(&self, isa: Isa, x: &[f32], out: &mut [f32], after: After<'_>) {
        let tokens = x.len() / self.columns;
        assert!(x.len() == tokens * self.columns && out.len() == tokens * self.rows);
        after.check(self.rows);
        let (panels, tiles) = (self.rows.div_ceil(PANEL), tokens.div_ceil(ROWS));
        // Few rows are shared out by their outputs, so that no thread is left without work.
        let group = (WEIGHT_BYTES / (PANEL * self.columns * 4)).min(panels * tiles / (4 * threads())).max(1);
        let out = Shared::new(out);
        parallel(panels.div_ceil(group) * tiles, &|task| {
            let (first_panel, first_row) = (task / tiles * group, task % tiles * ROWS);
            let rows = ROWS.min(tokens - first_row);
            for panel in first_panel..(first_panel + group).min(panels) {
                let column = panel * PANEL;
                let product = Product {
                    a: x[first_row * self.columns..].as_ptr(),
                    a_stride: self.columns,
                    b: self.panels[panel * PANEL * self.columns..].as_ptr(),
                    b_stride: PANEL,
                    // SAFETY: within `out`, whose length was asserted.
                    c: unsafe { out.at(first_row * self.rows + column) },
                    c_stride: self.rows,
                    rows,
                    depth: self.columns,
                    columns: PANEL.min(self.rows - column),
                };
                // SAFETY: rows and columns of `x`, weights and `out` are within them, panels are filled up, and no
                // other task has these rows and columns of `out`.
                unsafe {
                    dispatch::product(isa, product);
                    finish(isa, product.c, (product.c_stride, rows, product.columns), column, after);
                }
            }
        });
    }
}

/// Applies `after` to a finished product: (stride, rows, columns) numbers from `c` on, whose first column is `column` of
/// the matrix.
///
/// # Safety
/// They are writable, and nothing else touches them.
unsafe fn finish(
    isa: Isa,
    c: *mut f32,
    (stride, rows, columns): (usize, usize, usize),
    column: usize,
    after: After<'_>,
) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        let row = unsafe { std::slice::from_raw_parts_mut(c.add(row * stride), columns) };
        match after {
            After::Nothing => {}
            After::Bias(bias) => dispatch::add(isa, row, &bias[column..column + columns]),
            After::BiasGelu(bias) => dispatch::add_gelu(isa, row, &bias[column..column + columns]),
        }
    }
}

/// Attention of each text within itself.
///
/// `projected` has rows of queries, keys and values, (tokens, 3 · heads · dimension); `texts` are the ranges of rows
/// that belong together, one behind the other; `out` becomes (tokens, heads · dimension).
pub(crate) fn attend(projected: &[f32], texts: &[Range<usize>], shape: &AttentionShape<'_>, out: &mut [f32]) {
    attend_with(Isa::detect(), projected, texts, shape, out);
}

fn attend_with(isa: Isa, projected: &[f32], texts: &[Range<usize>], shape: &AttentionShape<'_>, out: &mut [f32]) {
    let hidden = shape.heads * shape.dimension;
    let mut end = 0;
    for text in texts {
        assert!(text.start == end && text.end > text.start, "texts lie one behind the other");
        assert!(shape.bias.is_none_or(|bias| text.len() <= bias.longest), "no bias for so long a text");
        end = text.end;
    }
    assert!(projected.len() == end * 3 * hidden && out.len() == end * hidden);
    let out = Shared::new(out);
    parallel(texts.len() * shape.heads, &|task| {
        let (text, head) = (&texts[task / shape.heads], task % shape.heads);
        let rows = &projected[text.start * 3 * hidden..text.end * 3 * hidden];
        attention::SCRATCH.with_borrow_mut(|scratch| {
            // SAFETY: `out` has rows for all texts, and no other task writes this head of this text.
            unsafe {
                let out = out.at(text.start * hidden + head * shape.dimension);
                dispatch::head(isa, scratch, rows, shape, head, out);
            }
        });
    });
}

/// Gain, offset and epsilon of a layer norm.
#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) gain: Vec<f32>,
    pub(crate) offset: Vec<f32>,
    pub(crate) epsilon: f32,
}

/// `x = norm(x + residual)`, both (tokens, n).
pub(crate) fn add_norm(x: &mut [f32], residual: &[f32], norm: &Norm) {
    let isa = Isa::detect();
    each_row(x, norm.gain.len(), &|index, row| {
        dispatch::add(isa, row, &residual[index * row.len()..][..row.len()]);
        dispatch::normalise(isa, row, norm);
    });
}

/// `x = norm(x)`, (tokens, n).
pub(crate) fn normalise(x: &mut [f32], norm: &Norm) {
    let isa = Isa::detect();
    each_row(x, norm.gain.len(), &|_, row| dispatch::normalise(isa, row, norm));
}

/// `x += y`, both (tokens, n).
pub(crate) fn add(x: &mut [f32], y: &[f32], n: usize) {
    let isa = Isa::detect();
    each_row(x, n, &|index, row| dispatch::add(isa, row, &y[index * n..][..n]));
}

/// `out = gelu(x[..n]) · x[n..]` of each row of `x` (tokens, 2 · n), out (tokens, n).
pub(crate) fn gelu_gate(x: &[f32], out: &mut [f32], n: usize) {
    let isa = Isa::detect();
    each_row(out, n, &|index, row| {
        let (inner, gate) = x[index * 2 * n..][..2 * n].split_at(n);
        row.copy_from_slice(inner);
        dispatch::gelu_times(isa, row, gate);
    });
}

/// Runs `apply` on each row of `n` numbers, with its number, in parallel.
pub(crate) fn each_row(x: &mut [f32], n: usize, apply: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let tokens = x.len() / n;
    let x = Shared::new(x);
    parallel(tokens.div_ceil(FEW_ROWS), &|task| {
        for index in task * FEW_ROWS..((task + 1) * FEW_ROWS).min(tokens) {
            // SAFETY: within `x`, and no other task has this row.
            apply(index, unsafe { x.part(index * n, n) });
        }
    });
}
