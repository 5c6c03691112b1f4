//! Unpacking a block and multiplying by it, in plain Rust: what the vector kernels are tested against.

use super::form::{Bits, Form, GROUP, GROUP_QUADS, PANEL, QUAD, Scales, Tile};
use half::f16;

/// Rows of activations that a product takes at once, at most.
pub(super) const MOST_ROWS: usize = 8;

/// Where the rows of activations lie that a block is multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    /// [row][256]
    pub(super) quants: *const i8,
    /// [row]
    pub(super) scales: *const f32,
    /// [row][sums]: of 16 or 32 quants each, as the form's groups are.
    pub(super) sums: *const f32,
}

/// Unpacks `groups` groups of 32 columns from `block`.
pub(super) fn unpack(form: Form, groups: usize, block: &[u8], tile: &mut Tile) {
    let (scales, quants) = block.split_at(form.scale_bytes(groups));
    unpack_scales(form, groups, scales, tile);
    let packed = quants.chunks_exact(form.group_bytes());
    for (quants, packed) in tile.quants.chunks_exact_mut(GROUP_QUADS * QUAD).zip(packed).take(groups) {
        let (low, high) = packed.split_at(GROUP_QUADS / 2 * QUAD);
        for (index, quad) in quants.chunks_exact_mut(QUAD).enumerate() {
            for (byte, quant) in quad.iter_mut().enumerate() {
                let nibble = || (low[index / 2 * QUAD + byte] >> (index % 2 * 4)) & 0x0f;
                *quant = match form.bits {
                    Bits::Four => nibble(),
                    Bits::Six => nibble() | ((high[index / 4 * QUAD + byte] >> (index % 4 * 2)) & 3) << 4,
                    Bits::Eight => packed[index * QUAD + byte],
                };
            }
        }
    }
}

fn unpack_scales(form: Form, groups: usize, bytes: &[u8], tile: &mut Tile) {
    let float = |index: usize| f16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]).to_f32();
    for row in 0..PANEL {
        for group in 0..groups * GROUP / form.group() {
            let (scale, minimum) = match form.scales {
                Scales::Nested32 => {
                    let factors = 4 * PANEL + 2 * PANEL * group;
                    let (scale, minimum) = (bytes[factors + row], bytes[factors + PANEL + row]);
                    (float(row) * f32::from(scale), float(PANEL + row) * f32::from(minimum))
                }
                Scales::Nested16 => {
                    let scale = float(row) * f32::from(bytes[2 * PANEL + PANEL * group + row] as i8);
                    (scale, scale * 32.0)
                }
                Scales::Flat(offset) => {
                    let scale = float(PANEL * group + row);
                    (scale, scale * f32::from(offset))
                }
                Scales::FlatMinimum => (float(2 * PANEL * group + row), float(2 * PANEL * group + PANEL + row)),
            };
            tile.scales[group][row] = scale;
            tile.minimums[group][row] = minimum;
        }
    }
}

/// Adds the products of `rows` rows of activations with a tile's sixteen rows to `sums`, [row][16].
///
/// # Safety
/// `operand` has `rows` rows, and `sums` room for as many.
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, operand: Operand, rows: usize, sums: *mut f32) {
    let quads = form.group() / 4;
    for row in 0..rows {
        // SAFETY: the caller's promise.
        let (quants, scale, own_sums, sums) = unsafe {
            (
                std::slice::from_raw_parts(operand.quants.add(row * 256), 256),
                *operand.scales.add(row),
                std::slice::from_raw_parts(operand.sums.add(row * 256 / form.group()), 256 / form.group()),
                std::slice::from_raw_parts_mut(sums.add(row * PANEL), PANEL),
            )
        };
        for (lane, sum) in sums.iter_mut().enumerate() {
            let mut total = 0f32;
            for (group, own_sum) in own_sums.iter().enumerate().take(groups * GROUP / form.group()) {
                let mut dot = 0i32;
                for quad in group * quads..(group + 1) * quads {
                    for part in 0..4 {
                        let weight = tile.quants[quad * QUAD + lane * 4 + part];
                        dot += i32::from(weight) * i32::from(quants[quad * 4 + part]);
                    }
                }
                total = (dot as f32).mul_add(tile.scales[group][lane], total);
                total = (-tile.minimums[group][lane]).mul_add(*own_sum, total);
            }
            *sum = total.mul_add(scale, *sum);
        }
    }
}
