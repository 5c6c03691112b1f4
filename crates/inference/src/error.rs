//! What can go wrong with a model, in sentences for the person who chose it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A model that can't be used, or a request that it can't serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file or folder can't be read.
    #[error("cannot read {}: {reason}; check that it exists and that the server may read it", path.display())]
    Unreadable {
        /// What was opened.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// The file ends before its own header says it does.
    #[error(
        "{} is cut short: its header promises {expected} bytes and it has {found}; copy it again from its source",
        path.display()
    )]
    CutShort {
        /// The weights file.
        path: PathBuf,
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file isn't what its place says it is, or contradicts itself.
    #[error("{} is damaged or no model: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// A sound model of a kind that this crate doesn't run.
    #[error("{what} `{found}` is not supported; supported: {supported}")]
    Unsupported {
        /// What is of an unknown kind: architecture, tokenizer, activation.
        what: &'static str,
        /// Its name in the model.
        found: String,
        /// The names that would work.
        supported: String,
    },
    /// A part of the model isn't there: a file of the folder, a key or a tensor of the file.
    #[error("{} lacks {what}; use a complete copy of the model", path.display())]
    Missing {
        /// The model.
        path: PathBuf,
        /// The part.
        what: String,
    },
    /// The model's chat template doesn't render.
    #[error("the model's chat template fails: {reason}; choose a model whose template accepts these messages")]
    Template {
        /// The template engine's reason.
        reason: String,
    },
    /// The prompt leaves no room in the context.
    #[error(
        "the prompt has {tokens} tokens and the model takes {context} with the answer; ask for less or give fewer passages"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The context, prompt and answer together.
        context: usize,
    },
    /// The queue is full.
    #[error("overloaded: {waiting} requests wait for the model; try again in about {} s", retry_after.as_secs().max(1))]
    Overloaded {
        /// Requests that wait.
        waiting: usize,
        /// When there is likely to be room, from how long recent answers took; whole seconds, 1 or more.
        retry_after: Duration,
    },
    /// The request itself is wrong.
    #[error("the request is wrong: {reason}")]
    InvalidRequest {
        /// What is wrong with it.
        reason: String,
    },
    /// The remote engine's options can't be used.
    #[error("the remote engine cannot be used: {reason}")]
    RemoteOptions {
        /// What is wrong with them.
        reason: String,
    },
    /// The remote engine isn't there or doesn't answer in time.
    #[error(
        "the generation engine at {address} cannot be reached: {reason}; check that it runs and that its address is right"
    )]
    RemoteUnreachable {
        /// Its address in the configuration.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The remote engine is there and doesn't take the request.
    #[error("the generation engine at {address} refused: {reason}")]
    RemoteRefused {
        /// Its address in the configuration.
        address: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// What came from the remote engine is no answer, or only the beginning of one.
    #[error(
        "the answer of the generation engine at {address} is broken: {reason}; ask again, and see that engine's own log"
    )]
    RemoteBroken {
        /// Its address in the configuration.
        address: String,
        /// What was wrong with it.
        reason: String,
    },
    /// The model's thread is gone: the process is shutting down.
    #[error("the model is not running any more; start it again")]
    Stopped,
    /// A GPU was asked for, and there is none that can be used.
    #[error("no GPU can be used: {reason}")]
    NoGpu {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A fault of ours while computing; the model goes on with the next request.
    #[error("computing failed: {reason}; report it with the model's name")]
    Compute {
        /// What failed.
        reason: String,
    },
}

impl ModelError {
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: first_line(&reason.into()) }
    }

    pub(crate) fn missing(path: &Path, what: impl Into<String>) -> Self {
        Self::Missing { path: path.to_owned(), what: what.into() }
    }
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute { reason: first_line(&error.to_string()) }
    }
}

/// Without what some libraries add below their message, such as a backtrace.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
