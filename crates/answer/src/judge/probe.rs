//! Probe: a linear reading of what the model has in mind when it has read question and passages and has not written a
//! word. Models know far better whether a text answers a question than their words tell (Slobodkin et al. 2023,
//! arXiv:2310.11877); one logistic regression over a hidden state says it.

use super::fit::{best_threshold, solve};
use serde::{Deserialize, Serialize};

/// Parts that the threshold is chosen over.
const FOLDS: usize = 5;
/// Newton's steps at most; it converges in about ten.
const STEPS: usize = 40;
/// Least weight of a question in a step: one that is judged with certainty still counts, so that every step can be solved.
const LEAST_WEIGHT: f64 = 1e-6;

/// p = 1 / (1 + exp(-(bias + weights · state))), the probability that the passages answer the question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Constant term.
    pub bias: f32,
    /// Below this probability the question is refused.
    pub threshold: f32,
    /// Of the states it was fitted on ([`inference::STATE_VERSION`]).
    #[serde(default = "first_version")]
    pub state_version: u32,
    /// One for each number of the hidden state ([`inference::Progress::State`]).
    #[serde(with = "in_a_line")]
    pub weights: Vec<f32>,
}

/// Earlier calibrations don't say it.
fn first_version() -> u32 {
    1
}

/// The hidden state behind a prompt, and whether its passages answer the question.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The same length for all.
    pub state: Vec<f32>,
    /// What is true.
    pub answerable: bool,
    /// What it is about: those about the same are judged together, never one by what was fitted on another. Where a
    /// document was left out of a set none of its questions has an answer.
    pub subject: usize,
}

impl Probe {
    /// 0 to 1; `None` for a state of another model.
    #[must_use]
    pub fn probability(&self, state: &[f32]) -> Option<f32> {
        let sum: f32 = self.weights.iter().zip(state).map(|(weight, number)| weight * number).sum();
        (state.len() == self.weights.len()).then(|| 1.0 / (1.0 + (-(self.bias + sum)).exp()))
    }

    /// The probe that tells `readings` apart, with a threshold where precision and recall of refusals are best together,
    /// chosen on predictions for questions that the fold's own fit has not seen. `None` without both classes, or where they are
    /// about too few subjects to be judged by what was fitted on others.
    ///
    /// Logistic regression over standardised states, both classes alike, with an L2 `penalty`. There are more numbers in a
    /// state than questions, so it is solved for one coefficient a question: weights are sums of the states (Zhu and Hastie
    /// 2005, Kernel logistic regression, section 2, with the linear kernel).
    #[must_use]
    pub fn fit(readings: &[Reading], penalty: f64) -> Option<Self> {
        let mut probe = regression(&readings.iter().collect::<Vec<_>>(), penalty)?;
        let mut unseen = Vec::with_capacity(readings.len());
        for fold in 0..FOLDS {
            let part = |inside: bool| -> Vec<&Reading> {
                readings.iter().filter(|one| (one.subject % FOLDS == fold) == inside).collect()
            };
            let Some(fitted) = regression(&part(false), penalty) else { continue };
            let told = |one: &Reading| fitted.probability(&one.state).map(|p| (p, one.answerable));
            unseen.extend(part(true).into_iter().filter_map(told));
        }
        probe.threshold = best_threshold(&unseen, 1.0)?;
        Some(probe)
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "hundreds of questions; weights are f32"
)]
fn regression(readings: &[&Reading], penalty: f64) -> Option<Probe> {
    let count = readings.len();
    let yes = readings.iter().filter(|one| one.answerable).count();
    let width = readings.first()?.state.len();
    if yes == 0 || yes == count || readings.iter().any(|one| one.state.len() != width) {
        return None;
    }
    let (rows, means, deviations) = standardised(readings, width);
    let products = products(&rows);
    let truth: Vec<f64> = readings.iter().map(|one| f64::from(u8::from(one.answerable))).collect();
    let class = |truth: f64| count as f64 / 2.0 / if truth > 0.5 { yes as f64 } else { (count - yes) as f64 };
    let (mut of_question, mut bias) = (vec![0.0; count], 0.0);
    for _ in 0..STEPS {
        // Each row: the products, the diagonal penalty / weight, and 1 for the bias; the last one: coefficients sum to 0.
        let mut matrix = vec![vec![1.0; count + 1]; count + 1];
        let mut right = vec![0.0; count + 1];
        matrix[count][count] = 0.0;
        for at in 0..count {
            let sum = dot(&products[at], &of_question) + bias;
            let p = 1.0 / (1.0 + (-sum).exp());
            let weight = (class(truth[at]) * p * (1.0 - p)).max(LEAST_WEIGHT);
            matrix[at][..count].copy_from_slice(&products[at]);
            matrix[at][at] += penalty / weight;
            right[at] = sum + class(truth[at]) * (truth[at] - p) / weight;
        }
        let solved = solve(matrix, right)?;
        let moved = solved.iter().zip(of_question.iter().chain([&bias])).map(|(new, old)| (new - old).abs());
        let moved = moved.fold(0.0, f64::max);
        bias = solved[count];
        of_question.copy_from_slice(&solved[..count]);
        if moved < 1e-10 {
            break;
        }
    }
    let mut weights = vec![0.0; width];
    for (row, coefficient) in rows.iter().zip(&of_question) {
        weights.iter_mut().zip(row).for_each(|(weight, x)| *weight += coefficient * x);
    }
    weights.iter_mut().zip(&deviations).for_each(|(weight, deviation)| *weight /= deviation);
    Some(Probe {
        bias: (bias - dot(&weights, &means)) as f32,
        threshold: 0.5,
        state_version: inference::STATE_VERSION,
        weights: weights.into_iter().map(|weight| weight as f32).collect(),
    })
}

