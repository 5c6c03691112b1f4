//! [`Vector`] on x86-64: AVX-512 and AVX2 with FMA.

use super::vector::Vector;
use std::arch::x86_64::*;

/// AVX-512 F, DQ and VNNI.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

/// A method that is one instruction on the values inside.
macro_rules! lanewise {
    ($type:ident: $($name:ident($($operand:ident),*) = $instruction:ident;)*) => {
        $(
            #[inline(always)]
            fn $name(self $(, $operand: Self)*) -> Self {
                // SAFETY: a value of this type exists only where the processor has its features.
                $type(unsafe { $instruction(self.0 $(, $operand.0)*) })
            }
        )*
    };
}

impl Vector for Avx512 {
    const LANES: usize = 16;
    const ACCUMULATORS: usize = 24;
    const WIDEST: usize = 4;

    lanewise! { Avx512:
        add(other) = _mm512_add_ps;
        sub(other) = _mm512_sub_ps;
        mul(other) = _mm512_mul_ps;
        div(other) = _mm512_div_ps;
        max(other) = _mm512_max_ps;
        mul_add(factor, term) = _mm512_fmadd_ps;
        abs() = _mm512_abs_ps;
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for the features.
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the features and the numbers.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: as above; lanes behind `count` are not read.
        Self(unsafe { _mm512_maskz_loadu_ps(lanes(count), from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for the numbers.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: as above; lanes behind `count` are not written.
        unsafe { _mm512_mask_storeu_ps(to, lanes(count), self.0) };
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        // SAFETY: `self` exists.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    fn with_signs_of(self, other: Self) -> Self {
        // SAFETY: `self` exists.
        Self(unsafe { _mm512_or_ps(self.0, _mm512_and_ps(other.0, _mm512_set1_ps(-0.0))) })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: `self` exists.
        unsafe {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(self.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(0x3f80_0000))))
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: `self` exists.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn greatest(self) -> f32 {
        // SAFETY: `self` exists.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
    type Bytes = __m512i;
    type Sums = __m512i;
    const SHIFT: f32 = 128.0;

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> __m512i {
        // SAFETY: the caller vouches for the features and the bytes.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn no_sums() -> __m512i {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn dot(sums: __m512i, x: u32, weights: __m512i) -> __m512i {
        // SAFETY: `sums` came from `no_sums`, whose caller vouched for the features.
        unsafe { _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(x.cast_signed()), weights) }
    }

    #[inline(always)]
    fn float(sums: __m512i) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_cvtepi32_ps(sums) })
    }

    #[inline(always)]
    unsafe fn store_rounded(self, to: *mut u8) {
        // SAFETY: the caller vouches for the bytes.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
        }
    }
}

/// The mask of the first `count < 16` lanes.
#[inline(always)]
fn lanes(count: usize) -> __mmask16 {
    (1 << count) - 1
}

impl Vector for Avx2 {
    const LANES: usize = 8;
    const ACCUMULATORS: usize = 12;
    const WIDEST: usize = 3;

    lanewise! { Avx2:
        add(other) = _mm256_add_ps;
        sub(other) = _mm256_sub_ps;
        mul(other) = _mm256_mul_ps;
        div(other) = _mm256_div_ps;
        max(other) = _mm256_max_ps;
        mul_add(factor, term) = _mm256_fmadd_ps;
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for the features.
        Self(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the features and the numbers.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: as above; lanes behind `count` are not read.
        Self(unsafe { _mm256_maskload_ps(from, half_lanes(count)) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for the numbers.
        unsafe { _mm256_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: as above; lanes behind `count` are not written.
        unsafe { _mm256_maskstore_ps(to, half_lanes(count), self.0) };
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        // SAFETY: `self` exists.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: `self` exists.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }

    #[inline(always)]
    fn with_signs_of(self, other: Self) -> Self {
        // SAFETY: `self` exists.
        Self(unsafe { _mm256_or_ps(self.0, _mm256_and_ps(other.0, _mm256_set1_ps(-0.0))) })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: `self` exists.
        unsafe {
            let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.0));
            Self(_mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(0x3f80_0000))))
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let mut numbers = [0.0_f32; 8];
        // SAFETY: there is room for eight numbers.
        unsafe { self.store(numbers.as_mut_ptr()) };
        numbers.iter().sum()
    }

    #[inline(always)]
    fn greatest(self) -> f32 {
        let mut numbers = [0.0_f32; 8];
        // SAFETY: there is room for eight numbers.
        unsafe { self.store(numbers.as_mut_ptr()) };
        numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
    type Bytes = __m256i;
    type Sums = __m256i;
    const SHIFT: f32 = 0.0;

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> __m256i {
        // SAFETY: the caller vouches for the features and the bytes.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn no_sums() -> __m256i {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn dot(sums: __m256i, x: u32, weights: __m256i) -> __m256i {
        // SAFETY: `sums` came from `no_sums`, whose caller vouched for the features.
        unsafe {
            // The instruction multiplies an unsigned by a signed byte and saturates sums of two at 16 bits: with the
            // sign moved from the weight to x, both at most 127, it never does.
            let x = _mm256_set1_epi32((x ^ 0x8080_8080).cast_signed());
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights));
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    fn float(sums: __m256i) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_cvtepi32_ps(sums) })
    }

    #[inline(always)]
    unsafe fn store_rounded(self, to: *mut u8) {
        // SAFETY: the caller vouches for the bytes.
        unsafe {
            let whole = _mm256_cvtps_epi32(self.0);
            let pairs = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
            let bytes = _mm_xor_si128(_mm_packs_epi16(pairs, pairs), _mm_set1_epi8(-128));
            _mm_storel_epi64(to.cast(), bytes);
        }
    }
}

/// The mask of the first `count < 8` lanes.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn half_lanes(count: usize) -> __m256i {
    // SAFETY: the caller vouches for the feature.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}
