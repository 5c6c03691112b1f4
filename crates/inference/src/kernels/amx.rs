//! Intel's matrix unit: tiles of bytes, multiplied to tiles of whole numbers (AMX; Intel 64 and IA-32 Architectures
//! Software Developer's Manual, volume 1, chapter 18).
//!
//! A tile of the left side holds up to 16 rows of up to 64 bytes; one of the right side four rows of the product's depth
//! in each of its own, 4 bytes for each of up to 16 columns, which is how our packed weights lie anyway. The sums are
//! exact, so the bits of what is made of them are those of every other instruction set.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::marker::PhantomData;

/// Rows of a tile of the left side.
pub(super) const ROWS: usize = 16;

/// Whether this process may use tiles of bytes: the processor has them, and the kernel keeps them when it changes
/// threads.
pub(super) fn usable() -> bool {
    // Leaf 1: OSXSAVE. Leaf 7: AMX-TILE and AMX-INT8. XCR0: tile configuration and data.
    let (first, seventh) = (__cpuid(1), __cpuid_count(7, 0));
    let has = |register: u32, bit: u32| register >> bit & 1 == 1;
    if !(has(first.ecx, 27) && has(seventh.edx, 24) && has(seventh.edx, 25)) {
        return false;
    }
    #[target_feature(enable = "xsave")]
    fn kept() -> bool {
        // SAFETY: the caller saw OSXSAVE; register 0 is there wherever it is.
        unsafe { _xgetbv(0) >> 17 & 3 == 3 }
    }
    // SAFETY: OSXSAVE is there, and with it XGETBV.
    if !unsafe { kept() } {
        return false;
    }
    permitted()
}

/// Asks Linux for the room that tiles take in the state of each thread (Documentation/arch/x86/xstate.rst): they come
/// without asking on no system.
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: a request about this process that takes two numbers.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// What the tile registers hold.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configuration {
    const NONE: Self = Self { palette: 0, start: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
}

/// The tile registers of this thread, set up: 0 to 3 for sums of 16 rows and 16 columns, 4 and 5 for 16 rows of `depth`
/// bytes of the left side, 6 and 7 for 16 columns of the right side.
///
/// Dropped, the configuration is as it was: mostly none, which keeps changes of threads short, but another library's code
/// may have set the registers up on this thread and count on it.
pub(super) struct Tiles {
    before: Configuration,
    /// They belong to the thread.
    here: PhantomData<*const ()>,
}

/// A step 64 deep of [`Tiles::parts`]; the numbers are its places in `a` (two halves of 16 rows) and `b` (two parts).
macro_rules! step_of_parts {
    ($a:literal $a_next:literal $b:literal $b_next:literal) => {
        concat!(
            "tileloadd tmm4, [{a} + {row} + ",
            $a,
            "]\n",
            "tileloadd tmm6, [{b} + {line} + ",
            $b,
            "]\n",
            "tdpbssd tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{b} + {line} + ",
            $b_next,
            "]\n",
            "tdpbsud tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{a} + {row} + ",
            $a_next,
            "]\n",
            "tdpbssd tmm2, tmm5, tmm6\n",
            "tdpbsud tmm3, tmm5, tmm7\n",
        )
    };
}

impl Tiles {
    /// For products `depth` deep, a multiple of 4, at most 64.
    ///
    /// # Safety
    /// [`usable`] said so, and no other `Tiles` are on this thread.
    pub(super) unsafe fn new(depth: usize) -> Self {
        let mut configuration = Configuration { palette: 1, ..Configuration::NONE };
        let mut before = Configuration::NONE;
        let mut set = |tile: usize, rows: usize, bytes: usize| {
            (configuration.rows[tile], configuration.row_bytes[tile]) = (rows as u8, bytes as u16);
        };
        (0..4).for_each(|tile| set(tile, ROWS, 64));
        (4..6).for_each(|tile| set(tile, ROWS, depth));
        (6..8).for_each(|tile| set(tile, depth / 4, 64));
        // SAFETY: both are 64 bytes; the configuration is of palette 1's form and within its sizes.
        unsafe {
            asm!(
                "sttilecfg [{0}]",
                "ldtilecfg [{1}]",
                in(reg) &raw mut before,
                in(reg) &raw const configuration,
                options(nostack),
            );
        }
        Self { before, here: PhantomData }
    }

