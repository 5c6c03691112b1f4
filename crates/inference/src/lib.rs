//! Generation and embedding on this machine: model packs, tokenizers, a decoder for GGUF files, an embedder for
//! BERT-family safetensors.
//!
//! Knows nothing of documents, people, databases or HTTP. Two doors: [`Embedder`] turns texts into unit vectors, and
//! [`Generator`] turns messages into a stream of text. Both read models from disk only.

mod card;
mod chat_template;
mod decoder;
mod embedder;
mod error;
mod generator;
mod gguf;
mod math;
pub mod pack;
mod sampler;
mod tokenizer;

pub use card::{ModelCard, memory_need};
pub use chat_template::{Message, MessageRole};
pub use embedder::Embedder;
pub use error::ModelError;
pub use generator::{FinishReason, GenerateRequest, Generator, GeneratorOptions, Progress, TokenStream, Usage};
pub use pack::{ModelInfo, ModelKind};
pub use sampler::Sampling;
