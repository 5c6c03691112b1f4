//! Fit: coefficients from questions whose answerability is known: logistic regression with an L2 penalty over
//! standardised features, by Newton's method (iteratively reweighted least squares; Hastie, Tibshirani, Friedman, The
//! Elements of Statistical Learning, section 4.4.1). Both classes count alike, however many questions each has. The
//! threshold is chosen on predictions for questions that the fold's own fit has not seen.

use super::calibration::Logistic;
use super::features::{Features, names};

/// A question whose features are known, and whether the documents answer it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Of the search and of the answer.
    pub features: Features,
    /// What is true.
    pub answerable: bool,
}

/// Parts that the threshold is chosen over.
const FOLDS: usize = 5;
/// Newton's steps; it converges in fewer.
const STEPS: usize = 50;
/// Of what the first stage refuses on its own at least this share must be refused rightly.
const CERTAIN: f32 = 0.93;

/// The regression of one stage, and its threshold. Needs at least one question of each class.
#[must_use]
pub fn fit(observations: &[Observation], after: bool, penalty: f64) -> Option<Logistic> {
    let names = names(after);
    let mut logistic = regression(observations, names, penalty)?;
    let mut held_out: Vec<(f32, bool)> = Vec::new();
    for fold in 0..FOLDS {
        let part = |inside: bool| {
            observations.iter().enumerate().filter(move |(at, _)| (at % FOLDS == fold) == inside).map(|(_, one)| one)
        };
        let rest: Vec<Observation> = part(false).cloned().collect();
        if let Some(fitted) = regression(&rest, names, penalty) {
            held_out.extend(part(true).map(|one| (fitted.probability(&one.features), one.answerable)));
        }
    }
    // Features that tell little would refuse every third question that the documents answer, and an answer that is not
    // refused still has its unsupported sentences marked: so precision counts twice.
    logistic.threshold = match after {
        false => certain_threshold(&held_out),
        true => best_threshold(&held_out, 0.5)?,
    };
    Some(logistic)
}

/// Where precision and recall of refusals are best together (F-beta, van Rijsbergen 1979): alike with a `beta` of 1, precision
/// twice with 0.5. `None` without predictions of both classes: any threshold would be as good.
pub(super) fn best_threshold(predictions: &[(f32, bool)], beta: f32) -> Option<f32> {
    let of = |answerable: bool| predictions.iter().any(|(_, is)| *is == answerable);
    let candidates = thresholds(predictions).into_iter().filter(|_| of(true) && of(false));
    let best = candidates.map(|at| (f_beta(predictions, at, beta), at)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, at)| at)
}

/// The highest one at which refusing is right nearly always.
fn certain_threshold(predictions: &[(f32, bool)]) -> f32 {
    let certain = |at: &f32| {
        let (right, refused, _) = refusals(predictions, *at);
        right > 0.0 && right / refused >= CERTAIN
    };
    thresholds(predictions).into_iter().filter(certain).fold(0.0, f32::max)
}

