//! Text to tokens and back, with the tokenizer that a GGUF file carries.
//!
//! Invariant: control tokens come only from the chat template, never from text. A person or a document may write
//! `<|im_end|>`; it is spelled out in letters and can't close a turn.

mod merges;
mod regex;
mod stream;
mod vocabulary;

pub(crate) use stream::TextStream;

use crate::ModelError;
use crate::gguf::GgufFile;
use std::ops::Range;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{NFC, Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};
use vocabulary::{Spelling, TokenKind, Vocabulary};

/// Tokens that end an answer whatever the file's own fields say, by their text.
const ENDS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|end|>",
    "<|endoftext|>",
    "</s>",
    "<EOT>",
];

/// A piece of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Written by the model's author: control tokens in it are meant.
    Template(&'a str),
    /// Written by anyone: only text.
    Content(&'a str),
    /// As content, with the same tokens wherever it stands.
    Passage(&'a str),
}

/// A model's tokenizer.
pub(crate) struct TextTokenizer {
    /// Knows only text: control tokens aren't in its vocabulary.
    text: Tokenizer,
    vocabulary: Vocabulary,
    /// Control and user-defined tokens, longest first.
    markers: Vec<(String, u32)>,
    begin: Option<u32>,
    adds_begin: bool,
    ends: Vec<u32>,
    /// White space behind a control token belongs to it (Phi-3).
    markers_strip_right: bool,
    adds_space: bool,
}

impl TextTokenizer {
    /// Builds the tokenizer of a file.
    pub(crate) fn read(gguf: &GgufFile) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::read(gguf)?;
        let sentence_piece = vocabulary.spelling == Spelling::SentencePiece;
        let adds_space = gguf.bool("tokenizer.ggml.add_space_prefix").unwrap_or(true) && sentence_piece;
        let (text, begins) = match vocabulary.spelling {
            Spelling::ByteLevel => byte_level(gguf, &vocabulary)?,
            Spelling::SentencePiece => (sentence_piece_text(gguf, &vocabulary, adds_space)?, true),
        };
        let mut markers: Vec<(String, u32)> = vocabulary
            .tokens
            .iter()
            .zip(&vocabulary.kinds)
            .zip(0..)
            .filter(|((token, kind), _)| {
                matches!(kind, TokenKind::Control | TokenKind::UserDefined) && !token.is_empty()
            })
            .map(|((token, _), id)| (token.clone(), id))
            .collect();
        markers.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.cmp(&b.1)));
        let special = |name: &str| gguf.integer(&format!("tokenizer.ggml.{name}_token_id")).map(|id| id as u32);
        let mut ends: Vec<u32> = ["eos", "eot", "eom"].into_iter().filter_map(special).collect();
        let named = markers.iter().filter(|(token, _)| ENDS.contains(&token.as_str())).map(|(_, id)| *id);
        ends.extend(named);
        ends.sort_unstable();
        ends.dedup();
        if ends.is_empty() {
            return Err(ModelError::missing(gguf.path(), "a token that ends an answer (tokenizer.ggml.eos_token_id)"));
        }
        let begin = special("bos");
        Ok(Self {
            text,
            markers,
            begin,
            adds_begin: begin.is_some() && gguf.bool("tokenizer.ggml.add_bos_token").unwrap_or(begins),
            ends,
            markers_strip_right: sentence_piece && gguf.string("general.architecture") == Some("phi3"),
            adds_space,
            vocabulary,
        })
    }

    /// The tokens of plain text, without any control token.
    pub(crate) fn encode_text(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let encoding = self
            .text
            .encode_fast(text, false)
            .map_err(|error| ModelError::Compute { reason: format!("tokenizing: {error}") })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of a prompt. Text runs on across pieces, as it did in training; control tokens are found in
    /// [`Piece::Template`] only.
    pub(crate) fn encode_prompt(&self, pieces: &[Piece<'_>]) -> Result<Vec<u32>, ModelError> {
        self.encode_with_passages(pieces).map(|(tokens, _)| tokens)
    }

    /// As [`Self::encode_prompt`], with the places of the passages. These are tokenized apart, so that they are the
    /// same tokens wherever they stand.
    pub(crate) fn encode_with_passages(
        &self,
        pieces: &[Piece<'_>],
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), ModelError> {
        let mut tokens = Vec::new();
        let mut passages: Vec<Range<usize>> = Vec::new();
        let mut run = String::new();
        for piece in pieces {
            match piece {
                Piece::Content(text) => run.push_str(text),
                Piece::Passage(text) => {
                    tokens.extend(self.encode_text(&run)?);
                    run.clear();
                    let start = tokens.len();
                    tokens.extend(self.encode_text(text)?);
                    passages.push(start..tokens.len());
                }
                Piece::Template(text) => {
                    let mut rest = *text;
                    while let Some((before, marker, after)) = self.next_marker(rest) {
                        run.push_str(before);
                        tokens.extend(self.encode_text(&run)?);
                        run.clear();
                        tokens.push(marker);
                        rest = if self.markers_strip_right { after.trim_start() } else { after };
                    }
                    run.push_str(rest);
                }
            }
        }
        tokens.extend(self.encode_text(&run)?);
        if let Some(begin) = self.begin
            && self.adds_begin
            && tokens.first() != Some(&begin)
        {
            tokens.insert(0, begin);
            passages.iter_mut().for_each(|place| *place = place.start + 1..place.end + 1);
        }
        Ok((tokens, passages))
    }

    /// The first marker in `text`, the longest one of those that begin there: what is before, its id, what is after.
    fn next_marker<'t>(&self, text: &'t str) -> Option<(&'t str, u32, &'t str)> {
        text.char_indices().find_map(|(at, _)| {
            let (before, rest) = text.split_at(at);
            let found = |(token, id): &(String, u32)| rest.strip_prefix(token.as_str()).map(|after| (*id, after));
            self.markers.iter().find_map(found).map(|(id, after)| (before, id, after))
        })
    }

    /// Tokens of the vocabulary.
    pub(crate) fn size(&self) -> usize {
        self.vocabulary.tokens.len()
    }

    /// The tokens that end an answer, in order; at least one.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether `token` ends an answer.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.binary_search(&token).is_ok()
    }

    /// The bytes that `token` stands for.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.vocabulary.bytes(token)
    }

    /// As [`Self::bytes`], but none for markers that happen to be spelled out, such as `<tool_call>`.
    pub(crate) fn text_bytes(&self, token: u32) -> &[u8] {
        let marker = self.vocabulary.kinds.get(token as usize) == Some(&TokenKind::UserDefined)
            && self.token(token).is_some_and(merges::looks_structural);
        if marker { &[] } else { self.bytes(token) }
    }

    /// Whether an answer begins with a space that stands for none.
    pub(crate) fn adds_space(&self) -> bool {
        self.adds_space
    }

    /// The text of token `id`.
    pub(crate) fn token(&self, id: u32) -> Option<&str> {
        self.vocabulary.tokens.get(id as usize).map(String::as_str)
    }

    /// The control or user-defined token with that text.
    pub(crate) fn marker(&self, token: &str) -> Option<u32> {
        self.markers.iter().find(|(marker, _)| marker == token).map(|(_, id)| *id)
    }

    /// The token that begins a sequence.
    pub(crate) fn begin(&self) -> Option<u32> {
        self.begin
    }
}

