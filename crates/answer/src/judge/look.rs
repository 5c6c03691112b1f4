//! Look: the model is asked about a few sentences of the passages: before it writes, whether they state what the question asks
//! for; at a second look, whether what it wrote is right by them. Not what it says counts, but how likely it finds "yes"
//! against "no".
//!
//! Examples go before each question, the same for everybody, so they are computed once (the scheduler's common
//! beginnings); a look costs the sentences, the question and one token. What examples and few sentences add was measured:
//! docs/adr/0015.

use super::windows;
use crate::ask::{Event, Question, Status};
use crate::generate::{SAMPLING, number};
use crate::pack::Source;
use crate::{Answering, NamedGenerator};
use inference::{GenerateRequest, Message, Progress, TokenLogprob};
use tokio_util::sync::CancellationToken;

/// Alternatives looked at for a form of yes and of no.
const ALTERNATIVES: usize = 20;

/// More than this a single token does not prove.
const MOST: f32 = 4.0;

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
    /// ln p(yes) - ln p(no), from -4 to 4, that the passages state what `query` asks for; with an answer, that it is right by
    /// them. `None` if the model says neither, or is elsewhere: it would read the examples each time.
    pub(crate) async fn look(
        &self,
        named: &NamedGenerator,
        question: &Question,
        (query, answer): (&str, Option<&str>),
        sources: &[Source],
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Option<f32> {
        if named.generator.remote_address().is_some() || sources.is_empty() {
            return None;
        }
        let about = answer.map_or_else(|| query.to_owned(), |answer| format!("{query} {answer}"));
        let messages = messages(&windows::best(&self.index, &about, sources), query, answer);
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
        // What is wrong with the model, the answer's own request will say.
        let mut stream = named.generator.generate(request).ok()?;
        loop {
            let progress = tokio::select! {
                () = stop.cancelled() => return None,
                progress = stream.next() => progress,
            };
            match progress? {
                Ok(Progress::Waiting { ahead }) => report(Event::Status(Status::Waiting { ahead })),
                Ok(Progress::Logprobs(tokens)) => return tokens.first().and_then(yes_against_no),
                Ok(Progress::Finished(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

fn yes_against_no(token: &TokenLogprob) -> Option<f32> {
    let sum = |words: [&str; 2]| -> f32 {
        let meant = |text: &str| words.contains(&text.trim().to_lowercase().as_str());
        token.top.iter().filter(|(text, _)| meant(text)).map(|(_, logprob)| logprob.exp()).sum()
    };
    let (yes, no) = (sum(["yes", "ja"]), sum(["no", "nein"]));
    // What stands in no list of alternatives is less likely than the last of them.
    let least = token.top.last().map_or(0.0, |(_, logprob)| logprob.exp()).max(1e-6);
    (yes > 0.0 || no > 0.0).then(|| (yes.max(least).ln() - no.max(least).ln()).clamp(-MOST, MOST))
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

    fn token(top: &[(&str, f32)]) -> TokenLogprob {
        let top = top.iter().map(|(text, p)| ((*text).to_owned(), p.ln())).collect();
        TokenLogprob { token: String::new(), bytes: Vec::new(), logprob: 0.0, top }
    }

    #[test]
    fn all_forms_of_yes_and_no_count() {
        let likely = yes_against_no(&token(&[("Yes", 0.4), ("No", 0.3), (" yes", 0.2), ("The", 0.1)])).unwrap();
        assert!((likely - 2.0_f32.ln()).abs() < 1e-5);
        assert!(yes_against_no(&token(&[("No", 0.9), ("The", 0.1)])).unwrap() < -2.0);
        assert!(yes_against_no(&token(&[("The", 0.9)])).is_none());
    }
}
