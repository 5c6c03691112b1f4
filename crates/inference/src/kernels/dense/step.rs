//! How a thread multiplies bytes.

use super::bytes::{ByteProduct, GROUP};
#[cfg(target_arch = "x86_64")]
use super::bytes_amx;
use super::dispatch;
#[cfg(target_arch = "x86_64")]
use crate::kernels::amx;
use crate::kernels::isa::Isa;

pub(super) struct Step {
    isa: Isa,
    #[cfg(target_arch = "x86_64")]
    tiles: Option<amx::Tiles>,
}

impl Step {
    /// For products `depth` deep with `rows` rows. One at a time on a thread.
    pub(super) fn new(isa: Isa, depth: usize, rows: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let whole = isa == Isa::Amx && Isa::detect() == isa && depth.is_multiple_of(GROUP) && rows >= amx::ROWS;
            // SAFETY: `Isa::detect` found the matrix unit, and one step at a time is the caller's promise.
            Self { isa, tiles: whole.then(|| unsafe { amx::Tiles::new(64) }) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (depth, rows);
            Self { isa }
        }
    }

    /// # Safety
    /// As [`super::bytes::product`], but for the features; its depth is the step's.
    pub(super) unsafe fn product(&self, mut product: ByteProduct) {
        // SAFETY: the caller's promise; the matrix unit takes the first rows, and the rest follows behind them.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if let Some(tiles) = &self.tiles {
                let done = bytes_amx::product(tiles, &product);
                if product.rows == done {
                    return;
                }
                product.rows -= done;
                product.a = product.a.add(done * product.a_stride);
                product.a_scales = product.a_scales.add(done * (product.depth / GROUP));
                product.c = product.c.add(done * product.c_stride);
            }
            dispatch::byte_product(self.isa, product);
        }
    }
}
