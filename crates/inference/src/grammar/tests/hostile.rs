//! Schemas made to hurt: each is refused or compiled, and a text that follows it comes on or is given up, within the
//! limits. A hang, an overflow of the stack or a panic fails.

use super::*;

/// Compiles `schema` and writes a little by it; whether that went well. Anything but a clear refusal is a panic.
fn survives(schema: &Value) -> bool {
    let refused = |error: &ModelError| assert!(matches!(error, ModelError::InvalidRequest { .. }), "{error}");
    let grammar = match Grammar::from_schema(schema, &VOCABULARY) {
        Ok(grammar) => grammar,
        Err(error) => {
            refused(&error);
            return false;
        }
    };
    let settings = Sampling { temperature: 1.0, ..Sampling::GREEDY };
    let mut sampler = Sampler::new(&settings, Some(grammar.start(None, false)), &[], None);
    let logits: Vec<f32> = (0..TOKENIZER.size()).map(|token| (token as f32 * 0.37).sin()).collect();
    for _ in 0..30 {
        match sampler.sample(&logits) {
            Ok(choice) if VOCABULARY.ends().contains(&choice.token) => break,
            Ok(_) => {}
            Err(error) => {
                refused(&error);
                return false;
            }
        }
    }
    true
}

fn check(taken: bool, schema: &Value) {
    let text: String = schema.to_string().chars().take(200).collect();
    assert_eq!(survives(schema), taken, "{text}");
}

fn numbered(count: usize, each: impl Fn(usize) -> Value) -> Value {
    Value::Object((0..count).map(|index| (format!("p{index}"), each(index))).collect())
}

fn list(count: usize, each: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(each).collect()
}

fn nested(depth: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(json!({"type": "boolean"}), |schema, _| wrap(schema))
}

