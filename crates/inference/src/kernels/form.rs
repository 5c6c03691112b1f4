//! How packed weights lie in memory.
//!
//! Sixteen rows of a matrix make a panel; a panel's columns are cut into blocks of 256, and a block into groups that
//! share a scale. A block holds its scales, then its quants. The quants of four columns and all sixteen rows, one byte
//! each, fill one 64-byte vector: a *quad*, the operand of one 8-bit dot product instruction. Narrower quants share
//! bytes between quads, so that a few shifts and masks bring quads back.

use candle_core::quantized::GgmlDType;

/// Rows of a panel.
pub(super) const PANEL: usize = 16;
/// Columns of a block.
pub(super) const BLOCK: usize = 256;
/// Columns of a group as most forms have it, and of the pieces in which quants are packed.
pub(super) const GROUP: usize = 32;
/// Bytes of a quad: four columns of sixteen rows.
pub(super) const QUAD: usize = 64;
/// Quads of a group of 32 columns.
pub(super) const GROUP_QUADS: usize = GROUP / 4;

/// Bits of a packed quant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    Four,
    /// Four low bits and two high ones apart.
    Six,
    Eight,
}

/// How scales are stored. A weight is `scale · quant − minimum`, quants count from 0. In nested forms, scales and minimums
/// are whole factors of the block's: all of a block's sums stay whole numbers then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scales {
    /// Of 32 columns: an 8-bit factor of an f16 scale, and an 8-bit factor of an f16 minimum (Q4_K, Q5_K).
    Nested32,
    /// Of 16 columns: a signed 8-bit factor of an f16 scale; the minimum is 32 times that (Q6_K).
    Nested16,
    /// Of 32 columns: an f16 scale; the minimum is so many scales (Q4_0, Q5_0, Q8_0).
    Flat(u8),
    /// Of 32 columns: an f16 scale and an f16 minimum (Q4_1, Q5_1).
    FlatMinimum,
}

/// A form of packed weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) bits: Bits,
    pub(super) scales: Scales,
}

impl Form {
    /// What a GGUF type is packed as. The types that aren't here are computed with in 8 bits.
    pub(super) fn of(dtype: GgmlDType) -> Option<Self> {
        let (bits, scales) = match dtype {
            GgmlDType::Q4K => (Bits::Four, Scales::Nested32),
            GgmlDType::Q5K => (Bits::Six, Scales::Nested32),
            GgmlDType::Q6K => (Bits::Six, Scales::Nested16),
            GgmlDType::Q4_0 => (Bits::Four, Scales::Flat(8)),
            GgmlDType::Q4_1 => (Bits::Four, Scales::FlatMinimum),
            GgmlDType::Q5_0 => (Bits::Six, Scales::Flat(16)),
            GgmlDType::Q5_1 => (Bits::Six, Scales::FlatMinimum),
            GgmlDType::Q8_0 => Self::EIGHT.parts(),
            _ => return None,
        };
        Some(Self { bits, scales })
    }

    /// 8 bits with an f16 scale for 32 columns.
    pub(super) const EIGHT: Self = Self { bits: Bits::Eight, scales: Scales::Flat(128) };

    const fn parts(self) -> (Bits, Scales) {
        (self.bits, self.scales)
    }

    /// Bytes of the scales of `groups` groups of 32 columns; a multiple of 64.
    pub(super) const fn scale_bytes(self, groups: usize) -> usize {
        match self.scales {
            // Scale and minimum in f16, then a byte of each for every group.
            Scales::Nested32 => (2 * 2 * PANEL + 2 * PANEL * groups).next_multiple_of(64),
            Scales::Nested16 => (2 * PANEL + 2 * PANEL * groups).next_multiple_of(64),
            Scales::Flat(_) => (2 * PANEL * groups).next_multiple_of(64),
            Scales::FlatMinimum => 2 * 2 * PANEL * groups,
        }
    }

    /// Bytes of the quants of a group of 32 columns.
    pub(super) const fn group_bytes(self) -> usize {
        let quads = match self.bits {
            Bits::Four => GROUP_QUADS / 2,
            Bits::Six => GROUP_QUADS / 2 + GROUP_QUADS / 4,
            Bits::Eight => GROUP_QUADS,
        };
        quads * QUAD
    }

    /// Bytes of a block of `groups` groups.
    pub(super) const fn block_bytes(self, groups: usize) -> usize {
        self.scale_bytes(groups) + groups * self.group_bytes()
    }

    /// Whether scales are whole factors of a block's.
    pub(super) const fn nested(self) -> bool {
        matches!(self.scales, Scales::Nested32 | Scales::Nested16)
    }

    /// Columns that share a scale.
    pub(super) const fn group(self) -> usize {
        match self.scales {
            Scales::Nested16 => 16,
            _ => 32,
        }
    }
}

/// A block of a panel, unpacked: what a product works on.
#[repr(C, align(64))]
pub(super) struct Tile {
    /// [quad][row][4 columns]
    pub(super) quants: [u8; PANEL * BLOCK],
    /// [group][row]; of nested forms the block's alone.
    pub(super) scales: [[f32; PANEL]; BLOCK / GROUP],
    /// [group][row]; of nested forms the block's alone.
    pub(super) minimums: [[f32; PANEL]; BLOCK / GROUP],
    /// Of nested forms, [group][row].
    pub(super) factors: [[i32; PANEL]; BLOCK / 16],
    /// Of nested forms, [two groups][row][group].
    pub(super) minimum_factors: [[[i16; 2]; PANEL]; BLOCK / 16 / 2],
    /// Of nested forms, for the matrix unit: quants with their factors, cut in two; see `tile_amx`. [part][quad][row][4]
    pub(super) parts: [[u8; PANEL * BLOCK]; 2],
}

impl Tile {
    pub(super) const fn new() -> Self {
        Self {
            quants: [0; PANEL * BLOCK],
            scales: [[0.0; PANEL]; BLOCK / GROUP],
            minimums: [[0.0; PANEL]; BLOCK / GROUP],
            factors: [[0; PANEL]; BLOCK / 16],
            minimum_factors: [[[0; 2]; PANEL]; BLOCK / 16 / 2],
            parts: [[0; PANEL * BLOCK]; 2],
        }
    }

    /// The weight in `column` of row `lane`.
    pub(super) fn weight(&self, form: Form, column: usize, lane: usize) -> f32 {
        let quant = self.quants[column / 4 * QUAD + lane * 4 + column % 4];
        let group = column / form.group();
        if !form.nested() {
            return f32::from(quant).mul_add(self.scales[group][lane], -self.minimums[group][lane]);
        }
        let scaled = self.factors[group][lane] * i32::from(quant);
        let minimum = self.minimum_factors[group / 2][lane][group % 2];
        (scaled as f32).mul_add(self.scales[0][lane], -f32::from(minimum) * self.minimums[0][lane])
    }
}
