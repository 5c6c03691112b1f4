//! Codes grouped by nearness: spherical k-means (Dhillon and Modha 2001), so that a question need only be compared with the
//! groups near it.

use super::codes::{Question, add};
use rayon::prelude::*;

/// Codes that the centres are learnt from, for each of them.
const SAMPLE: usize = 32;
const ROUNDS: usize = 6;

/// Codes of one dimension with their scales, in some order.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub(crate) dimension: usize,
    pub(crate) scales: &'a [f32],
    pub(crate) bytes: &'a [u8],
}

impl<'a> Codes<'a> {
    pub(crate) fn code(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.dimension..(row + 1) * self.dimension]
    }
}

/// The centres, of unit length, and the one that each code is nearest to. About as many centres as codes for each.
pub(crate) fn cluster(codes: Codes<'_>) -> (Vec<Question>, Vec<u32>) {
    let rows = codes.scales.len();
    if rows == 0 {
        return (Vec::new(), Vec::new());
    }
    let count = rows.isqrt();
    // Over all rows, and not in step with anything that repeats in them. The same rows always give the same clusters.
    let spread = |count: usize| {
        let stride = (rows / count).max(1);
        (0..count).map(move |place| place * rows / count + (place.wrapping_mul(0x9E37_79B9) >> 12) % stride)
    };
    let sample: Vec<usize> = spread(rows.min(count * SAMPLE)).collect();
    let mut centres: Vec<Question> =
        spread(count).map(|row| centre(codes, &[row]).unwrap_or_else(|| zero(codes))).collect();
    for _ in 0..ROUNDS {
        let nearest: Vec<u32> = sample.par_iter().map(|row| nearest(&centres, codes.code(*row))).collect();
        let mut members = vec![Vec::new(); count];
        sample.iter().zip(nearest).for_each(|(row, centre)| members[centre as usize].push(*row));
        // A centre that nobody is near to stays where it is.
        centres.par_iter_mut().zip(members).for_each(|(old, members)| {
            if let Some(new) = centre(codes, &members) {
                *old = new;
            }
        });
    }
    let nearest = (0..rows).into_par_iter().map(|row| nearest(&centres, codes.code(row))).collect();
    (centres, nearest)
}

fn zero(codes: Codes<'_>) -> Question {
    Question::new(&vec![0.0; codes.dimension])
}

/// The direction of the sum of these rows; `None` when there is none.
fn centre(codes: Codes<'_>, rows: &[usize]) -> Option<Question> {
    let mut sum = vec![0.0; codes.dimension];
    rows.iter().for_each(|row| add(codes.code(*row), codes.scales[*row], &mut sum));
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    (length > f32::EPSILON).then(|| {
        sum.iter_mut().for_each(|value| *value /= length);
        Question::new(&sum)
    })
}

fn nearest(centres: &[Question], code: &[u8]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (centre, number) in centres.iter().zip(0..) {
        let closeness = centre.times(code);
        if closeness > best.0 {
            best = (closeness, number);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::super::codes::encode;
    use super::*;

    #[test]
    fn what_lies_together_is_grouped_together() {
        let mut bytes = Vec::new();
        let (mut scales, dimension) = (Vec::new(), 8);
        for row in 0..400_usize {
            let mut vector = vec![0.02 * (row % 7) as f32; dimension];
            vector[row % 4] = 1.0;
            scales.push(encode(&vector, &mut bytes));
        }
        let codes = Codes { dimension, scales: &scales, bytes: &bytes };
        let (centres, nearest) = cluster(codes);
        assert_eq!((centres.len(), nearest.len()), (20, 400));
        for (a, b) in [(0_usize, 1_usize), (1, 2), (2, 3)] {
            let of = |kind: usize| (0..400).filter(move |row| row % 4 == kind).map(|row| nearest[row]);
            let first: std::collections::HashSet<u32> = of(a).collect();
            assert!(of(b).all(|cluster| !first.contains(&cluster)), "kinds {a} and {b} share a cluster");
        }
        assert_eq!(cluster(Codes { dimension, scales: &[], bytes: &[] }).1, [0_u32; 0]);
    }
}
