//! Rotary positions (Su et al. 2021) on a device, for tokens at any positions side by side.

use crate::decoder::architecture::RopeStyle;
use crate::decoder::shape::Shape;
use candle_core::{D, Device, Result, Tensor};

/// Cosines and sines, each (tokens, rotated elements / 2).
pub(super) type Angles = [Tensor; 2];

/// Tables of shape (context, rotated elements / 2) for every kind of layer.
pub(super) struct Rope {
    kinds: Vec<((f32, bool), Angles)>,
}

impl Rope {
    /// Tables for all layers of `shape`.
    pub(super) fn new(shape: &Shape, device: &Device) -> Result<Self> {
        let mut kinds: Vec<((f32, bool), Angles)> = Vec::new();
        for kind in (0..shape.layers).map(|layer| shape.layer_rope(layer)) {
            if kinds.iter().all(|(known, _)| *known != kind) {
                kinds.push((kind, tables(shape, kind.0, kind.1, device)?));
            }
        }
        Ok(Self { kinds })
    }

    /// The angles at `positions`, one for each kind of layer.
    pub(super) fn at(&self, positions: &Tensor) -> Result<PlacedRope> {
        let place = |[cos, sin]: &Angles| -> Result<Angles> {
            Ok([cos.index_select(positions, 0)?, sin.index_select(positions, 0)?])
        };
        let kinds = self.kinds.iter().map(|(kind, tables)| Ok((*kind, place(tables)?)));
        Ok(PlacedRope { kinds: kinds.collect::<Result<_>>()? })
    }
}

/// The angles of a step's tokens.
pub(super) struct PlacedRope {
    kinds: Vec<((f32, bool), Angles)>,
}

impl PlacedRope {
    /// Rotates `x` of shape (heads, tokens, head dimension) as `layer` does.
    pub(super) fn apply(&self, x: &Tensor, layer: usize, shape: &Shape) -> Result<Tensor> {
        let kind = shape.layer_rope(layer);
        let found = self.kinds.iter().find(|(known, _)| *known == kind);
        let (_, [cos, sin]) = found.ok_or_else(|| candle_core::Error::msg("no angles for this layer"))?;
        let rotate = |x: &Tensor| {
            let x = x.unsqueeze(0)?.contiguous()?;
            let rotated = match shape.architecture.rope {
                RopeStyle::Interleaved => candle_nn::rotary_emb::rope_i(&x, cos, sin)?,
                RopeStyle::Halves => candle_nn::rotary_emb::rope(&x, cos, sin)?,
            };
            rotated.squeeze(0)
        };
        let (rotated, dimension) = (shape.rope_dimension, shape.head_dimension);
        if rotated == dimension {
            return rotate(x);
        }
        let rest = x.narrow(D::Minus1, rotated, dimension - rotated)?;
        Tensor::cat(&[rotate(&x.narrow(D::Minus1, 0, rotated)?)?, rest], D::Minus1)
    }
}

fn tables(shape: &Shape, base: f32, scaled: bool, device: &Device) -> Result<Angles> {
    let [cos, sin] = shape.angles(base, scaled);
    let table = |values| Tensor::from_vec(values, (shape.context, shape.rope_dimension / 2), device);
    Ok([table(cos)?, table(sin)?])
}