    /// `sums = a · b`: signed bytes by unsigned ones. `a`: 16 rows, `a_stride` bytes apart; `b`: (depth / 4, 16, 4), rows
    /// 64 bytes apart; `sums`: (16, 16).
    ///
    /// # Safety
    /// All of them are there, as deep as the tiles.
    #[inline(always)]
    pub(super) unsafe fn signed_by_unsigned(&self, a: *const i8, a_stride: usize, b: *const u8, sums: *mut i32) {
        // SAFETY: the caller's promise; the registers are ours and set up.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tileloadd tmm4, [{a} + {a_stride}]",
                "tileloadd tmm6, [{b} + {line}]",
                "tdpbsud tmm0, tmm4, tmm6",
                "tilestored [{sums} + {line}], tmm0",
                a = in(reg) a,
                a_stride = in(reg) a_stride,
                b = in(reg) b,
                line = in(reg) 64usize,
                sums = in(reg) sums,
                out("tmm0") _, out("tmm4") _, out("tmm6") _,
                options(nostack),
            );
        }
    }

    /// `sums = a · b`, 256 deep, for two halves of rows and two parts of `b`: signed bytes by signed ones and by unsigned
    /// ones. `a`: 32 rows of 256 bytes; `b`: (2, 256 / 4, 16, 4); `sums`: (2 halves, 2 parts, 16, 16).
    ///
    /// # Safety
    /// All of them are there, and the tiles are 64 deep.
    #[inline(always)]
    pub(super) unsafe fn parts(&self, a: *const i8, b: *const u8, sums: *mut i32) {
        // SAFETY: the caller's promise; the registers are ours and set up.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                step_of_parts!(0 4096 0 4096),
                step_of_parts!(64 4160 1024 5120),
                step_of_parts!(128 4224 2048 6144),
                step_of_parts!(192 4288 3072 7168),
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                "tilestored [{sums} + {line} + 2048], tmm2",
                "tilestored [{sums} + {line} + 3072], tmm3",
                a = in(reg) a,
                row = in(reg) 256usize,
                b = in(reg) b,
                line = in(reg) 64usize,
                sums = in(reg) sums,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    /// `sums = a · b` for three panels of 16 columns side by side, two tiles deep: unsigned bytes by signed ones. `a`: 16
    /// rows of 2 · 64 bytes, `a_stride` bytes apart; `b`: (2 · 16, 48, 4); `sums`: (3, 16, 16).
    ///
    /// # Safety
    /// All of them are there, and the tiles are 64 deep.
    #[inline(always)]
    pub(super) unsafe fn unsigned_by_signed(&self, a: *const u8, a_stride: usize, b: *const i8, sums: *mut i32) {
        // SAFETY: the caller's promise; the registers are ours and set up.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tileloadd tmm4, [{a} + {a_stride}]",
                "tileloadd tmm6, [{b} + {b_stride}]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm6, [{b} + {b_stride} + 64]",
                "tdpbusd tmm1, tmm4, tmm6",
                "tileloadd tmm6, [{b} + {b_stride} + 128]",
                "tdpbusd tmm2, tmm4, tmm6",
                "tileloadd tmm4, [{a} + {a_stride} + 64]",
                "tileloadd tmm6, [{b} + {b_stride} + 3072]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm6, [{b} + {b_stride} + 3136]",
                "tdpbusd tmm1, tmm4, tmm6",
                "tileloadd tmm6, [{b} + {b_stride} + 3200]",
                "tdpbusd tmm2, tmm4, tmm6",
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                "tilestored [{sums} + {line} + 2048], tmm2",
                a = in(reg) a,
                a_stride = in(reg) a_stride,
                b = in(reg) b,
                b_stride = in(reg) 192usize,
                line = in(reg) 64usize,
                sums = in(reg) sums,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm4") _, out("tmm6") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: they were set up, so the instructions are there; what was stored can be loaded.
        unsafe {
            match self.before.palette {
                0 => asm!("tilerelease", options(nostack)),
                _ => asm!("ldtilecfg [{0}]", in(reg) &raw const self.before, options(nostack)),
            }
        }
    }
}
