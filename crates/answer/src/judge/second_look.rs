//! Second look: the model that wrote an answer is asked twice more about a few sentences of the passages: whether they
//! state what the question asks for, and whether its answer is right by them. Not its words count, but how likely it
//! finds "yes" against "no".
//!
//! Examples go before each question, the same for everybody, so they are computed once (the scheduler's common
//! beginnings); a look costs the sentences, the question and one token. What examples add was measured: docs/adr/0015.

use super::probe::{ALTERNATIVES, yes_against_no};
use super::windows;
use crate::ask::Question;
use crate::generate::{SAMPLING, number};
use crate::pack::Source;
use crate::{Answering, NamedGenerator};
use inference::{GenerateRequest, Message, Progress};
use tokio_util::sync::CancellationToken;

/// What a second look found, from -4 (no) to 4 (yes).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SecondLook {
    /// The passages state what is asked for.
    pub(crate) stated: Option<f32>,
    /// The answer is right by them.
    pub(crate) right: Option<f32>,
}

const STATED: &str = "You check answers. Say yes only if the text states exactly what the question asks for.";
const RIGHT: &str = "You check answers. Say yes only if the text states that this is what the question asks for.";

const GARDEN: &str = "Garden Rules – Tools\nTools are lent for one week. Who returns a tool late pays EUR 2 for each day. \
Lawn mowers are kept in shed 3.";
const LIBRARY: &str = "Library – Opening\nThe library is open from 9:00 to 18:00. On Fridays it closes at 14:00.";
const CLUB: &str = "Club Rules – Fees\nMembers | Fee a year\nUp to 17 years | EUR 20\n18 to 64 years | EUR 55\n\
From 65 years | EUR 30\nFees are paid in January.";
const MINIBUS: &str = "Minibus\nThe minibus has eight seats and a roof rack. Bookings are made with Mrs Olsen at the front \
desk.";
const LADDERS: &str =
    "Werkstatt – Prüfung\nLeitern werden alle zwölf Monate geprüft. Defekte Leitern werden rot markiert.";
const PARKING: &str = "Parking – Visitors\nVisitors park in row B. A ticket from the porter is valid for four hours. Whoever \
parks in row A is towed away.";
const BOILER: &str = "Heating – Boiler\nThe boiler gives 24 kW. It is checked every autumn by an outside firm.";

/// A text, a question, an answer, and whether the text states it.
const EXAMPLES: [(&str, &str, &str, bool); 14] = [
    (GARDEN, "How much does it cost to be late with a tool?", "EUR 2 for each day.", true),
    (GARDEN, "How much does a new lawn mower cost?", "A new lawn mower costs EUR 2.", false),
    (LIBRARY, "Wann schließt die Bibliothek am Freitag?", "Um 14:00 Uhr.", true),
    (LIBRARY, "Who is the head of the library?", "The head of the library is Fridays.", false),
    (CLUB, "I am 70. What do I have to pay?", "EUR 30 a year.", true),
    (CLUB, "How many members does the club have?", "The club has 64 members.", false),
    (MINIBUS, "Whom do I ask for the minibus?", "Mrs Olsen at the front desk.", true),
    (MINIBUS, "Which company made the minibus?", "The minibus was made by Mrs Olsen.", false),
    (LADDERS, "Wie viele Leitern hat die Werkstatt?", "Die Werkstatt hat zwölf Leitern.", false),
    (LADDERS, "Was geschieht mit einer kaputten Leiter?", "Sie wird rot markiert.", true),
    (PARKING, "May a guest leave the car in row A?", "No, it would be towed away.", true),
    (PARKING, "What is the fine for parking in row A?", "The fine is four hours.", false),
    (BOILER, "How heavy is the boiler?", "The boiler is 24 kW heavy.", false),
    (BOILER, "How often does somebody look after the boiler?", "Every autumn.", true),
];

/// The instructions and the examples, then what is asked now. With an answer it is asked whether that is right.
fn messages(text: &str, question: &str, answer: Option<&str>) -> Vec<Message> {
    let ask = |text: &str, question: &str, answer: Option<&str>| {
        Message::user(match answer {
            Some(answer) => format!("Text:\n{text}\n\nQuestion: {question}\nAnswer: {answer}\n\nIs the answer right?"),
            None => format!("Text:\n{text}\n\nQuestion: {question}\n\nDoes the text state the answer?"),
        })
    };
    let mut messages = vec![Message::system(if answer.is_some() { RIGHT } else { STATED })];
    for (text, question, given, yes) in EXAMPLES {
        messages.push(ask(text, question, answer.map(|_| given)));
        messages.push(Message::assistant(if yes { "yes" } else { "no" }));
    }
    messages.push(ask(text, question, answer));
    messages
}

impl Answering {
    /// Looks twice at `answer`, what `named` wrote to `query`. Nothing is found by an engine elsewhere: it would read the
    /// examples each time.
    pub(crate) async fn second_look(
        &self,
        named: &NamedGenerator,
        question: &Question,
        query: &str,
        answer: &str,
        sources: &[Source],
        stop: &CancellationToken,
    ) -> SecondLook {
        if named.generator.remote_address().is_some() || sources.is_empty() || answer.trim().is_empty() {
            return SecondLook::default();
        }
        let asked = windows::best(&self.index, query, sources);
        let answered = windows::best(&self.index, &format!("{query} {answer}"), sources);
        // Both at once: a step of the model over two prompts is cheaper than two steps.
        let (stated, right) = tokio::join!(
            likelihood(named, question, messages(&asked, query, None), stop),
            likelihood(named, question, messages(&answered, query, Some(answer)), stop),
        );
        SecondLook { stated, right }
    }
}

async fn likelihood(
    named: &NamedGenerator,
    question: &Question,
    messages: Vec<Message>,
    stop: &CancellationToken,
) -> Option<f32> {
    let request = GenerateRequest {
        common_messages: messages.len() - 1,
        messages,
        max_new_tokens: 1,
        sampling: SAMPLING,
        logprobs: Some(ALTERNATIVES),
        cache_key: Some(number(&question.scope)),
        user: Some(number(&question.owner)),
        ..GenerateRequest::default()
    };
    // An answer that cannot be looked at twice is judged by what else is known of it.
    let mut stream = named.generator.generate(request).ok()?;
    loop {
        let progress = tokio::select! {
            () = stop.cancelled() => return None,
            progress = stream.next() => progress,
        };
        match progress? {
            Ok(Progress::Logprobs(tokens)) => return tokens.first().and_then(yes_against_no),
            Ok(Progress::Finished(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::MessageRole;

    #[test]
    fn examples_are_the_same_for_every_question_and_end_before_it() {
        for answer in [None, Some("2 m")] {
            let (one, other) = (messages("a", "b", answer), messages("c", "d", answer.map(|_| "3 m")));
            assert_eq!(one[..one.len() - 1], other[..other.len() - 1]);
            assert_eq!(one.last().unwrap().role, MessageRole::User);
        }
        let yes = EXAMPLES.iter().filter(|example| example.3).count();
        assert_eq!(yes * 2, EXAMPLES.len(), "the examples lean to neither side");
    }
}
