//! Rewrite: a follow-up question becomes one that can be searched on its own.
//!
//! In two steps, each of them plain: does the question lean on what was said before? Only then it is lent words, what
//! the last turns were about. No model is asked: the words are for the search, the prompt keeps the question as it is.

use crate::cite::names;
use index::is_unspaced;

/// An earlier question of the conversation with its answer's text.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) question: String,
    /// Empty if there was none, or if it was refused.
    pub(crate) answer: String,
}

/// Words lent at most.
const LENT: usize = 12;
/// Characters of a word that is lent; what is longer is none.
const LONGEST: usize = 40;
/// How many turns back a chain of follow-ups is followed.
pub(crate) const TURNS: usize = 8;

/// The question, behind what the earlier ones were about if it leans on them.
pub(crate) fn standalone(question: &str, history: &[Turn]) -> String {
    let own = words(question);
    let Some(last) = history.last().filter(|_| leans(question)) else { return question.to_owned() };
    // "Who is she?" asks about somebody whom the answer named.
    let person = (0..own.len()).any(|at| PERSONS.contains(&own[at].as_str()) && points(question, &own, at));
    let named = if person { names(&last.answer) } else { Vec::new() };
    let mut kept: Vec<String> = Vec::new();
    let mut turns = subject(history);
    turns.push(named);
    // The newest are what is meant: if there are too many, the oldest stay away.
    for words in turns.into_iter().rev() {
        let mut fresh: Vec<String> = Vec::new();
        for word in words.into_iter().filter(|word| word.chars().count() <= LONGEST) {
            if fresh.len() + kept.len() == LENT {
                break;
            }
            let known = |other: &String| other.eq_ignore_ascii_case(&word);
            if !kept.iter().chain(&fresh).any(known) && !own.iter().any(known) {
                fresh.push(word);
            }
        }
        kept.splice(0..0, fresh);
    }
    match kept.is_empty() {
        true => question.to_owned(),
        false => format!("{} {question}", kept.join(" ")),
    }
}

/// What a conversation is about, a list of words for each turn: those of its last question, and of the ones before as long
/// as they lean back too.
fn subject(history: &[Turn]) -> Vec<Vec<String>> {
    let kept = |word: &&str| {
        let folded = word.to_lowercase();
        !EMPTY.contains(&folded.as_str()) && !POINTING.contains(&folded.as_str())
    };
    let mut found = Vec::new();
    for turn in history.iter().rev().take(TURNS) {
        found.push(split(&turn.question).filter(kept).map(str::to_owned).collect());
        if !leans(&turn.question) {
            break;
        }
    }
    found.reverse();
    found
}

/// Whether a question cannot be understood alone: a short one that points back, one that begins as an addition, or one
/// that names hardly anything.
fn leans(question: &str) -> bool {
    let words = words(question);
    let is_in = |list: &[&str], word: &String| list.contains(&word.as_str());
    let opens_as_addition =
        words.first().is_some_and(|word| is_in(&["and", "und", "or", "oder", "also", "auch"], word));
    let what_about = matches!(words.first().zip(words.get(1)), Some((a, b)) if a == "what" && b == "about" || a == "was" && b == "ist" && words.get(2).is_some_and(|c| c == "mit"));
    let points_back = (0..words.len()).any(|at| points(question, &words, at));
    let acronyms = split(question).filter(|word| is_acronym(word)).count();
    let says = words.iter().filter(|word| !is_in(&EMPTY, word) && !is_in(&POINTING, word)).count() + acronyms;
    // "What is overtime?" names what it asks for; "What is allowed?" and "What is missing?" don't.
    let names = matches!(words.as_slice(), [what, is, name] if what == "what" && is == "is" && !name.ends_with("ed") && !is_in(&UNSAID, name));
    // Where no spaces stand between words, a whole question looks like one.
    let whole = question.contains(is_unspaced) && question.chars().filter(|c| c.is_alphanumeric()).count() > UNSPACED;
    (points_back && words.len() <= 10)
        || (opens_as_addition && words.len() <= 12)
        || what_about
        || says <= 1 && words.len() <= 3 && !(names && says == 1) && !whole
}

