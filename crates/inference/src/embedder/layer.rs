//! A layer of an encoder.

use super::Precision;
use super::config::Config;
use super::encoder::{Batch, Buffers};
use super::family::{NormOrder, Projections};
use super::linear::{Activation, Linear};
use super::rotary::Rotation;
use super::weights::Weights;
use crate::ModelError;
use crate::kernels::dense::{self, AttentionShape, DistanceBias, Norm};

pub(super) struct Layer {
    /// To queries, keys and values, one behind the other.
    project: Linear,
    output: Linear,
    /// `None` where a first layer takes embeddings that are normalised already.
    attention_norm: Option<Norm>,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
    reach: Option<usize>,
}

impl Layer {
    pub(super) fn read(
        weights: &mut Weights,
        config: &Config,
        index: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let (family, hidden, wide) = (config.family, config.hidden, config.wide);
        let name = |part: &str| format!("{}.{index}.{part}", family.layers);
        let mut linear = |parts: &[&str], outputs: usize, inputs: usize| -> Result<Linear, ModelError> {
            let (mut matrix, mut bias) = (Vec::new(), Vec::new());
            for part in parts {
                matrix.extend(weights.take(&format!("{}.weight", name(part)), &[outputs, inputs])?);
                if family.biases {
                    bias.extend(weights.take(&format!("{}.bias", name(part)), &[outputs])?);
                }
            }
            Ok(Linear::pack(&matrix, bias, inputs, precision))
        };
        let project = match family.projections {
            Projections::Apart(parts) => linear(&parts, hidden, hidden)?,
            Projections::Together(part) => linear(&[part], 3 * hidden, hidden)?,
        };
        let gates = if family.gated { 2 } else { 1 };
        let (output, inner, outer) = (
            linear(&[family.output], hidden, hidden)?,
            linear(&[family.inner], gates * wide, hidden)?,
            linear(&[family.outer], hidden, wide)?,
        );
        let normalised = family.order == NormOrder::Before && index == 0;
        let attention_norm = if normalised { None } else { Some(weights.norm(config, &name(family.attention_norm))?) };
        let outer_norm = weights.norm(config, &name(family.outer_norm))?;
        let reach = if family.gated { config.rotary.reach(index) } else { None };
        Ok(Self { project, output, attention_norm, inner, outer, outer_norm, reach })
    }

    /// Takes `buffers.x` (tokens, hidden) one layer on.
    pub(super) fn forward(
        &self,
        config: &Config,
        batch: &Batch,
        rotation: Option<&Rotation>,
        bias: Option<&DistanceBias>,
        buffers: &mut Buffers,
    ) {
        let Buffers { x, y, projected, mixed, inner, rounded } = buffers;
        let (heads, hidden) = (config.heads, config.hidden);
        let shape = AttentionShape { heads, dimension: hidden / heads, reach: self.reach, bias };
        let before = config.family.order == NormOrder::Before;
        let numbers = batch.tokens.len() * hidden;

        let input = match &self.attention_norm {
            Some(norm) if before => {
                y.resize(numbers).copy_from_slice(x);
                dense::normalise(y.resize(numbers), norm);
                &*y
            }
            _ => &*x,
        };
        self.project.run(input, rounded, projected, Activation::None);
        if let Some(rotation) = rotation {
            rotation.apply(projected.resize(3 * numbers), &batch.positions, hidden, self.reach.is_some());
        }
        dense::attend(projected, &batch.texts, &shape, mixed.resize(numbers));
        self.output.run(mixed, rounded, y, Activation::None);
        if before {
            dense::add(x.resize(numbers), y, hidden);
            y.resize(numbers).copy_from_slice(x);
            dense::normalise(y.resize(numbers), &self.outer_norm);
        } else if let Some(norm) = &self.attention_norm {
            dense::add_norm(y.resize(numbers), x, norm);
        }
        // Now `y` is what the feed-forward part takes.
        let activation = if config.family.gated { Activation::None } else { Activation::Gelu };
        self.inner.run(y, rounded, inner, activation);
        if config.family.gated {
            dense::gelu_gate(inner, projected.resize(batch.tokens.len() * config.wide), config.wide);
            self.outer.run(projected, rounded, mixed, Activation::None);
        } else {
            self.outer.run(inner, rounded, mixed, Activation::None);
        }
        if before {
            dense::add(x.resize(numbers), mixed, hidden);
        } else {
            dense::add_norm(mixed.resize(numbers), y, &self.outer_norm);
            std::mem::swap(x, mixed);
        }
    }
}