/// Halfway between neighbouring predictions.
fn thresholds(predictions: &[(f32, bool)]) -> Vec<f32> {
    let mut all: Vec<f32> = predictions.iter().map(|(p, _)| *p).collect();
    all.sort_by(f32::total_cmp);
    all.windows(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect()
}

/// F = (1 + β²) · right / (β² · unanswerable + refused).
fn f_beta(predictions: &[(f32, bool)], threshold: f32, beta: f32) -> f32 {
    let (right, refused, unanswerable) = refusals(predictions, threshold);
    let square = beta * beta;
    if right == 0.0 { 0.0 } else { (1.0 + square) * right / (square * unanswerable + refused) }
}

/// Rightly refused, refused, and to be refused.
fn refusals(predictions: &[(f32, bool)], threshold: f32) -> (f32, f32, f32) {
    predictions.iter().fold((0.0, 0.0, 0.0), |(right, refused, unanswerable), (p, answerable)| {
        let (refuse, none) = (f32::from(u8::from(*p < threshold)), f32::from(u8::from(!answerable)));
        (right + refuse * none, refused + refuse, unanswerable + none)
    })
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a few hundred questions; weights are f32"
)]
fn regression(observations: &[Observation], names: &[&str], penalty: f64) -> Option<Logistic> {
    let positive = observations.iter().filter(|one| one.answerable).count();
    let negative = observations.len() - positive;
    if positive == 0 || negative == 0 {
        return None;
    }
    let (scaled, means, deviations) = standardised(observations, names);
    let half = observations.len() as f64 / 2.0;
    let mut coefficients = vec![0.0; names.len() + 1];
    for _ in 0..STEPS {
        let size = coefficients.len();
        let (mut gradient, mut hessian) = (vec![0.0; size], vec![vec![0.0; size]; size]);
        for (row, one) in scaled.iter().zip(observations) {
            let weight = half / if one.answerable { positive as f64 } else { negative as f64 };
            let sum: f64 = row.iter().zip(&coefficients).map(|(x, c)| x * c).sum();
            let p = 1.0 / (1.0 + (-sum).exp());
            for i in 0..size {
                gradient[i] += weight * (f64::from(u8::from(one.answerable)) - p) * row[i];
                for j in 0..size {
                    hessian[i][j] += weight * p * (1.0 - p) * row[i] * row[j];
                }
            }
        }
        // The bias, the first one, is not held back.
        for i in 0..size {
            let held = if i == 0 { 1e-9 } else { penalty };
            gradient[i] -= held * coefficients[i];
            hessian[i][i] += held;
        }
        let step = solve(hessian, gradient)?;
        coefficients.iter_mut().zip(&step).for_each(|(coefficient, step)| *coefficient += step);
        if step.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    let slopes = coefficients[1..].iter().zip(&deviations).map(|(coefficient, deviation)| coefficient / deviation);
    let slopes: Vec<f64> = slopes.collect();
    let bias = coefficients[0] - slopes.iter().zip(&means).map(|(slope, mean)| slope * mean).sum::<f64>();
    let weights = names.iter().zip(&slopes).map(|(name, slope)| ((*name).to_owned(), *slope as f32)).collect();
    Some(Logistic { bias: bias as f32, weights, threshold: 0.5 })
}

/// Rows that begin with 1 and go on with the features at mean 0 and deviation 1; means and deviations.
#[allow(clippy::cast_precision_loss, reason = "a few hundred questions")]
fn standardised(observations: &[Observation], names: &[&str]) -> (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) {
    let value = |one: &Observation, name: &str| f64::from(one.features.get(name).copied().unwrap_or(0.0));
    let count = observations.len() as f64;
    let means: Vec<f64> =
        names.iter().map(|name| observations.iter().map(|one| value(one, name)).sum::<f64>() / count).collect();
    let deviation = |(name, mean): (&&str, &f64)| {
        let square = observations.iter().map(|one| (value(one, name) - mean).powi(2)).sum::<f64>() / count;
        // A feature that is always the same tells nothing and keeps a weight of 0.
        if square < 1e-12 { 1.0 } else { square.sqrt() }
    };
    let deviations: Vec<f64> = names.iter().zip(&means).map(deviation).collect();
    let row = |one: &Observation| {
        let scaled = names.iter().zip(means.iter().zip(&deviations));
        std::iter::once(1.0)
            .chain(scaled.map(|(name, (mean, deviation))| (value(one, name) - mean) / deviation))
            .collect()
    };
    (observations.iter().map(row).collect(), means, deviations)
}

/// Solves `matrix` · x = `right` by elimination with pivots.
pub(super) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for column in 0..size {
        let pivot = (column..size).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (row, value) = (matrix[column].clone(), right[column]);
        for below in column + 1..size {
            let factor = matrix[below][column] / row[column];
            matrix[below].iter_mut().zip(&row).skip(column).for_each(|(to, from)| *to -= factor * from);
            right[below] -= factor * value;
        }
    }
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|other| matrix[at][other] * right[other]).sum();
        right[at] = (right[at] - known) / matrix[at][at];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions whose cosine tells, and whose gap is noise.
    fn questions() -> Vec<Observation> {
        (0..60_u16)
            .map(|at| {
                let answerable = at % 3 != 0;
                let cosine = f32::from(at % 7) / 10.0 + if answerable { 0.6 } else { 0.0 };
                let gap = f32::from(at * 13 % 11) / 10.0;
                let features = [("cosine".to_owned(), cosine), ("gap".to_owned(), gap)].into();
                Observation { features, answerable }
            })
            .collect()
    }

    #[test]
    fn what_tells_gets_the_weight() {
        let fitted = fit(&questions(), false, 1.0).unwrap();
        assert!(fitted.weights["cosine"] > 5.0 * fitted.weights["gap"].abs(), "{fitted:?}");
        assert!(fitted.weights["confidence"].abs() < 1e-6, "what is always the same tells nothing");
        let right =
            questions().iter().filter(|one| (fitted.probability(&one.features) >= 0.5) == one.answerable).count();
        assert!(right >= 50, "{right} of 60");
    }

    #[test]
    fn the_first_stage_refuses_only_what_is_certain() {
        let (before, after) = (fit(&questions(), false, 1.0).unwrap(), fit(&questions(), true, 1.0).unwrap());
        let refused = |fitted: &Logistic| {
            questions()
                .into_iter()
                .filter(|one| fitted.probability(&one.features) < fitted.threshold)
                .collect::<Vec<_>>()
        };
        assert!(refused(&before).iter().all(|one| !one.answerable));
        assert!(refused(&after).len() >= refused(&before).len() && !refused(&after).is_empty());
    }

    #[test]
    fn one_class_alone_cannot_be_told_from_anything() {
        let all: Vec<_> = questions().into_iter().filter(|one| one.answerable).collect();
        assert!(fit(&all, true, 1.0).is_none());
    }
}