/// Whether the word at a place of a question, whose `words` are in small letters, stands for something said before.
fn points(question: &str, words: &[String], at: usize) -> bool {
    let Some(word) = words.get(at).map(String::as_str).filter(|word| POINTING.contains(word)) else { return false };
    let raw: Vec<&str> = question.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).collect();
    let behind_comma = at > 0 && raw.get(at - 1).is_some_and(|before| before.ends_with(','));
    let before_comma = raw.get(at).is_some_and(|word| word.ends_with(','));
    let [written, noun] = [at, at + 1].map(|at| split(question).nth(at).unwrap_or_default());
    let next = words.get(at + 1).map(String::as_str);
    match word {
        // "Is there a canteen?", "Gibt es eine Kantine?"
        "there" | "es" if at == 1 => false,
        // "Habt ihr eine Kantine?"
        "ihr" if at == 1 => false,
        // "Können Sie …?", "Ihre Passwortregeln"
        "sie" | "ihr" | "ihre" | "ihren" | "ihrem" | "ihrer" | "ihnen" => {
            at == 0 || written.starts_with(char::is_lowercase)
        }
        // "Which fees apply to ships that stay overnight?"; "Does that apply?", "Who approves that request?"
        "that" => {
            let asks_for_a_kind = words.first().is_some_and(|first| KINDS.contains(&first.as_str()));
            at == 0 || next.is_none() || EMPTY.contains(&words[at - 1].as_str()) || !asks_for_a_kind
        }
        // "for those who work at night"
        "those" | "these" => !matches!(next, Some("who" | "that" | "which")),
        // "Wie alt muss man sein, um …?"
        "sein" => noun.starts_with(char::is_uppercase) && !before_comma,
        // "Mitarbeiter, deren Vertrag befristet ist"
        "deren" | "dessen" => !behind_comma,
        "diese" | "dieser" | "dieses" | "diesen" | "diesem" => !next.is_some_and(|next| TIMES.contains(&next)),
        _ => !is_acronym(written),
    }
}

/// The department of IT is named by its letters.
fn is_acronym(written: &str) -> bool {
    written.len() > 1 && !written.contains(char::is_lowercase) && POINTING.contains(&written.to_lowercase().as_str())
}

/// Letters of a question without spaces that cannot stand alone: 为什么, 왜요.
const UNSPACED: usize = 4;

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
}

fn words(text: &str) -> Vec<String> {
    split(text).map(str::to_lowercase).collect()
}

/// Words that stand for something said before.
const POINTING: [&str; 46] = [
    "it", "its", "they", "them", "their", "that", "those", "these", "he", "she", "him", "her", "his", "there", "then",
    "same", "too", "es", "sie", "er", "ihn", "ihm", "ihr", "ihre", "ihren", "ihrem", "ihrer", "ihnen", "sein", "seine",
    "seinen", "seinem", "seiner", "deren", "dessen", "diese", "dieser", "dieses", "diesen", "diesem", "dort", "dafür",
    "davon", "dazu", "darüber", "dann",
];

/// Those of them that stand for people.
const PERSONS: [&str; 13] =
    ["he", "she", "him", "her", "his", "sie", "er", "ihn", "ihm", "ihr", "ihre", "sein", "seine"];

/// With these a question asks for a kind of thing, which a clause with "that" may tell.
const KINDS: [&str; 8] = ["which", "what", "how", "is", "are", "do", "does", "where"];

/// What is said of something that isn't named.
const UNSAID: [&str; 14] = [
    "forbidden",
    "missing",
    "due",
    "next",
    "left",
    "new",
    "possible",
    "necessary",
    "wrong",
    "open",
    "best",
    "different",
    "special",
    "urgent",
];

/// "in diesem Jahr" is now.
const TIMES: [&str; 9] = ["jahr", "jahres", "monat", "woche", "quartal", "fall", "sommer", "winter", "zusammenhang"];

