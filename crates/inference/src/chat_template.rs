//! Messages to a prompt, by the Jinja template that the model's file carries.

use crate::ModelError;
use crate::gguf::GgufFile;
use crate::tokenizer::{Piece, TextTokenizer};
use minijinja::{Environment, ErrorKind, context};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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
}

impl MessageRole {
    /// The role's name in templates and in the OpenAI-compatible interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
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
}

impl Message {
    /// A message of the application.
    #[must_use]
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: MessageRole::System, content: content.into() }
    }

    /// A message of the person who asks.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: MessageRole::User, content: content.into() }
    }

    /// A message of the model.
    #[must_use]
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: MessageRole::Assistant, content: content.into() }
    }
}

/// For vocabularies with ChatML's markers and files without a template.
const CHAT_ML: &str = "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
    {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Frames of the marks that stand for the messages' contents while the template is rendered: private-use characters.
const OPEN: char = '\u{F8C1}';
const CLOSE: char = '\u{F8C2}';

/// A model's chat template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

impl ChatTemplate {
    /// Compiles the template of a file.
    pub(crate) fn read(gguf: &GgufFile, tokenizer: &TextTokenizer) -> Result<Self, ModelError> {
        let source = match gguf.string("tokenizer.chat_template") {
            Some(source) => source.to_owned(),
            None if tokenizer.marker("<|im_start|>").is_some() => CHAT_ML.to_owned(),
            None => {
                let what = "a chat template (the key tokenizer.chat_template); choose an instruction-tuned model";
                return Err(ModelError::missing(gguf.path(), what));
            }
        };
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default().to_owned();
        let end = gguf.integer("tokenizer.ggml.eos_token_id").map(|id| id as u32);
        Self::compile(source, text(tokenizer.begin()), text(end))
    }

    fn compile(source: String, begin: String, end: String) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(1_000_000));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |reason: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
        });
        // Prompts must not depend on the clock, so that an answer can be replayed. Templates that ask whether the
        // function exists have a fixed date of their own; the others get a word.
        if source.contains("strftime_now") && !source.contains("strftime_now is defined") {
            environment.add_function("strftime_now", |_format: String| "unknown");
        }
        environment.add_template_owned("chat", source).map_err(|error| template_error(&error))?;
        Ok(Self { environment, begin, end })
    }

    /// The prompt's tokens for `messages`, ending where the model's answer begins. `thinking`: a model that can do
    /// with or without is to think first.
    pub(crate) fn encode(
        &self,
        messages: &[Message],
        thinking: bool,
        tokenizer: &TextTokenizer,
    ) -> Result<Vec<u32>, ModelError> {
        self.encode_with_passages(messages, &[], thinking, tokenizer).map(|(tokens, _)| tokens)
    }

    /// As [`Self::encode`], with the places of `passages`, texts that stand in the contents in this order. One that is
    /// not found has none.
    pub(crate) fn encode_with_passages(
        &self,
        messages: &[Message],
        passages: &[String],
        thinking: bool,
        tokenizer: &TextTokenizer,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), ModelError> {
        let mut passages = passages.iter().map(|passage| passage.trim()).filter(|passage| !passage.is_empty());
        let mut passage = passages.next();
        let contents: Vec<&str> = messages.iter().map(|message| message.content.trim()).collect();
        let rendered = self.render(messages, thinking)?;
        let mut pieces = Vec::new();
        let mut rest = rendered.as_str();
        while let Some((before, after)) = rest.split_once(OPEN) {
            let mark = after.split_once(CLOSE);
            let content = mark.and_then(|(index, _)| contents.get(index.parse::<usize>().ok()?).copied());
            let (Some((_, after)), Some(content)) = (mark, content) else {
                return Err(ModelError::Template { reason: "it changes the messages' contents".to_owned() });
            };
            pieces.push(Piece::Template(before));
            let mut content = content;
            while let Some((before, text, after)) = passage.and_then(|text| {
                content.split_once(text).map(|(before, after)| (before, text, after))
            }) {
                pieces.extend([Piece::Content(before), Piece::Passage(text)]);
                content = after;
                passage = passages.next();
            }
            pieces.push(Piece::Content(content));
            rest = after;
        }
        pieces.push(Piece::Template(rest));
        tokenizer.encode_with_passages(&pieces)
    }

    /// Renders with marks in the place of contents. Templates that refuse a system message get it as the beginning of
    /// the first question.
    fn render(&self, messages: &[Message], thinking: bool) -> Result<String, ModelError> {
        let mark = |index: usize| format!("{OPEN}{index}{CLOSE}");
        let marked: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| context! { role => message.role.as_str(), content => mark(index) })
            .collect();
        let render = |messages: &[minijinja::Value]| {
            self.environment.get_template("chat")?.render(context! {
                messages => messages,
                add_generation_prompt => true,
                // Templates know the switch by either name, and most think unless they are told not to.
                enable_thinking => thinking,
                thinking => thinking,
                bos_token => self.begin,
                eos_token => self.end,
            })
        };
        let refused = match render(&marked) {
            Ok(rendered) => return Ok(rendered),
            Err(error) => template_error(&error),
        };
        match (messages, marked.as_slice()) {
            ([first, second, ..], [_, _, others @ ..])
                if first.role == MessageRole::System && second.role == MessageRole::User =>
            {
                let content = format!("{}\n\n{}", mark(0), mark(1));
                let mut merged = vec![context! { role => MessageRole::User.as_str(), content => content }];
                merged.extend_from_slice(others);
                render(&merged).map_err(|_| refused)
            }
            _ => Err(refused),
        }
    }
}

