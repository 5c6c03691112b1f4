//! Schemas made to hurt: each is refused or compiled, and a text that follows it comes on or is given up, within the
//! limits. That they return at all is what is tested: a hang, an overflow of the stack or a panic fails.

use super::*;

/// Compiles `schema` and writes a little by it. What it said when it was refused.
fn survive(schema: &Value) -> Option<String> {
    let begin = std::time::Instant::now();
    let grammar = match Grammar::from_schema(schema, &VOCABULARY) {
        Ok(grammar) => grammar,
        Err(error) => return Some(format!("{error} {:?}", begin.elapsed())),
    };
    let compiled = begin.elapsed();
    let begin = std::time::Instant::now();
    let settings = Sampling { temperature: 1.0, ..Sampling::GREEDY };
    let mut sampler = Sampler::new(&settings, Some(grammar.start(None, false)), &[], None);
    let logits: Vec<f32> = (0..TOKENIZER.size()).map(|token| (token as f32 * 0.37).sin()).collect();
    for step in 0..30 {
        match sampler.sample(&logits) {
            Ok(choice) if VOCABULARY.ends().contains(&choice.token) => break,
            Ok(_) => {}
            Err(error) => return Some(format!("{error} {compiled:?} step {step} {:?}", begin.elapsed())),
        }
    }
    eprintln!("   {compiled:?} 30 steps {:?}", begin.elapsed());
    None
}

fn numbered(count: usize, each: impl Fn(usize) -> Value) -> Value {
    Value::Object((0..count).map(|index| (format!("p{index}"), each(index))).collect())
}

#[test]
fn schemas_made_to_hurt_do_not() {
    let boolean = json!({"type": "boolean"});
    let nested = |depth: usize, wrap: fn(Value) -> Value| (0..depth).fold(boolean.clone(), |schema, _| wrap(schema));
    let options = |count: usize, each: &dyn Fn(usize) -> Value| (0..count).map(each).collect::<Vec<Value>>();
    let chain = numbered(1300, |index| json!({"items": {"$ref": format!("#/$defs/p{}", index + 1)}}));
    let merged = numbered(900, |index| json!({"allOf": [{"$ref": format!("#/$defs/p{}", (index + 1) % 900)}]}));
    let wide = json!({"type": "object", "properties": numbered(1900, |_| json!(true))});
    let big =
        |offset: usize| json!({"type": "object", "properties": numbered(50, |index| json!({"const": index + offset}))});
    for (name, schema) in [
        ("deep", nested(60_000, |schema| json!({"items": schema}))),
        ("deep enough", nested(60, |schema| json!({"items": schema}))),
        ("deep objects", nested(30, |schema| json!({"properties": {"a": schema}, "required": ["a"]}))),
        ("chain", json!({"$defs": chain, "$ref": "#/$defs/p0"})),
        ("circle", json!({"$defs": merged, "$ref": "#/$defs/p0"})),
        ("self", json!({"$ref": "#"})),
        ("self and", json!({"allOf": [{"$ref": "#"}, {"type": "object"}]})),
        (
            "two trees",
            json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
            "a": {"type": "object", "properties": {"c": {"$ref": "#/$defs/a"}}},
            "b": {"type": "object", "properties": {"c": {"$ref": "#/$defs/b"}}}}}),
        ),
        ("wide", wide.clone()),
        (
            "wide required",
            json!({"type": "object", "properties": numbered(1000, |_| json!(true)), "required": (0..1000).map(|i| format!("p{i}")).collect::<Vec<_>>()}),
        ),
        (
            "many enums",
            json!({"enum": (0..3900).map(|index| format!("{index}x{}", index * 7919 % 1000)).collect::<Vec<_>>()}),
        ),
        ("long enums", json!({"enum": (0..100).map(|index| "ab".repeat(600 + index)).collect::<Vec<_>>()})),
        (
            "products",
            json!({"allOf": options(10, &|round| json!({"anyOf": options(60, &|index| json!({"const": index * round}))}))}),
        ),
        (
            "products of objects",
            json!({"allOf": options(4, &|round| json!({"anyOf": options(8, &|index| big(index + round))}))}),
        ),
        (
            "products with one big",
            json!({"allOf": [{"anyOf": options(64, &|index| json!({"properties": {"q": {"const": index}}}))}, wide]}),
        ),
        (
            "one of",
            json!({"oneOf": options(64, &|index| json!({"type": "object", "properties": {"k": {"const": index}}, "required": ["k"]}))}),
        ),
        (
            "items",
            json!({"type": "array", "minItems": 1000, "maxItems": 1000, "items": nested(8, |schema| json!({"type": "array", "minItems": 1000, "items": schema}))}),
        ),
        (
            "items of objects",
            nested(
                6,
                |schema| json!({"type": "array", "maxItems": 1000, "items": {"anyOf": [schema, {"type": "object"}]}}),
            ),
        ),
        ("length", json!({"type": "string", "minLength": 20000, "maxLength": 20000})),
        ("endless length", json!({"type": "string", "maxLength": 4_000_000_000_u64})),
        ("pattern", json!({"type": "string", "pattern": "^(a?){200}a{200}$"})),
        ("pattern of counts", json!({"type": "string", "pattern": "((((x{1,99}){1,99}){1,99}){1,99}){1,99}"})),
        ("pattern states", json!({"type": "string", "pattern": "(a|b)*a(a|b){40}"})),
        ("pattern classes", json!({"type": "string", "pattern": format!("^{}$", r"(\p{L}|\p{N}|\w)+.?".repeat(200))})),
        (
            "pattern depth",
            json!({"type": "string", "pattern": format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000))}),
        ),
        (
            "patterns and",
            json!({"allOf": options(20, &|index| json!({"type": "string", "pattern": format!("(.{{{index}}}a|b.{{{index}}})+$")}))}),
        ),
        (
            "pattern properties",
            json!({"type": "object", "patternProperties": {"^(a|b)*a(a|b){30}$": true, "^(a|c)*a(a|c){30}$": false, "^d.*e.{20}$": {"type": "null"}}}),
        ),
        ("multiples", json!({"type": "number", "multipleOf": 0.000_000_123_457, "minimum": -1e300, "maximum": 1e300})),
        ("whole multiples", json!({"type": "integer", "multipleOf": 99_999_989})),
        (
            "both multiples",
            json!({"allOf": options(12, &|index| json!({"type": "integer", "multipleOf": 99_989 + index}))}),
        ),
        ("numbers", json!({"type": "number", "minimum": 1e-300, "maximum": 1.000_000_000_000_1e-300})),
        (
            "all types",
            nested(20, |schema| json!({"items": schema, "properties": {"a": {"type": "null"}}, "minLength": 3})),
        ),
    ] {
        eprintln!("{name}");
        if let Some(reason) = survive(&schema) {
            eprintln!("   {reason}");
        }
    }
}
