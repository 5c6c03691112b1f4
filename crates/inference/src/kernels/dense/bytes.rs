//! Products in 8 bits: weights and rows rounded to bytes, with a scale for every group of columns.

use super::lines::Lines;
use super::product::PANEL;
use super::step::Step;
use super::vector::Vector;
use super::{After, FEW_ROWS, ROWS, WEIGHT_BYTES, dispatch, finish};
use crate::kernels::isa::Isa;
use crate::kernels::pool::{Shared, parallel, threads};

/// Columns that share a scale. Sums of so many products of bytes are exact in f32.
pub(super) const GROUP: usize = 128;

/// 8-bit weights of `y = x · Wᵀ`.
#[derive(Debug)]
pub(crate) struct DenseBytes {
    /// Panels of (columns / 4, PANEL, 4), filled up with 0.
    panels: Lines,
    /// Of each panel (groups, PANEL).
    scales: Lines,
    /// Of each panel (groups, PANEL): sums of the weights.
    sums: Lines,
    /// Outputs.
    rows: usize,
    /// Inputs.
    columns: usize,
}

/// Rows rounded to bytes. Memory is kept from one use to the next.
#[derive(Debug, Default)]
pub(crate) struct Rounded {
    /// (rows, columns rounded up to 4), each number plus 128.
    bytes: Vec<u8>,
    /// (rows, groups)
    scales: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Rounded {
    /// Rounds `x` (rows, columns).
    pub(crate) fn set(&mut self, x: &[f32], columns: usize) {
        self.set_with(Isa::detect(), x, columns);
    }

    pub(super) fn set_with(&mut self, isa: Isa, x: &[f32], columns: usize) {
        let (rows, width, groups) = (x.len() / columns, columns.next_multiple_of(4), columns.div_ceil(GROUP));
        (self.rows, self.columns) = (rows, columns);
        self.bytes.resize(rows * width, 0);
        self.scales.resize(rows * groups, 0.0);
        let (bytes, scales) = (Shared::new(&mut self.bytes), Shared::new(&mut self.scales));
        parallel(rows.div_ceil(FEW_ROWS), &|task| {
            for row in task * FEW_ROWS..((task + 1) * FEW_ROWS).min(rows) {
                // SAFETY: sized above, and no other task has this row.
                let (bytes, scales) = unsafe { (bytes.part(row * width, width), scales.part(row * groups, groups)) };
                dispatch::round(isa, &x[row * columns..(row + 1) * columns], bytes, scales);
            }
        });
    }
}

/// Rounds a row; `bytes` may go on behind it.
///
/// # Safety
/// The processor has `V`'s features.
#[inline(always)]
pub(super) unsafe fn round<V: Vector>(row: &[f32], bytes: &mut [u8], scales: &mut [f32]) {
    for ((row, bytes), scale) in row.chunks(GROUP).zip(bytes.chunks_mut(GROUP)).zip(scales) {
        let (registers, rest) = row.split_at(row.len() - row.len() % V::LANES);
        // SAFETY: registers lie within the row and the bytes; the caller vouches for the features.
        unsafe {
            let mut greatest = V::zero();
            for register in registers.chunks_exact(V::LANES) {
                greatest = greatest.max(V::load(register.as_ptr()).abs());
            }
            let greatest = rest.iter().fold(greatest.greatest(), |greatest, x| greatest.max(x.abs()));
            *scale = greatest / 127.0;
            let inverse = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
            for (register, bytes) in registers.chunks_exact(V::LANES).zip(bytes.chunks_exact_mut(V::LANES)) {
                let x = V::load(register.as_ptr());
                x.mul(x.splat(inverse)).store_rounded(bytes.as_mut_ptr());
            }
            let bytes = &mut bytes[registers.len()..];
            for (byte, x) in bytes.iter_mut().zip(rest) {
                *byte = ((x * inverse).round_ties_even() as i8 as u8).wrapping_add(128);
            }
            bytes[rest.len()..].fill(128);
        }
    }
}

/// Bytes of `a` (rows, depth) times a panel of weights.
#[derive(Clone, Copy)]
pub(super) struct ByteProduct {
    pub(super) a: *const u8,
    pub(super) a_stride: usize,
    /// (rows, groups)
    pub(super) a_scales: *const f32,
    /// (depth / 4, PANEL, 4)
    pub(super) b: *const i8,
    /// (groups, PANEL), scales and sums.
    pub(super) b_scales: *const f32,
    pub(super) b_sums: *const f32,
    pub(super) c: *mut f32,
    pub(super) c_stride: usize,
    pub(super) rows: usize,
    /// A multiple of 4.
    pub(super) depth: usize,
    pub(super) columns: usize,
}

/// As [`super::product::product`], for bytes.
///
/// # Safety
/// The processor has `V`'s features; everything lies where the product says, `c` apart from the others.
#[inline(always)]
pub(super) unsafe fn product<V: Vector>(product: ByteProduct) {
    // SAFETY: parts of what the caller vouches for.
    unsafe {
        // A wide panel as a whole, if there are registers for eight rows of it.
        match product.columns.div_ceil(V::LANES) {
            3 if V::ACCUMULATORS >= 24 => strips::<V, 3>(product),
            2 if V::ACCUMULATORS >= 16 => strips::<V, 2>(product),
            _ => {
                for column in (0..product.columns).step_by(V::LANES) {
                    strips::<V, 1>(ByteProduct {
                        b: product.b.add(4 * column),
                        b_scales: product.b_scales.add(column),
                        b_sums: product.b_sums.add(column),
                        c: product.c.add(column),
                        columns: (product.columns - column).min(V::LANES),
                        ..product
                    });
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn strips<V: Vector, const N: usize>(mut product: ByteProduct) {
    while product.rows > 0 {
        // SAFETY: each tile takes no more rows than are left.
        let taken = unsafe {
            match product.rows {
                8.. => tile::<V, 8, N>(&product),
                4.. => tile::<V, 4, N>(&product),
                2.. => tile::<V, 2, N>(&product),
                _ => tile::<V, 1, N>(&product),
            }
        };
        product.rows -= taken;
        // SAFETY: at most one row behind the last.
        unsafe {
            product.a = product.a.add(taken * product.a_stride);
            product.a_scales = product.a_scales.add(taken * product.depth.div_ceil(GROUP));
            product.c = product.c.add(taken * product.c_stride);
        }
    }
}

/// `M` rows and `N` registers of columns. Gives `M`.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(product: &ByteProduct) -> usize {
    let ByteProduct { a, a_stride, mut b, c, c_stride, depth, columns, .. } = *product;
    let groups = depth.div_ceil(GROUP);
    // SAFETY: the caller vouches for the features, for M rows of `a` and `c`, and for N registers of the panel.
    unsafe {
        for group in 0..groups {
            let mut sums = [[V::no_sums(); N]; M];
            for quad in (group * GROUP..depth.min((group + 1) * GROUP)).step_by(4) {
                let weights: [V::Bytes; N] = std::array::from_fn(|n| V::load_bytes(b.add(4 * n * V::LANES)));
                for (m, sums) in sums.iter_mut().enumerate() {
                    let x = a.add(m * a_stride + quad).cast::<u32>().read_unaligned();
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = V::dot(*sum, x, weights);
                    }
                }
                b = b.add(4 * PANEL);
            }
            // A copy, for the loops below go through it by number, and registers have none.
            let sums: [[V; N]; M] = std::array::from_fn(|m| std::array::from_fn(|n| V::float(sums[m][n])));
            for n in 0..N {
                let at = group * PANEL + n * V::LANES;
                let scales = V::load(product.b_scales.add(at));
                let shift = V::load(product.b_sums.add(at)).mul(scales.splat(V::SHIFT));
                for (m, sums) in sums.iter().enumerate() {
                    let to = c.add(m * c_stride + n * V::LANES);
                    let sum = sums[n].sub(shift);
                    let scale = scales.mul(scales.splat(*product.a_scales.add(m * groups + group)));
                    let left = columns - n * V::LANES;
                    let before = match (group, left) {
                        (0, _) => V::zero(),
                        (_, left) if left >= V::LANES => V::load(to),
                        (_, left) => V::load_first(to, left),
                    };
                    let value = sum.mul_add(scale, before);
                    if left >= V::LANES { value.store(to) } else { value.store_first(to, left) }
                }
            }
        }
    }
    M
}

impl DenseBytes {
    /// Rounds and packs `weights` (rows, columns).
    pub(crate) fn pack(weights: &[f32], rows: usize, columns: usize) -> Self {
        let (width, groups, panels) = (columns.next_multiple_of(4), columns.div_ceil(GROUP), rows.div_ceil(PANEL));
        let mut packed =
            Self { panels: Lines::default(), scales: Lines::default(), sums: Lines::default(), rows, columns };
        packed.panels.resize((panels * PANEL * width).div_ceil(4));
        let scales = packed.scales.resize(panels * groups * PANEL);
        let sums = packed.sums.resize(panels * groups * PANEL);
        let bytes = packed.panels.bytes_mut();
        for (row, weights) in weights.chunks_exact(columns).enumerate() {
            let (panel, lane) = (row / PANEL, row % PANEL);
            for (group, weights) in weights.chunks(GROUP).enumerate() {
                let greatest = weights.iter().fold(0.0_f32, |greatest, x| greatest.max(x.abs()));
                let inverse = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
                let mut sum = 0.0;
                for (index, x) in weights.iter().enumerate() {
                    let rounded = (x * inverse).round();
                    let column = group * GROUP + index;
                    bytes[(panel * width + column / 4 * 4) * PANEL + lane * 4 + column % 4] = rounded as i8;
                    sum += rounded;
                }
                scales[(panel * groups + group) * PANEL + lane] = greatest / 127.0;
                sums[(panel * groups + group) * PANEL + lane] = sum;
            }
        }
        packed
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
    pub(crate) fn multiply(&self, x: &Rounded, out: &mut [f32], after: After<'_>) {
        self.multiply_with(Isa::detect(), x, out, after);
    }

    pub(super) fn multiply_with(&self, isa: Isa, x: &Rounded, out: &mut [f32], after: After<'_>) {
        let (tokens, width, groups) = (x.rows, self.columns.next_multiple_of(4), self.columns.div_ceil(GROUP));
        assert!(x.columns == self.columns && out.len() == tokens * self.rows);
        after.check(self.rows);
        let (panels, tiles) = (self.rows.div_ceil(PANEL), tokens.div_ceil(ROWS));
        let group = (WEIGHT_BYTES / (PANEL * width)).min(panels * tiles / (4 * threads())).max(1);
        let (out, weights) = (Shared::new(out), self.panels.bytes());
        parallel(panels.div_ceil(group) * tiles, &|task| {
            let (first_panel, first_row) = (task / tiles * group, task % tiles * ROWS);
            let rows = ROWS.min(tokens - first_row);
            let step = Step::new(isa, width, rows);
            for panel in first_panel..(first_panel + group).min(panels) {
                let (column, scales) = (panel * PANEL, panel * groups * PANEL);
                let product = ByteProduct {
                    a: x.bytes[first_row * width..].as_ptr(),
                    a_stride: width,
                    a_scales: x.scales[first_row * groups..].as_ptr(),
                    b: weights[panel * PANEL * width..].as_ptr(),
                    b_scales: self.scales[scales..].as_ptr(),
                    b_sums: self.sums[scales..].as_ptr(),
                    // SAFETY: within `out`, whose length was asserted.
                    c: unsafe { out.at(first_row * self.rows + column) },
                    c_stride: self.rows,
                    rows,
                    depth: width,
                    columns: PANEL.min(self.rows - column),
                };
                // SAFETY: rows and columns of `x`, weights and `out` are within them, panels are filled up, and no
                // other task has these rows and columns of `out`.
                unsafe {
                    step.product(product);
                    finish(isa, product.c, (product.c_stride, rows, product.columns), column, after);
                }
            }
        });
    }
}
