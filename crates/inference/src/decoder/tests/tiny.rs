//! Tiny random models of each family, written as GGUF files.

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use tempfile::NamedTempFile;

pub(crate) const VOCABULARY: usize = 96;
const HIDDEN: usize = 256;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const INNER: usize = 512;

/// What is written.
pub(crate) struct TinyModel {
    family: &'static str,
    layers: usize,
    head_dimension: usize,
    weights: GgmlDType,
    metadata: Vec<(String, Value)>,
    extra: Vec<(String, Vec<f32>)>,
    tied: bool,
    experts: Experts,
}

/// How the experts of a model lie in its file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Experts {
    None,
    /// A tensor for all.
    Together,
    /// A tensor for each.
    Apart,
    /// A tensor for all, and all the same.
    Alike,
}

const EXPERTS: usize = 4;

impl TinyModel {
    fn new(family: &'static str) -> Self {
        let head_dimension = HIDDEN / HEADS;
        let mut model = Self {
            family,
            layers: 3,
            head_dimension,
            weights: GgmlDType::F32,
            metadata: vec![("general.architecture".to_owned(), Value::String(family.to_owned()))],
            extra: Vec::new(),
            tied: false,
            experts: Experts::None,
        };
        model.number("embedding_length", HIDDEN);
        model.number("context_length", 4096);
        model.number("feed_forward_length", INNER);
        model.number("attention.head_count", HEADS);
        model.number("attention.head_count_kv", KV_HEADS);
        model.number("rope.dimension_count", head_dimension);
        model.float("attention.layer_norm_rms_epsilon", 1e-5);
        model.float("rope.freq_base", 10_000.0);
        model
    }

    pub(crate) fn llama() -> Self {
        Self::new("llama")
    }

    pub(crate) fn qwen2() -> Self {
        let mut model = Self::new("qwen2");
        model.tied = true;
        model
    }

    pub(crate) fn qwen3() -> Self {
        let mut model = Self::new("qwen3");
        // A head longer than its share of the hidden size, as Qwen3 has it.
        model.head_dimension = 96;
        model.number("attention.key_length", 96);
        model.number("rope.dimension_count", 96);
        // The reference computes rotary angles in half precision unless the file says otherwise.
        model.metadata.push(("general.dtype".to_owned(), Value::U32(0)));
        model
    }

    /// Mixtral, whose family is Llama's, each token with 2 of 4 experts.
    pub(crate) fn mixtral(experts: Experts) -> Self {
        Self::new("llama").with_experts(experts, 2)
    }

    /// Qwen3 with 3 of 4 experts a token.
    pub(crate) fn qwen3_moe(experts: Experts) -> Self {
        let mut model = Self { family: "qwen3moe", ..Self::qwen3() };
        model.metadata = model
            .metadata
            .into_iter()
            .map(|(key, value)| match key.strip_prefix("qwen3.") {
                Some(rest) => (format!("qwen3moe.{rest}"), value),
                None if key == "general.architecture" => (key, Value::String("qwen3moe".to_owned())),
                None => (key, value),
            })
            .collect();
        model.number("feed_forward_length", 3 * INNER);
        model.number("expert_feed_forward_length", INNER);
        model.with_experts(experts, 3)
    }

    fn with_experts(mut self, experts: Experts, used: usize) -> Self {
        self.experts = experts;
        self.number("expert_count", EXPERTS);
        self.number("expert_used_count", used);
        self
    }

    pub(crate) fn phi3() -> Self {
        Self::new("phi3")
    }

    pub(crate) fn gemma2() -> Self {
        let mut model = Self::new("gemma2");
        model.tied = true;
        model.number("attention.key_length", 64);
        model.number("attention.sliding_window", 16);
        model.float("attn_logit_softcapping", 50.0);
        model.float("final_logit_softcapping", 30.0);
        model
    }

    pub(crate) fn gemma3() -> Self {
        let mut model = Self::new("gemma3");
        model.tied = true;
        model.layers = 7;
        model.number("attention.key_length", 64);
        model.number("attention.value_length", 64);
        model.number("attention.sliding_window", 16);
        model.float("rope.freq_base", 1_000_000.0);
        model
    }

    pub(crate) fn with_weights(mut self, weights: GgmlDType) -> Self {
        self.weights = weights;
        self
    }

    pub(crate) fn with_number(mut self, key: &str, value: usize) -> Self {
        self.number(key, value);
        self
    }

    pub(crate) fn with_float(mut self, key: &str, value: f32) -> Self {
        self.float(key, value);
        self
    }

    pub(crate) fn with_text(mut self, key: &str, value: &str) -> Self {
        self.set(key, Value::String(value.to_owned()));
        self
    }

    pub(crate) fn with_vector(mut self, name: &str, values: Vec<f32>) -> Self {
        self.extra.push((name.to_owned(), values));
        self
    }

    fn number(&mut self, key: &str, value: usize) {
        self.set(key, Value::U32(value as u32));
    }

    fn float(&mut self, key: &str, value: f32) {
        self.set(key, Value::F32(value));
    }

    fn set(&mut self, key: &str, value: Value) {
        let key = format!("{}.{key}", self.family);
        self.metadata.retain(|(known, _)| *known != key);
        self.metadata.push((key, value));
    }

