//! Experts: many small feed-forward parts, of which a router picks a few for each token (Shazeer et al. 2017, as
//! Mixtral and Qwen3 have it: softmax over the scores of those that were picked).

use super::feed_forward::gated;
use super::layer::Workspace;
use super::weight::{Input, Weight};
use crate::ModelError;
use crate::decoder::routes::Routes;
use crate::decoder::shape::{ExpertShape, Shape};
use crate::gguf::GgufFile;
use crate::kernels::{add_scaled, for_rows};
use std::iter;
use std::ops::Range;

/// The experts of a layer, and what picks them.
pub(super) struct Experts {
    router: Weight,
    gate: Vec<Weight>,
    up: Vec<Weight>,
    down: Vec<Weight>,
}

/// Buffers that the layers share.
#[derive(Default)]
pub(super) struct Buffers {
    scores: Vec<f32>,
    routes: Routes,
    /// The input of each route, those of one expert one behind the other.
    picked: Input,
    /// What each route gives.
    given: Vec<f32>,
}

impl Experts {
    /// Reads those of layer `index`: tensors of all experts, or of each, as older files of Mixtral have them.
    pub(super) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        experts: &ExpertShape,
        index: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<Self, ModelError> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let router = Weight::read(gguf, &name("ffn_gate_inp"), experts.count, shape.hidden, bytes)?;
        let mut all = |part: &str, outputs: usize, inputs: usize| -> Result<Vec<Weight>, ModelError> {
            if gguf.dimensions(&name(&format!("{part}.0"))).is_some() {
                let each = |expert| Weight::read(gguf, &name(&format!("{part}.{expert}")), outputs, inputs, bytes);
                return (0..experts.count).map(each).collect();
            }
            Weight::read_several(gguf, &name(&format!("{part}_exps")), [experts.count, outputs, inputs], bytes)
        };
        let (hidden, inner) = (shape.hidden, experts.feed_forward);
        let gate = all("ffn_gate", inner, hidden)?;
        let up = all("ffn_up", inner, hidden)?;
        Ok(Self { router, gate, up, down: all("ffn_down", hidden, inner)? })
    }

    /// As [`FeedForward::forward`](super::feed_forward::FeedForward::forward). Each token's sum goes over its experts in
    /// the order of their numbers, so that its bits do not depend on the other tokens.
    pub(super) fn forward(
        &self,
        rows: usize,
        fill: &(dyn Fn(usize, &mut [f32]) + Sync),
        shape: &Shape,
        work: &mut Workspace,
    ) {
        let Some(ExpertShape { used, feed_forward: inner, .. }) = shape.experts else { return };
        let hidden = shape.hidden;
        let Workspace { input, gate, up, out, experts: Buffers { scores, routes, picked, given }, .. } = work;
        let readers: Vec<&Weight> = iter::once(&self.router).chain(&self.gate).chain(&self.up).collect();
        input.set(rows, hidden, &readers, fill);
        input.multiply(&mut [(&self.router, &mut *scores)]);
        routes.set(scores, self.gate.len(), used);

        picked.gather(input, &routes.rows, &readers[1..]);
        gate.resize(routes.rows.len() * inner, 0.0);
        up.resize(routes.rows.len() * inner, 0.0);
        let (gates, ups) = (parts(&self.gate, &routes.spans, gate, inner), parts(&self.up, &routes.spans, up, inner));
        picked.multiply_rows(gates.chain(ups));

        let downs: Vec<&Weight> = self.down.iter().collect();
        input.set(routes.rows.len(), inner, &downs, &|route, out| {
            let part = route * inner..(route + 1) * inner;
            gated(shape.architecture.activation, &gate[part.clone()], &up[part], out);
        });
        given.resize(routes.rows.len() * hidden, 0.0);
        input.multiply_rows(parts(&self.down, &routes.spans, given, hidden));

        out.resize(rows * hidden, 0.0);
        for_rows([(&mut out[..], hidden)], &|row, [out]| {
            out.fill(0.0);
            for &route in &routes.of_row[row * used..(row + 1) * used] {
                add_scaled(out, &given[route * hidden..(route + 1) * hidden], routes.weights[route]);
            }
        });
    }
}

/// Each picked expert's weight, the rows of its routes, and their part of `out`, `width` numbers a route.
fn parts<'a>(
    weights: &'a [Weight],
    spans: &'a [(usize, Range<usize>)],
    mut out: &'a mut [f32],
    width: usize,
) -> impl Iterator<Item = (&'a Weight, Range<usize>, &'a mut [f32])> {
    spans.iter().map(move |(expert, rows)| {
        let (part, rest) = std::mem::take(&mut out).split_at_mut(rows.len() * width);
        out = rest;
        (&weights[*expert], rows.clone(), part)
    })
}
