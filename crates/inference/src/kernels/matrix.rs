//! A matrix of packed weights and its product with 8-bit activations.

use super::activations::{Activations, SUMS};
use super::form::{BLOCK, Form, GROUP, PANEL, Tile};
use super::isa::Isa;
use super::pack;
use super::pool::{Shared, parallel, threads};
use super::step::{Step, unpack};
use super::tile::{MOST_ROWS, Operand, Sums};
use candle_core::quantized::GgmlDType;
use half::f16;
use std::cell::RefCell;
use std::ops::Range;

/// Panels that are unpacked together, so that activations are read from memory once for all of them.
const TOGETHER: usize = 4;

/// Rows of activations for which sums are kept at once: what is unpacked is used so often.
const SPAN: usize = 512;

/// Bytes of weights that make a task worth handing out.
const TASK_BYTES: usize = 128 * 1024;

/// Bytes that weights are asked for ahead of their use: a block or two, for memory is slower than a product with one row,
/// and processors don't read ahead over the end of a page.
const AHEAD: usize = 6 * 1024;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Weights of shape (rows = outputs, columns = inputs), packed for vector instructions.
pub(crate) struct Matrix {
    rows: usize,
    columns: usize,
    form: Form,
    data: Vec<Line>,
}

impl Matrix {
    /// Packs a GGUF tensor. `None` when there is no packed form of its type, or its rows are no multiple of 32 long.
    pub(crate) fn pack(dtype: GgmlDType, bytes: &[u8], rows: usize, columns: usize) -> Option<Self> {
        let form = Form::of(dtype)?;
        let row_bytes = columns / dtype.block_size() * dtype.type_size();
        if columns == 0 || !columns.is_multiple_of(dtype.block_size()) || bytes.len() != rows * row_bytes {
            return None;
        }
        let mut matrix = Self::empty(form, rows, columns);
        let panel_bytes = matrix.panel_bytes();
        let data = Shared::new(matrix.bytes_mut());
        parallel(rows.div_ceil(PANEL), &|panel| {
            // SAFETY: each task writes its own panel.
            let packed = unsafe { data.part(panel * panel_bytes, panel_bytes) };
            let first = panel * PANEL;
            for block in 0..columns.div_ceil(BLOCK) {
                let groups = groups(columns, block);
                let begin = block * BLOCK / dtype.block_size() * dtype.type_size();
                let parts: Vec<&[u8]> = (first..rows.min(first + PANEL))
                    .map(|row| &bytes[row * row_bytes + begin..(row + 1) * row_bytes])
                    .collect();
                let at = block * form.block_bytes(BLOCK / GROUP);
                pack::block(form, dtype, groups, &parts, &mut packed[at..at + form.block_bytes(groups)]);
            }
        });
        Some(matrix)
    }

    /// Rounds `values` (rows, columns) to 8 bits with an f16 scale for 32 columns, as ggml's Q8_0 does. Columns must
    /// be a multiple of 32.
    pub(crate) fn quantise8(values: &[f32], rows: usize, columns: usize) -> Option<Self> {
        let mut bytes = Vec::with_capacity(values.len() / GROUP * GgmlDType::Q8_0.type_size());
        for group in values.chunks(GROUP) {
            let greatest = group.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
            let scale = f16::from_f32(greatest / 127.0);
            let inverse = if scale.to_f32() > 0.0 { 1.0 / scale.to_f32() } else { 0.0 };
            bytes.extend(scale.to_le_bytes());
            bytes.extend(group.iter().map(|x| (x * inverse).round().clamp(-127.0, 127.0) as i8 as u8));
        }
        Self::pack(GgmlDType::Q8_0, &bytes, rows, columns)
    }

