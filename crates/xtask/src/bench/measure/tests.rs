use super::*;
use crate::bench::catalogue::BENCHMARKS;
use crate::bench::setting;
use serde_json::json;

fn place() -> Place {
    Place { date: "2026-01-31".into(), machine: "a machine".into(), versions: "carrel 0.1.0".into() }
}

fn row_of(benchmark: &str, outputs: &Outputs) -> Result<Row> {
    let benchmark = BENCHMARKS.iter().find(|b| b.name == benchmark).unwrap();
    let case = &benchmark.cases[0];
    row(benchmark, case, &case.measures[0], outputs, &setting::example(), &place())
}

fn alone(ours: &[Value]) -> Outputs {
    Outputs { ours: ours.to_vec(), rivals: Vec::new() }
}

#[test]
fn the_median_is_taken_and_the_peer_put_beside_it() {
    let outputs = [json!({"ndcg_at_10": 0.5}), json!({"ndcg_at_10": 0.7}), json!({"ndcg_at_10": 0.6})];
    let row = row_of("retrieval", &alone(&outputs)).unwrap();
    assert_eq!((row.measure.as_str(), row.figure, row.runs), ("scifact lexical nDCG@10", 0.6, 3));
    assert_eq!(row.peer.unwrap().figure, 0.679);
    assert_eq!(row.command, "carrel eval retrieval --dataset scifact --mode lexical --json --data DIR");
    assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    assert_eq!(median(vec![]), None);
}

#[test]
fn a_figure_that_one_run_did_not_print_is_a_failure_not_a_zero() {
    let fault = row_of("memory", &alone(&[json!({"peak_rss_bytes": 9}), json!({})])).unwrap_err().to_string();
    assert!(fault.contains("/peak_rss_bytes"), "{fault}");
}

#[test]
fn a_rival_is_taken_in_its_better_setting_and_its_command_is_told() {
    let ours = [json!({"decode_tokens_per_s": 30.0})];
    let theirs = |off: f64, on: f64| json!([[{"avg_ts": off}, {"avg_ts": on}]]);
    let mut outputs = alone(&ours);
    outputs.rivals = vec![vec![theirs(28.0, 31.0), theirs(20.0, 29.0), theirs(29.0, 10.0)]];
    let peer = row_of("decode", &outputs).unwrap().peer.unwrap();
    assert_eq!(peer.figure, 29.0, "medians 28 and 29");
    assert!(peer.command.unwrap().starts_with("llama-bench -m big model.gguf -t 2 "));

    assert!(row_of("decode", &alone(&ours)).unwrap().peer.is_none(), "measured without peers");
    outputs.rivals = vec![vec![json!([{}])]];
    assert!(row_of("decode", &outputs).unwrap_err().to_string().contains("llama.cpp"));
}

#[test]
fn a_figure_may_be_held_against_another_of_the_same_run() {
    let row = row_of("second-question", &alone(&[json!({"second_ms": 5.0, "cold_ms": 20.0})])).unwrap();
    assert_eq!((row.figure, row.peer.unwrap().figure), (5.0, 20.0));
}

#[test]
fn rivals_that_computed_something_else_are_refused() {
    let rival = &BENCHMARKS.iter().find(|b| b.name == "embed").unwrap().cases[0].rivals[0];
    let ours = [json!({"vector": [1.0, 0.0]})];
    let theirs = |vector: Value| [json!([{"vectors": {"standard": vector}}])];
    check_agreement(rival, &ours, &theirs(json!([0.999, 0.01]))).unwrap();
    for other in [json!([0.0, 1.0]), json!([1.0]), json!(null)] {
        assert!(check_agreement(rival, &ours, &theirs(other)).is_err());
    }
}
