//! Messages to a prompt, by the Jinja template that the model's file carries.

use crate::ModelError;
use crate::gguf::GgufFile;
use crate::tokenizer::{Piece, TextTokenizer};
use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind, Value, context};
use serde_json::Value as Json;
use std::ops::Range;

pub use crate::message::{Message, MessageRole};

/// For vocabularies with ChatML's markers and files without a template.
const CHAT_ML: &str = "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
    {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Frames of the marks that stand for the messages' contents while the template is rendered: private-use characters.
const OPEN: char = '\u{F8C1}';
const CLOSE: char = '\u{F8C2}';

/// What a model without functions in its template is told of them.
const ABOUT_TOOLS: &str = "You may call functions to answer. The functions, one a line:\n<tools>\n{tools}\n</tools>\n\
To call one, write its name and its arguments as JSON in this form and nothing else:\n\
<tool_call>\n{\"name\": \"...\", \"arguments\": {...}}\n</tool_call>";

/// A model's chat template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    /// Whether it speaks of functions at all.
    knows_tools: bool,
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
        // A mark stands for JSON that is put in later; as a string it would get quotes around it.
        environment.add_filter("tojson", |value: Value, indent: Option<Value>, options: Kwargs| match value.as_str() {
            Some(text) if text.starts_with(OPEN) && text.ends_with(CLOSE) => Ok(value),
            _ => minijinja::filters::tojson(&value, indent, options),
        });
        environment.add_function("raise_exception", |reason: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
        });
        // Prompts must not depend on the clock, so that an answer can be replayed. Templates that ask whether the
        // function exists have a fixed date of their own; the others get a word.
        if source.contains("strftime_now") && !source.contains("strftime_now is defined") {
            environment.add_function("strftime_now", |_format: String| "unknown");
        }
        let knows_tools = source.contains("tools");
        environment.add_template_owned("chat", source).map_err(|error| template_error(&error))?;
        Ok(Self { environment, knows_tools, begin, end })
    }

    /// The prompt's tokens for `messages`, with the functions that may be called, ending where the answer begins.
    /// `thinking`: a model that can do with or without is to think first.
    pub(crate) fn encode(
        &self,
        messages: &[Message],
        tools: &[Json],
        thinking: bool,
        tokenizer: &TextTokenizer,
    ) -> Result<Vec<u32>, ModelError> {
        self.encode_with_passages(messages, tools, &[], thinking, tokenizer).map(|(tokens, _)| tokens)
    }

    /// As [`Self::encode`], with the places of `passages`, texts that stand in the contents in this order. One that is
    /// not found has none.
    pub(crate) fn encode_with_passages(
        &self,
        messages: &[Message],
        tools: &[Json],
        passages: &[String],
        thinking: bool,
        tokenizer: &TextTokenizer,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), ModelError> {
        let mut passages = passages.iter().map(|passage| passage.trim()).filter(|passage| !passage.is_empty());
        let mut passage = passages.next();
        let (rendered, Marks(contents)) = self.render(messages, tools, thinking)?;
        let mut pieces = Vec::new();
        let mut rest = rendered.as_str();
        while let Some((before, after)) = rest.split_once(OPEN) {
            let mark = after.split_once(CLOSE);
            let content = mark.and_then(|(index, _)| contents.get(index.parse::<usize>().ok()?));
            let (Some((_, after)), Some(content)) = (mark, content) else {
                return Err(ModelError::Template { reason: "it changes the messages' contents".to_owned() });
            };
            pieces.push(Piece::Template(before));
            let mut content = content.as_str();
            while let Some((before, text, after)) =
                passage.and_then(|text| content.split_once(text).map(|(before, after)| (before, text, after)))
            {
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

    /// Renders with marks in the place of contents. Functions go through the template if it has a place for them, else
    /// they are written into the messages.
    fn render(&self, messages: &[Message], tools: &[Json], thinking: bool) -> Result<(String, Marks), ModelError> {
        let plain = tools.is_empty() && messages.iter().all(|message| message.tool_calls.is_empty());
        if plain && messages.iter().all(|message| message.role != MessageRole::Tool) {
            return self.render_messages(messages, &[], thinking);
        }
        if self.knows_tools
            && let Ok((rendered, marks)) = self.render_messages(messages, tools, thinking)
            && (0..marks.0.len()).all(|index| rendered.contains(&format!("{OPEN}{index}{CLOSE}")))
        {
            return Ok((rendered, marks));
        }
        self.render_messages(&written_out(messages, tools), &[], thinking)
    }

    /// Templates that refuse a system message get it as the beginning of the first question.
    fn render_messages(
        &self,
        messages: &[Message],
        tools: &[Json],
        thinking: bool,
    ) -> Result<(String, Marks), ModelError> {
        let mut marks = Marks::default();
        let marked: Vec<Value> = messages.iter().map(|message| marks.message(message)).collect();
        let tools: Vec<String> = tools.iter().map(|tool| marks.stand_for(tool.to_string())).collect();
        let render = |messages: &[Value]| {
            self.environment.get_template("chat")?.render(context! {
                messages => messages,
                // Some templates take an empty list for functions.
                tools => if tools.is_empty() { Value::UNDEFINED } else { Value::from(tools.clone()) },
                add_generation_prompt => true,
                // Templates know the switch by either name, and most think unless they are told not to.
                enable_thinking => thinking,
                thinking => thinking,
                bos_token => self.begin,
                eos_token => self.end,
            })
        };
        let refused = match render(&marked) {
            Ok(rendered) => return Ok((rendered, marks)),
            Err(error) => template_error(&error),
        };
        match (messages, marked.as_slice()) {
            ([first, second, ..], [_, _, others @ ..])
                if first.role == MessageRole::System && second.role == MessageRole::User =>
            {
                let content = format!("{OPEN}0{CLOSE}\n\n{OPEN}1{CLOSE}");
                let mut merged = vec![context! { role => MessageRole::User.as_str(), content => content }];
                merged.extend_from_slice(others);
                let rendered = render(&merged).map_err(|_| refused)?;
                Ok((rendered, marks))
            }
            _ => Err(refused),
        }
    }
}

/// What the marks in a rendered template stand for.
#[derive(Debug, Default)]
struct Marks(Vec<String>);

impl Marks {
    fn stand_for(&mut self, content: impl Into<String>) -> String {
        self.0.push(content.into());
        format!("{OPEN}{}{CLOSE}", self.0.len() - 1)
    }

    fn message(&mut self, message: &Message) -> Value {
        let role = message.role.as_str();
        let content = message.content.trim();
        if message.tool_calls.is_empty() {
            return context! { role => role, content => self.stand_for(content) };
        }
        let content = if content.is_empty() { String::new() } else { self.stand_for(content) };
        let calls: Vec<Value> = message
            .tool_calls
            .iter()
            .map(|call| {
                let (name, arguments) = (self.stand_for(&call.name), self.stand_for(call.arguments.to_string()));
                context! { type => "function", function => context! { name => name, arguments => arguments } }
            })
            .collect();
        context! { role => role, content => content, tool_calls => calls }
    }
}

/// Functions, calls and results as text of ordinary messages.
fn written_out(messages: &[Message], tools: &[Json]) -> Vec<Message> {
    let mut written: Vec<Message> = Vec::new();
    for message in messages {
        match (message.role, written.last_mut()) {
            (MessageRole::Tool, Some(last)) if last.content.ends_with("</tool_response>") => {
                last.content.push_str(&format!("\n<tool_response>\n{}\n</tool_response>", message.content));
            }
            (MessageRole::Tool, _) => {
                written.push(Message::user(format!("<tool_response>\n{}\n</tool_response>", message.content)));
            }
            _ => {
                let calls: Vec<String> = message.tool_calls.iter().map(crate::ToolCall::written).collect();
                let content = format!("{}\n{}", message.content.trim(), calls.join("\n"));
                let content = if calls.is_empty() { message.content.clone() } else { content.trim().to_owned() };
                written.push(Message { content, tool_calls: Vec::new(), ..message.clone() });
            }
        }
    }
    if !tools.is_empty() {
        let lines: Vec<String> = tools.iter().map(Json::to_string).collect();
        let about = ABOUT_TOOLS.replace("{tools}", &lines.join("\n"));
        match written.first_mut().filter(|first| first.role == MessageRole::System) {
            Some(system) => system.content = format!("{}\n\n{about}", system.content),
            None => written.insert(0, Message::system(about)),
        }
    }
    written
}

fn template_error(error: &minijinja::Error) -> ModelError {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    ModelError::Template { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str, messages: &[Message]) -> Result<String, ModelError> {
        Ok(ChatTemplate::compile(source.to_owned(), "<s>".into(), "</s>".into())?.render(messages, &[], false)?.0)
    }

    /// With the contents in their places.
    fn filled(source: &str, messages: &[Message], tools: &[Json]) -> String {
        let template = ChatTemplate::compile(source.to_owned(), String::new(), String::new()).unwrap();
        let (mut text, Marks(contents)) = template.render(messages, tools, false).unwrap();
        for (index, content) in contents.iter().enumerate() {
            text = text.replace(&format!("{OPEN}{index}{CLOSE}"), content);
        }
        text
    }

    fn conversation() -> (Vec<Message>, Vec<Json>) {
        let call = crate::ToolCall { id: "c".into(), name: "tide".into(), arguments: json!({ "at": "noon" }) };
        let messages = vec![Message::user("How high?"), Message::calls("", vec![call]), Message::tool("c", "2 m")];
        (messages, vec![json!({ "type": "function", "function": { "name": "tide" } })])
    }

    #[test]
    fn a_template_with_functions_gets_them_as_json() {
        let source = "{% if tools %}{% for tool in tools %}T{{ tool | tojson }}{% endfor %}{% endif %}\
            {% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls %}\
            {\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}{% endfor %}{% endfor %}";
        let (messages, tools) = conversation();
        assert_eq!(
            filled(source, &messages, &tools),
            "T{\"type\":\"function\",\"function\":{\"name\":\"tide\"}}[user]How high?[assistant]\
             {\"name\": \"tide\", \"arguments\": {\"at\":\"noon\"}}[tool]2 m"
        );
        assert_eq!(filled(source, &messages[..1], &[]), "[user]How high?");
        let list = "{{ [1, 'a'] | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}";
        assert_eq!(filled(list, &messages[..1], &[]), "[1,\"a\"]How high?");
    }

    #[test]
    fn a_template_without_functions_gets_them_as_text() {
        let (messages, tools) = conversation();
        for source in [
            CHAT_ML.to_owned(),
            format!("{{% if tools %}}{{{{ tools[0].function.name.first }}}}{{% endif %}}{CHAT_ML}"),
        ] {
            let text = filled(&source, &messages, &tools);
            assert!(text.starts_with("<|im_start|>system\nYou may call functions"), "{text}");
            assert!(
                text.contains("<tools>\n{\"type\":\"function\",\"function\":{\"name\":\"tide\"}}\n</tools>"),
                "{text}"
            );
            let call =
                "<|im_start|>assistant\n<tool_call>\n{\"name\":\"tide\",\"arguments\":{\"at\":\"noon\"}}\n</tool_call>";
            assert!(text.contains(call), "{text}");
            assert!(text.contains("<|im_start|>user\n<tool_response>\n2 m\n</tool_response><|im_end|>"), "{text}");
        }
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
        assert_eq!(template.render(&[], &[], false).unwrap().0, "<think></think>");
        assert_eq!(template.render(&[], &[], true).unwrap().0, "");
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
