//! The decoder: tokens in, logits out, over keys and values in blocks.

pub(crate) mod architecture;
pub(crate) mod model;
mod processor;
pub(crate) mod routes;
pub(crate) mod shape;

pub(crate) use processor::Decoder;
pub(crate) use shape::family;

#[cfg(test)]
pub(crate) mod tests;
