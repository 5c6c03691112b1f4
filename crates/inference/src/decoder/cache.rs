//! Keys and values of one sequence.

use super::shape::Shape;
use candle_core::{DType, Device, Result, Tensor};

/// Tokens by which the buffers grow at least.
const STEP: usize = 1024;

/// The keys and values of every layer for the tokens seen so far, in buffers that are allocated ahead.
pub(crate) struct KvCache {
    layers: Vec<Option<(Tensor, Tensor)>>,
    kv_heads: usize,
    dimension: usize,
    context: usize,
    capacity: usize,
    tokens: Vec<u32>,
}

impl KvCache {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            layers: vec![None; shape.layers],
            kv_heads: shape.kv_heads,
            dimension: shape.head_dimension,
            context: shape.context,
            capacity: 0,
            tokens: Vec::new(),
        }
    }

    /// Tokens whose keys and values are there.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Forgets all tokens from `length` on; the buffers stay.
    #[cfg(test)]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
    }

    /// Counts `tokens` as seen, after every layer has taken their keys and values.
    pub(crate) fn commit(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// The buffers of each layer that has any, keys and values: (key heads, capacity, head dimension).
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&Tensor, &Tensor)> {
        self.layers.iter().flatten().map(|(keys, values)| (keys, values))
    }

    /// Makes room for `more` tokens.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<()> {
        let needed = self.len() + more;
        if needed > self.context {
            candle_core::bail!("{needed} tokens in a context of {}", self.context)
        }
        if needed <= self.capacity {
            return Ok(());
        }
        let capacity = needed.max(self.capacity * 3 / 2).next_multiple_of(STEP).min(self.context);
        for layer in &mut self.layers {
            let grow = |old: Option<&Tensor>| {
                let new = Tensor::zeros((self.kv_heads, capacity, self.dimension), DType::F32, &Device::Cpu)?;
                if let (Some(old), true) = (old, !self.tokens.is_empty()) {
                    new.slice_set(&old.narrow(1, 0, self.tokens.len())?.contiguous()?, 1, 0)?;
                }
                Result::Ok(new)
            };
            let (keys, values) = layer.as_ref().map(|(keys, values)| (keys, values)).unzip();
            *layer = Some((grow(keys)?, grow(values)?));
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Puts keys and values, each (key heads, tokens, head dimension), behind the seen ones of `layer`, and gives
    /// the layer's whole buffers, each (key heads, capacity, head dimension).
    pub(crate) fn append(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(&Tensor, &Tensor)> {
        let Some(Some((all_keys, all_values))) = self.layers.get(layer) else {
            candle_core::bail!("no room was reserved for layer {layer}")
        };
        all_keys.slice_set(keys, 1, self.len())?;
        all_values.slice_set(values, 1, self.len())?;
        Ok((all_keys, all_values))
    }
}
