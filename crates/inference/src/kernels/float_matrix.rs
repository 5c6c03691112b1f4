//! A matrix of unquantised weights, kept as the file has them.

use super::isa::Isa;
use super::pool::{Shared, parallel};
use super::product::{self, Element, Operands, ROWS, WIDTH};

/// Rows of the other side for which a panel stays in the processor's cache.
const SPAN: usize = 64;

/// Weights of shape (rows = outputs, columns = inputs) in f32, f16 or bf16; panels of 32 rows as (columns, 32).
pub(crate) struct FloatMatrix {
    rows: usize,
    columns: usize,
    element: Element,
    /// Two bytes each.
    numbers: Vec<u16>,
}

impl FloatMatrix {
    /// Packs `bytes`, little-endian (rows, columns). `None` if their length doesn't fit.
    pub(crate) fn pack(element: Element, bytes: &[u8], rows: usize, columns: usize) -> Option<Self> {
        let size = element.bytes();
        if bytes.len() != rows * columns * size {
            return None;
        }
        let parts = size / 2;
        let panel = columns * WIDTH * parts;
        let mut numbers = vec![0u16; rows.div_ceil(WIDTH) * panel];
        for (row, bytes) in bytes.chunks_exact((columns * size).max(1)).enumerate() {
            let begin = row / WIDTH * panel + row % WIDTH * parts;
            for (index, two) in bytes.chunks_exact(2).enumerate() {
                let (column, part) = (index / parts, index % parts);
                numbers[begin + column * WIDTH * parts + part] = u16::from_ne_bytes([two[0], two[1]]);
            }
        }
        Some(Self { rows, columns, element, numbers })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    fn panel(&self, panel: usize) -> *const u8 {
        let length = self.columns * WIDTH * self.element.bytes() / 2;
        self.numbers[panel * length..(panel + 1) * length].as_ptr().cast()
    }

    /// Writes row `row` as f32 to `out`, of `columns` numbers.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let panel = self.panel(row / WIDTH);
        for (column, x) in out.iter_mut().enumerate().take(self.columns) {
            let at = column * WIDTH + row % WIDTH;
            // SAFETY: `at` is within the panel, whose bounds were checked.
            *x = unsafe {
                match self.element {
                    Element::F32 => panel.cast::<f32>().add(at).read_unaligned(),
                    Element::F16 => panel.cast::<half::f16>().add(at).read().to_f32(),
                    Element::Bf16 => panel.cast::<half::bf16>().add(at).read().to_f32(),
                }
            };
        }
    }

    /// `out = x · Wᵀ` for `x` (n, columns), on all threads.
    pub(crate) fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let count = x.len() / self.columns;
        assert!(x.len() == count * self.columns && out.len() >= count * self.rows, "shapes of a product");
        let out = Shared::new(out);
        let isa = Isa::detect();
        parallel(self.rows.div_ceil(WIDTH), &|panel| {
            let lanes = WIDTH.min(self.rows - panel * WIDTH);
            let mut sums = [0f32; ROWS * WIDTH];
            for span in (0..count).step_by(SPAN) {
                for first in (span..count.min(span + SPAN)).step_by(ROWS) {
                    let rows = ROWS.min(count.min(span + SPAN) - first);
                    sums.fill(0.0);
                    let operands = Operands {
                        a: x[first * self.columns..].as_ptr(),
                        a_stride: self.columns,
                        b: self.panel(panel),
                        b_stride: WIDTH,
                        c: sums.as_mut_ptr(),
                        c_stride: WIDTH,
                        k: self.columns,
                    };
                    // SAFETY: (rows, columns) · (columns, 32) → (rows, 32).
                    unsafe { product::multiply(isa, self.element, rows, operands) };
                    for (row, sums) in sums.chunks_exact(WIDTH).take(rows).enumerate() {
                        // SAFETY: a panel's columns of the output belong to one task.
                        let out = unsafe { out.part((first + row) * self.rows + panel * WIDTH, lanes) };
                        out.copy_from_slice(&sums[..lanes]);
                    }
                }
            }
        });
    }
}

impl std::fmt::Debug for FloatMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FloatMatrix").field("rows", &self.rows).field("columns", &self.columns).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn products_agree_with_the_definition() {
        let value = |i: usize| ((i * 7919) % 1013) as f32 / 500.0 - 1.0;
        let (rows, columns) = (45, 70);
        let weights: Vec<f32> = (0..rows * columns).map(|i| bf16::from_f32(value(i)).to_f32()).collect();
        let bytes = |element| -> Vec<u8> {
            match element {
                Element::F32 => weights.iter().flat_map(|x| x.to_le_bytes()).collect(),
                Element::F16 => weights.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
                Element::Bf16 => weights.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
            }
        };
        for element in [Element::F32, Element::F16, Element::Bf16] {
            let matrix = FloatMatrix::pack(element, &bytes(element), rows, columns).unwrap();
            let mut row = vec![0.0; columns];
            matrix.row(40, &mut row);
            for (found, expected) in row.iter().zip(&weights[40 * columns..]) {
                assert!((found - expected).abs() < 1e-3);
            }
            for count in [1, 9, 130] {
                let x: Vec<f32> = (0..count * columns).map(|i| value(i + 3)).collect();
                let mut out = vec![f32::NAN; count * rows];
                matrix.multiply(&x, &mut out);
                for (at, found) in out.iter().enumerate() {
                    let (x, w) = (&x[at / rows * columns..], &weights[at % rows * columns..]);
                    let expected: f64 = (0..columns).map(|k| f64::from(x[k]) * f64::from(w[k])).sum();
                    assert!((f64::from(*found) - expected).abs() < 2e-2, "{element:?}: {found} {expected}");
                }
            }
        }
        assert!(FloatMatrix::pack(Element::F16, &[0; 5], 1, 3).is_none());
    }
}
