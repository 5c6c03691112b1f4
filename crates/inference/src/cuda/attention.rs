//! Attention of a group of chunks, each to its own sequence's keys and values.

use super::plan::Group;
use crate::decoder::shape::Shape;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// Query tokens whose scores exist at once, so that memory for scores grows with the prompt, not with its square.
const QUERY_BLOCK: usize = 512;

/// The mixed values, (rows of the group, heads · head dimension), for `query` of shape (heads, all rows, head dimension)
/// and the group's `keys` and `values`, each (sequences · keys, key heads · head dimension).
pub(super) fn attend(
    query: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    group: &Group,
    shape: &Shape,
    window: Option<usize>,
) -> Result<Tensor> {
    let Group { start, sequences, tokens, keys: length, .. } = *group;
    let (kv_heads, sharing, dimension) = (shape.kv_heads, shape.group(), shape.head_dimension);
    let heads_first =
        |rows: &Tensor| rows.reshape((sequences, length, kv_heads, dimension))?.transpose(1, 2)?.contiguous();
    let (keys, values) = (heads_first(keys)?.t()?, heads_first(values)?);
    // Query heads that share a key head become rows of one product: keys and values aren't repeated.
    let query = query
        .narrow(1, start, sequences * tokens)?
        .reshape((kv_heads, sharing, sequences, tokens, dimension))?
        .permute((2, 0, 1, 3, 4))?;
    let mask = group.mask(window)?;
    let mut mixed = Vec::with_capacity(tokens.div_ceil(QUERY_BLOCK));
    for first in (0..tokens).step_by(QUERY_BLOCK) {
        let count = QUERY_BLOCK.min(tokens - first);
        let rows = (sequences, kv_heads, sharing * count, dimension);
        let scores = query.narrow(3, first, count)?.contiguous()?.reshape(rows)?.matmul(&keys)?;
        let mut scores = (scores * f64::from(shape.attention_scale))?;
        if let Some(cap) = shape.attention_softcap {
            scores = ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?;
        }
        let scores = scores
            .reshape((sequences, kv_heads, sharing, count, length))?
            .broadcast_add(&mask.narrow(3, first, count)?)?;
        let shares = softmax_last_dim(&scores)?.reshape((sequences, kv_heads, sharing * count, length))?;
        mixed.push(shares.matmul(&values)?.reshape((sequences, kv_heads, sharing, count, dimension))?);
    }
    let mixed = if mixed.len() == 1 { mixed.swap_remove(0) } else { Tensor::cat(&mixed, D::Minus2)? };
    mixed.permute((0, 3, 1, 2, 4))?.contiguous()?.reshape((sequences * tokens, shape.heads * dimension))
}
