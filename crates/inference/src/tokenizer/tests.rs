//! The tokenizer of a real file, and the guard against control tokens in text.

use super::*;
use crate::decoder::tests::test_model;
use candle_core::quantized::gguf_file::{self, Value};
use proptest::prelude::*;
use std::sync::LazyLock;

fn smollm2() -> TextTokenizer {
    TextTokenizer::read(&GgufFile::open(&test_model("smollm2-135m-instruct-q4_1.gguf")).unwrap()).unwrap()
}

fn pieces(tokenizer: &TextTokenizer, tokens: &[u32]) -> Vec<String> {
    tokens.iter().map(|&token| tokenizer.token(token).unwrap().to_owned()).collect()
}

#[test]
fn text_becomes_the_tokens_of_its_words() {
    let tokenizer = smollm2();
    let tokens = tokenizer.encode_text("The capital of France, in 2024?").unwrap();
    assert_eq!(
        pieces(&tokenizer, &tokens),
        ["The", "Ġcapital", "Ġof", "ĠFrance", ",", "Ġin", "Ġ", "2", "0", "2", "4", "?"]
    );
}

#[test]
fn text_cannot_become_a_control_token() {
    let tokenizer = smollm2();
    for text in ["<|im_end|>", "a<|im_start|>b", "<|endoftext|>"] {
        let tokens = tokenizer.encode_text(text).unwrap();
        assert!(tokens.len() > 2 && tokens.iter().all(|&token| token > 16), "{text}: {tokens:?}");
    }
}

#[test]
fn markers_are_found_in_templates_only_and_text_runs_on() {
    let tokenizer = smollm2();
    let prompt = |pieces: &[Piece<'_>]| pieces_of(&tokenizer, pieces);
    assert_eq!(
        prompt(&[
            Piece::Template("<|im_start|>user\nSay:"),
            Piece::Content(" the<|im_end|>"),
            Piece::Template("<|im_end|>")
        ]),
        ["<|im_start|>", "user", "Ċ", "Say", ":", "Ġthe", "<", "|", "im", "_", "end", "|", ">", "<|im_end|>"]
    );
}

fn pieces_of(tokenizer: &TextTokenizer, prompt: &[Piece<'_>]) -> Vec<String> {
    pieces(tokenizer, &tokenizer.encode_prompt(prompt).unwrap())
}

fn back(tokenizer: &TextTokenizer, tokens: &[u32]) -> String {
    let mut stream = TextStream::default();
    let text: String = tokens.iter().map(|&token| stream.push(token, tokenizer)).collect();
    text + &stream.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_comes_back(text in "\\PC{0,40}|[a-z0-9 \\n<|>_]{0,60}") {
        let tokenizer = &*SMOLLM2;
        prop_assert_eq!(back(tokenizer, &tokenizer.encode_text(&text).unwrap()), text.as_str());
        let tokenizer = &*SENTENCE_PIECE;
        // The space that it adds before a text is taken away again.
        prop_assert_eq!(back(tokenizer, &tokenizer.encode_text(&text).unwrap()), text);
    }
}

static SMOLLM2: LazyLock<TextTokenizer> = LazyLock::new(smollm2);
static SENTENCE_PIECE: LazyLock<TextTokenizer> = LazyLock::new(sentence_piece);

/// A SentencePiece vocabulary small enough to see through.
fn sentence_piece() -> TextTokenizer {
    let mut tokens: Vec<(String, f32, u32)> =
        vec![("<unk>".into(), 0.0, 2), ("<s>".into(), 0.0, 3), ("</s>".into(), 0.0, 3)];
    tokens.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
    for (rank, token) in ["▁h", "el", "lo", "hel", "▁hello", "▁hel", "ell"].into_iter().enumerate() {
        tokens.push((token.into(), -(rank as f32), 1));
    }
    for character in "▁helo<s>/".chars() {
        tokens.push((character.into(), -100.0, 1));
    }
    let array = |values: Vec<Value>| Value::Array(values);
    let metadata = [
        ("general.architecture", Value::String("llama".into())),
        ("tokenizer.ggml.model", Value::String("llama".into())),
        ("tokenizer.ggml.tokens", array(tokens.iter().map(|token| Value::String(token.0.clone())).collect())),
        ("tokenizer.ggml.scores", array(tokens.iter().map(|token| Value::F32(token.1)).collect())),
        ("tokenizer.ggml.token_type", array(tokens.iter().map(|token| Value::U32(token.2)).collect())),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    gguf_file::write(file.as_file_mut(), &metadata, &[]).unwrap();
    TextTokenizer::read(&GgufFile::open(file.path()).unwrap()).unwrap()
}

#[test]
fn sentence_piece_merges_by_score_and_falls_back_to_bytes() {
    let tokenizer = &*SENTENCE_PIECE;
    let encode = |text: &str| pieces(tokenizer, &tokenizer.encode_text(text).unwrap());
    // "▁h" and "el" score best, so "▁h el lo" is reached and "▁hel" made of it, but "▁hello" needs "▁hel" and "lo".
    assert_eq!(encode("hello"), ["▁hello"]);
    assert_eq!(encode("hel"), ["▁hel"]);
    assert_eq!(encode("hé"), ["▁h", "<0xC3>", "<0xA9>"]);
    assert_eq!(encode("</s>"), ["▁", "<", "/", "s", ">"]);
    assert_eq!(pieces_of(tokenizer, &[Piece::Template("<s>"), Piece::Content("hello")]), ["<s>", "▁hello"]);
    assert_eq!(pieces_of(tokenizer, &[Piece::Content("hello")]), ["<s>", "▁hello"]);
    assert!(tokenizer.is_end(2) && !tokenizer.is_end(1));
}
