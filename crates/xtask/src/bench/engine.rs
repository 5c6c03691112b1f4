//! The engine's benchmarks: generation against llama.cpp, embedding against onnxruntime, each in turns.

use super::benchmark::{Benchmark, Case, Measure, Peer, Rival};
use super::catalogue::{DEMO, measure};

/// llama.cpp as the package with its sources counts it.
const LLAMA_CPP: &str = "llama.cpp (llama-cpp-python 0.3.36)";
const ONNXRUNTIME: &str = "onnxruntime 1.31.1, f32";

/// llama-bench gives one result a setting: without and with flash attention. The better counts.
const EITHER_ATTENTION: &[&str] = &["/0/0/avg_ts", "/0/1/avg_ts"];

const fn against(measure: Measure, number: usize, pointers: &'static [&'static str]) -> Measure {
    Measure { peer: Some(Peer::Rival { number, pointers }), ..measure }
}

const fn llama_cpp(commands: &'static [&'static str]) -> Rival {
    Rival { name: LLAMA_CPP, commands, agreement: None }
}

pub const PREFILL: Benchmark = Benchmark {
    name: "prefill",
    about: "the default model reading a prompt of 1,500 tokens",
    prepare: &[],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench generate --model {generate} --prompt-tokens 1500 --new-tokens 2 --no-lookup {text} --json",
        rivals: &[llama_cpp(&["llama-bench -m {generate} -t {threads} -p 1500 -n 0 -fa off,on -r 1 -o json"])],
        measures: &[
            against(measure("prefill", "/prefill_tokens_per_s", "tokens/s"), 0, EITHER_ATTENTION),
            measure("time to first token", "/ttft_ms", "ms"),
        ],
    }],
};

pub const DECODE: Benchmark = Benchmark {
    name: "decode",
    about: "the default model writing 128 tokens behind a short prompt, one a step",
    prepare: &[],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench generate --model {generate} --prompt-tokens 64 --new-tokens 128 --no-lookup {text} --json",
        rivals: &[llama_cpp(&["llama-bench -m {generate} -t {threads} -p 0 -n 128 -fa off,on -r 1 -o json"])],
        measures: &[against(measure("decode", "/decode_tokens_per_s", "tokens/s"), 0, EITHER_ATTENTION)],
    }],
};

pub const LOOKUP: Benchmark = Benchmark {
    name: "lookup",
    about: "answers to the sample questions, which quote their passages, with tokens drafted from the prompt; against \
            one token a step behind as long a prompt",
    prepare: &[DEMO],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench answers --questions {samples}/questions.jsonl --user frida --json --data {data}",
        rivals: &[
            llama_cpp(&["llama-bench -m {generate} -t {threads} -p 0 -n 64 -d 1000 -fa off,on -r 1 -o json"]),
            Rival {
                name: "Carrel, no drafts",
                commands: &["carrel bench answers --questions {samples}/questions.jsonl --user frida --no-lookup \
                             --json --data {data}"],
                agreement: None,
            },
        ],
        measures: &[
            against(measure("decode", "/decode_tokens_per_s", "tokens/s"), 0, EITHER_ATTENTION),
            against(measure("decode by drafts", "/decode_tokens_per_s", "tokens/s"), 1, &["/0/decode_tokens_per_s"]),
            measure("time to first token p50", "/ttft_ms/p50", "ms"),
        ],
    }],
};

pub const BATCH: Benchmark = Benchmark {
    name: "batch",
    about: "four answers of 64 tokens at once behind prompts of 128, in sum",
    prepare: &[],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench generate --model {generate} --prompt-tokens 128 --new-tokens 64 --concurrency 4 --no-lookup \
                  {text} --json",
        rivals: &[llama_cpp(&[
            "llama-batched-bench -m {generate} -t {threads} -c 1024 -npp 128 -ntg 64 -npl 4 -fa off \
             --output-format jsonl",
            "llama-batched-bench -m {generate} -t {threads} -c 1024 -npp 128 -ntg 64 -npl 4 -fa on \
             --output-format jsonl",
        ])],
        measures: &[
            against(
                measure("decode of 4", "/batch_decode_tokens_per_s", "tokens/s"),
                0,
                &["/0/speed_tg", "/1/speed_tg"],
            ),
            measure("all of 4, prompts included", "/aggregate_tokens_per_s", "tokens/s"),
        ],
    }],
};

pub const SECOND_QUESTION: Benchmark = Benchmark {
    name: "second-question",
    about: "a second question over the passages of the first, against the same question asked first",
    prepare: &[DEMO],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench second-question --questions {samples}/questions.jsonl --user frida --json --data {data}",
        rivals: &[],
        measures: &[Measure {
            peer: Some(Peer::Same { name: "Carrel, asked first", pointer: "/cold_ms" }),
            ..measure("time to first token", "/second_ms", "ms")
        }],
    }],
};

pub const MEMORY: Benchmark = Benchmark {
    name: "memory",
    about: "the most memory while reading 1,500 tokens and writing 32, against the model's file and its keys and \
            values in 16 bits",
    prepare: &[],
    fresh: false,
    cases: &[Case {
        label: "",
        command: "bench generate --model {generate} --prompt-tokens 1500 --new-tokens 32 {text} --json",
        rivals: &[],
        measures: &[
            Measure { scale: 1.0 / 1_048_576.0, ..measure("peak memory", "/peak_rss_bytes", "MiB") },
            measure("peak memory by file and keys and values", "/peak_rss_by_model_and_kv", ""),
        ],
    }],
};

const ORT: Rival = Rival {
    name: ONNXRUNTIME,
    commands: &["minilm.py --model {embed} --threads {threads} --batch 32 --tokens 128 --tokens 256 \
                 --text {samples}/it/records-retention.md"],
    agreement: Some(("/vector", "/0/vectors/standard")),
};

const fn texts(name: &'static str, pointer: &'static str, theirs: &'static [&'static str]) -> Measure {
    against(measure(name, pointer, "texts/s"), 0, theirs)
}

const EMBED_MEASURES: &[Measure] = &[
    texts(
        "texts of 128 tokens",
        "/sentences_per_s/128",
        &["/0/sentences_per_s/128/standard", "/0/sentences_per_s/128/fused"],
    ),
    texts(
        "texts of 256 tokens",
        "/sentences_per_s/256",
        &["/0/sentences_per_s/256/standard", "/0/sentences_per_s/256/fused"],
    ),
];

pub const EMBED: Benchmark = Benchmark {
    name: "embed",
    about: "the default embedder on 32 texts of one length at a time",
    prepare: &[],
    fresh: false,
    cases: &[
        Case {
            label: "f32",
            command: "bench embed --model {embed} --precision f32 --text {samples}/it/records-retention.md --json",
            rivals: &[ORT],
            measures: EMBED_MEASURES,
        },
        Case {
            label: "int8",
            command: "bench embed --model {embed} --precision int8 --text {samples}/it/records-retention.md --json",
            rivals: &[ORT],
            measures: EMBED_MEASURES,
        },
    ],
};