    /// Writes the file; it goes when the returned value does.
    pub(crate) fn write(mut self) -> NamedTempFile {
        self.number("block_count", self.layers);
        let mut random = Random(42);
        let mut tensors: Vec<(String, QTensor)> = Vec::new();
        let mut matrix = |name: String, rows: usize, columns: usize, dtype: GgmlDType| {
            let scale = 1.5 / (columns as f32).sqrt();
            let values: Vec<f32> = (0..rows * columns).map(|_| random.unit() * scale).collect();
            let tensor = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
            (name, QTensor::quantize(&tensor, dtype).unwrap())
        };
        tensors.push(matrix("token_embd.weight".into(), VOCABULARY, HIDDEN, GgmlDType::F32));
        if !self.tied {
            tensors.push(matrix("output.weight".into(), VOCABULARY, HIDDEN, self.weights));
        }
        let (queries, keys) = (HEADS * self.head_dimension, KV_HEADS * self.head_dimension);
        let fused = self.family == "phi3";
        for layer in 0..self.layers {
            let mut add = |part: &str, rows, columns| {
                tensors.push(matrix(format!("blk.{layer}.{part}.weight"), rows, columns, self.weights));
            };
            if fused {
                add("attn_qkv", queries + 2 * keys, HIDDEN);
                add("ffn_up", 2 * INNER, HIDDEN);
            } else {
                add("attn_q", queries, HIDDEN);
                add("attn_k", keys, HIDDEN);
                add("attn_v", keys, HIDDEN);
            }
            add("attn_output", HIDDEN, queries);
            let parts = [("ffn_gate", INNER, HIDDEN), ("ffn_up", INNER, HIDDEN), ("ffn_down", HIDDEN, INNER)];
            let parts = if fused { &parts[2..] } else { &parts };
            for &(part, rows, columns) in parts {
                if self.experts == Experts::None {
                    tensors.push(matrix(format!("blk.{layer}.{part}.weight"), rows, columns, self.weights));
                    continue;
                }
                let made = if self.experts == Experts::Alike { 1 } else { EXPERTS };
                let each: Vec<(String, QTensor)> = (0..made)
                    .map(|expert| matrix(format!("blk.{layer}.{part}.{expert}.weight"), rows, columns, self.weights))
                    .collect();
                if self.experts == Experts::Apart {
                    tensors.extend(each);
                    continue;
                }
                let bytes: Vec<u8> = each.iter().flat_map(|(_, tensor)| tensor.data().unwrap().to_vec()).collect();
                let storage = QStorage::from_data(bytes.repeat(EXPERTS / made).into(), &Device::Cpu, self.weights);
                let all = QTensor::new(storage.unwrap(), (EXPERTS, rows, columns)).unwrap();
                tensors.push((format!("blk.{layer}.{part}_exps.weight"), all));
            }
        }
        let mut random = Random(7);
        let mut vector = |name: String, values: usize, around: f32| {
            let values: Vec<f32> = (0..values).map(|_| around + 0.2 * random.unit()).collect();
            tensors.push((name, dense(values)));
        };
        vector("output_norm.weight".into(), HIDDEN, 1.0);
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            vector(name("attn_norm.weight"), HIDDEN, 1.0);
            vector(name("ffn_norm.weight"), HIDDEN, 1.0);
            if self.family == "qwen2" {
                vector(name("attn_q.bias"), queries, 0.0);
                vector(name("attn_k.bias"), keys, 0.0);
                vector(name("attn_v.bias"), keys, 0.0);
            }
            if matches!(self.family, "qwen3" | "qwen3moe" | "gemma3") {
                vector(name("attn_q_norm.weight"), self.head_dimension, 1.0);
                vector(name("attn_k_norm.weight"), self.head_dimension, 1.0);
            }
            if matches!(self.family, "gemma2" | "gemma3") {
                vector(name("post_attention_norm.weight"), HIDDEN, 1.0);
                vector(name("post_ffw_norm.weight"), HIDDEN, 1.0);
            }
        }
        // Routers from numbers of their own: with and without them the rest is the same.
        let mut random = Random(11);
        for layer in (0..self.layers).filter(|_| self.experts != Experts::None) {
            let values: Vec<f32> = (0..EXPERTS * HIDDEN).map(|_| random.unit() * 0.1).collect();
            let tensor = Tensor::from_vec(values, (EXPERTS, HIDDEN), &Device::Cpu).unwrap();
            let name = format!("blk.{layer}.ffn_gate_inp.weight");
            tensors.push((name, QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
        }
        tensors.extend(self.extra.drain(..).map(|(name, values)| (name, dense(values))));
        let mut file = NamedTempFile::new().unwrap();
        let metadata: Vec<(&str, &Value)> = self.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        gguf_file::write(file.as_file_mut(), &metadata, &tensors).unwrap();
        file
    }
}

fn dense(values: Vec<f32>) -> QTensor {
    let length = values.len();
    QTensor::quantize(&Tensor::from_vec(values, length, &Device::Cpu).unwrap(), GgmlDType::F32).unwrap()
}

/// Some tokens of the tiny vocabulary.
pub(crate) fn tokens(count: usize) -> Vec<u32> {
    let mut random = Random(5);
    (0..count).map(|_| ((random.unit() + 1.0) * 0.5 * (VOCABULARY - 1) as f32) as u32).collect()
}

/// Numbers in [-1, 1) by a linear congruential generator: the same files in every run.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}
