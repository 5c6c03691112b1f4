//! What turns a pair's last vectors into one number.

use crate::ModelError;
use crate::embedder::{Config, Weights};
use crate::kernels::dense::Norm;
use crate::math;

/// A classification head with one label.
pub(super) struct Head {
    /// (hidden, hidden)
    dense: Vec<f32>,
    /// Empty if there is none.
    dense_bias: Vec<f32>,
    form: Form,
    /// (hidden)
    last: Vec<f32>,
    last_bias: f32,
    hidden: usize,
}

/// What comes behind the dense layer.
enum Form {
    /// tanh (BERT, RoBERTa and XLM-R, MPNet).
    Tanh,
    /// GELU and a norm (ModernBERT), on the mean of the tokens or on the first.
    GeluNorm { norm: Norm, mean: bool },
}

impl Head {
    pub(super) fn read(weights: &mut Weights, config: &Config) -> Result<Self, ModelError> {
        let hidden = config.hidden;
        let mut take = |name: &str, shape: &[usize]| weights.take(name, shape);
        let (dense, dense_bias, form, last) = match config.family_name() {
            "modernbert" => {
                let dense = take("head.dense.weight", &[hidden, hidden])?;
                let norm = weights.norm(config, "head.norm")?;
                (dense, Vec::new(), Form::GeluNorm { norm, mean: config.classifies_mean }, "classifier")
            }
            "bert" => {
                let dense = take("pooler.dense.weight", &[hidden, hidden])?;
                (dense, take("pooler.dense.bias", &[hidden])?, Form::Tanh, "classifier")
            }
            _ => {
                let dense = take("classifier.dense.weight", &[hidden, hidden])?;
                (dense, take("classifier.dense.bias", &[hidden])?, Form::Tanh, "classifier.out_proj")
            }
        };
        let last_bias = weights.take(&format!("{last}.bias"), &[1])?.first().copied().unwrap_or_default();
        let last = weights.take(&format!("{last}.weight"), &[1, hidden])?;
        Ok(Self { dense, dense_bias, form, last, last_bias, hidden })
    }

    /// The score of a pair's `states` (tokens, hidden).
    pub(super) fn score(&self, states: &[f32]) -> f32 {
        let mut pooled = states[..self.hidden].to_vec();
        if let Form::GeluNorm { mean: true, .. } = self.form {
            let tokens = states.len() / self.hidden;
            for row in states.chunks_exact(self.hidden).skip(1) {
                pooled.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            pooled.iter_mut().for_each(|x| *x /= tokens as f32);
        }
        let mut inner: Vec<f32> = self.dense.chunks_exact(self.hidden).map(|row| math::dot(row, &pooled)).collect();
        inner.iter_mut().zip(&self.dense_bias).for_each(|(x, bias)| *x += bias);
        match &self.form {
            Form::Tanh => inner.iter_mut().for_each(|x| *x = x.tanh()),
            Form::GeluNorm { norm, .. } => {
                inner.iter_mut().for_each(|x| *x = math::gelu(*x));
                crate::kernels::dense::normalise(&mut inner, norm);
            }
        }
        math::dot(&inner, &self.last) + self.last_bias
    }
}
