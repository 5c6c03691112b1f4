//! What a request may say about sampling.

use crate::ModelError;
use serde::{Deserialize, Serialize};

/// How tokens are chosen. The same model, prompt, sampling and seed give the same text on the same processor.
///
/// The steps come in the order of llama.cpp's default chain: the penalties, the grammar's mask, `top_k`, `top_p`,
/// `min_p`, `temperature`. So what `top_p` and `min_p` leave does not depend on the temperature. A record that was
/// written before a field existed reads with that field off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Divides the logits before softmax; 0 is greedy: always the likeliest token.
    pub temperature: f32,
    /// Only this many of the likeliest tokens; 0 is all.
    pub top_k: u32,
    /// Nucleus sampling (Holtzman et al. 2019): only the likeliest tokens whose probabilities sum to this; 1 is all.
    pub top_p: f32,
    /// Only tokens at least this many times as likely as the likeliest one (Nguyen et al. 2024); 0 is all.
    pub min_p: f32,
    /// Divides the logits above 0 of tokens that the prompt or the answer has, and multiplies those below (Keskar et
    /// al. 2019); 1 is off.
    pub repetition_penalty: f32,
    /// Taken from a token's logit for each time that the answer has it; 0 is off.
    pub frequency_penalty: f32,
    /// Taken from a token's logit once the answer has it; 0 is off.
    pub presence_penalty: f32,
    /// Starts the random sequence.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self::GREEDY
    }
}

impl Sampling {
    /// Always the likeliest token; nothing is random.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        seed: 0,
    };

    /// Refuses values without meaning.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let penalty = |value: f32| (-2.0..=2.0).contains(&value);
        let rules = [
            (self.temperature.is_finite() && self.temperature >= 0.0, "temperature must be 0 or more"),
            (self.top_p > 0.0 && self.top_p <= 1.0, "top_p must be above 0 and at most 1"),
            ((0.0..=1.0).contains(&self.min_p), "min_p must be between 0 and 1"),
            (
                self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
                "repetition_penalty must be above 0; 1 is off",
            ),
            (penalty(self.frequency_penalty), "frequency_penalty must be between -2 and 2; 0 is off"),
            (penalty(self.presence_penalty), "presence_penalty must be between -2 and 2; 0 is off"),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, reason)) => Err(ModelError::InvalidRequest { reason: reason.to_owned() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_meaning_are_refused() {
        let greedy = Sampling::GREEDY;
        for wrong in [
            Sampling { temperature: -1.0, ..greedy },
            Sampling { temperature: f32::NAN, ..greedy },
            Sampling { top_p: 0.0, ..greedy },
            Sampling { top_p: 1.5, ..greedy },
            Sampling { min_p: -0.1, ..greedy },
            Sampling { min_p: f32::NAN, ..greedy },
            Sampling { repetition_penalty: 0.0, ..greedy },
            Sampling { repetition_penalty: f32::INFINITY, ..greedy },
            Sampling { frequency_penalty: 2.1, ..greedy },
            Sampling { presence_penalty: f32::NAN, ..greedy },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(greedy.check().is_ok());
        let all = Sampling {
            temperature: 0.7,
            top_k: 40,
            top_p: 0.9,
            min_p: 0.05,
            repetition_penalty: 1.1,
            frequency_penalty: -2.0,
            presence_penalty: 2.0,
            seed: u64::MAX,
        };
        assert!(all.check().is_ok());
    }

    #[test]
    fn records_of_before_a_field_still_read() {
        let read = |json: &str| serde_json::from_str::<Sampling>(json).unwrap();
        assert_eq!(read(r#"{"temperature":0.0,"seed":0}"#), Sampling::GREEDY);
        let old = Sampling { temperature: 0.5, top_p: 0.25, seed: 7, ..Sampling::GREEDY };
        assert_eq!(read(r#"{"temperature":0.5,"top_p":0.25,"seed":7}"#), old);
        let new = Sampling { top_k: 5, min_p: 0.5, presence_penalty: 1.5, ..old };
        assert_eq!(read(&serde_json::to_string(&new).unwrap()), new);
    }
}