fn byte_level(gguf: &GgufFile, vocabulary: &Vocabulary) -> Result<(Tokenizer, bool), ModelError> {
    let name = gguf.string("tokenizer.ggml.pre").unwrap_or("default");
    let way = regex::find(name).ok_or_else(|| ModelError::Unsupported {
        what: "pre-tokenizer",
        found: name.to_owned(),
        supported: regex::KNOWN.to_owned(),
    })?;
    let merges = gguf
        .strings("tokenizer.ggml.merges")
        .ok_or_else(|| ModelError::missing(gguf.path(), "its tokenizer (the key tokenizer.ggml.merges)"))?;
    let merges = merges
        .into_iter()
        .map(|merge| merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| ModelError::damaged(gguf.path(), "a merge of its tokenizer is no pair"))?;
    let broken = |error: tokenizers::Error| ModelError::damaged(gguf.path(), format!("its tokenizer: {error}"));
    let bpe = BPE::builder()
        .vocab_and_merges(merges::text_vocabulary(vocabulary), merges)
        .ignore_merges(way.ignore_merges)
        .build()
        .map_err(broken)?;
    let mut tokenizer = Tokenizer::new(bpe);
    if way.compose {
        tokenizer.with_normalizer(Some(NFC)).map_err(broken)?;
    }
    let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
    if way.single_digits {
        steps.push(Digits::new(true).into());
    }
    let pattern = SplitPattern::Regex(way.pattern.to_owned());
    steps.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(broken)?.into());
    steps.push(ByteLevel::new(false, false, false).into());
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(steps)));
    Ok((tokenizer, way.begins))
}

fn sentence_piece_text(gguf: &GgufFile, vocabulary: &Vocabulary, adds_space: bool) -> Result<Tokenizer, ModelError> {
    let scores = gguf
        .floats("tokenizer.ggml.scores")
        .filter(|scores| scores.len() == vocabulary.tokens.len())
        .ok_or_else(|| ModelError::missing(gguf.path(), "its tokenizer (the key tokenizer.ggml.scores)"))?;
    let broken = |error: tokenizers::Error| ModelError::damaged(gguf.path(), format!("its tokenizer: {error}"));
    let text = merges::text_vocabulary(vocabulary);
    let merges = merges::from_scores(vocabulary, &text, &scores);
    let mut builder = BPE::builder().vocab_and_merges(text, merges).byte_fallback(true).fuse_unk(true);
    let unknown = gguf.integer("tokenizer.ggml.unknown_token_id").and_then(|id| vocabulary.tokens.get(id));
    if let Some(unknown) = unknown {
        builder = builder.unk_token(unknown.clone());
    }
    let mut tokenizer = Tokenizer::new(builder.build().map_err(broken)?);
    let spaces = Replace::new(" ", "\u{2581}").map_err(broken)?;
    let mut steps = vec![spaces.into()];
    if adds_space {
        steps.insert(0, Prepend::new("\u{2581}".to_owned()).into());
    }
    tokenizer.with_normalizer(Some(Normalizers::new(steps))).map_err(broken)?;
    Ok(tokenizer)
}

#[cfg(test)]
mod tests;
