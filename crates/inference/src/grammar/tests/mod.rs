//! Whatever the model prefers, the text obeys the schema.

use super::*;
use crate::decoder::tests::test_model;
use crate::gguf::GgufFile;
use crate::sampler::{Pcg32, Sampler, Sampling};
use crate::tokenizer::TextTokenizer;
use serde_json::json;
use std::sync::LazyLock;

mod hostile;

static TOKENIZER: LazyLock<TextTokenizer> = LazyLock::new(|| {
    TextTokenizer::read(&GgufFile::open(&test_model("smollm2-135m-instruct-q4_1.gguf")).unwrap()).unwrap()
});

static VOCABULARY: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| Arc::new(Vocabulary::new(&TOKENIZER).unwrap()));

/// One token a byte, then some longer ones, then the two that end a text.
fn small() -> Arc<Vocabulary> {
    let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    words.extend(["{\"", "\":", "true", "é\"", "ab", "}}"].map(|word| word.as_bytes().to_vec()));
    let end = words.len() as u32;
    words.extend([Vec::new(), Vec::new()]);
    Arc::new(Vocabulary::from_words(words, vec![end, end + 1]).unwrap())
}

/// The text that a model with a mind of its own writes: random logits, new at each step, the end a little likelier than
/// the rest so that it comes. `None` if it has not ended after 2,000 tokens.
fn write(
    schema: &Value,
    vocabulary: &Arc<Vocabulary>,
    size: usize,
    bytes: impl Fn(u32) -> Vec<u8>,
    seed: u64,
) -> Option<String> {
    let grammar = Grammar::from_schema(schema, vocabulary).unwrap();
    let mut sampler = Sampler::new(
        &Sampling { temperature: 1.0, seed, ..Sampling::GREEDY },
        Some(grammar.start(None, false)),
        &[],
        None,
    );
    let mut random = Pcg32::new(seed);
    let mut text = Vec::new();
    for _ in 0..2000 {
        let mut logits: Vec<f32> = (0..size).map(|_| random.unit() * 12.0).collect();
        for token in 0..size as u32 {
            // Closers come often enough for the text to end.
            if bytes(token).iter().any(|byte| b"\"}]".contains(byte)) {
                logits[token as usize] += 3.0;
            }
        }
        vocabulary.ends().iter().for_each(|&end| logits[end as usize] = 14.0);
        let token = sampler.sample(&logits).unwrap().token;
        if vocabulary.ends().contains(&token) {
            return Some(String::from_utf8(text).unwrap());
        }
        text.extend(bytes(token));
    }
    None
}

fn written(schema: &Value, seed: u64) -> Option<Value> {
    let text = write(schema, &VOCABULARY, TOKENIZER.size(), |token| TOKENIZER.bytes(token).to_vec(), seed)?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Twelve texts for each schema must hold; nearly all of them must have ended.
fn always(schema: &Value, holds: impl Fn(&Value) -> bool) {
    let values: Vec<Value> = (0..12).filter_map(|seed| written(schema, seed)).collect();
    assert!(values.len() >= 9, "{schema} ended {} times", values.len());
    for value in values {
        assert!(holds(&value), "{value} does not obey {schema}");
    }
}

#[test]
fn objects_have_their_properties_and_no_others() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 12},
            "age": {"type": "integer", "minimum": 3, "maximum": 120},
            "role": {"enum": ["admin", "staff", null]},
            "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": false
    });
    always(&schema, |value| {
        let object = value.as_object().unwrap();
        let length = value["name"].as_str().unwrap().chars().count();
        let tags = value["tags"].as_array().unwrap();
        object.keys().all(|key| ["name", "age", "role", "tags"].contains(&key.as_str()))
            && (2..=12).contains(&length)
            && (3..=120).contains(&value["age"].as_i64().unwrap())
            && object.get("role").is_none_or(|role| role.is_null() || role == "admin" || role == "staff")
            && (1..=3).contains(&tags.len())
            && tags.iter().all(Value::is_boolean)
    });
}

#[test]
fn choices_patterns_and_numbers_hold() {
    always(&json!({"anyOf": [{"const": 7}, {"type": "null"}, {"type": "string", "pattern": "^[a-f]{3}$"}]}), |value| {
        *value == 7
            || value.is_null()
            || value
                .as_str()
                .is_some_and(|text| text.len() == 3 && text.bytes().all(|byte| (b'a'..=b'f').contains(&byte)))
    });
    always(&json!({"type": "number", "minimum": -1.5, "exclusiveMaximum": 2}), |value| {
        value.as_f64().is_some_and(|number| (-1.5..2.0).contains(&number))
    });
    always(&json!({"type": "string", "format": "date"}), |value| {
        let text = value.as_str().unwrap();
        text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
    });
}

