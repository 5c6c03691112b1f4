//! One ranking from two.
//!
//! The mean of both legs' standard scores: each score less its mean over the hits, over their standard deviation. How
//! far apart two passages are says more than which comes first, and a leg that tells its hits apart by a single outlier weighs
//! no more than one that spreads them. Measured against reciprocal ranks, min-max scores and combinations learnt from
//! judgements: docs/adr/0017.

use crate::{Hit, Mode};

/// How deep each leg is asked before fusion.
pub(crate) const DEPTH: usize = 200;
/// The share of the dense leg.
const DENSE_WEIGHT: f32 = 0.5;

/// What a score stands at half-way, on the scale of BM25.
const MIDDLE_BM25: f32 = 10.0;

/// The scores as they are shown: from 0 to 1, in the same order.
pub(crate) fn to_unit(mode: Mode, hits: &mut [Hit]) {
    for hit in hits {
        hit.score = match mode {
            Mode::Lexical => hit.score / (hit.score + MIDDLE_BM25),
            Mode::Dense => f32::midpoint(hit.score, 1.0).clamp(0.0, 1.0),
            Mode::Hybrid => 1.0 / (1.0 + (-hit.score).exp()),
        };
    }
}

/// Sets the score of every hit from its `bm25` and `cosine`. A hit that the lexical leg did not find shares no telling word
/// with the question: its BM25 counts as 0. One without a vector counts as far away as the farthest that has one.
pub(crate) fn fuse(hits: &mut [Hit]) {
    let farthest = hits.iter().filter_map(|hit| hit.cosine).min_by(f32::total_cmp).unwrap_or(0.0);
    let bm25 = |hit: &Hit| hit.bm25.unwrap_or(0.0);
    let cosine = |hit: &Hit| hit.cosine.unwrap_or(farthest);
    let (words, vectors) = (Spread::over(hits.iter().map(bm25)), Spread::over(hits.iter().map(cosine)));
    for hit in hits {
        hit.score = (1.0 - DENSE_WEIGHT) * words.standard(bm25(hit)) + DENSE_WEIGHT * vectors.standard(cosine(hit));
    }
}

/// Mean and standard deviation.
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    fn over(scores: impl Iterator<Item = f32> + Clone) -> Self {
        let count = scores.clone().count().max(1) as f64;
        let mean = scores.clone().map(f64::from).sum::<f64>() / count;
        let variance = scores.map(|score| (f64::from(score) - mean).powi(2)).sum::<f64>() / count;
        Self { mean, deviation: variance.sqrt() }
    }

    /// 0 where all are alike: then this leg says nothing.
    fn standard(&self, score: f32) -> f32 {
        let is_spread = self.deviation > f64::from(f32::EPSILON);
        if is_spread { ((f64::from(score) - self.mean) / self.deviation) as f32 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{DocumentId, PassageId};
    use uuid::Uuid;

    fn hit(score: f32, bm25: Option<f32>, cosine: Option<f32>) -> Hit {
        let (passage, document) = (PassageId::from(Uuid::nil()), DocumentId::from(Uuid::nil()));
        Hit { passage, document, score, bm25, cosine }
    }

    fn fused(scores: &[(Option<f32>, Option<f32>)]) -> Vec<f32> {
        let mut hits: Vec<Hit> = scores.iter().map(|&(bm25, cosine)| hit(f32::NAN, bm25, cosine)).collect();
        fuse(&mut hits);
        hits.iter().map(|hit| hit.score).collect()
    }

    #[test]
    fn both_legs_count_half() {
        // BM25 has mean 5 and deviation 5, the cosine 0.5 and 0.5.
        let scores = fused(&[(Some(10.0), Some(0.0)), (Some(10.0), Some(1.0)), (None, Some(1.0)), (Some(0.0), None)]);
        assert_eq!(scores, [0.0, 1.0, 0.0, -1.0]);
    }

    #[test]
    fn what_is_shown_lies_between_0_and_1_and_keeps_the_order() {
        for (mode, scores) in [
            (Mode::Lexical, &[0.0, 0.1, 9.0, 10.0, 80.0][..]),
            (Mode::Dense, &[-1.0001, -1.0, -0.2, 0.0, 0.7, 1.0001]),
            (Mode::Hybrid, &[-12.0, -0.5, 0.0, 0.5, 3.0, 12.0]),
        ] {
            let mut hits: Vec<Hit> = scores.iter().map(|score| hit(*score, None, None)).collect();
            to_unit(mode, &mut hits);
            let shown: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
            assert!(shown.is_sorted() && shown.iter().all(|score| (0.0..=1.0).contains(score)), "{mode}: {shown:?}");
        }
    }

    #[test]
    fn a_leg_that_tells_nothing_apart_counts_for_nothing() {
        assert_eq!(fused(&[(Some(3.0), None)]), [0.0]);
        assert_eq!(fused(&[(Some(3.0), Some(0.1)), (Some(3.0), Some(0.1))]), [0.0, 0.0]);
        assert_eq!(fused(&[(Some(3.0), Some(0.1)), (Some(3.0), Some(0.3))]), [-0.5, 0.5]);
        assert_eq!(fused(&[(None, None)]), [0.0]);
        assert!(fused(&[]).is_empty());
    }
}
