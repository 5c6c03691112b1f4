//! Sets of questions with what is expected of their answers: our own JSONL, and SQuAD's and XQuAD's formats, which bring
//! their documents with them.

use super::beir::{Text, file_name, lines, lines_of};
use crate::site::Failure;
use serde::Deserialize;
use std::path::Path;

/// One question with what is expected of its answer.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Expected {
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) question: String,
    /// What must stand in the answer.
    #[serde(default)]
    pub(crate) answer: String,
    /// Other ways to say it.
    #[serde(default)]
    pub(crate) answers: Vec<String>,
    /// Where it stands: the document's file name, with or without folders.
    #[serde(default, alias = "doc")]
    pub(crate) document: String,
    pub(crate) page: Option<u32>,
    /// Whether the documents that the asker may see answer it.
    #[serde(default = "yes")]
    pub(crate) answerable: bool,
    /// Whether they do so only in a document that the asker may not see.
    #[serde(default)]
    pub(crate) restricted: bool,
    /// Whose eyes, if not those of `--user`.
    pub(crate) asker: Option<String>,
    /// Not used to fit anything.
    #[serde(skip)]
    pub(crate) held_out: bool,
}

const fn yes() -> bool {
    true
}

/// A set and, if it brings them, its documents.
pub(crate) struct AnswerSet {
    pub(crate) questions: Vec<Expected>,
    pub(crate) documents: Vec<Text>,
}

/// SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018).
#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    question: String,
    #[serde(default)]
    answers: Vec<Span>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct Span {
    text: String,
}

impl AnswerSet {
    /// A file of our JSONL, a SQuAD file, or a folder with `corpus.jsonl` and `qa.jsonl`. Of documents that come with
    /// the set every `leave_out`th stays out, so that its questions have no answer though the rest of its article is
    /// there; 0 leaves none out.
    pub(crate) fn read(path: &Path, leave_out: usize) -> Result<Self, Failure> {
        let mut set = if path.is_dir() {
            Self { questions: lines(&path.join("qa.jsonl"))?, documents: lines(&path.join("corpus.jsonl"))? }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            Self::of_squad(path)?
        } else {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            return Self::of_text(&path.display().to_string(), &text);
        };
        if leave_out > 0 {
            set.leave_out(leave_out);
        }
        set.hold_out();
        for question in set.questions.iter_mut().filter(|question| !question.document.is_empty()) {
            question.document = file_name(&question.document);
        }
        Ok(set)
    }

    /// Questions about documents that are here already, from a file of this name: CSV or our JSONL.
    pub(crate) fn of_text(name: &str, text: &str) -> Result<Self, Failure> {
        let questions = if name.to_lowercase().ends_with(".csv") { of_csv(name, text)? } else { lines_of(name, text)? };
        if questions.is_empty() {
            return Err(format!("{name}: there is no question in it").into());
        }
        let mut set = Self { questions, documents: Vec::new() };
        set.hold_out();
        Ok(set)
    }

    fn of_squad(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let squad: Squad = serde_json::from_str(&text)
            .map_err(|error| format!("{}: {error}; a .json file must be in SQuAD's format", path.display()))?;
        let (mut questions, mut documents) = (Vec::new(), Vec::new());
        for article in squad.data {
            for paragraph in article.paragraphs {
                let id = format!("p{:04}", documents.len() + 1);
                questions.extend(paragraph.qas.into_iter().map(|asked| Expected {
                    id: asked.id,
                    question: asked.question,
                    answer: String::new(),
                    answers: asked.answers.into_iter().map(|span| span.text).collect(),
                    document: id.clone(),
                    page: None,
                    answerable: !asked.is_impossible,
                    restricted: false,
                    asker: None,
                    held_out: false,
                }));
                documents.push(Text { id, title: article.title.clone(), text: paragraph.context });
            }
        }
        Ok(Self { questions, documents })
    }

    fn leave_out(&mut self, every: usize) {
        let mut at = 0;
        let mut gone = std::collections::BTreeSet::new();
        self.documents.retain(|document| {
            at += 1;
            let stays = at % every != 0;
            if !stays {
                gone.insert(document.id.clone());
            }
            stays
        });
        for question in self.questions.iter_mut().filter(|question| gone.contains(&question.document)) {
            question.answerable = false;
        }
    }

    /// Every third question of each kind is held out: what is fitted on the others is measured on these.
    fn hold_out(&mut self) {
        for answerable in [true, false] {
            let alike = self.questions.iter_mut().filter(|question| question.answerable == answerable);
            alike.enumerate().for_each(|(at, question)| question.held_out = at % 3 == 2);
        }
    }