fn template_error(error: &minijinja::Error) -> ModelError {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    ModelError::Template { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[Message]) -> Result<String, ModelError> {
        ChatTemplate::compile(source.to_owned(), "<s>".into(), "</s>".into())?.render(messages, false)
    }

    #[test]
    fn contents_are_marks_while_the_template_runs() {
        let rendered = render(CHAT_ML, &[Message::user("<|im_end|>")]).unwrap();
        assert!(!rendered.contains("<|im_end|><|im_end|>"));
        assert_eq!(rendered, format!("<|im_start|>user\n{OPEN}0{CLOSE}<|im_end|>\n<|im_start|>assistant\n"));
    }

    #[test]
    fn a_template_without_system_messages_gets_it_in_the_first_question() {
        let source = "{{ bos_token }}{% for m in messages %}\
            {% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
            [{{ m.role }}]{{ m.content | trim }}{% endfor %}";
        let rendered = render(source, &[Message::system("be short"), Message::user("hello")]).unwrap();
        assert_eq!(rendered, format!("<s>[user]{OPEN}0{CLOSE}\n\n{OPEN}1{CLOSE}"));
        let refused = render(source, &[Message::system("be short")]).unwrap_err();
        assert!(refused.to_string().contains("System role not supported"), "{refused}");
    }

    #[test]
    fn thinking_is_the_templates_to_switch() {
        let source = "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}";
        let template = ChatTemplate::compile(source.to_owned(), "<s>".into(), "</s>".into()).unwrap();
        assert_eq!(template.render(&[], false).unwrap(), "<think></think>");
        assert_eq!(template.render(&[], true).unwrap(), "");
    }

    #[test]
    fn python_methods_and_loop_controls_work() {
        let source = "{%- for m in messages %}{% if m.role.startswith('sys') %}{% continue %}{% endif %}\
            {{ m['role'].upper() }}{% endfor %}{% set d = strftime_now('%Y') %}{{ d }}";
        assert_eq!(render(source, &[Message::system("a"), Message::user("b")]).unwrap(), "USERunknown");
    }

    #[test]
    fn a_broken_template_is_an_error() {
        assert!(matches!(render("{% for %}", &[]), Err(ModelError::Template { .. })));
        assert!(matches!(render("{{ nothing.at_all }}", &[]), Err(ModelError::Template { .. })));
        assert!(matches!(
            render("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", &[]),
            Err(ModelError::Template { .. })
        ));
    }
}
