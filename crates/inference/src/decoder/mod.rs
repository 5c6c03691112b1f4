//! The decoder: tokens in, logits out, over keys and values in blocks.

mod architecture;
pub(crate) mod model;
mod processor;
mod shape;

pub(crate) use processor::Decoder;
pub(crate) use shape::family;

#[cfg(test)]
pub(crate) mod tests;
