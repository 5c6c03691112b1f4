//! Generation and embedding on this machine: model packs, tokenizers, a decoder for GGUF files, an embedder for
//! BERT-family safetensors.
//!
//! Knows nothing of documents, people, databases or HTTP. Two doors: [`Embedder`] turns texts into unit vectors, and
//! [`Generator`] turns messages into a stream of text. Both read models from disk only.

mod chat_template;
// Chosen by configuration once the scheduler drives decoders; until then only its tests use it.
#[cfg(any(test, feature = "cuda"))]
#[cfg_attr(not(test), allow(dead_code))]
mod cuda;
mod decoder;
mod embedder;
mod error;
mod generator;
mod gguf;
mod grammar;
mod kernels;
mod math;
pub mod pack;
mod sampler;
mod scheduler;
mod thinking;
mod tokenizer;

pub use chat_template::{Message, MessageRole};
pub use embedder::Embedder;
pub use error::ModelError;
pub use generator::{
    FinishReason, GenerateRequest, Generator, GeneratorOptions, GeneratorState, Progress, TokenStream, Usage,
};
pub use pack::{ModelInfo, ModelKind};
pub use sampler::{Sampling, TokenLogprob};
