//! Unpacking a block and multiplying by it, in plain Rust: what the vector kernels are tested against.

use super::form::{BLOCK, Bits, Form, GROUP, GROUP_QUADS, PANEL, QUAD, Scales, Tile};
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
    /// [row][8]: sums of 32 quants each, for flat forms.
    pub(super) sums: *const f32,
    /// [row][256 / group]: sums of a group's quants each, for nested forms.
    pub(super) whole_sums: *const i16,
}

impl Operand {
    /// What lies `row` rows on.
    ///
    /// # Safety
    /// There are as many.
    #[inline(always)]
    pub(super) unsafe fn at(self, form: Form, row: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                quants: self.quants.add(row * BLOCK),
                scales: self.scales.add(row),
                sums: self.sums.add(row * (BLOCK / GROUP)),
                whole_sums: self.whole_sums.add(row * (BLOCK / form.group())),
            }
        }
    }
}

/// Where the sums of products lie: (row, panel, 16).
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) at: *mut f32,
    /// From row to row.
    pub(super) stride: usize,
}

impl Sums {
    /// Those of the first panel in row `row`.
    ///
    /// # Safety
    /// There are as many rows.
    #[inline(always)]
    pub(super) unsafe fn row(self, row: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.at.add(row * self.stride) }
    }

    /// Those from row `row` and panel `panel` on.
    ///
    /// # Safety
    /// There are as many of both.
    #[inline(always)]
    pub(super) unsafe fn from(self, row: usize, panel: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { at: self.row(row).add(panel * PANEL), ..self } }
    }
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
        if form.nested() {
            tile.scales[0][row] = float(row);
            tile.minimums[0][row] = if form.scales == Scales::Nested32 { float(PANEL + row) } else { float(row) };
        }
        for group in 0..groups * GROUP / form.group() {
            let (scale, minimum) = match form.scales {
                Scales::Nested32 => {
                    let factors = 4 * PANEL + 2 * PANEL * group;
                    tile.factors[group][row] = i32::from(bytes[factors + row]);
                    tile.minimum_factors[group / 2][row][group % 2] = i16::from(bytes[factors + PANEL + row]);
                    continue;
                }
                Scales::Nested16 => {
                    let factor = i16::from(bytes[2 * PANEL + PANEL * group + row] as i8);
                    tile.factors[group][row] = i32::from(factor);
                    tile.minimum_factors[group / 2][row][group % 2] = 32 * factor;
                    continue;
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

/// Adds the products of `rows` rows of activations with a tile's sixteen rows to `sums`.
///
/// # Safety
/// `operand` has `rows` rows, and `sums` room for as many.
pub(super) unsafe fn multiply(form: Form, groups: usize, tile: &Tile, operand: Operand, rows: usize, sums: Sums) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        let (quants, scale, own_sums, whole_sums, sums) = unsafe {
            let operand = operand.at(form, row);
            (
                std::slice::from_raw_parts(operand.quants, BLOCK),
                *operand.scales,
                std::slice::from_raw_parts(operand.sums, groups),
                std::slice::from_raw_parts(operand.whole_sums, BLOCK / form.group()),
                std::slice::from_raw_parts_mut(sums.row(row), PANEL),
            )
        };
        for (lane, sum) in sums.iter_mut().enumerate() {
            let dot = |group: usize| -> i32 {
                (group * form.group()..(group + 1) * form.group())
                    .map(|column| {
                        let weight = tile.quants[column / 4 * QUAD + lane * 4 + column % 4];
                        i32::from(weight) * i32::from(quants[column])
                    })
                    .sum()
            };
            let total = if form.nested() {
                let (mut total, mut minimum) = (0i32, 0i32);
                for (group, own_sum) in whole_sums.iter().enumerate() {
                    total += tile.factors[group][lane] * dot(group);
                    minimum += i32::from(tile.minimum_factors[group / 2][lane][group % 2]) * i32::from(*own_sum);
                }
                whole(form, [total, minimum], [tile.scales[0][lane], tile.minimums[0][lane]])
            } else {
                own_sums.iter().enumerate().fold(0f32, |total, (group, own_sum)| {
                    let total = (dot(group) as f32).mul_add(tile.scales[group][lane], total);
                    (-tile.minimums[group][lane]).mul_add(*own_sum, total)
                })
            };
            *sum = total.mul_add(scale, *sum);
        }
    }
}

/// A block's number from its whole sums, of quants with factors and of minimums, and their scales.
fn whole(form: Form, [total, minimum]: [i32; 2], [scale, minimum_scale]: [f32; 2]) -> f32 {
    match form.scales {
        // Of one scale: the difference is whole too.
        Scales::Nested16 => (total - minimum) as f32 * scale,
        _ => (-minimum_scale).mul_add(minimum as f32, total as f32 * scale),
    }
}
