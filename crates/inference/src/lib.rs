//! Generation and embedding on this machine: model packs, tokenizers, a decoder for GGUF files, an embedder for
//! BERT-family safetensors.
//!
//! Knows nothing of documents, people, databases or an HTTP server. Two doors: [`Embedder`] turns texts into unit
//! vectors, and [`Generator`] turns messages into a stream of text. Both read models from disk, or, if a site says so,
//! the generator speaks to an engine elsewhere in the enclave: the module `remote` is all that opens connections.

mod chat_template;
mod decoder;
mod embedder;
mod error;
mod generator;
mod gguf;
mod math;
mod message;
pub mod pack;
mod remote;
mod sampler;
mod tokenizer;

pub use embedder::Embedder;
pub use error::ModelError;
pub use generator::{FinishReason, GenerateRequest, Generator, GeneratorOptions, Progress, TokenStream, Usage};
pub use message::{Message, MessageRole, ToolCall};
pub use pack::{ModelInfo, ModelKind};
pub use remote::RemoteOptions;
pub use sampler::{Sampling, TokenLogprob};
