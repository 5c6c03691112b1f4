//! BERT's encoder over texts of different lengths, packed one behind the other without padding.

use super::folder::{Folder, Weights};
use super::operations::{AddBias, AddBiasGelu, AddNorm, Softmax, normalise};
use crate::ModelError;
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// The encoder's weights.
pub(super) struct Encoder {
    words: Vec<f32>,
    /// Position and type embeddings, added.
    positions: Vec<f32>,
    gain: Vec<f32>,
    offset: Vec<f32>,
    layers: Vec<Layer>,
    hidden: usize,
    epsilon: f32,
}

struct Layer {
    /// Query, key and value in one matrix (hidden, 3 · hidden).
    project: Tensor,
    project_bias: Tensor,
    output: Tensor,
    /// Bias, gain and offset after attention.
    output_norm: Tensor,
    inner: Tensor,
    inner_bias: Tensor,
    outer: Tensor,
    /// Bias, gain and offset after the feed-forward part.
    outer_norm: Tensor,
    heads: usize,
}

impl Encoder {
    /// Reads the weights of a folder.
    pub(super) fn read(folder: &Folder) -> std::result::Result<Self, ModelError> {
        let config = &folder.config;
        let hidden = config.hidden_size;
        let mut weights = folder.weights()?;
        let mut vector = |name: &str, shape: &[usize]| -> std::result::Result<Vec<f32>, ModelError> {
            Ok(weights.take(&format!("embeddings.{name}"), shape)?.flatten_all()?.to_vec1()?)
        };
        let words = vector("word_embeddings.weight", &[config.vocab_size, hidden])?;
        let mut positions = vector("position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let types = vector("token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let gain = vector("LayerNorm.weight", &[hidden])?;
        let offset = vector("LayerNorm.bias", &[hidden])?;
        positions.drain(..folder.first_position * hidden);
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types).for_each(|(x, t)| *x += t);
        }
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::read(&mut weights, folder, index))
            .collect::<std::result::Result<_, _>>()?;
        let epsilon = config.layer_norm_eps as f32;
        Ok(Self { words, positions, gain, offset, layers, hidden, epsilon })
    }

    /// The last layer's vectors, (all tokens, hidden), of `texts`, each a list of token ids.
    pub(super) fn forward(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        let total: usize = texts.iter().map(|text| text.len()).sum();
        let mut x = Vec::with_capacity(total * self.hidden);
        for text in texts {
            for (&token, position) in text.iter().zip(self.positions.chunks_exact(self.hidden)) {
                let word = token as usize * self.hidden;
                let Some(word) = self.words.get(word..word + self.hidden) else {
                    candle_core::bail!("token {token} is not in the model's vocabulary")
                };
                x.extend(word.iter().zip(position).map(|(w, p)| w + p));
            }
        }
        x.chunks_exact_mut(self.hidden).for_each(|row| normalise(row, &self.gain, &self.offset, self.epsilon));
        let mut x = Tensor::from_vec(x, (total, self.hidden), &Device::Cpu)?;
        for layer in &self.layers {
            x = layer.forward(&x, texts, self.epsilon)?;
        }
        x.flatten_all()?.to_vec1()
    }
}

impl Layer {
    fn read(weights: &mut Weights, folder: &Folder, index: usize) -> std::result::Result<Self, ModelError> {
        let (hidden, wide) = (folder.config.hidden_size, folder.config.intermediate_size);
        let mut take = |name: &str, shape: &[usize]| weights.take(&format!("encoder.layer.{index}.{name}"), shape);
        let projections = ["query", "key", "value"].map(|part| {
            let name = format!("attention.self.{part}");
            let matrix = take(&format!("{name}.weight"), &[hidden, hidden])?;
            Ok::<_, ModelError>((matrix, take(&format!("{name}.bias"), &[hidden])?))
        });
        let [query, key, value] = projections;
        let (query, key, value) = (query?, key?, value?);
        let mut norm = |dense: &str, norm: &str| -> std::result::Result<Tensor, ModelError> {
            let bias = take(&format!("{dense}.bias"), &[hidden])?;
            let gain = take(&format!("{norm}.weight"), &[hidden])?;
            Ok(Tensor::stack(&[bias, gain, take(&format!("{norm}.bias"), &[hidden])?], 0)?)
        };
        let output_norm = norm("attention.output.dense", "attention.output.LayerNorm")?;
        let outer_norm = norm("output.dense", "output.LayerNorm")?;
        // Transposed once here, so that products run along contiguous rows.
        let turned = |matrix: &Tensor| matrix.t()?.contiguous();
        Ok(Self {
            project: turned(&Tensor::cat(&[&query.0, &key.0, &value.0], 0)?)?,
            project_bias: Tensor::cat(&[&query.1, &key.1, &value.1], 0)?,
            output: turned(&take("attention.output.dense.weight", &[hidden, hidden])?)?,
            output_norm,
            inner: turned(&take("intermediate.dense.weight", &[wide, hidden])?)?,
            inner_bias: take("intermediate.dense.bias", &[wide])?,
            outer: turned(&take("output.dense.weight", &[hidden, wide])?)?,
            outer_norm,
            heads: folder.config.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, texts: &[&[u32]], epsilon: f32) -> Result<Tensor> {
        let attended = self.attend(x, texts)?.matmul(&self.output)?;
        attended.inplace_op3(x, &self.output_norm, &AddNorm { epsilon })?;
        let inner = attended.matmul(&self.inner)?;
        inner.inplace_op2(&self.inner_bias, &AddBiasGelu)?;
        let outer = inner.matmul(&self.outer)?;
        outer.inplace_op3(&attended, &self.outer_norm, &AddNorm { epsilon })?;
        Ok(outer)
    }

    /// Attention of every text within itself, (all tokens, hidden).
    fn attend(&self, x: &Tensor, texts: &[&[u32]]) -> Result<Tensor> {
        let (total, hidden) = x.dims2()?;
        let dimension = hidden / self.heads;
        let projected = x.matmul(&self.project)?;
        projected.inplace_op2(&self.project_bias, &AddBias)?;
        let projected = projected.reshape((total, 3 * self.heads, dimension))?;
        let softmax = Softmax { scale: 1.0 / (dimension as f32).sqrt() };
        let mut starts = Vec::with_capacity(texts.len());
        let mut next = 0;
        for text in texts {
            starts.push((next, text.len()));
            next += text.len();
        }
        let mixed = starts
            .into_par_iter()
            .map(|(start, length)| {
                let text = projected.narrow(0, start, length)?;
                // Views, (heads, length, dimension); products take any stride.
                let part = |index: usize| text.narrow(1, index * self.heads, self.heads)?.transpose(0, 1);
                let scores = part(0)?.matmul(&part(1)?.t()?)?;
                scores.inplace_op1(&softmax)?;
                scores.matmul(&part(2)?)?.transpose(0, 1)?.contiguous()?.reshape((length, hidden))
            })
            .collect::<Result<Vec<_>>>()?;
        if let [only] = mixed.as_slice() { Ok(only.clone()) } else { Tensor::cat(&mixed, 0) }
    }
}