#[test]
fn deep_and_circular_schemas() {
    check(false, &nested(500, |schema| json!({"items": schema})));
    check(true, &nested(60, |schema| json!({"items": schema})));
    check(true, &nested(30, |schema| json!({"properties": {"a": schema}, "required": ["a"]})));
    let chain = numbered(1300, |index| match index {
        1299 => json!({"type": "boolean"}),
        _ => json!({"items": {"$ref": format!("#/$defs/p{}", index + 1)}}),
    });
    check(true, &json!({"$defs": chain, "$ref": "#/$defs/p0"}));
    let circle = numbered(900, |index| json!({"allOf": [{"$ref": format!("#/$defs/p{}", (index + 1) % 900)}]}));
    check(false, &json!({"$defs": circle, "$ref": "#/$defs/p0"}));
    check(false, &json!({"$ref": "#"}));
    check(false, &json!({"allOf": [{"$ref": "#"}, {"type": "object"}]}));
    let tree = |name: &str| json!({"type": "object", "properties": {"c": {"$ref": format!("#/$defs/{name}")}}});
    let trees = json!({"a": tree("a"), "b": tree("b")});
    check(false, &json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": trees}));
}

#[test]
fn wide_schemas_and_products() {
    let wide = |count| json!({"type": "object", "properties": numbered(count, |_| json!(true))});
    check(true, &wide(1900));
    let names: Vec<String> = (0..1000).map(|index| format!("p{index}")).collect();
    check(true, &json!({"properties": numbered(1000, |_| json!(true)), "required": names, "type": "object"}));
    check(true, &json!({"enum": list(3900, |index| json!(format!("{index}x{}", index * 7919 % 1000)))}));
    check(true, &json!({"enum": list(100, |index| json!("ab".repeat(600 + index)))}));
    check(false, &json!({"enum": list(4000, |index| json!(index))}));
    check(false, &json!({"enum": ["a".repeat(200_000)]}));
    let constants = |round: usize| json!({"anyOf": list(60, |index| json!({"const": index * round}))});
    check(false, &json!({"allOf": list(10, constants)}));
    let object =
        |offset: usize| json!({"type": "object", "properties": numbered(50, |index| json!({"const": index + offset}))});
    let objects = |round: usize| json!({"anyOf": list(8, |index| object(index + round))});
    check(false, &json!({"allOf": list(4, objects)}));
    let small = json!({"anyOf": list(64, |index| json!({"properties": {"q": {"const": index}}}))});
    check(false, &json!({"allOf": [small, wide(1500)]}));
    check(false, &json!({"anyOf": list(65, |index| json!({"const": index}))}));
}

#[test]
fn counts() {
    let lists = nested(8, |schema| json!({"type": "array", "minItems": 1000, "items": schema}));
    check(true, &lists);
    let either = |schema| json!({"type": "array", "maxItems": 1000, "items": {"anyOf": [schema, {"type": "object"}]}});
    check(true, &nested(6, either));
    check(true, &json!({"type": "string", "minLength": 20000, "maxLength": 20000}));
    check(false, &json!({"type": "string", "maxLength": 4_000_000_000_u64}));
    check(false, &json!({"type": "array", "items": true, "minItems": 1e18}));
    check(false, &json!({"type": "integer", "multipleOf": 99_999_989}));
    check(false, &json!({"type": "number", "multipleOf": 0.000_000_123_457, "minimum": -1e300, "maximum": 1e300}));
    check(false, &json!({"allOf": list(12, |index| json!({"type": "integer", "multipleOf": 89 + index}))}));
    check(false, &json!({"type": "number", "multipleOf": 0}));
    check(true, &json!({"type": "integer", "multipleOf": 4999}));
    check(true, &json!({"allOf": [{"type": "number", "multipleOf": 0.25}, {"type": "number", "multipleOf": 7}]}));
    survives(&json!({"type": "number", "multipleOf": 0.0025, "maximum": 1e300}));
    survives(&json!({"type": "number", "minimum": 1e-300, "maximum": 1.000_000_000_000_1e-300}));
}

#[test]
fn patterns_that_explode() {
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    check(true, &pattern("^(a?){200}a{200}$"));
    check(true, &pattern("((((x{1,99}){1,99}){1,99}){1,99}){1,99}"));
    check(true, &pattern("(a|b)*a(a|b){40}"));
    check(false, &pattern(&r"(\p{L}|\p{N}|\w)+.?".repeat(200)));
    survives(&pattern(&r"(\p{L}|\p{N}|\w)+.?".repeat(50)));
    check(false, &pattern(&format!("{}a{}", "(".repeat(490), ")".repeat(490))));
    let counted = |index: usize| pattern(&format!("(.{{{index}}}a|b.{{{index}}})+$"));
    check(false, &json!({"allOf": list(20, counted)}));
    // However they come together.
    let texts = |index: usize| json!({"properties": {"a": counted(index)}});
    check(false, &json!({"allOf": list(3, texts)}));
    check(
        false,
        &(1..4)
            .fold(json!(true), |inner, index| json!({"pattern": format!("a{index}"), "anyOf": [inner, {"const": 1}]})),
    );
    let references = json!({"a": counted(1), "b": {"$ref": "#/$defs/a", "pattern": "b"}});
    check(false, &json!({"$defs": references, "allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/a"}]}));
    // Two may; how far they come is the library's to bound.
    let alternatives = |first: char| {
        let one = |index: u8| format!("[{first}{}].{{{index}}}", char::from(b'a' + index % 26));
        pattern(&(0..90).map(one).collect::<Vec<String>>().join("|"))
    };
    survives(&json!({"allOf": [alternatives('A'), alternatives('B')]}));
    survives(&json!({"allOf": [counted(7), counted(11)]}));
    let names = json!({"^(a|b)*a(a|b){30}$": true, "^(a|c)*a(a|c){30}$": false, "^d.*e.{20}$": {"type": "null"}});
    survives(&json!({"type": "object", "patternProperties": names}));
}
