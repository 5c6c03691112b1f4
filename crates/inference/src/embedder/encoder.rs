//! An encoder over texts of different lengths, packed one behind the other without padding.

use super::config::Config;
use super::family::Positions;
use super::layer::Layer;
use super::rotary::Rotation;
use super::weights::{Table, Weights};
use super::{Precision, distance};
use crate::ModelError;
use crate::kernels::dense::{self, DistanceBias, Lines, Norm, Rounded};
use crate::kernels::threads;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Tokens that go through the encoder together for each thread: enough rows for the processor, few enough to stay in
/// its caches.
const THREAD_TOKENS: usize = 512;

/// The encoder's weights.
pub(crate) struct Encoder {
    pub(crate) config: Config,
    words: Table,
    positions: Vec<f32>,
    types: Vec<f32>,
    first_norm: Norm,
    last_norm: Option<Norm>,
    rotation: Option<Rotation>,
    bias: Option<DistanceBias>,
    layers: Vec<Layer>,
    /// Memory of calls that are over.
    buffers: Mutex<Vec<Buffers>>,
}

/// A text as the encoder takes it, special tokens included.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) tokens: Vec<u32>,
    /// Which part of a pair each token belongs to.
    pub(crate) types: Vec<u32>,
}

/// Texts that go through the encoder together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) tokens: Vec<u32>,
    types: Vec<u32>,
    pub(super) positions: Vec<usize>,
    pub(super) texts: Vec<Range<usize>>,
}

/// Numbers between the steps, (tokens, …) each.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) x: Lines,
    pub(super) y: Lines,
    pub(super) projected: Lines,
    pub(super) mixed: Lines,
    pub(super) inner: Lines,
    pub(super) rounded: Rounded,
}

impl Encoder {
    /// Takes the encoder's tensors out of `weights`.
    pub(crate) fn read(mut weights: Weights, config: &Config, precision: Precision) -> Result<Self, ModelError> {
        let config = config.clone();
        let (family, hidden) = (config.family, config.hidden);
        let words = weights.table(&format!("{}.weight", family.words), config.vocabulary, hidden)?;
        let mut table = |name: Option<&str>, rows: usize| match name {
            Some(name) => weights.take(&format!("{name}.weight"), &[rows, hidden]),
            None => Ok(Vec::new()),
        };
        let mut positions = table(family.position_table, config.positions)?;
        positions.drain(..(config.first_position * hidden).min(positions.len()));
        let types = table(family.type_table, config.types)?;
        let first_norm = weights.norm(&config, family.first_norm)?;
        let last_norm = family.last_norm.map(|name| weights.norm(&config, name)).transpose()?;
        let bias = match family.distance_bias {
            Some(name) => {
                let table = weights.take(&format!("{name}.weight"), &[config.buckets, config.heads])?;
                Some(distance::bias(&table, config.buckets, config.heads, config.longest()))
            }
            None => None,
        };
        let layers = (0..config.layers)
            .map(|index| Layer::read(&mut weights, &config, index, precision))
            .collect::<Result<_, _>>()?;
        let rotation = (family.positions == Positions::Rotary).then(|| Rotation::new(&config));
        let buffers = Mutex::default();
        Ok(Self { config, words, positions, types, first_norm, last_norm, rotation, bias, layers, buffers })
    }

    /// Runs `texts` through the encoder and gives `take` each one's number and last vectors, (tokens, hidden), in any
    /// order. A text's vectors don't depend on the others.
    ///
    /// # Errors
    /// [`ModelError::Compute`] for a token that the model doesn't have.
    pub(crate) fn run(&self, texts: &[Sequence], mut take: impl FnMut(usize, &[f32])) -> Result<(), ModelError> {
        // Texts of one length together: their attention takes equally long, which keeps the threads even.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| texts[index].tokens.len());
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (numbers, later) = rest.split_at(batch_size(rest, texts));
            let batch = Batch::of(numbers.iter().map(|&index| &texts[index]));
            self.forward(&batch, &mut buffers)?;
            for (&index, rows) in numbers.iter().zip(&batch.texts) {
                take(index, &buffers.x[rows.start * self.config.hidden..rows.end * self.config.hidden]);
            }
            rest = later;
        }
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        Ok(())
    }

    /// Leaves the last layer's vectors, (tokens, hidden), in `buffers.x`.
    fn forward(&self, batch: &Batch, buffers: &mut Buffers) -> Result<(), ModelError> {
        let hidden = self.config.hidden;
        let x = buffers.x.resize(batch.tokens.len() * hidden);
        for (index, to) in x.chunks_exact_mut(hidden).enumerate() {
            let (token, position) = (batch.tokens[index] as usize, batch.positions[index]);
            if token >= self.config.vocabulary || position >= self.config.longest() {
                let reason = format!("token {token} at position {position} is not in the model's tables");
                return Err(ModelError::Compute { reason });
            }
            self.words.copy(token, to);
            let mut add = |table: &[f32], row: usize| {
                if let Some(row) = table.get(row * hidden..(row + 1) * hidden) {
                    to.iter_mut().zip(row).for_each(|(x, y)| *x += y);
                }
            };
            add(&self.positions, position);
            // A model that knows one type takes both parts of a pair for it.
            add(&self.types, (batch.types[index] as usize).min(self.config.types.saturating_sub(1)));
        }
        dense::normalise(x, &self.first_norm);
        for layer in &self.layers {
            layer.forward(&self.config, batch, self.rotation.as_ref(), self.bias.as_ref(), buffers);
        }
        if let Some(norm) = &self.last_norm {
            dense::normalise(buffers.x.resize(batch.tokens.len() * hidden), norm);
        }
        Ok(())
    }
}

impl Batch {
    fn of<'a>(texts: impl Iterator<Item = &'a Sequence>) -> Self {
        let mut batch = Self::default();
        for text in texts {
            let start = batch.tokens.len();
            batch.tokens.extend(&text.tokens);
            batch.types.extend(&text.types);
            batch.positions.extend(0..text.tokens.len());
            batch.texts.push(start..batch.tokens.len());
        }
        batch
    }
}

/// How many of `order`'s texts fit into the next batch; at least one.
fn batch_size(order: &[usize], texts: &[Sequence]) -> usize {
    let (most, mut total) = ((THREAD_TOKENS * threads()).clamp(1024, 8192), 0);
    let fits = |&&index: &&usize| {
        total += texts[index].tokens.len();
        total <= most
    };
    order.iter().take_while(fits).count().max(1)
}