/// Words that say nothing of what a question is about.
const EMPTY: [&str; 70] = [
    "a", "an", "the", "and", "or", "also", "of", "to", "in", "on", "at", "for", "from", "by", "with", "is", "are",
    "was", "were", "be", "do", "does", "did", "can", "may", "must", "should", "have", "has", "i", "my", "me", "we",
    "our", "you", "your", "what", "who", "whom", "when", "where", "why", "which", "how", "about", "much", "many", "if",
    "get", "der", "die", "das", "und", "oder", "ist", "sind", "ich", "wir", "was", "wer", "wann", "wo", "wie",
    "welche", "viel", "viele", "muss", "darf", "kann", "mit",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(question: &str, answer: &str) -> Turn {
        Turn { question: question.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn only_a_question_that_leans_back_is_lent_words() {
        let history = [turn("How long is the notice period?", "")];
        for (question, rewritten) in [
            ("And in the first year?", "long notice period And in the first year?"),
            ("Who approves it?", "long notice period Who approves it?"),
            ("What about trainees?", "long notice period What about trainees?"),
            ("Why?", "long notice period Why?"),
            ("Is the notice period the same there?", "long Is the notice period the same there?"),
        ] {
            assert_eq!(standalone(question, &history), rewritten);
        }
        for own in [
            "Which password rules apply to administrator accounts?",
            "What is the annual leave?",
            "How high is the tide?",
        ] {
            assert_eq!(standalone(own, &history), own);
        }
        assert_eq!(standalone("Who approves it?", &[]), "Who approves it?");
    }

    #[test]
    fn a_chain_of_follow_ups_keeps_its_subject() {
        let history = [turn("How much leave does roster K receive?", ""), turn("And in the first year?", "")];
        assert_eq!(standalone("Who approves it?", &history), "leave roster K receive first year Who approves it?");
        let changed = [turn("How much leave is there?", ""), turn("Where is the canteen?", "")];
        assert_eq!(standalone("When does it open?", &changed), "canteen When does it open?");
    }

    #[test]
    fn the_newest_is_what_is_meant() {
        let long = "Which forms have signatures from department heads before welding starts aboard tankers during weekend night shifts?";
        let history = [turn(long, ""), turn("And for scaffolds?", "The owner is Ruth Adeyemi.")];
        let lent = standalone("How can I reach her?", &history);
        for word in ["scaffolds", "Ruth", "Adeyemi"] {
            assert!(lent.contains(word), "{lent}");
        }
        let endless = vec![turn("it?", ""); 100_000];
        assert_eq!(standalone("Why?", &endless), "Why?");
    }

    #[test]
    fn there_is_and_es_gibt_point_at_nothing() {
        let history = [turn("How long is the notice period?", "")];
        for own in
            ["Is there a canteen at the quay?", "Gibt es eine Kantine?", "Können Sie mir die Passwortregeln nennen?"]
        {
            assert_eq!(standalone(own, &history), own);
        }
    }

    #[test]
    fn what_only_looks_as_if_it_pointed_back_is_lent_nothing() {
        let history = [turn("How long is the notice period?", "")];
        for own in [
            "Who is the head of IT?",
            "Which fees apply to ships that stay overnight?",
            "Which rules hold for those who work at night?",
            "What is overtime?",
            "Wie hoch muss der Zaun sein?",
            "Wie alt muss man sein, um einen Kran zu führen?",
            "Wie viele Urlaubstage habe ich in diesem Jahr?",
            "Was gilt für Mitarbeiter, deren Vertrag befristet ist?",
            "Habt ihr eine Kantine?",
            "What is IT?",
            "Wo stehen Ihre Passwortregeln?",
            "食堂在哪里？",
            "年假有多少天？",
        ] {
            assert_eq!(standalone(own, &history), own);
        }
        for leaning in [
            "Does that apply to me?",
            "Who approves that?",
            "Who approves that request?",
            "Can I change that later?",
            "What is missing?",
            "What is allowed?",
            "Wie erreiche ich ihn?",
            "Wer ist sein Stellvertreter?",
        ] {
            assert_eq!(standalone(leaning, &history), format!("long notice period {leaning}"));
        }
        assert_eq!(standalone("为什么？", &history), "long notice period 为什么？");
        let unspaced = [turn(&"年".repeat(1_400), "")];
        assert_eq!(standalone("Why?", &unspaced), "Why?", "no word is as long as that");
    }

    #[test]
    fn people_of_the_answer_are_meant_by_she() {
        let history = [turn("Which head owns the safety rules?", "The owner is Ruth Adeyemi.")];
        assert_eq!(
            standalone("How can I reach her?", &history),
            "head owns safety rules Ruth Adeyemi How can I reach her?"
        );
    }

    #[test]
    fn german_follow_ups_lean_too() {
        let history = [turn("Wie hoch ist die Pauschale von Tiedeholm?", "")];
        assert_eq!(standalone("Und ab wann?", &history), "hoch Pauschale von Tiedeholm Und ab wann?");
    }

    #[test]
    fn what_is_lent_has_an_end() {
        let history = [turn(&(0..50).map(|at| format!("word{at} ")).collect::<String>(), "")];
        assert_eq!(standalone("Who approves it?", &history).split_whitespace().count(), LENT + 3);
    }
}
