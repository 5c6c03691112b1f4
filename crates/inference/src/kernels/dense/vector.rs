//! Vectors of f32 in the processor's widest registers. Code that is generic over [`Vector`] is compiled once for each,
//! inlined into a function that enables the features.

/// A register of f32.
///
/// A value of an implementing type exists only where the processor has its features: whoever calls [`Vector::zero`] or
/// a load promises so. Methods on values lean on that and are safe.
pub(super) trait Vector: Copy {
    /// Numbers in a register.
    const LANES: usize;
    /// Accumulators that leave room for the operands of a product.
    const ACCUMULATORS: usize;
    /// Registers of columns that a product takes at a time, at most 4.
    const WIDEST: usize;

    /// All zero.
    ///
    /// # Safety
    /// The processor has the type's features.
    unsafe fn zero() -> Self;

    /// Reads `LANES` numbers.
    ///
    /// # Safety
    /// As [`Vector::zero`]; the numbers are readable.
    unsafe fn load(from: *const f32) -> Self;

    /// Reads `count < LANES` numbers; the rest is 0.
    ///
    /// # Safety
    /// As [`Vector::load`], for `count` numbers.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;

    /// Writes `LANES` numbers.
    ///
    /// # Safety
    /// They are writable.
    unsafe fn store(self, to: *mut f32);

    /// Writes the first `count < LANES` numbers.
    ///
    /// # Safety
    /// They are writable.
    unsafe fn store_first(self, to: *mut f32, count: usize);

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// `self · factor + term`, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `self`'s numbers with the signs of `other`'s; `self` must not be negative.
    fn with_signs_of(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// 2^n of numbers that hold n in the low bits of their mantissa.
    fn power_of_two(self) -> Self;
    fn sum(self) -> f32;
    fn greatest(self) -> f32;

    /// `4 · LANES` signed bytes.
    type Bytes: Copy;
    /// `LANES` sums of products of bytes.
    type Sums: Copy;
    /// What [`Vector::dot`] adds to `x` beside: sums are too great by so many times the sum of the weights.
    const SHIFT: f32;

    /// Reads `4 · LANES` bytes.
    ///
    /// # Safety
    /// As [`Vector::load`].
    unsafe fn load_bytes(from: *const i8) -> Self::Bytes;

    /// No products.
    ///
    /// # Safety
    /// As [`Vector::zero`].
    unsafe fn no_sums() -> Self::Sums;

    /// Adds to each lane the products of its four `weights` with the four bytes of `x`, which stand for themselves
    /// less 128.
    fn dot(sums: Self::Sums, x: u32, weights: Self::Bytes) -> Self::Sums;

    fn float(sums: Self::Sums) -> Self;

    /// Writes `LANES` bytes: the nearest whole numbers, which are within ±127, plus 128.
    ///
    /// # Safety
    /// They are writable.
    unsafe fn store_rounded(self, to: *mut u8);
}

/// Sixteen numbers in an array, for processors without a path of their own.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 16]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, apply: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| apply(self.0[lane], other.0[lane])))
    }
}

impl Vector for Plain {
    const LANES: usize = 16;
    const ACCUMULATORS: usize = 3;
    const WIDEST: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 16])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the numbers.
        Self(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: the caller vouches for `count` numbers.
        Self(std::array::from_fn(|lane| if lane < count { unsafe { from.add(lane).read_unaligned() } } else { 0.0 }))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for the numbers.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        for (lane, value) in self.0.into_iter().take(count).enumerate() {
            // SAFETY: the caller vouches for `count` numbers.
            unsafe { to.add(lane).write_unaligned(value) };
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        Self([value; 16])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * factor.0[lane] + term.0[lane]))
    }

    #[inline(always)]
    fn with_signs_of(self, other: Self) -> Self {
        self.zip(other, f32::copysign)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.zip(self, |a, _| a.abs())
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        self.zip(self, |a, _| f32::from_bits((a.to_bits() << 23).wrapping_add(0x3f80_0000)))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self.0.iter().sum()
    }

    #[inline(always)]
    fn greatest(self) -> f32 {
        self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    type Bytes = [[i8; 4]; 16];
    type Sums = [i32; 16];
    const SHIFT: f32 = 0.0;

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> Self::Bytes {
        // SAFETY: the caller vouches for the bytes.
        unsafe { from.cast::<Self::Bytes>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        [0; 16]
    }

    #[inline(always)]
    fn dot(sums: Self::Sums, x: u32, weights: Self::Bytes) -> Self::Sums {
        let x = x.to_le_bytes().map(|byte| i32::from(byte) - 128);
        std::array::from_fn(|lane| {
            let products = x.iter().zip(&weights[lane]).map(|(x, weight)| x * i32::from(*weight));
            sums[lane] + products.sum::<i32>()
        })
    }

    #[inline(always)]
    fn float(sums: Self::Sums) -> Self {
        Self(sums.map(|sum| sum as f32))
    }

    #[inline(always)]
    unsafe fn store_rounded(self, to: *mut u8) {
        // Adding 1.5 · 2^23 rounds to the nearest whole number and leaves it in the low bits.
        let bytes = self.0.map(|x| ((x + 12_582_912.0).to_bits() as u8).wrapping_add(128));
        // SAFETY: the caller vouches for the bytes.
        unsafe { to.cast::<[u8; 16]>().write_unaligned(bytes) };
    }
}