#[test]
fn a_schema_may_refer_to_itself() {
    let schema = json!({
        "$defs": {"node": {
            "type": "object",
            "properties": {"value": {"type": "boolean"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["value", "next"],
            "additionalProperties": false
        }},
        "$ref": "#/$defs/node"
    });
    fn holds(value: &Value) -> bool {
        value["value"].is_boolean() && (value["next"].is_null() || holds(&value["next"]))
    }
    always(&schema, holds);
}

#[test]
fn another_property_never_takes_a_known_name() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "maximum": 9, "minimum": 0}}, "additionalProperties": {"type": "boolean"}});
    let vocabulary = small();
    let size = 264;
    for seed in 0..20 {
        let word = |token: u32| match token {
            0..256 => vec![token as u8],
            256.. => ["{\"", "\":", "true", "é\"", "ab", "}}", "", ""][token as usize - 256].as_bytes().to_vec(),
        };
        let Some(text) = write(&schema, &vocabulary, size, word, seed) else { continue };
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(
            value.as_object().unwrap().iter().all(|(key, value)| if key == "a" {
                value.is_i64()
            } else {
                value.is_boolean()
            }),
            "{text}"
        );
    }
}

#[test]
fn any_json_is_json() {
    let mut ended = 0;
    for (schema, seed) in [json!({"type": "object"}), json!({}), json!(true)].iter().cycle().zip(0..12) {
        let text = write(schema, &VOCABULARY, TOKENIZER.size(), |token| TOKENIZER.bytes(token).to_vec(), seed);
        let Some(text) = text else { continue };
        ended += 1;
        // Numbers may be longer than any type of ours holds.
        serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(schema.get("type").is_none() || text.trim_start().starts_with('{'), "{text}");
    }
    assert!(ended >= 8, "{ended} ended");
}

#[test]
fn a_text_ends_only_when_it_is_complete() {
    let grammar = Grammar::from_schema(&json!({"enum": ["ab", "abab"]}), &small()).unwrap();
    let mut state = grammar.start(None, false);
    for (token, complete) in [(u32::from(b'"'), false), (260, false), (260, false), (u32::from(b'"'), true)] {
        let mut logits = vec![0.0; 264];
        state.restrict(&mut logits).unwrap();
        assert_eq!((logits[262], logits[263]), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        assert_eq!(logits[token as usize], 0.0);
        state.accept(token).unwrap();
        assert_eq!(state.is_complete(), complete);
    }
    // The model's matrix may have more rows than the vocabulary has tokens.
    let mut logits = vec![0.0; 300];
    state.restrict(&mut logits).unwrap();
    assert_eq!((logits[262], logits[263]), (0.0, 0.0));
    assert!(logits[264..].iter().all(|logit| *logit == f32::NEG_INFINITY));
    assert_eq!(logits[usize::from(b'a')], f32::NEG_INFINITY);
}

#[test]
fn thinking_is_free_and_may_not_end_the_text() {
    let grammar = Grammar::from_schema(&json!({"type": "boolean"}), &small()).unwrap();
    // The opening and the closing tag stand at 256 and 257.
    let mut state = GrammarState::new(grammar.matcher, grammar.vocabulary, Some((Some(256), 257)), false);
    let mut allowed = |next: u32| {
        let mut logits = vec![0.0; 264];
        state.restrict(&mut logits).unwrap();
        state.accept(next).unwrap();
        logits
    };
    let first = allowed(256);
    assert_eq!((first[256], first[usize::from(b't')], first[usize::from(b'x')]), (0.0, 0.0, f32::NEG_INFINITY));
    let second = allowed(u32::from(b'x'));
    assert_eq!((second[usize::from(b'x')], second[257], second[262]), (0.0, 0.0, f32::NEG_INFINITY));
    allowed(257);
    let fourth = allowed(258);
    assert_eq!((fourth[258], fourth[256], fourth[usize::from(b'x')]), (0.0, f32::NEG_INFINITY, f32::NEG_INFINITY));
    assert_eq!(allowed(262)[262], 0.0);
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let refused = |schema: Value| match Grammar::from_schema(&schema, &small()) {
        Err(ModelError::InvalidRequest { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{schema} was taken"),
    };
    for (schema, part) in [
        (json!("object"), "a schema is an object"),
        (json!(false), "a schema is an object"),
        (json!({"type": "word"}), "type"),
        (json!({"type": "integer", "minimum": 5, "maximum": 3}), ""),
        (json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "oneOf"),
        (json!({"not": {"type": "null"}}), "not"),
        (json!({"type": "string", "format": "shoe-size"}), "format"),
        (json!({"type": "string", "pattern": "("}), ""),
        (json!({"$ref": "https://example.org/schema"}), "ref"),
        (json!({"$ref": "#/$defs/nowhere"}), "nowhere"),
        (json!({"x-guidance": {"lenient": true}, "not": {}}), "x-guidance"),
        (json!({"type": "äöü".repeat(60)}), ""),
        (json!({"minimum": "äöü".repeat(60), "type": "number"}), ""),
    ] {
        let reason = refused(schema.clone());
        assert!(reason.starts_with("the schema cannot be used: "), "{reason}");
        assert!(reason.contains(part) && !reason.contains("panic") && !reason.contains('\n'), "{schema}: {reason}");
    }
}
