//! Activations in 8 bits: the side of a product that changes.

use super::isa::Isa;
use super::pool::{Shared, parallel};

/// Columns that share a scale.
pub(crate) const BLOCK: usize = 256;

/// Columns whose quants are summed together, for weights that are stored with an offset.
pub(super) const SUMMED: usize = 16;
pub(super) const SUMS: usize = BLOCK / SUMMED;

/// Numbers below which splitting the work over threads costs more than it saves.
const SERIAL: usize = 16 * 1024;

/// Rows of numbers, rounded to 8 bits with a scale for every 256 columns, as ggml's Q8_K has it.
///
/// What belongs to the same columns lies together, row behind row: a product goes through it once, in order.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// [block][row][256]
    pub(super) quants: Vec<i8>,
    /// [block][row]
    pub(super) scales: Vec<f32>,
    /// [block][row][16]: sums of 16 quants each.
    pub(super) sums16: Vec<i16>,
    /// [block][row][8]: sums of 32 quants each.
    pub(super) sums32: Vec<i16>,
    /// The same as floats.
    pub(super) floats32: Vec<f32>,
}

impl Activations {
    /// Rounds `x`, rows of `columns` numbers.
    #[cfg(test)]
    pub(crate) fn quantise(x: &[f32], columns: usize) -> Self {
        let mut activations = Self::default();
        activations.set_with(x.len() / columns, columns, &|row, buffer| {
            buffer.copy_from_slice(&x[row * columns..(row + 1) * columns]);
        });
        activations
    }

    /// Rows and columns, whose numbers come one row at a time from `fill(row, buffer)`, in parallel; for steps that
    /// make a row just before it is rounded. `buffer` has `columns` numbers.
    pub(crate) fn set_with(&mut self, rows: usize, columns: usize, fill: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        self.prepare(rows, columns, |activations| {
            let writer = activations.writer();
            let by = if rows * columns < SERIAL { rows.max(1) } else { 4 };
            parallel(rows.div_ceil(by), &|task| {
                let mut buffer = vec![0.0; columns];
                for row in task * by..rows.min((task + 1) * by) {
                    fill(row, &mut buffer);
                    writer.row(row, &buffer);
                }
            });
        });
    }

    /// Takes these rows of `other`, in this order; a row may come several times.
    pub(crate) fn gather(&mut self, other: &Self, rows: &[usize]) {
        (self.rows, self.columns) = (rows.len(), other.columns);
        let blocks = other.columns.div_ceil(BLOCK);
        let places = || (0..blocks).flat_map(|block| rows.iter().map(move |row| block * other.rows + row));
        pick(&mut self.quants, &other.quants, BLOCK, places());
        pick(&mut self.scales, &other.scales, 1, places());
        pick(&mut self.sums16, &other.sums16, SUMS, places());
        pick(&mut self.sums32, &other.sums32, SUMS / 2, places());
        pick(&mut self.floats32, &other.floats32, SUMS / 2, places());
    }

    fn prepare(&mut self, rows: usize, columns: usize, write: impl FnOnce(&mut Self)) {
        let blocks = columns.div_ceil(BLOCK);
        (self.rows, self.columns) = (rows, columns);
        self.quants.resize(blocks * rows * BLOCK, 0);
        self.scales.resize(blocks * rows, 0.0);
        self.sums16.resize(blocks * rows * SUMS, 0);
        self.sums32.resize(blocks * rows * SUMS / 2, 0);
        self.floats32.resize(blocks * rows * SUMS / 2, 0.0);
        write(self);
    }

    fn writer(&mut self) -> Writer {
        Writer {
            rows: self.rows,
            isa: Isa::detect(),
            quants: Shared::new(&mut self.quants),
            scales: Shared::new(&mut self.scales),
            sums16: Shared::new(&mut self.sums16),
            sums32: Shared::new(&mut self.sums32),
            floats32: Shared::new(&mut self.floats32),
        }
    }
}

/// Pieces of `width` numbers, by their places.
fn pick<T: Copy>(into: &mut Vec<T>, from: &[T], width: usize, places: impl Iterator<Item = usize>) {
    into.clear();
    places.for_each(|place| into.extend_from_slice(&from[place * width..(place + 1) * width]));
}

#[derive(Clone, Copy)]
struct Writer {
    rows: usize,
    isa: Isa,
    quants: Shared<i8>,
    scales: Shared<f32>,
    sums16: Shared<i16>,
    sums32: Shared<i16>,
    floats32: Shared<f32>,
}

