//! How well words lead to passages: scripts without spaces, names of several words, scores that can be compared.

use crate::api::program;
use crate::with_handbook;
use axum::http::StatusCode;
use identity::TokenScope;
use serde_json::{Value, json};
use testkit::TestApp;

async fn found(world: &TestApp, query: &str) -> Vec<Value> {
    let program = program(world, "ada", TokenScope::Search).await;
    let told = program.post("/api/v1/search", &json!({ "query": query })).await.expect(StatusCode::OK).json();
    told["results"].as_array().unwrap().clone()
}

/// What a result's snippet marks, joined where marks touch.
fn marked(result: &Value) -> Vec<String> {
    let pieces = result["snippet"].as_array().unwrap();
    let marked = pieces.iter().filter(|piece| piece["match"] == true);
    marked.map(|piece| piece["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_without_spaces_are_found_and_marked_where_they_match() {
    let (world, handbook) = with_handbook().await;
    for (name, text) in [
        ("thai.txt", "บริษัทของเราอยู่ที่กรุงเทพ พนักงานทุกคนได้รับวันหยุดสิบวันในปีแรก และต้องแจ้งหัวหน้าก่อนทุกครั้ง"),
        ("chinese.txt", "本公司位于北京。所有员工在第一年享有二十四天的年假，未使用的年假将于次年三月底失效。"),
        ("japanese.txt", "当社は東京にあります。従業員は初年度に二十四日の年次有給休暇を取得できます。"),
    ] {
        world.submit(&handbook, name, text.as_bytes(), None).await;
    }
    world.ingest().await;
    for (query, title, mark) in
        [("วันหยุด", "thai", "วันหยุด"), ("年假", "chinese", "年假"), ("有給休暇", "japanese", "有給休暇")]
    {
        let results = found(&world, query).await;
        let first = &results[0];
        assert!(first["source"].as_str().unwrap().contains(title), "{query}: {first}");
        let marks = marked(first);
        assert!(marks.iter().any(|text| text == mark), "{query}: {marks:?}");
        assert!(marks.iter().all(|text| mark.contains(text.as_str())), "nothing else: {marks:?}");
        assert!(first["bm25"].as_f64().unwrap() > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_side_by_side_come_before_the_same_words_apart() {
    let (world, handbook) = with_handbook().await;
    let apart = "At night the crew of the ferry rests ashore, and one shift of cargo waits for the tide until noon.";
    let together =
        "A night shift in the tower begins with lamps, horns and radios, then walks along the quay to the gate.";
    world.submit(&handbook, "apart.txt", apart.as_bytes(), None).await;
    world.submit(&handbook, "together.txt", together.as_bytes(), None).await;
    world.ingest().await;
    let results = found(&world, "night shift").await;
    let bm25 = |name: &str| {
        let result = results.iter().find(|result| result["source"] == name).unwrap();
        result["bm25"].as_f64().unwrap()
    };
    assert!(bm25("together.txt") > bm25("apart.txt") * 1.05, "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_lie_between_0_and_1_and_fall_with_the_rank() {
    let (world, handbook) = with_handbook().await;
    for number in 0..12 {
        let text = format!("Rule {number} of the crane in hall {number}: it is inspected every spring.");
        world.submit(&handbook, &format!("crane-{number}.txt"), text.as_bytes(), None).await;
    }
    world.ingest().await;
    for query in ["inspected crane hall 7", "annual leave", "elephants on the moon"] {
        let scores: Vec<f64> =
            found(&world, query).await.iter().map(|result| result["score"].as_f64().unwrap()).collect();
        assert!(scores.len() > 5, "by meaning at least");
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{query}: {scores:?}");
        assert!(scores.is_sorted_by(|a, b| a >= b), "{query}: {scores:?}");
    }
}
