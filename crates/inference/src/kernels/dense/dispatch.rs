//! Each function once for each instruction set, chosen at run time.

use super::attention::{self, AttentionShape, Scratch};
use super::bytes::{self, ByteProduct};
use super::product::{self, Product};
use super::vector::Plain;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use super::{Norm, rows};
use crate::kernels::isa::Isa;

/// Compiles a body for each type of vector, inside a function that enables its features.
macro_rules! dispatched {
    ($($(#[$meta:meta])* $name:ident [$($unsafe:tt)?] ($($argument:ident: $type:ty),*) $(-> $result:ty)? = $($body:ident)::+;)*) => {
        $(
            $(#[$meta])*
            pub(super) $($unsafe)? fn $name(isa: Isa, $($argument: $type),*) $(-> $result)? {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
                    unsafe fn avx512($($argument: $type),*) $(-> $result)? {
                        type V = Avx512;
                        // SAFETY: the features are enabled; the rest is the caller's promise.
                        unsafe { $($body)::+::<V>($($argument),*) }
                    }
                    #[target_feature(enable = "avx2,fma")]
                    unsafe fn avx2($($argument: $type),*) $(-> $result)? {
                        type V = Avx2;
                        // SAFETY: as above.
                        unsafe { $($body)::+::<V>($($argument),*) }
                    }
                    match isa.min(Isa::detect()) {
                        // SAFETY: `Isa::detect` found the features; the rest is the caller's promise.
                        Isa::Amx | Isa::Avx512 => return unsafe { avx512($($argument),*) },
                        // SAFETY: as above.
                        Isa::Avx2 => return unsafe { avx2($($argument),*) },
                        Isa::Scalar => {}
                    }
                }
                // SAFETY: needs no features; the rest is the caller's promise.
                unsafe { $($body)::+::<Plain>($($argument),*) }
            }
        )*
    };
}

dispatched! {
    /// [`product::product`].
    ///
    /// # Safety
    /// As there, but for the features.
    product [unsafe] (product: Product) = product::product;

    /// [`bytes::product`].
    ///
    /// # Safety
    /// As there, but for the features.
    byte_product [unsafe] (product: ByteProduct) = bytes::product;

    /// [`attention::head`].
    ///
    /// # Safety
    /// As there, but for the features.
    head [unsafe] (
        scratch: &mut Scratch,
        text: &[f32],
        shape: &AttentionShape<'_>,
        head: usize,
        out: *mut f32
    ) = attention::head;

    add [] (row: &mut [f32], bias: &[f32]) = rows::add;
    add_gelu [] (row: &mut [f32], bias: &[f32]) = rows::add_gelu;
    gelu_times [] (row: &mut [f32], gate: &[f32]) = rows::gelu_times;
    round [] (row: &[f32], bytes: &mut [u8], scales: &mut [f32]) = bytes::round;
    normalise [] (row: &mut [f32], norm: &Norm) = rows::normalise;
}
