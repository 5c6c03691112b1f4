//! Measures of a ranking against judgements, as trec_eval and BEIR compute them.
//!
//! `ranking` holds the ids of the hits, best first, each at most once. `judgements` maps an id to its grade; 0 and
//! absent ids are not relevant. All measures are between 0 and 1, and 0 for a query without relevant ids.

use std::collections::HashMap;
use std::hash::Hash;

/// Normalised discounted cumulative gain of the first `k` hits (Järvelin and Kekäläinen 2002), with the grade itself
/// as gain and `log2(rank + 1)` as discount.
#[must_use]
pub fn ndcg_at<T: Eq + Hash>(k: usize, ranking: &[T], judgements: &HashMap<T, u32>) -> f64 {
    let gain = |grade: u32, rank: usize| f64::from(grade) / ((rank + 2) as f64).log2();
    let found: f64 =
        ranking.iter().take(k).enumerate().map(|(rank, id)| gain(judgements.get(id).copied().unwrap_or(0), rank)).sum();
    let mut grades: Vec<u32> = judgements.values().copied().collect();
    grades.sort_unstable_by(|a, b| b.cmp(a));
    let ideal: f64 = grades.into_iter().take(k).enumerate().map(|(rank, grade)| gain(grade, rank)).sum();
    if ideal > 0.0 { found / ideal } else { 0.0 }
}

/// The share of all relevant ids that stands among the first `k` hits.
#[must_use]
pub fn recall_at<T: Eq + Hash>(k: usize, ranking: &[T], judgements: &HashMap<T, u32>) -> f64 {
    let relevant = judgements.values().filter(|&&grade| grade > 0).count();
    let found = ranking.iter().take(k).filter(|id| judgements.get(id).is_some_and(|&grade| grade > 0)).count();
    if relevant > 0 { found as f64 / relevant as f64 } else { 0.0 }
}

/// The reciprocal of the rank of the first relevant hit among the first `k`, 0 when there is none. Its mean over
/// queries is the mean reciprocal rank.
#[must_use]
pub fn mrr_at<T: Eq + Hash>(k: usize, ranking: &[T], judgements: &HashMap<T, u32>) -> f64 {
    let first = ranking.iter().take(k).position(|id| judgements.get(id).is_some_and(|&grade| grade > 0));
    first.map_or(0.0, |position| 1.0 / (position + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    fn judged(pairs: &[(&'static str, u32)]) -> HashMap<&'static str, u32> {
        pairs.iter().copied().collect()
    }

    #[test]
    fn ndcg_by_hand() {
        let judgements = judged(&[("a", 3), ("b", 1), ("c", 0)]);
        // found 1/log2(2) + 3/log2(4) = 2.5; ideal 3/log2(2) + 1/log2(3) = 3.6309297535714573
        close(ndcg_at(10, &["b", "x", "a"], &judgements), 2.5 / 3.630_929_753_571_457_3);
        close(ndcg_at(10, &["a", "b"], &judgements), 1.0);
        // only the first hit counts, and the ideal is cut at the same rank
        close(ndcg_at(1, &["b", "a"], &judgements), 1.0 / 3.0);
        close(ndcg_at(10, &["c", "x"], &judgements), 0.0);
        close(ndcg_at(10, &["a"], &HashMap::new()), 0.0);
    }

    #[test]
    fn recall_by_hand() {
        let judgements = judged(&[("a", 1), ("b", 2), ("c", 0), ("d", 1), ("e", 1)]);
        close(recall_at(3, &["x", "a", "b", "d"], &judgements), 0.5);
        close(recall_at(4, &["x", "a", "b", "d"], &judgements), 0.75);
        close(recall_at(3, &["c"], &judgements), 0.0);
        close(recall_at(3, &["c"], &judged(&[("c", 0)])), 0.0);
    }

    #[test]
    fn reciprocal_rank_by_hand() {
        let judgements = judged(&[("a", 1), ("z", 0)]);
        close(mrr_at(10, &["z", "y", "a"], &judgements), 1.0 / 3.0);
        close(mrr_at(2, &["z", "y", "a"], &judgements), 0.0);
        close(mrr_at(10, &["a"], &judgements), 1.0);
    }
}
