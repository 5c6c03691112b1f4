//! The benchmarks: which commands of the server are run, and which figures are read from the JSON they print.
//!
//! In a command, `{data}` is an empty data directory of the benchmark's own; `{embed}`, `{generate}`, `{samples}` and
//! `{dataset}` are the default models, the sample documents and the retrieval set.

/// A group of commands that share their preparation.
#[derive(Debug)]
pub struct Benchmark {
    /// What it is called on the command line.
    pub name: &'static str,
    /// One sentence for a reader.
    pub about: &'static str,
    /// Commands that make the data directory ready; their time does not count.
    pub prepare: &'static [&'static str],
    /// Whether each run gets a data directory of its own, or all share one.
    pub fresh: bool,
    /// What is measured.
    pub cases: &'static [Case],
}

/// One command.
#[derive(Debug)]
pub struct Case {
    /// What its figures' names begin with; empty when there is only one.
    pub label: &'static str,
    /// The words after `carrel`.
    pub command: &'static str,
    /// What is read from its output.
    pub measures: &'static [Measure],
}

/// One figure.
#[derive(Debug)]
pub struct Measure {
    /// What it is called.
    pub name: &'static str,
    /// Where it stands in the JSON output (RFC 6901).
    pub pointer: &'static str,
    /// Its unit; empty for a share.
    pub unit: &'static str,
    /// The printed number times this is in that unit.
    pub scale: f64,
    /// What others reach, on the retrieval set of this name.
    pub peer: Option<Peer>,
}

/// Somebody else's figure.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Whose.
    pub name: &'static str,
    /// In the measure's unit.
    pub figure: f64,
    /// The retrieval set that it holds for.
    pub dataset: &'static str,
}

impl Benchmark {
    /// Whether it can run only with a retrieval set.
    pub fn needs_dataset(&self) -> bool {
        self.cases.iter().any(|case| case.command.contains("{dataset}"))
    }
}

const fn measure(name: &'static str, pointer: &'static str, unit: &'static str) -> Measure {
    Measure { name, pointer, unit, scale: 1.0, peer: None }
}

const fn compared(name: &'static str, pointer: &'static str, peer: &'static str, figure: f64) -> Measure {
    let peer = Some(Peer { name: peer, figure, dataset: "scifact" });
    Measure { name, pointer, unit: "", scale: 1.0, peer }
}

const RECALL_10: Measure = measure("recall@10", "/recall_at_10", "");
const RECALL_100: Measure = measure("recall@100", "/recall_at_100", "");
const P50: Measure = measure("latency p50", "/latency_ms/p50", "ms");
const P95: Measure = measure("latency p95", "/latency_ms/p95", "ms");

/// Every benchmark, in the order of the page.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "retrieval",
        about: "quality and latency of search on a BEIR set",
        prepare: &["model import {embed} --data {data}"],
        fresh: false,
        cases: &[
            Case {
                label: "lexical",
                command: "eval retrieval --dataset {dataset} --mode lexical --json --data {data}",
                measures: &[
                    compared("nDCG@10", "/ndcg_at_10", "Anserini BM25, published", 0.679),
                    RECALL_10,
                    RECALL_100,
                    P50,
                    P95,
                ],
            },
            Case {
                label: "dense",
                command: "eval retrieval --dataset {dataset} --mode dense --json --data {data}",
                measures: &[
                    compared("nDCG@10", "/ndcg_at_10", "all-MiniLM-L6-v2, published", 0.645),
                    RECALL_10,
                    RECALL_100,
                    P50,
                    P95,
                ],
            },
            Case {
                label: "hybrid",
                command: "eval retrieval --dataset {dataset} --mode hybrid --json --data {data}",
                measures: &[
                    compared("nDCG@10", "/ndcg_at_10", "Anserini BM25, published", 0.679),
                    RECALL_10,
                    RECALL_100,
                    P50,
                    P95,
                ],
            },
        ],
    },
    Benchmark {
        name: "generate",
        about: "the default model answering a prompt of 1,500 tokens with 128",
        prepare: &[],
        fresh: false,
        cases: &[Case {
            label: "",
            command: "bench generate --model {generate} --prompt-tokens 1500 --new-tokens 128 --concurrency 1 --json",
            measures: &[
                measure("time to first token", "/ttft_ms", "ms"),
                measure("prefill", "/prefill_tokens_per_s", "tokens/s"),
                measure("decode", "/decode_tokens_per_s", "tokens/s"),
                Measure { scale: 1.0 / 1_048_576.0, ..measure("peak memory", "/peak_rss_bytes", "MiB") },
            ],
        }],
    },
    Benchmark {
        name: "embed",
        about: "the default embedder on texts of one length",
        prepare: &[],
        fresh: false,
        cases: &[Case {
            label: "",
            command: "bench embed --model {embed} --json",
            measures: &[
                measure("texts of 128 tokens", "/sentences_per_s/128", "texts/s"),
                measure("texts of 256 tokens", "/sentences_per_s/256", "texts/s"),
            ],
        }],
    },
    Benchmark {
        name: "import",
        about: "sample documents into an empty data directory",
        prepare: &["model import {embed} --data {data}", "collection create Samples --data {data}"],
        fresh: true,
        cases: &[Case {
            label: "",
            command: "import {samples}/handbook {samples}/it {samples}/safety {samples}/procurement \
                      --collection Samples --json --data {data}",
            measures: &[
                measure("documents", "/documents_per_s", "documents/s"),
                measure("passages", "/passages_per_s", "passages/s"),
            ],
        }],
    },
    Benchmark {
        name: "search",
        about: "searches in the sample documents, each embedded and searched in both indexes",
        prepare: &[DEMO],
        fresh: false,
        cases: &[Case { label: "", command: "bench search --user ada --json --data {data}", measures: &[P50, P95] }],
    },
    Benchmark {
        name: "answers",
        about: "the questions of the sample documents, asked by someone who may read them all, answered by the default model",
        prepare: &[DEMO],
        fresh: false,
        cases: &[Case {
            label: "",
            command: "eval answers --dataset {samples}/questions.jsonl --user frida --json --data {data}",
            measures: &[
                measure("answer match", "/answer_match", ""),
                measure("citation precision", "/citation_precision", ""),
                measure("citation recall", "/citation_recall", ""),
                measure("refusal precision", "/refusal_precision", ""),
                measure("refusal recall", "/refusal_recall", ""),
                measure("supported sentences", "/supported_sentences", ""),
                measure("time to first token p50", "/ttft_ms/p50", "ms"),
            ],
        }],
    },
];

/// Models, sample documents and people as the demo has them.
const DEMO: &str = "demo --load-only --samples {samples} --generate {generate} --embed {embed} --data {data}";
