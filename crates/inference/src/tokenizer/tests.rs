//! The tokenizer of a real file, and the guard against control tokens in text.

use super::*;
use crate::decoder::tests::test_model;

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
