//! Generation and embedding on this machine: model packs, tokenizers, a decoder for GGUF files, an embedder and
//! a reranker for BERT-family safetensors.
//!
//! Knows nothing of documents, people, databases or an HTTP server. Three doors: [`Embedder`] turns texts into unit
//! vectors, [`Reranker`] scores passages against a query, and [`Generator`] turns messages into a stream of text. All
//! read models from disk, or, if a site says so, the generator speaks to an engine elsewhere in the enclave: the module
//! `remote` is all that opens connections.

mod card;
mod chat_template;
#[cfg(any(test, feature = "cuda"))]
mod cuda;
mod decoder;
mod device;
mod embedder;
mod error;
mod generator;
mod gguf;
mod grammar;
mod kernels;
mod math;
mod message;
pub mod pack;
mod remote;
pub mod reranker;
mod sampler;
mod scheduler;
mod thinking;
mod tokenizer;

pub use card::{ModelCard, memory_need};
pub use device::Device;
pub use embedder::{Embedder, EmbedderOptions, Precision};
pub use error::ModelError;
pub use generator::{
    FinishReason, GenerateRequest, Generator, GeneratorOptions, GeneratorState, Progress, STATE_VERSION, TokenStream,
    Usage,
};
pub use kernels::Arithmetic;
pub use message::{Message, MessageRole, ToolCall};
pub use pack::{ModelInfo, ModelKind};
pub use remote::RemoteOptions;
pub use reranker::Reranker;
pub use sampler::{Sampling, TokenLogprob};
