//! How byte-level BPE vocabularies cut text before merging, by the name that GGUF files give (`tokenizer.ggml.pre`).

/// GPT-2 (Radford et al. 2019).
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Llama 3: digits in groups of up to three.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Qwen 2: as Llama 3, digits one by one.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// o200k: words are cut where lower case turns to upper.
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Mistral's Tekken.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// One way of cutting.
pub(crate) struct PreTokenizer {
    /// Every digit stands alone before the pattern is applied.
    pub(crate) single_digits: bool,
    pub(crate) pattern: &'static str,
    /// Unicode NFC comes first.
    pub(crate) compose: bool,
    /// A piece that is itself in the vocabulary isn't cut further.
    pub(crate) ignore_merges: bool,
    /// Prompts begin with the beginning-of-sequence token where the file doesn't say.
    pub(crate) begins: bool,
}

/// Names that [`find`] knows, for messages.
pub(crate) const KNOWN: &str = "gpt-2, llama-bpe, qwen2, smollm, gpt-4o, tekken, dbrx, default";

/// The way of that name.
pub(crate) fn find(name: &str) -> Option<PreTokenizer> {
    let plain =
        PreTokenizer { single_digits: false, pattern: GPT2, compose: false, ignore_merges: false, begins: false };
    Some(match name {
        "default" | "gpt2" | "gpt-2" | "phi-2" | "mpt" | "olmo" => plain,
        "smollm" | "starcoder" | "refact" | "codeshell" | "command-r" => PreTokenizer { single_digits: true, ..plain },
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" => {
            PreTokenizer { pattern: LLAMA3, ignore_merges: true, begins: true, ..plain }
        }
        "dbrx" | "smaug-bpe" => PreTokenizer { pattern: LLAMA3, ..plain },
        "qwen2" | "deepseek-r1-qwen" => PreTokenizer { pattern: QWEN2, compose: true, ..plain },
        "gpt-4o" | "llama4" => PreTokenizer { pattern: O200K, ..plain },
        "tekken" => PreTokenizer { pattern: TEKKEN, ignore_merges: true, begins: true, ..plain },
        _ => return None,
    })
}
