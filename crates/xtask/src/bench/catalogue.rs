//! The benchmarks: which commands of the server are run, and which figures are read from the JSON they print.

use super::benchmark::{Benchmark, Case, Measure, Peer};
use super::engine;

pub const fn measure(name: &'static str, pointer: &'static str, unit: &'static str) -> Measure {
    Measure { name, pointer, unit, scale: 1.0, peer: None }
}

const fn compared(name: &'static str, pointer: &'static str, peer: &'static str, figure: f64) -> Measure {
    let peer = Some(Peer::Published { name: peer, figure, dataset: "scifact" });
    Measure { name, pointer, unit: "", scale: 1.0, peer }
}

const RECALL_10: Measure = measure("recall@10", "/recall_at_10", "");
const RECALL_100: Measure = measure("recall@100", "/recall_at_100", "");
const P50: Measure = measure("latency p50", "/latency_ms/p50", "ms");
const P95: Measure = measure("latency p95", "/latency_ms/p95", "ms");

const INGEST: &[Measure] = &[
    measure("found by words", "/words_documents_per_s", "documents/s"),
    measure("pages found by words", "/words_pages_per_s", "pages/s"),
    measure("vectors", "/passages_per_s", "passages/s"),
    Measure { scale: 1.0 / 1_048_576.0, ..measure("peak memory", "/peak_rss_bytes", "MiB") },
];

/// Every benchmark, in the order of the page.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "retrieval",
        about: "quality and latency of search on a BEIR set",
        prepare: &["model import {embed} --data {data}"],
        fresh: false,
        cases: &[
            Case {
                rivals: &[],
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
                rivals: &[],
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
                rivals: &[],
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
    engine::PREFILL,
    engine::DECODE,
    engine::LOOKUP,
    engine::BATCH,
    engine::SECOND_QUESTION,
    engine::MEMORY,
    engine::EMBED,
    Benchmark {
        name: "import",
        about: "sample documents into an empty data directory",
        prepare: &["model import {embed} --data {data}", "collection create Samples --data {data}"],
        fresh: true,
        cases: &[Case {
            rivals: &[],
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
        name: "ingest",
        about: "real documentation into an empty data directory: found by words first, vectors after",
        prepare: &["model import {embed} --data {data}", "collection create Manuals --data {data}"],
        fresh: true,
        cases: &[
            Case {
                rivals: &[],
                label: "HTML (postgresql-doc-15)",
                command: "import {manual} --collection Manuals --json --data {data}",
                measures: INGEST,
            },
            Case {
                rivals: &[],
                label: "short PDF (sample documents)",
                command: "import {short-pdfs} --collection Manuals --json --data {data}",
                measures: INGEST,
            },
            Case {
                rivals: &[],
                label: "long PDF (r-doc-pdf)",
                command: "import {long-pdfs} --collection Manuals --json --data {data}",
                measures: INGEST,
            },
        ],
    },
    Benchmark {
        name: "search",
        about: "searches in the sample documents, each embedded and searched in both indexes",
        prepare: &[DEMO],
        fresh: false,
        cases: &[Case {
            rivals: &[],
            label: "",
            command: "bench search --user ada --json --data {data}",
            measures: &[P50, P95],
        }],
    },
    Benchmark {
        name: "search-while-reading",
        about: "searches in the sample documents while a manual of 1,200 pages of HTML is taken in, read and embedded",
        prepare: &[DEMO],
        fresh: true,
        cases: &[Case {
            rivals: &[],
            label: "",
            command: "bench search --user ada --searches 300 --during-import {manual} --collection Handbook --json --data {data}",
            measures: &[P50, P95],
        }],
    },
    Benchmark {
        name: "answers",
        about: "the questions of the sample documents, asked by someone who may read them all, answered by the default model",
        prepare: &[DEMO],
        fresh: false,
        cases: &[Case {
            rivals: &[],
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
pub const DEMO: &str = "demo --load-only --samples {samples} --generate {generate} --embed {embed} --data {data}";