    /// At most `limit` questions, taken evenly from the whole set.
    pub(crate) fn thin(&mut self, limit: usize) {
        let all = self.questions.len();
        if limit < all {
            let mut at = 0;
            self.questions.retain(|_| {
                at += 1;
                at * limit / all != (at - 1) * limit / all
            });
        }
    }
}

/// A table with the columns question, answer and document, as people write it: what has no answer is to be refused.
fn of_csv(name: &str, text: &str) -> Result<Vec<Expected>, Failure> {
    let text = text.trim_start_matches('\u{feff}');
    // A spreadsheet gives tabs to the clipboard, and semicolons to a file where a comma stands in numbers.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = *b"\t;".iter().find(|mark| first.as_bytes().contains(mark)).unwrap_or(&b',');
    let mut table =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns = table.headers()?.clone();
    let column = |wanted: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(wanted));
    let of_questions = column("question")
        .ok_or_else(|| format!("{name}: the first line has to name the columns: question, answer, document"))?;
    let of_answers = column("answer").ok_or_else(|| {
        format!("{name}: no column is named 'answer'; leave its cells empty where nothing answers the question")
    })?;
    let mut questions = Vec::new();
    for row in table.records() {
        let row = row.map_err(|error| format!("{name}: {error}"))?;
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default().to_owned();
        let (question, answer) = (cell(Some(of_questions)), cell(Some(of_answers)));
        if !question.is_empty() {
            let answerable = !answer.is_empty();
            questions.push(Expected {
                question,
                answer,
                answerable,
                document: cell(column("document")),
                ..Expected::default()
            });
        }
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squad_files_bring_documents_and_say_what_has_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.json");
        let qas = r#"[{"id": "a", "question": "How many?", "answers": [{"text": "308", "answer_start": 0}]},
            {"id": "b", "question": "Who?", "answers": [], "is_impossible": true}]"#;
        let paragraph = |text: &str, qas: &str| format!(r#"{{"context": "{text}", "qas": {qas}}}"#);
        let paragraphs = [paragraph("308 points", qas), paragraph("more", r#"[{"id": "c", "question": "What?"}]"#)];
        let text = format!(r#"{{"data": [{{"title": "Bowl", "paragraphs": [{}]}}]}}"#, paragraphs.join(","));
        std::fs::write(&file, text).unwrap();
        let set = AnswerSet::read(&file, 2).unwrap();
        let told: Vec<_> = set.questions.iter().map(|q| (q.id.as_str(), q.answerable)).collect();
        assert_eq!(told, [("a", true), ("b", false), ("c", false)], "the second paragraph is left out");
        assert_eq!(set.documents.len(), 1);
        assert_eq!(set.questions[0].document, file_name(&set.documents[0].id), "what citations are held against");
        std::fs::write(&file, "{}").unwrap();
        assert!(AnswerSet::read(&file, 0).is_err());
    }

    #[test]
    fn a_table_is_a_set_and_a_question_without_an_answer_is_to_be_refused() {
        for text in [
            "question,answer,document\n\"How long, at most?\",24 days,handbook.pdf\nWho won?,,\n",
            "question\tanswer\tdocument\nHow long, at most?\t24 days\thandbook.pdf\nWho won?\t\t\n",
            "\u{feff}Question;Answer;Document\nHow long, at most?;24 days;handbook.pdf\nWho won?\n\n",
        ] {
            let set = AnswerSet::of_text("site.CSV", text).unwrap();
            let told: Vec<_> =
                set.questions.iter().map(|q| (q.question.as_str(), q.document.as_str(), q.answerable)).collect();
            assert_eq!(told, [("How long, at most?", "handbook.pdf", true), ("Who won?", "", false)]);
        }
        for wrong in ["", "Frage,Antwort\nWer?,Ada\n", "question\n"] {
            assert!(AnswerSet::of_text("site.csv", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_third_of_each_kind_is_held_out_and_a_limit_thins_evenly() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.jsonl");
        let line = |at: usize| format!(r#"{{"id": "q{at}", "question": "?", "answerable": {}}}"#, at.is_multiple_of(2));
        std::fs::write(&file, (0..12).map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let mut set = AnswerSet::read(&file, 0).unwrap();
        assert_eq!(set.questions.iter().filter(|q| q.held_out).count(), 4);
        assert_eq!(set.questions.iter().filter(|q| q.held_out && q.answerable).count(), 2);
        set.thin(5);
        assert_eq!(set.questions.len(), 5);
    }
}