    fn empty(form: Form, rows: usize, columns: usize) -> Self {
        let mut matrix = Self { rows, columns, form, data: Vec::new() };
        matrix.data = vec![Line([0; 64]); rows.div_ceil(PANEL) * matrix.panel_bytes() / 64];
        matrix
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    fn panel_bytes(&self) -> usize {
        let whole = self.columns / BLOCK * self.form.block_bytes(BLOCK / GROUP);
        match self.columns % BLOCK / GROUP {
            0 => whole,
            groups => whole + self.form.block_bytes(groups),
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: lines are plain bytes without padding.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.data.len() * 64) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_mut_ptr().cast(), self.data.len() * 64) }
    }

    /// Writes row `row` as f32 to `out`, of `columns` numbers.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let mut tile = Tile::new();
        let panel = &self.bytes()[row / PANEL * self.panel_bytes()..][..self.panel_bytes()];
        let lane = row % PANEL;
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let at = block * self.form.block_bytes(BLOCK / GROUP);
            unpack(Isa::detect(), self.form, groups(self.columns, block), &panel[at..], &mut tile);
            for (column, x) in out.iter_mut().enumerate() {
                *x = tile.weight(self.form, column, lane);
            }
        }
    }

    /// The products of panels `panels` with rows `rows` of `x`.
    fn multiply_panels(&self, isa: Isa, panels: Range<usize>, x: &Activations, rows: Range<usize>, out: Shared<f32>) {
        SCRATCH.with_borrow_mut(|scratch| {
            for first in panels.clone().step_by(together(rows.len())) {
                let panels = first..panels.end.min(first + together(rows.len()));
                for begin in (0..rows.len()).step_by(SPAN) {
                    let span = begin..rows.len().min(begin + SPAN);
                    self.multiply_span(isa, panels.clone(), x, rows.start, span.clone(), scratch);
                    let outputs = self.rows.min(panels.end * PANEL) - first * PANEL;
                    for (row, sums) in span.zip(scratch.sums.chunks_exact(TOGETHER * PANEL)) {
                        // SAFETY: `out` has as many rows; a panel's columns belong to one task.
                        let out = unsafe { out.part(row * self.rows + first * PANEL, outputs) };
                        out.copy_from_slice(&sums[..outputs]);
                    }
                }
            }
        });
    }

    /// The sums of at most [`TOGETHER`] panels and [`SPAN`] rows, counted from `start` of `x`.
    fn multiply_span(
        &self,
        isa: Isa,
        panels: Range<usize>,
        x: &Activations,
        start: usize,
        span: Range<usize>,
        scratch: &mut Scratch,
    ) {
        let (form, panel_bytes, bytes, rows) = (self.form, self.panel_bytes(), self.bytes(), span.len());
        let step = Step::new(isa, form, rows);
        let tiles = &mut scratch.tiles[..panels.len()];
        let sums = &mut scratch.sums[..rows * TOGETHER * PANEL];
        sums.fill(0.0);
        let sums = Sums { at: sums.as_mut_ptr(), stride: TOGETHER * PANEL };
        let (whole_sums, per_row) = match form.group() {
            16 => (&x.sums16, SUMS),
            _ => (&x.sums32, SUMS / 2),
        };
        for block in 0..self.columns.div_ceil(BLOCK) {
            let groups = groups(self.columns, block);
            let at = block * form.block_bytes(BLOCK / GROUP);
            for (panel, tile) in panels.clone().zip(tiles.iter_mut()) {
                let ahead = (panel * panel_bytes + at + AHEAD).min(bytes.len());
                prefetch(&bytes[ahead..], form.block_bytes(groups));
                step.unpack(groups, &bytes[panel * panel_bytes + at..], tile);
            }
            let at = block * x.rows + start + span.start;
            let operand = Operand {
                quants: x.quants[at * BLOCK..(at + rows) * BLOCK].as_ptr(),
                scales: x.scales[at..at + rows].as_ptr(),
                sums: x.floats32[at * SUMS / 2..(at + rows) * SUMS / 2].as_ptr(),
                whole_sums: whole_sums[at * per_row..(at + rows) * per_row].as_ptr(),
            };
            // SAFETY: operand and sums were cut to `rows` rows just now.
            unsafe { step.multiply(groups, tiles, operand, rows, sums) };
        }
    }
}

/// What a thread works in.
struct Scratch {
    tiles: [Tile; TOGETHER],
    /// (row, panel, 16)
    sums: [f32; SPAN * TOGETHER * PANEL],
}

thread_local! {
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::new(Box::new(Scratch {
        tiles: [const { Tile::new() }; TOGETHER],
        sums: [0.0; SPAN * TOGETHER * PANEL],
    }));
}

/// Panels that are unpacked together for so many rows. A few rows are soon done with a panel: then one stream of weights,
/// read ahead, is what counts.
const fn together(rows: usize) -> usize {
    if rows <= MOST_ROWS { 1 } else { TOGETHER }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix").field("rows", &self.rows).field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// A matrix, the rows of the activations that it is multiplied by, and where (rows, outputs) go.
pub(crate) struct Product<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) rows: Range<usize>,
    pub(crate) out: &'a mut [f32],
}

/// Products of several matrices with rows of `x`, as one parallel piece: `outᵢ = x[rowsᵢ] · Wᵢᵀ`.
pub(crate) fn multiply_all(products: &mut [Product<'_>], x: &Activations) {
    multiply_all_with(Isa::detect(), products, x);
}

fn multiply_all_with(isa: Isa, products: &mut [Product<'_>], x: &Activations) {
    struct Part<'m> {
        matrix: &'m Matrix,
        rows: Range<usize>,
        out: Shared<f32>,
        /// Panels of a task, and the number of the first task.
        by: usize,
        first: usize,
    }
    let mut tasks = 0;
    let parts: Vec<Part<'_>> = products
        .iter_mut()
        .map(|Product { matrix, rows, out }| {
            let fits = rows.end <= x.rows && out.len() >= rows.len() * matrix.rows;
            assert!(matrix.columns == x.columns && fits, "shapes of a product");
            let panels = matrix.rows.div_ceil(PANEL);
            // Every thread gets some, and tasks stay large enough to be worth their handing out.
            let by = (TASK_BYTES / matrix.panel_bytes()).min(panels / (threads() * 2)).max(1);
            let by = by.next_multiple_of(together(rows.len()));
            let part = Part { matrix, rows: rows.clone(), out: Shared::new(out), by, first: tasks };
            tasks += panels.div_ceil(part.by);
            part
        })
        .collect();
    parallel(tasks, &|task| {
        let Some(part) = parts.iter().rev().find(|part| part.first <= task) else { return };
        let begin = (task - part.first) * part.by;
        let end = part.matrix.rows.div_ceil(PANEL).min(begin + part.by);
        part.matrix.multiply_panels(isa, begin..end, x, part.rows.clone(), part.out);
    });
}

/// Asks for the first `length` of `bytes`.
#[inline]
fn prefetch(bytes: &[u8], length: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes[..bytes.len().min(length)].chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, length);
}

/// Groups of 32 columns in a block.
fn groups(columns: usize, block: usize) -> usize {
    (columns - block * BLOCK).min(BLOCK) / GROUP
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