/// States at mean 0 and deviation 1; means and deviations.
#[allow(clippy::cast_precision_loss, reason = "hundreds of questions")]
fn standardised(readings: &[&Reading], width: usize) -> (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) {
    let count = readings.len() as f64;
    let sums = |of: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        let mut sums = vec![0.0; width];
        for one in readings {
            sums.iter_mut().zip(&one.state).enumerate().for_each(|(at, (sum, x))| *sum += of(at, f64::from(*x)));
        }
        sums.into_iter().map(|sum| sum / count).collect()
    };
    let means = sums(&|_, x| x);
    let squares = sums(&|at, x| (x - means[at]).powi(2));
    // A number that is always the same tells nothing and keeps a weight of 0.
    let deviations: Vec<f64> = squares.iter().map(|square| if *square < 1e-12 { 1.0 } else { square.sqrt() }).collect();
    let row = |one: &&Reading| {
        let scaled = one.state.iter().zip(means.iter().zip(&deviations));
        scaled.map(|(x, (mean, deviation))| (f64::from(*x) - mean) / deviation).collect()
    };
    (readings.iter().map(row).collect(), means, deviations)
}

/// The product of every row with every row.
fn products(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut products: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let earlier = products.iter().map(|row| row[at]).collect::<Vec<_>>();
        products.push(rows[at..].iter().map(|other| dot(row, other)).collect());
        let later = std::mem::replace(&mut products[at], earlier);
        products[at].extend(later);
    }
    products
}

/// In eight sums, so that the processor adds several at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// Numbers as one text with spaces between, to four digits: an array would take a line for each.
mod in_a_line {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(numbers: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let text: Vec<String> = numbers.iter().map(|number| format!("{number:.3e}")).collect();
        serializer.serialize_str(&text.join(" "))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split_whitespace().map(|number| number.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// More numbers than questions; the second one tells, the first never changes, the rest is noise.
    fn readings(noise: &[f32]) -> Vec<Reading> {
        let width = noise.len() / 40;
        let one = |(at, numbers): (usize, &[f32])| {
            let mut state = numbers.to_vec();
            let answerable = at % 3 != 0;
            (state[0], state[1]) = (7.0, if answerable { 2.0 } else { -2.0 } + numbers[1]);
            Reading { state, answerable, subject: at }
        };
        noise.chunks_exact(width).enumerate().map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

        #[test]
        fn what_tells_is_found_among_more_numbers_than_questions(noise in vec(-1.0_f32..1.0, 40 * 60)) {
            let all = readings(&noise);
            let probe = Probe::fit(&all, 10.0).unwrap();
            prop_assert!(probe.weights[0].abs() < 1e-6);
            // It spreads four times as far as the noise does, so its weight times four is what it counts.
            let most = probe.weights[2..].iter().map(|weight| weight.abs()).fold(0.0, f32::max);
            prop_assert!(probe.weights[1] * 4.0 > most, "{:?}", probe.weights);
            let right = all.iter().filter(|one| (probe.probability(&one.state) >= Some(0.5)) == one.answerable);
            prop_assert!(right.count() >= 38);
        }

        /// At the minimum the gradient is 0: Σ class · (truth − p) · x = penalty · weight, over standardised states.
        #[test]
        fn the_fit_is_the_minimum(noise in vec(-1.0_f32..1.0, 40 * 60), penalty in 0.5_f64..100.0) {
            let all = readings(&noise);
            let all: Vec<&Reading> = all.iter().collect();
            let probe = regression(&all, penalty).unwrap();
            let (rows, _, deviations) = standardised(&all, 60);
            let yes = all.iter().filter(|one| one.answerable).count() as f64;
            for at in 1..60 {
                let pull: f64 = all.iter().zip(&rows).map(|(one, row)| {
                    let class = 20.0 / if one.answerable { yes } else { 40.0 - yes };
                    let p = f64::from(probe.probability(&one.state).unwrap());
                    class * (f64::from(u8::from(one.answerable)) - p) * row[at]
                }).sum();
                let held = penalty * f64::from(probe.weights[at]) * deviations[at];
                prop_assert!((pull - held).abs() < 2e-3 * (1.0 + held.abs()), "{at}: {pull} {held}");
            }
        }
    }

    #[test]
    fn a_probe_reads_only_states_of_its_model_and_needs_both_classes() {
        let all = readings(&(0..2400_u16).map(|at| f32::from(at % 101 * 37 % 101) / 50.0 - 1.0).collect::<Vec<_>>());
        let probe = Probe::fit(&all, 10.0).unwrap();
        assert!(probe.probability(&[0.0; 61]).is_none());
        let yes: Vec<Reading> = all.into_iter().filter(|one| one.answerable).collect();
        assert!(Probe::fit(&yes, 10.0).is_none() && Probe::fit(&[], 10.0).is_none());
    }

    #[test]
    fn weights_are_written_in_a_line_and_read_again() {
        let probe = Probe { bias: 0.5, threshold: 0.4, state_version: 3, weights: vec![1.25, -0.000_312_5, 0.0] };
        let text = serde_json::to_string_pretty(&probe).unwrap();
        assert_eq!(text.lines().count(), 6);
        let again: Probe = serde_json::from_str(&text).unwrap();
        assert_eq!(again.state_version, 3);
        assert!(again.weights.iter().zip(&probe.weights).all(|(a, b)| (a - b).abs() <= b.abs() * 1e-3));
        assert!(serde_json::from_str::<Probe>(r#"{"bias": 0, "threshold": 0, "weights": "1 x"}"#).is_err());
    }
}
