//! The whole check, without an embedder: words and facts.

use super::*;

const LEAVE: &str = "In the first year of service a full-time employee receives 24 days of annual leave. Up to five days \
    may be carried over and must be taken by 31 March of the following year. Ask Paulo Reyes.";
const CRANES: &str = "All work of the gantry cranes stops at 20 m/s. The contract ends on 31 December 2028.";

fn checked(question: &str, answer: &str) -> Vec<Sentence> {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path(), 1).unwrap();
    let passages = [LEAVE, CRANES].into_iter().zip(1..);
    let passages =
        passages.map(|(text, rank)| Passage { rank, text: text.to_owned(), language: Some("en"), vector: None });
    let ground = Ground { index: &index, embedder: None, question, passages: passages.collect() };
    cite(answer, &ground).unwrap().into_iter().map(|checked| checked.sentence).collect()
}

/// Support, citations and what is marked of an answer of one sentence.
fn one(answer: &str) -> (Support, Vec<u32>, Vec<String>) {
    let sentence = checked("How much leave do I get in my first year?", answer).remove(0);
    let marked = sentence.unfounded.iter().map(|part| sentence.text[part.start..part.end].to_owned()).collect();
    (sentence.support, sentence.citations, marked)
}

#[test]
fn a_sentence_rests_on_the_passage_that_says_it_whatever_the_model_wrote() {
    let answer = "In the first year an employee receives 24 days of annual leave";
    for mark in ["", " [1]", " [2]", " [9]"] {
        assert_eq!(one(&format!("{answer}{mark}.")), (Support::Supported, vec![1], vec![]), "{mark}");
    }
}

#[test]
fn a_wrong_number_is_marked_and_takes_the_support_away() {
    let (support, citations, marked) = one("In the first year an employee receives 30 days of annual leave [1].");
    assert_eq!((support, citations), (Support::NotFound, vec![]));
    assert_eq!(marked, ["30 days"]);
    let (support, citations, marked) =
        one("In the first year an employee receives 24 days of annual leave by 1 March [1].");
    assert_eq!((support, citations), (Support::Partly, vec![1]));
    assert_eq!(marked, ["1 March"]);
}

#[test]
fn a_name_that_nobody_wrote_makes_the_best_case_a_partial_one() {
    let (support, _, marked) = one("The annual leave of an employee in the first year is for Marit Halloran to ask.");
    assert_eq!((support, marked), (Support::Partly, vec!["Marit Halloran".to_owned()]));
    assert_eq!(one("For the annual leave of an employee ask Paulo Reyes.").2, Vec::<String>::new());
}

#[test]
fn what_the_question_said_proves_nothing() {
    let answer = "The gantry cranes stop all work at 22 m/s [2].";
    let sentence = checked("Do the cranes stop at 22 m/s?", answer).remove(0);
    assert_eq!(sentence.support, Support::NotFound);
    assert!(sentence.unfounded[0].asked, "it is told apart from what the model made up");
    assert!(!checked("When do the cranes stop?", answer)[0].unfounded[0].asked);
}

#[test]
fn what_no_passage_says_has_no_citation() {
    assert_eq!(one("Dogs are welcome in all offices [1]."), (Support::NotFound, vec![], vec![]));
}
