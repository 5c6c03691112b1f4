//! The inner steps of a product with packed weights, for whichever instruction set: unpacking a block, and multiplying
//! some rows of activations by it.

use super::form::{Form, Tile};
use super::isa::Isa;
use super::tile::{self, MOST_ROWS, Operand, Sums};
#[cfg(target_arch = "x86_64")]
use super::{amx, tile_amx, tile_avx2, tile_avx512};

/// How this thread multiplies blocks of one form.
pub(super) struct Step {
    isa: Isa,
    form: Form,
    #[cfg(target_arch = "x86_64")]
    tiles: Option<amx::Tiles>,
}

impl Step {
    /// For products with `rows` rows. One at a time on a thread.
    pub(super) fn new(isa: Isa, form: Form, rows: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let many = isa == Isa::Amx && Isa::detect() == isa && rows >= tile_amx::least(form);
            // SAFETY: `Isa::detect` found the matrix unit, and one step at a time is the caller's promise.
            Self { isa, form, tiles: many.then(|| unsafe { tile_amx::tiles(form) }) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = rows;
            Self { isa, form }
        }
    }

    /// Unpacks `groups` groups of 32 columns from `block`.
    pub(super) fn unpack(&self, groups: usize, block: &[u8], tile: &mut Tile) {
        unpack(self.isa, self.form, groups, block, tile);
        #[cfg(target_arch = "x86_64")]
        if self.tiles.is_some() {
            // SAFETY: who has the matrix unit has AVX-512.
            unsafe { tile_amx::cut(self.form, tile) };
        }
    }

    /// Adds the products of `rows` rows with `panels` to `sums`.
    ///
    /// # Safety
    /// As [`tile::multiply`], and this step unpacked the panels.
    pub(super) unsafe fn multiply(&self, groups: usize, panels: &[Tile], x: Operand, rows: usize, sums: Sums) {
        let form = self.form;
        let mut row = 0;
        #[cfg(target_arch = "x86_64")]
        if let Some(tiles) = &self.tiles {
            // SAFETY: the caller's promise; `Isa::detect` found the instructions.
            row = unsafe { tile_amx::multiply(tiles, form, groups, panels, x, rows, sums) };
        }
        while row < rows {
            let some = MOST_ROWS.min(rows - row);
            for (panel, tile) in panels.iter().enumerate() {
                // SAFETY: the caller's promise; `Isa::detect` found the instructions.
                unsafe {
                    let (x, sums) = (x.at(form, row), sums.from(row, panel));
                    match self.isa {
                        #[cfg(target_arch = "x86_64")]
                        Isa::Amx | Isa::Avx512 => tile_avx512::multiply(form, groups, tile, x, some, sums),
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx2 => tile_avx2::multiply(form, groups, tile, x, some, sums),
                        _ => tile::multiply(form, groups, tile, x, some, sums),
                    }
                }
            }
            row += some;
        }
    }
}

/// Unpacks `groups` groups of 32 columns from `block`.
pub(super) fn unpack(isa: Isa, form: Form, groups: usize, block: &[u8], tile: &mut Tile) {
    let block = &block[..form.block_bytes(groups)];
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::detect` found the instructions, and the block was cut to its size.
        Isa::Amx | Isa::Avx512 => unsafe { tile_avx512::unpack(form, groups, block.as_ptr(), tile) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { tile_avx2::unpack(form, groups, block, tile) },
        _ => tile::unpack(form, groups, block, tile),
    }
}
