//! Vectors in 8 bits: a quarter of the space, and so a quarter of what a scan must read.
//!
//! A code is the vector times 127 over its largest magnitude, rounded, beside the scale that takes it back. Two unit vectors of
//! 384 dimensions have their cosine within about 0.001 of the true one, so the best by code hold the best of all if
//! a few more of them are looked at in full.

use super::kernel::products;

const CODE_LIMIT: f32 = 127.0;
/// What a question is rounded to. Its products with codes add up within 32 bits for up to 8,000 dimensions.
const QUESTION_LIMIT: f32 = 2_047.0;

/// Largest magnitude, never 0.
fn magnitude(vector: &[f32]) -> f32 {
    vector.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()))
}

/// Appends the code of `vector` to `codes`; gives its scale.
pub(crate) fn encode(vector: &[f32], codes: &mut Vec<u8>) -> f32 {
    let scale = magnitude(vector) / CODE_LIMIT;
    #[allow(clippy::cast_sign_loss, reason = "the bits of an i8, kept as a byte")]
    codes.extend(vector.iter().map(|value| (value / scale).round() as i8 as u8));
    scale
}

/// Adds `code`, taken back to a vector, to `sum`.
pub(crate) fn add(code: &[u8], scale: f32, sum: &mut [f32]) {
    #[allow(clippy::cast_possible_wrap, reason = "the bits of an i8, kept as a byte")]
    sum.iter_mut().zip(code).for_each(|(sum, code)| *sum += f32::from(*code as i8) * scale);
}

/// A vector to compare many codes with: in 12 bits, so that what is lost is lost by the codes.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) values: Vec<i16>,
    pub(crate) scale: f32,
}

impl Question {
    pub(crate) fn new(vector: &[f32]) -> Self {
        let scale = magnitude(vector) / QUESTION_LIMIT;
        Self { values: vector.iter().map(|value| (value / scale).round() as i16).collect(), scale }
    }

    /// The inner product with a code of scale 1.
    pub(crate) fn times(&self, code: &[u8]) -> f32 {
        self.scale * products(&self.values, code) as f32
    }

    /// The inner product with another.
    pub(crate) fn closeness(&self, other: &Self) -> f32 {
        const LANES: usize = 32;
        let pairs = self.values.chunks(LANES).zip(other.values.chunks(LANES));
        let products = pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>());
        self.scale * other.scale * products.map(i64::from).sum::<i64>() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_codes_is_nearly_that_of_the_vectors() {
        for dimension in [1, 4, 31, 384, 768] {
            let wave = |step: f32| (0..dimension).map(|place| (place as f32 * step + step).sin()).collect::<Vec<_>>();
            let unit = |vector: Vec<f32>| {
                let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
                vector.into_iter().map(|value| value / length).collect::<Vec<_>>()
            };
            let (a, b) = (unit(wave(0.7)), unit(wave(1.3)));
            let exact: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let mut codes = Vec::new();
            let scale = encode(&b, &mut codes);
            let found = Question::new(&a).times(&codes) * scale;
            assert!((found - exact).abs() < 0.005, "{dimension}: {found} is not {exact}");
            let mut back = vec![0.0; dimension];
            add(&codes, scale, &mut back);
            assert!(back.iter().zip(&b).all(|(back, b)| (back - b).abs() <= scale));
        }
    }

    #[test]
    fn the_longest_products_fit() {
        let question = Question { values: vec![2_047; 8_000], scale: 1.0 };
        let lowest = i32::from(-127_i8) * 2_047 * 8_000;
        assert_eq!(question.times(&vec![(-127_i8) as u8; 8_000]), lowest as f32);
    }

    #[test]
    fn a_vector_of_zeros_is_no_division_by_zero() {
        let mut codes = Vec::new();
        assert!(encode(&[0.0; 4], &mut codes).is_finite());
        assert_eq!(codes, [0; 4]);
        assert_eq!(Question::new(&[0.0; 4]).times(&codes), 0.0);
    }
}
