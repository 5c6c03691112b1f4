//! What a program may ask for beyond what a person at a browser does.

use domain::{DocumentFilter, TokenId};
use inference::{Message, Sampling};
use serde_json::Value;

/// Beyond the question itself; a browser asks for none of it.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The model answers alone: nothing is looked up, nothing is cited, and [`Wishes::messages`] is all it is given.
    pub without_documents: bool,
    /// The conversation as the program tells it, the question in it.
    pub messages: Vec<Message>,
    /// Another sampling than the site's own.
    pub sampling: Option<Sampling>,
    /// Another length than the site's own.
    pub max_new_tokens: Option<usize>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// A JSON schema that the answer must obey; with functions, the shape of a call that must be made.
    pub schema: Option<Value>,
    /// Functions that the model may call instead of answering, as OpenAI's interface describes them.
    pub tools: Vec<Value>,
    /// How many alternatives to each token are wanted.
    pub logprobs: Option<usize>,
    /// Only documents that it lets through are looked at.
    pub filter: DocumentFilter,
    /// The token that the program came with.
    pub token: Option<TokenId>,
}

impl Wishes {
    /// The schema of the text; with functions there is none, since it is the call's.
    pub(crate) fn text_schema(&self) -> Option<&Value> {
        self.schema.as_ref().filter(|_| self.tools.is_empty())
    }
}
