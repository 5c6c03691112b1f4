//! Products of a few rows with a packed matrix, sums held in registers.

use super::vector::Vector;

/// Columns of a panel of weights: three registers of AVX-512 or six of AVX2.
pub(super) const PANEL: usize = 48;

/// `c = a · b` for row-major matrices: a (rows, depth), b (depth, columns), c (rows, columns).
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) a: *const f32,
    /// Numbers from one row of `a` to the next; likewise below.
    pub(super) a_stride: usize,
    pub(super) b: *const f32,
    pub(super) b_stride: usize,
    pub(super) c: *mut f32,
    pub(super) c_stride: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
}

/// Every number of `c` is summed over the depth in ascending order, however rows are cut: its bits don't depend on
/// the rows beside it.
///
/// # Safety
/// The processor has `V`'s features. The matrices lie where the product says, `c` apart from the others; rows of `b`
/// are readable up to the next multiple of `V::LANES`.
#[inline(always)]
pub(super) unsafe fn product<V: Vector>(product: Product) {
    let registers = product.columns.div_ceil(V::LANES);
    // Even parts: 4 registers go as 2 + 2 rather than as 3 + 1.
    let width = registers.div_ceil(registers.div_ceil(V::WIDEST).max(1));
    let mut column = 0;
    while column < product.columns {
        let part = Product {
            // SAFETY: `column` is within the matrices.
            b: unsafe { product.b.add(column) },
            // SAFETY: as above.
            c: unsafe { product.c.add(column) },
            columns: (product.columns - column).min(width * V::LANES),
            ..product
        };
        // SAFETY: a part of what the caller vouches for.
        unsafe {
            match part.columns.div_ceil(V::LANES) {
                4 => strips::<V, 4>(part),
                3 => strips::<V, 3>(part),
                2 => strips::<V, 2>(part),
                _ => strips::<V, 1>(part),
            }
        }
        column += width * V::LANES;
    }
}

/// As [`product`] for at most `N` registers of columns, as many rows at a time as there are accumulators for.
#[inline(always)]
unsafe fn strips<V: Vector, const N: usize>(mut product: Product) {
    while product.rows > 0 {
        // SAFETY: each tile takes no more rows than are left.
        let taken = unsafe {
            match product.rows.min(V::ACCUMULATORS / N) {
                12.. => tile::<V, 12, N>(&product),
                8.. => tile::<V, 8, N>(&product),
                6.. => tile::<V, 6, N>(&product),
                4.. => tile::<V, 4, N>(&product),
                3 => tile::<V, 3, N>(&product),
                2 => tile::<V, 2, N>(&product),
                _ => tile::<V, 1, N>(&product),
            }
        };
        product.rows -= taken;
        // SAFETY: at most one row behind the last.
        unsafe {
            product.a = product.a.add(taken * product.a_stride);
            product.c = product.c.add(taken * product.c_stride);
        }
    }
}

/// `M` rows and `N` registers of columns. Gives `M`.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(product: &Product) -> usize {
    let Product { a, a_stride, mut b, b_stride, c, c_stride, depth, columns, .. } = *product;
    // SAFETY: the caller vouches for the features, for M rows of `a` and `c`, and for N registers of each row of `b`.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        for k in 0..depth {
            let row: [V; N] = std::array::from_fn(|n| V::load(b.add(n * V::LANES)));
            for (m, sums) in sums.iter_mut().enumerate() {
                let x = row[0].splat(*a.add(m * a_stride + k));
                for (sum, column) in sums.iter_mut().zip(row) {
                    *sum = x.mul_add(column, *sum);
                }
            }
            b = b.add(b_stride);
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = c.add(m * c_stride + n * V::LANES);
                match columns - n * V::LANES {
                    left if left >= V::LANES => sum.store(to),
                    left => sum.store_first(to, left),
                }
            }
        }
    }
    M
}
