//! How programs are told what an answer rests on, whichever interface they speak.

use answer::{Answer, Sentence, Source, Unfounded};
use domain::{AnswerId, ConversationId};
use serde_json::{Value, json};
use storage::AnswerState;

/// What a person is told in the browser, too.
pub(crate) const REFUSAL: &str = "The documents you can see do not answer this.";

/// What the answer rests on: its sentences, each with the sources that were checked for it.
pub(crate) fn rests_on((id, conversation): (AnswerId, ConversationId), from_documents: bool, answer: &Answer) -> Value {
    if !from_documents {
        return json!({
            "answer_id": id,
            "conversation_id": conversation,
            "state": answer.state,
            "retrieval": false,
        });
    }
    // A refused text says nothing, whatever its sentences are; nor does it rest on anything.
    let sentences: &[Sentence] = if answer.state == AnswerState::Refused { &[] } else { &answer.sentences };
    let cites = |source: &&Source| sentences.iter().any(|sentence| sentence.citations.contains(&source.rank));
    json!({
        "answer_id": id,
        "conversation_id": conversation,
        "state": answer.state,
        "retrieval": true,
        "first_model": answer.first.as_ref().map(|first| &first.model),
        "supported": answer.is_supported(),
        "label": if sentences.is_empty() { None } else { answer.label },
        "sentences": sentences.iter().map(sentence).collect::<Vec<_>>(),
        "citations": answer.sources.iter().filter(cites).map(citation).collect::<Vec<_>>(),
    })
}

fn sentence(sentence: &Sentence) -> Value {
    let mut told = json!({ "text": sentence.text, "citations": sentence.citations, "support": sentence.support });
    if !sentence.unfounded.is_empty() {
        let part = |part: &Unfounded| json!({ "text": sentence.text.get(part.start..part.end), "kind": part.kind, "in_question": part.asked });
        told["unfounded"] = sentence.unfounded.iter().map(part).collect();
    }
    told
}

/// A source as programs are told it.
pub(crate) fn citation(source: &Source) -> Value {
    let Source { rank, passage, document, .. } = source;
    json!({
        "number": rank,
        "title": document.title,
        "heading": passage.heading_path,
        "page": passage.page,
        "quote": passage.text,
        "label": document.label,
        "document_id": document.id,
        "collection_id": document.collection,
        "source": document.source,
        "version": passage.version,
        "passage_id": passage.id,
        "hash": passage.hash,
        "url": format!("/documents/{}?passage={}#p{}", document.id, passage.id, passage.id),
    })
}

/// The sentences as text, each with the numbers of what it rests on behind it.
pub(crate) fn cited(sentences: &[Sentence]) -> String {
    let mut text = String::new();
    for sentence in sentences {
        if !text.is_empty() {
            text.push_str(if sentence.starts_paragraph { "\n" } else { " " });
        }
        if sentence.list_item {
            text.push_str("- ");
        }
        text.push_str(&sentence.text);
        for number in &sentence.citations {
            text.push_str(&format!(" [{number}]"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use answer::Support;

    #[test]
    fn citations_stand_behind_their_sentences() {
        let sentence = |text: &str, citations: &[u32], starts_paragraph, list_item| Sentence {
            text: text.to_owned(),
            citations: citations.to_vec(),
            support: Support::Supported,
            unfounded: Vec::new(),
            starts_paragraph,
            list_item,
        };
        let sentences = [
            sentence("One.", &[2, 1], true, false),
            sentence("Two.", &[], false, false),
            sentence("Three", &[3], true, true),
        ];
        assert_eq!(cited(&sentences), "One. [2] [1] Two.\n- Three [3]");
    }
}
