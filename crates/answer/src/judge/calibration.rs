//! The coefficients by which features are weighed: what `carrel eval calibrate` writes, and a site may replace.

use super::features::Features;
use super::probe::Probe;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Written by `carrel eval calibrate --output crates/answer/src/judge/calibration.json`.
const BUILT_IN: &str = include_str!("calibration.json");

/// A logistic regression: p = 1 / (1 + exp(-(bias + Σ weight · feature))).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Constant term.
    pub bias: f32,
    /// By the feature's name; a feature without a weight counts nothing.
    pub weights: BTreeMap<String, f32>,
    /// Below this probability the question is refused.
    pub threshold: f32,
}

impl Logistic {
    /// The probability that the question is answered, 0 to 1. A feature that is missing counts as 0.
    #[must_use]
    pub fn probability(&self, features: &Features) -> f32 {
        let sum: f32 =
            self.weights.iter().map(|(name, weight)| weight * features.get(name).copied().unwrap_or(0.0)).sum();
        1.0 / (1.0 + (-(self.bias + sum)).exp())
    }
}

/// One regression before anything is written, and one afterwards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stages {
    /// Refuses only what is all but certain: it spares the reader the wait.
    pub before: Logistic,
    /// Decides.
    pub after: Logistic,
}

/// Everything that was fitted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// SHA-256 of the weights of the model that [`Calibration::probe`] reads. Another model's states mean something else, so
    /// for those [`Calibration::plain`] counts.
    pub model_sha256: String,
    /// Reads the hidden state; `None` if the engine has none to tell.
    pub probe: Option<Probe>,
    /// From the search and the check of the sentences alone; `None`: nothing is refused by a score.
    pub plain: Option<Stages>,
}

/// Why a calibration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file cannot be read.
    #[error("{file}: {reason}; name a file that 'carrel eval calibrate' wrote, or leave answer.calibration out")]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl Calibration {
    /// The one that comes with the product.
    #[must_use]
    pub fn built_in() -> Self {
        // A test parses it; should it be broken all the same, nothing is refused by a score.
        serde_json::from_str(BUILT_IN).unwrap_or_default()
    }

    /// The one of a file.
    ///
    /// # Errors
    /// [`CalibrationError`] if it cannot be read or is none.
    pub fn read(file: &Path) -> Result<Self, CalibrationError> {
        let unreadable = |reason: String| CalibrationError::Unreadable { file: file.display().to_string(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        let calibration: Self = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if calibration.probe.as_ref().is_some_and(|probe| probe.state_version != inference::STATE_VERSION) {
            tracing::warn!(
                file = %file.display(),
                "the probe of this calibration reads states that this version does not tell, so it is left out; \
                 run 'carrel eval answers --features' and 'carrel eval calibrate' again"
            );
        }
        Ok(calibration)
    }

    /// What reads the hidden states of this model, if it was fitted on states as they are told now.
    #[must_use]
    pub fn probe_of(&self, model_sha256: &str) -> Option<&Probe> {
        let told =
            |probe: &&Probe| self.model_sha256 == model_sha256 && probe.state_version == inference::STATE_VERSION;
        self.probe.as_ref().filter(told)
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::names;
    use super::*;

    #[test]
    fn the_built_in_one_is_whole_and_names_features_that_exist() {
        let built_in: Calibration = serde_json::from_str(BUILT_IN).unwrap();
        let stages = built_in.plain.unwrap();
        for (logistic, after) in [(stages.before, false), (stages.after, true)] {
            assert!(!logistic.weights.is_empty() && (0.0..1.0).contains(&logistic.threshold));
            let known = names(after);
            assert!(logistic.weights.keys().all(|name| known.contains(&name.as_str())), "{logistic:?}");
        }
        let probe = built_in.probe.unwrap();
        assert!((0.0..1.0).contains(&probe.threshold));
        assert_eq!(probe.weights.len(), 2 * 1536, "twice the width of Qwen2.5 1.5B");
        assert_eq!(probe.state_version, inference::STATE_VERSION);
    }

    #[test]
    fn a_probe_counts_only_for_the_model_and_the_states_it_was_fitted_with() {
        let of = |state_version: u32| Calibration {
            model_sha256: "a".to_owned(),
            probe: Some(Probe { state_version, ..Probe::default() }),
            ..Calibration::default()
        };
        let now = of(inference::STATE_VERSION);
        assert!(now.probe_of("a").is_some() && now.probe_of("b").is_none());
        let mut earlier = serde_json::to_value(of(1)).unwrap();
        earlier["probe"].as_object_mut().unwrap().remove("state_version");
        assert!(serde_json::from_value::<Calibration>(earlier).unwrap().probe_of("a").is_none());
    }
}
