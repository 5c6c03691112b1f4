//! The vocabulary of a GGUF file: what each token stands for, in bytes, and what kind it is.

use crate::ModelError;
use crate::gguf::GgufFile;
use std::collections::HashMap;

/// What a token is, as `tokenizer.ggml.token_type` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Text.
    Normal,
    /// Structure, such as the end of a turn; stands for no text.
    Control,
    /// Text that is one token wherever it appears.
    UserDefined,
    /// One raw byte.
    Byte,
    /// Unknown or unused.
    Other,
}

/// How tokens spell text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// GPT-2's byte-level alphabet: every byte is a printable character.
    ByteLevel,
    /// SentencePiece: `▁` is a space, unknown characters fall back to byte tokens.
    SentencePiece,
}

/// All tokens of a model.
pub(crate) struct Vocabulary {
    pub(crate) spelling: Spelling,
    pub(crate) tokens: Vec<String>,
    pub(crate) kinds: Vec<TokenKind>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Vocabulary {
    /// Reads the vocabulary.
    pub(crate) fn read(gguf: &GgufFile) -> Result<Self, ModelError> {
        let missing = |what: &str| ModelError::missing(gguf.path(), format!("its tokenizer (the key {what})"));
        let model = gguf.string("tokenizer.ggml.model").ok_or_else(|| missing("tokenizer.ggml.model"))?;
        let spelling = match model {
            "gpt2" => Spelling::ByteLevel,
            "llama" => Spelling::SentencePiece,
            other => {
                return Err(ModelError::Unsupported {
                    what: "tokenizer",
                    found: other.to_owned(),
                    supported: "gpt2, llama".to_owned(),
                });
            }
        };
        let tokens = gguf
            .strings("tokenizer.ggml.tokens")
            .filter(|tokens| !tokens.is_empty())
            .ok_or_else(|| missing("tokenizer.ggml.tokens"))?;
        let tokens: Vec<String> = tokens.into_iter().map(str::to_owned).collect();
        let kinds = match gguf.integers("tokenizer.ggml.token_type") {
            Some(types) if types.len() == tokens.len() => types.into_iter().map(kind).collect(),
            Some(_) => return Err(ModelError::damaged(gguf.path(), "token types and tokens differ in number")),
            None => vec![TokenKind::Normal; tokens.len()],
        };
        let mut vocabulary = Self { spelling, tokens, kinds, bytes: Vec::new(), ends: Vec::new() };
        for id in ["bos", "eos", "eot", "eom", "padding"] {
            let id = gguf.integer(&format!("tokenizer.ggml.{id}_token_id"));
            if let Some(kind) = id.and_then(|id| vocabulary.kinds.get_mut(id)) {
                *kind = TokenKind::Control;
            }
        }
        vocabulary.spell();
        Ok(vocabulary)
    }

    /// The bytes that `token` stands for; none for control tokens and ids outside the vocabulary.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        let index = token as usize;
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..end]
    }

    fn spell(&mut self) {
        let alphabet: HashMap<char, u8> = byte_alphabet().into_iter().zip(0..=255).collect();
        let mut bytes = Vec::new();
        for (token, kind) in self.tokens.iter().zip(&self.kinds) {
            match (kind, self.spelling) {
                (TokenKind::Control | TokenKind::Other, _) => {}
                (TokenKind::Byte, _) => bytes.extend(byte_token(token)),
                (TokenKind::UserDefined, Spelling::ByteLevel) => bytes.extend_from_slice(token.as_bytes()),
                (TokenKind::Normal, Spelling::ByteLevel) => {
                    for character in token.chars() {
                        match alphabet.get(&character) {
                            Some(byte) => bytes.push(*byte),
                            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                        }
                    }
                }
                (_, Spelling::SentencePiece) => bytes.extend_from_slice(token.replace('\u{2581}', " ").as_bytes()),
            }
            self.ends.push(bytes.len());
        }
        self.bytes = bytes;
    }
}

fn kind(number: usize) -> TokenKind {
    match number {
        1 => TokenKind::Normal,
        3 => TokenKind::Control,
        4 => TokenKind::UserDefined,
        6 => TokenKind::Byte,
        _ => TokenKind::Other,
    }
}

/// The byte of `<0x41>`.
fn byte_token(token: &str) -> Option<u8> {
    u8::from_str_radix(token.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// The character that GPT-2's alphabet has for each byte: itself where it is printable Latin-1, the next free one
/// from U+0100 on otherwise.
pub(crate) fn byte_alphabet() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable {
            byte as u32
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap_or('\0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_alphabet_is_gpt2s() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet[b' ' as usize], 'Ġ');
        assert_eq!(alphabet[b'\n' as usize], 'Ċ');
        assert_eq!(alphabet[b'a' as usize], 'a');
        assert_eq!(alphabet[0xad], 'Ń');
        let distinct: std::collections::HashSet<char> = alphabet.into_iter().collect();
        assert_eq!(distinct.len(), 256);
    }

    #[test]
    fn byte_tokens_are_read() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        assert_eq!(byte_token("<s>"), None);
    }
}
