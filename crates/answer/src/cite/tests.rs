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

/// The paragraphs of the sample texts.
fn paragraphs() -> Vec<String> {
    fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }
    let files = walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples"));
    let texts = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let texts: Vec<String> = texts.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let paragraphs = texts.iter().flat_map(|text| text.split("\n\n")).map(str::trim);
    paragraphs.filter(|paragraph| !paragraph.is_empty()).map(str::to_owned).collect()
}

/// The sentences of `told`, held against one paragraph.
fn held(index: &Index, told: &str, paragraph: &str) -> Vec<Sentence> {
    let passage = Passage { rank: 1, text: paragraph.to_owned(), language: None, vector: None };
    let ground = Ground { index, embedder: None, question: "", passages: vec![passage] };
    cite(told, &ground).unwrap().into_iter().map(|checked| checked.sentence).collect()
}

#[test]
fn what_is_copied_word_by_word_is_never_marked() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path(), 1).unwrap();
    let paragraphs = paragraphs();
    let sentences: Vec<Sentence> = paragraphs.iter().flat_map(|text| held(&index, text, text)).collect();
    assert!(sentences.len() > 200, "{}", sentences.len());
    let marked: Vec<_> = sentences.iter().filter(|sentence| !sentence.unfounded.is_empty()).collect();
    assert!(marked.is_empty(), "{marked:#?}");
}

/// One digit more or less, or a "not" that is gone.
#[test]
fn what_is_changed_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path(), 1).unwrap();
    let (mut figures, mut missed) = (0, Vec::new());
    let (mut negations, mut passed) = (0, Vec::new());
    for paragraph in paragraphs() {
        for sentence in held(&index, &paragraph, &paragraph) {
            let text = &sentence.text;
            let digit = text.find(|c: char| c.is_ascii_digit());
            if let Some(at) = digit {
                let changed = (text.as_bytes()[at] - b'0') % 9 + 1;
                let changed = format!("{}{changed}{}", &text[..at], &text[at + 1..]);
                let whole: String = changed[at..].chars().take_while(char::is_ascii_digit).collect();
                // What it was changed into may stand in the paragraph, too.
                if !paragraph.contains(&whole) {
                    figures += 1;
                    let told = held(&index, &changed, &paragraph);
                    if told.iter().all(|sentence| sentence.unfounded.is_empty()) {
                        missed.push(changed);
                    }
                }
            }
            let without =
                [" not ", " nicht "].iter().find_map(|not| text.contains(not).then(|| text.replacen(not, " ", 1)));
            if let Some(without) = without {
                negations += 1;
                let told = held(&index, &without, &paragraph);
                if told.iter().all(|sentence| sentence.support == Support::Supported) {
                    passed.push(without);
                }
            }
        }
    }
    assert!(figures > 50 && missed.len() * 20 < figures, "{} of {figures}: {missed:#?}", missed.len());
    assert!(negations > 5 && passed.len() * 3 < negations, "{} of {negations}: {passed:#?}", passed.len());
}

/// A heading or a question may be a chain without an end; the stack and the time of an answer are not.
#[test]
fn chains_of_any_length_can_be_read() {
    for link in ["1-", "1/", "5 to ", "111 ", "111\u{a0}", "2 million ", "two hundred ", "Ruth ", "1.", "-", "31 "] {
        let chain = link.repeat(20_000);
        for style in [Style::English, Style::German] {
            let stock = Stock::of(&chain, style);
            assert!(facts(&chain, style).iter().take(100).all(|fact| stock.has(fact)), "{link}");
        }
        split(&chain);
    }
}

proptest::proptest! {
    /// Whatever a document or a model writes: facts lie within their text, and what is copied has them.
    #[test]
    fn any_text_can_be_read(text in "\\PC{0,60}|([0-9]{1,4}|[ .,:;/|€$½'’−–—-]|[a-zA-Zäß]{1,4}|\u{a0}|am|Uhr|per cent|Mio\\.|31\\. März| million ){0,24}") {
        for style in [Style::English, Style::German, Style::Continental, Style::Unknown] {
            let stock = Stock::of(&text, style);
            for fact in facts(&text, style) {
                proptest::prop_assert!(text.get(fact.start..fact.end).is_some_and(|part| !part.is_empty()));
                proptest::prop_assert!(stock.has(&fact), "{:?}", fact);
            }
        }
        split(&text);
    }
}
