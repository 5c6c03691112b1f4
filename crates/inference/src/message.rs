//! Messages of a conversation, with calls of functions and their results.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageRole {
    /// Instructions of the application.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// What a function that the model called gave back.
    Tool,
}

impl MessageRole {
    /// The role's name in templates and in the OpenAI-compatible interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text. Whatever stands in it is text to the model, control tokens too.
    pub content: String,
    /// The functions that the model called with it; only of [`MessageRole::Assistant`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that it answers; only of [`MessageRole::Tool`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

/// A function that the model called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What its result refers to.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments, usually an object.
    pub arguments: Value,
}

impl ToolCall {
    /// The call as models of the Hermes format write it.
    pub(crate) fn written(&self) -> String {
        let call = json!({ "name": self.name, "arguments": self.arguments });
        format!("<tool_call>\n{call}\n</tool_call>")
    }
}

impl Message {
    /// A message of the application.
    #[must_use]
    pub fn system(content: impl Into<String>) -> Self {
        Self::of(MessageRole::System, content)
    }

    /// A message of the person who asks.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Self {
        Self::of(MessageRole::User, content)
    }

    /// A message of the model.
    #[must_use]
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::of(MessageRole::Assistant, content)
    }

    /// A message of the model that calls functions.
    #[must_use]
    pub fn calls(content: impl Into<String>, tool_calls: Vec<ToolCall>) -> Self {
        Self { tool_calls, ..Self::assistant(content) }
    }

    /// What a function gave back.
    #[must_use]
    pub fn tool(call: impl Into<String>, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call.into()), ..Self::of(MessageRole::Tool, content) }
    }

    fn of(role: MessageRole, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), tool_call_id: None }
    }
}
