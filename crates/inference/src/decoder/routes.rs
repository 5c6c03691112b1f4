//! Which experts a router's scores send each token to.

use crate::math;
use std::ops::Range;

/// The routes of a step's tokens, those to one expert one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// The token's row of each route.
    pub(crate) rows: Vec<usize>,
    /// What each route counts; those of a token sum up to 1.
    pub(crate) weights: Vec<f32>,
    /// Experts with routes, in their order, and which routes are theirs.
    pub(crate) spans: Vec<(usize, Range<usize>)>,
    /// The routes of each row, in the order of experts: shape (rows, used).
    pub(crate) of_row: Vec<usize>,
}

impl Routes {
    /// Sends each row of `scores`, shape (rows, experts), to the `used` experts of the highest scores, the first of
    /// equal ones, weighted by the softmax over these.
    pub(crate) fn set(&mut self, scores: &[f32], experts: usize, used: usize) {
        let mut routes = Vec::with_capacity(scores.len() / experts * used);
        let mut order: Vec<usize> = Vec::with_capacity(experts);
        for (row, scores) in scores.chunks_exact(experts).enumerate() {
            order.clear();
            order.extend(0..experts);
            // What is no number comes first, whatever its sign, and shows in the sum.
            let key = |expert: usize| if scores[expert].is_nan() { f32::NAN.abs() } else { scores[expert] };
            order.sort_by(|&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
            let best = &order[..used];
            let powers = best.iter().map(|&expert| math::exp(scores[expert] - scores[best[0]]));
            let sum: f32 = powers.clone().sum();
            routes.extend(best.iter().zip(powers).map(|(&expert, power)| (expert, row, power / sum)));
        }
        routes.sort_by_key(|&(expert, row, _)| (expert, row));
        self.rows.clear();
        self.weights.clear();
        self.spans.clear();
        self.of_row.clear();
        self.of_row.resize(routes.len(), 0);
        let mut placed = vec![0; scores.len() / experts];
        for (route, (expert, row, weight)) in routes.into_iter().enumerate() {
            self.rows.push(row);
            self.weights.push(weight);
            self.of_row[row * used + placed[row]] = route;
            placed[row] += 1;
            match self.spans.last_mut() {
                Some((last, routes)) if *last == expert => routes.end += 1,
                _ => self.spans.push((expert, route..route + 1)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_goes_to_its_best_experts() {
        let mut routes = Routes::default();
        routes.set(&[0.0, 2.0, 1.0, -1.0, 3.0, 3.0, 3.0, 0.0], 4, 2);
        assert_eq!(routes.rows, [1, 0, 1, 0]);
        assert_eq!(routes.spans, [(0, 0..1), (1, 1..3), (2, 3..4)]);
        assert_eq!(routes.of_row, [1, 3, 0, 2]);
        let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
        let first = 1.0 / (1.0 + (-1f32).exp());
        assert!(close(routes.weights[1], first) && close(routes.weights[3], 1.0 - first), "{:?}", routes.weights);
        assert!(close(routes.weights[0], 0.5) && close(routes.weights[2], 0.5), "{:?}", routes.weights);
    }

    #[test]
    fn what_was_there_before_is_gone() {
        let mut routes = Routes::default();
        routes.set(&[1.0, 0.0, 0.5, 0.2], 2, 1);
        routes.set(&[0.0, 1.0], 2, 1);
        assert_eq!((routes.rows.as_slice(), routes.of_row.as_slice()), (&[0][..], &[0][..]));
        assert_eq!(routes.spans, [(1, 0..1)]);
    }

    #[test]
    fn faults_stay_visible() {
        let mut routes = Routes::default();
        for fault in [f32::NAN, -f32::NAN, f32::INFINITY - f32::INFINITY] {
            routes.set(&[0.0, fault, 1.0], 3, 2);
            assert!(routes.weights.iter().any(|weight| weight.is_nan()));
        }
    }
}
