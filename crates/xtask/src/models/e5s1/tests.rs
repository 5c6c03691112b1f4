//! Conversion of a file made here, with one layer.

use super::*;
use serde_json::{from_slice, json};

const HIDDEN: usize = 32;
const PIECES: [&str; 6] = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "\"b"];

/// A file of the format whose `index`th matrix has the scale 1 and the weights -8, -7, … 7, twice over.
fn file() -> Vec<u8> {
    let mut out = b"E5S1".to_vec();
    for number in [1, HIDDEN, 1, 2, HIDDEN, PIECES.len(), 4, 2] {
        out.extend((number as u32).to_le_bytes());
    }
    out.extend(1e-12_f32.to_le_bytes());
    for number in [BLOCK, PIECES.len(), 0, 2, 1, 3] {
        out.extend((number as u32).to_le_bytes());
    }
    let text = PIECES.concat();
    out.extend((text.len() as u64).to_le_bytes());
    let mut end = 0;
    for piece in std::iter::once("").chain(PIECES) {
        end += piece.len() as u32;
        out.extend(end.to_le_bytes());
    }
    for index in 0..PIECES.len() {
        out.extend((-0.5 * index as f32).to_le_bytes());
    }
    out.extend(text.as_bytes());
    out.extend([1, 5].map(u32::to_le_bytes).concat());
    out.extend([9, 0, 0, 0, 0]);

    let matrix = |rows: usize| {
        [&[0x00, 0x3C][..], &std::array::from_fn::<u8, 16, _>(|j| (j | j << 4) as u8)].concat().repeat(rows)
    };
    let floats = |count: usize| (0..count).flat_map(|index| (index as f32).to_le_bytes()).collect::<Vec<u8>>();
    let mut tensors = vec![
        ("emb.word".to_owned(), 1, matrix(PIECES.len())),
        ("emb.pos".to_owned(), 0, floats(4 * HIDDEN)),
        ("emb.type".to_owned(), 0, floats(2 * HIDDEN)),
        ("emb.ln.w".to_owned(), 0, floats(HIDDEN)),
        ("emb.ln.b".to_owned(), 0, floats(HIDDEN)),
    ];
    for name in ["q", "k", "v", "ao", "fi", "fo"] {
        tensors.push((format!("l0.{name}.w"), 1, matrix(HIDDEN)));
        tensors.push((format!("l0.{name}.b"), 0, floats(HIDDEN)));
    }
    for name in ["aln.w", "aln.b", "oln.w", "oln.b"] {
        tensors.push((format!("l0.{name}"), 0, floats(HIDDEN)));
    }
    out.extend((tensors.len() as u32).to_le_bytes());
    let directory: usize = tensors.iter().map(|(name, ..)| 2 + name.len() + 1 + 4 + 16).sum();
    let mut place = out.len() + directory;
    for (name, form, data) in &tensors {
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(name.as_bytes());
        out.push(*form);
        out.extend(0_u32.to_le_bytes());
        out.extend((place as u64).to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        place += data.len();
    }
    out.extend(tensors.into_iter().flat_map(|(.., data)| data));
    out
}

#[test]
fn a_file_becomes_a_folder_with_every_tensor_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    convert(&file(), folder.path()).unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();

    let config: Value = from_slice(&read("config.json")).unwrap();
    assert_eq!((config["hidden_size"].as_u64(), config["model_type"].as_str()), (Some(32), Some("bert")));
    let prompts: Value = from_slice(&read("config_sentence_transformers.json")).unwrap();
    assert_eq!(prompts["prompts"]["passage"], "passage: ");

    let bytes = read("model.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert!((8 + length).is_multiple_of(8), "tensors begin at a multiple of 8");
    let header: Value = from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header.as_object().unwrap().len(), 5 + 12 + 4);
    let tensor = |name: &str| {
        let entry = &header[name];
        let place = |index: usize| entry["data_offsets"][index].as_u64().unwrap() as usize;
        (entry["dtype"].as_str().unwrap(), entry["shape"].clone(), bytes[8 + length..][place(0)..place(1)].to_vec())
    };
    let (kind, shape, data) = tensor("encoder.layer.0.attention.self.key.weight");
    assert_eq!((kind, shape), ("F16", json!([32, 32])));
    let row: Vec<f32> = data[..64].chunks(2).map(|half| from_half(u16::from_le_bytes([half[0], half[1]]))).collect();
    let expected: Vec<f32> = (-8..8).chain(-8..8).map(|weight| weight as f32).collect();
    assert_eq!(row, expected, "low halves come first");
    let (kind, shape, data) = tensor("encoder.layer.0.output.LayerNorm.bias");
    assert_eq!((kind, shape, &data[4..8]), ("F32", json!([32]), &1_f32.to_le_bytes()[..]));
}

#[test]
fn no_text_can_name_a_control_token() {
    let folder = tempfile::tempdir().unwrap();
    convert(&file(), folder.path()).unwrap();
    let tokenizer: Value = from_slice(&fs::read(folder.path().join("tokenizer.json")).unwrap()).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_array().unwrap();
    assert_eq!(vocabulary[4], json!(["▁a", -2.0]));
    assert_eq!(vocabulary[5], json!(["\"b", -2.5]));
    assert!(vocabulary[..4].iter().all(|piece| piece[0].as_str().unwrap().starts_with('\u{1}')));
    assert_eq!(tokenizer["added_tokens"], json!([]));
    assert_eq!(tokenizer["post_processor"]["special_tokens"]["</s>"]["ids"], json!([2]));
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_refused() {
    let whole = file();
    let folder = tempfile::tempdir().unwrap();
    for end in (0..whole.len()).step_by(7) {
        let refused = convert(&whole[..end], folder.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "cut at {end}");
    }
    let mut other = whole;
    other[4] = 2;
    assert!(convert(&other, folder.path()).unwrap_err().to_string().contains("version 1"));
}
