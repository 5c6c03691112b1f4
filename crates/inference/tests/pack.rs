//! What is said of sound models and of broken ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use inference::pack::{inspect, kv_bytes_per_token};
use inference::{Device, Embedder, Generator, GeneratorOptions, ModelCard, ModelError, ModelKind, memory_need};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use support::test_model;
use tempfile::TempDir;

const GENERATE: &str = "smollm2-135m-instruct-q4_1.gguf";
const EMBED: &str = "all-minilm-l6-v2";

fn file(directory: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The sentence about `path`, from looking at it and from loading it.
fn refusal(path: &Path) -> String {
    let looked = inspect(path).expect_err("it is refused").to_string();
    let loaded = match path.is_dir() {
        true => Embedder::load(path).map(|_| ()).expect_err("it is refused"),
        false => Generator::load(path, GeneratorOptions::default()).map(|_| ()).expect_err("it is refused"),
    };
    assert_eq!(looked, loaded.to_string());
    assert!(!looked.contains('\n') && !looked.ends_with('.'), "{looked}");
    looked
}

/// A copy of the embedding model's small files, with its weights cut to `length` bytes.
fn embedding_folder(length: u64) -> TempDir {
    let directory = TempDir::new().unwrap();
    let source = test_model(EMBED);
    for name in ["config.json", "tokenizer.json"] {
        fs::copy(source.join(name), directory.path().join(name)).unwrap();
    }
    let mut weights = fs::File::open(source.join("model.safetensors")).unwrap();
    let mut copy = fs::File::create(directory.path().join("model.safetensors")).unwrap();
    std::io::copy(&mut std::io::Read::take(&mut weights, length), &mut copy).unwrap();
    directory
}

#[test]
fn a_generating_model_is_described() {
    let info = inspect(&test_model(GENERATE)).unwrap();
    assert_eq!(info.kind, ModelKind::Generate);
    assert_eq!((info.architecture.as_str(), info.quantisation.as_str()), ("llama", "Q4_1"));
    assert_eq!((info.parameters, info.context_tokens, info.dimension), (134_515_008, 8192, None));
    assert_eq!(info.size_bytes, 98_362_432);
    assert_eq!(info.sha256, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
}

#[test]
fn keys_and_values_are_counted_over_all_layers() {
    // Keys and values, 30 layers, 3 key heads of 64 numbers, 2 bytes each.
    assert_eq!(kv_bytes_per_token(&test_model(GENERATE)).unwrap(), 2 * 30 * 3 * 64 * 2);
    assert!(kv_bytes_per_token(Path::new("absent.gguf")).is_err());
}

#[test]
fn an_embedding_model_is_described() {
    let info = inspect(&test_model(EMBED)).unwrap();
    assert_eq!(info.kind, ModelKind::Embed);
    assert_eq!((info.architecture.as_str(), info.quantisation.as_str()), ("bert", "F32"));
    assert_eq!((info.context_tokens, info.dimension), (256, Some(384)));
    assert_eq!(info.size_bytes, 90_868_376);
    assert_eq!(info.sha256, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db");
}

#[test]
fn a_model_tells_its_makers_and_its_licence() {
    let card = ModelCard::read(&test_model(GENERATE)).unwrap();
    assert_eq!((card.license.as_deref(), card.author.as_deref()), (Some("apache-2.0"), Some("HuggingFaceTB")));
    assert!(card.title.unwrap().starts_with("Smollm2 135M"));
    assert_eq!(ModelCard::read(&test_model(EMBED)).unwrap().license.as_deref(), Some("apache-2.0"));
}

#[test]
fn the_memory_that_a_model_needs_grows_with_the_context_it_can_have() {
    let need_with = |context_tokens, kv_memory_bytes, passage_memory_bytes| {
        let options =
            GeneratorOptions { context_tokens, kv_memory_bytes, passage_memory_bytes, ..GeneratorOptions::default() };
        memory_need(&test_model(GENERATE), &options).unwrap()
    };
    let need = |context| need_with(context, 0, 0);
    // 30 layers, 3 key-value heads of 64, keys and values in 2 bytes each; trained for 8,192 tokens.
    let one_context = 30 * 3 * (64 + 64) * 2 * 1024;
    assert_eq!(need(2048) - need(1024), one_context);
    // Several answers share what is put aside for them; one context fits in any case.
    assert_eq!(need_with(1024, 1 << 30, 0) - need(1024), (1 << 30) - one_context);
    assert_eq!(need_with(1024, 1 << 10, 0), need(1024));
    assert_eq!(need_with(1024, 0, 1 << 20), need(1024) + (1 << 20));
    assert_eq!(need(8192), need(100_000));
    assert!(need(1) > 98_362_432 && need(1) < 130_000_000, "{}", need(1));
    assert!(memory_need(&test_model(EMBED), &GeneratorOptions::default()).unwrap() > 90_868_376);
}

#[test]
fn a_file_cut_short_names_both_lengths() {
    let directory = TempDir::new().unwrap();
    let whole = fs::read(test_model(GENERATE)).unwrap();
    let sentence = refusal(&file(&directory, "half.gguf", &whole[..whole.len() / 2]));
    assert!(sentence.contains("cut short") && sentence.contains("98362432 bytes"), "{sentence}");
    assert!(sentence.contains(&format!("it has {}", whole.len() / 2)), "{sentence}");
    let sentence = refusal(&file(&directory, "header.gguf", &whole[..100_000]));
    assert!(sentence.contains("ends inside its own header"), "{sentence}");
}

#[test]
fn other_files_are_no_models() {
    let directory = TempDir::new().unwrap();
    for (name, bytes) in [("empty", &b""[..]), ("text", b"Dear all,\n"), ("random", &[0x5a; 4096])] {
        let sentence = refusal(&file(&directory, name, bytes));
        assert!(sentence.contains("damaged or no model"), "{sentence}");
    }
    assert!(matches!(inspect(&directory.path().join("nothing")), Err(ModelError::Unreadable { .. })));
}

#[test]
fn an_unknown_family_is_named_with_those_that_would_do() {
    let directory = TempDir::new().unwrap();
    let mut bytes = fs::read(test_model(GENERATE)).unwrap();
    let at = bytes.windows(5).position(|window| window == b"llama").unwrap();
    bytes[at..at + 5].copy_from_slice(b"xlstm");
    let sentence = refusal(&file(&directory, "other.gguf", &bytes));
    assert!(sentence.contains("architecture `xlstm` is not supported") && sentence.contains("qwen2"), "{sentence}");
}

#[test]
fn a_file_without_tokenizer_or_template_is_refused() {
    let directory = TempDir::new().unwrap();
    let whole = fs::read(test_model(GENERATE)).unwrap();
    for (key, said) in [("tokenizer.ggml.tokens", "its tokenizer"), ("tokenizer.ggml.merges", "its tokenizer")] {
        let mut bytes = whole.clone();
        let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
        bytes[at] = b'x';
        let sentence = refusal(&file(&directory, "bare.gguf", &bytes));
        assert!(sentence.contains(said) && sentence.contains(key), "{sentence}");
    }
}

#[test]
fn embedding_folders_are_checked_too() {
    let folder = embedding_folder(50_000_000);
    let sentence = refusal(folder.path());
    assert!(sentence.contains("90868376 bytes and it has 50000000"), "{sentence}");

    let folder = embedding_folder(u64::MAX);
    inspect(folder.path()).expect("whole again");
    let config = fs::read_to_string(folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join("config.json"), config.replace("\"bert\"", "\"mamba\"")).unwrap();
    let sentence = refusal(folder.path());
    assert!(sentence.contains("architecture `mamba` is not supported; supported: bert"), "{sentence}");

    fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(refusal(folder.path()).contains("damaged"));
    fs::write(folder.path().join("config.json"), config).unwrap();
    for (name, said) in [("tokenizer.json", "its tokenizer"), ("model.safetensors", "its weights")] {
        fs::remove_file(folder.path().join(name)).unwrap();
        assert!(refusal(folder.path()).contains(said));
        fs::write(folder.path().join(name), b"").unwrap();
    }
    let sentence = refusal(folder.path());
    assert!(sentence.contains("cut short"), "{sentence}");
}

#[test]
fn a_folder_whose_numbers_do_not_fit_its_weights_is_refused_on_load() {
    let folder = embedding_folder(u64::MAX);
    let config = fs::read_to_string(folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join("config.json"), config.replace("1536", "1024")).unwrap();
    let refused = Embedder::load(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("has the shape [1536, 384] where [1024, 384] is due"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in the header, looking at it ends with an answer.
    #[test]
    fn damaged_headers_never_panic(edits in prop::collection::vec((0usize..2000, any::<u8>()), 1..12)) {
        static HEADER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let mut file = fs::File::open(test_model(GENERATE)).unwrap();
            let mut bytes = vec![0; 2200];
            std::io::Read::read_exact(&mut file, &mut bytes).unwrap();
            bytes
        });
        let directory = TempDir::new().unwrap();
        let mut bytes = HEADER.clone();
        for (at, value) in edits {
            bytes[at] = value;
        }
        prop_assert!(inspect(&file(&directory, "edited.gguf", &bytes)).is_err());
    }
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_gpu_is_refused_by_a_program_that_knows_none() {
    let options = GeneratorOptions { device: Device::Gpu, ..GeneratorOptions::default() };
    let refused = Generator::load(&test_model(GENERATE), options).unwrap_err().to_string();
    assert!(refused.contains("without support for GPUs") && refused.contains("generate.device"), "{refused}");
    let options = GeneratorOptions { device: Device::Auto, ..GeneratorOptions::default() };
    assert!(!Generator::load(&test_model(GENERATE), options).unwrap().on_gpu());
}