impl Writer {
    fn row(&self, row: usize, x: &[f32]) {
        for (block, x) in x.chunks(BLOCK).enumerate() {
            let at = block * self.rows + row;
            // SAFETY: `prepare` sized the buffers for every (block, row), and each row is written by one task.
            let (quants, scale, sums16, sums32, floats32) = unsafe {
                (
                    self.quants.part(at * BLOCK, BLOCK),
                    &mut self.scales.part(at, 1)[0],
                    self.sums16.part(at * SUMS, SUMS),
                    self.sums32.part(at * SUMS / 2, SUMS / 2),
                    self.floats32.part(at * SUMS / 2, SUMS / 2),
                )
            };
            *scale = match self.isa {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `Isa::detect` found the instructions.
                Isa::Amx | Isa::Avx512 => unsafe { quantise_avx512(x, quants, sums16) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Isa::Avx2 => unsafe { quantise_avx2(x, quants, sums16) },
                _ => quantise(x, quants, sums16),
            };
            for ((sum, float), pair) in sums32.iter_mut().zip(floats32).zip(sums16.chunks_exact(2)) {
                *sum = pair[0] + pair[1];
                *float = f32::from(*sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn quantise_avx512(x: &[f32], quants: &mut [i8], sums: &mut [i16]) -> f32 {
    quantise(x, quants, sums)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn quantise_avx2(x: &[f32], quants: &mut [i8], sums: &mut [i16]) -> f32 {
    quantise(x, quants, sums)
}

/// Rounds up to 256 numbers, and gives their scale. What lies behind them is 0.
#[inline(always)]
fn quantise(x: &[f32], quants: &mut [i8], sums: &mut [i16]) -> f32 {
    // Adding 1.5 · 2^23 rounds to the nearest whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let mut lanes = [0f32; SUMMED];
    let chunks = x.chunks_exact(SUMMED);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if x.abs() > *lane { x.abs() } else { *lane };
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = if x.abs() > *lane { x.abs() } else { *lane };
    }
    let greatest = lanes.iter().copied().fold(0.0, f32::max);
    if greatest == 0.0 || !greatest.is_finite() {
        quants.fill(0);
        sums.fill(0);
        // Not-a-number and infinity must stay visible: they are a fault of the model, not a small number.
        return if greatest.is_finite() { 0.0 } else { f32::NAN };
    }
    let inverse = 127.0 / greatest;
    for (index, (quants, sum)) in quants.chunks_exact_mut(SUMMED).zip(sums.iter_mut()).enumerate() {
        let x = &x[(index * SUMMED).min(x.len())..];
        if let Some(x) = x.first_chunk::<SUMMED>() {
            let mut total = 0;
            for (quant, x) in quants.iter_mut().zip(x) {
                let rounded = (x * inverse + ROUND).to_bits() as i32 - ROUND.to_bits() as i32;
                *quant = rounded as i8;
                total += rounded;
            }
            *sum = total as i16;
        } else {
            quants.fill(0);
            for (quant, x) in quants.iter_mut().zip(x) {
                *quant = ((x * inverse + ROUND).to_bits() as i32 - ROUND.to_bits() as i32) as i8;
            }
            *sum = quants.iter().map(|&quant| i16::from(quant)).sum();
        }
    }
    greatest / 127.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_within_half_a_step_and_sums_are_exact() {
        for columns in [32, 256, 300, 896] {
            let x: Vec<f32> = (0..3 * columns).map(|i| ((i * 37) as f32 * 0.731).sin() * (1.0 + i as f32)).collect();
            let a = Activations::quantise(&x, columns);
            for row in 0..3 {
                for (block, x) in x[row * columns..(row + 1) * columns].chunks(BLOCK).enumerate() {
                    let at = block * 3 + row;
                    let quants = &a.quants[at * BLOCK..(at + 1) * BLOCK];
                    for (x, &quant) in x.iter().zip(quants) {
                        assert!((x - a.scales[at] * f32::from(quant)).abs() <= a.scales[at] * 0.501);
                    }
                    assert!(quants[x.len()..].iter().all(|&quant| quant == 0));
                    for (sum, quants) in a.sums16[at * SUMS..].iter().zip(quants.chunks(SUMMED)) {
                        assert_eq!(*sum, quants.iter().map(|&q| i16::from(q)).sum::<i16>());
                    }
                    for (sum, quants) in a.sums32[at * SUMS / 2..].iter().zip(quants.chunks(2 * SUMMED)) {
                        assert_eq!(*sum, quants.iter().map(|&q| i16::from(q)).sum::<i16>());
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_stays_nothing_and_faults_stay_visible() {
        let a = Activations::quantise(&[0.0; 256], 256);
        assert_eq!(a.scales, [0.0]);
        let mut x = [1.0; 256];
        x[3] = f32::INFINITY;
        assert!(Activations::quantise(&x, 256).scales[0].is_nan());
    }
}
