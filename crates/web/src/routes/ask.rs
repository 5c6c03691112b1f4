//! Asking, and the conversations in which it was asked.

use crate::app::App;
use crate::error::WebError;
use crate::routes::stream::answer_view;
use crate::session::{Posted, Reader};
use crate::show::{page, same_day};
use crate::views::{AskPage, CollectionChoice, ConversationGroup, ConversationLink, Nav};
use ::audit::{Action, Event};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{AccessScope, CollectionId, ConversationId};
use storage::Conversation;

/// Conversations listed.
const LISTED: u32 = 60;

/// `GET /ask`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    if !app.site.answers {
        return Ok(Redirect::to("/search").into_response());
    }
    page(&desk(&app, &reader, None).await?)
}

/// `GET /conversations/{id}`
pub(crate) async fn conversation(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let id: ConversationId = id.parse().map_err(|_| WebError::NotFound)?;
    if !app.site.answers {
        return Err(WebError::NotFound);
    }
    let owner = reader.who.principal.user.id;
    let conversation = app.store.conversation(id, owner).await?.ok_or(WebError::NotFound)?;
    page(&desk(&app, &reader, Some(conversation)).await?)
}

/// `POST /ask`
pub(crate) async fn post(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    if !app.site.answers {
        return Err(WebError::AnswersOff);
    }
    let conversation = match fields.get("conversation") {
        "" => None,
        id => Some(id.parse::<ConversationId>().map_err(|_| WebError::NotFound)?),
    };
    let asked: Vec<CollectionId> = fields.all("collection").filter_map(|id| id.parse().ok()).collect();
    let scope = reader.scope(&app).await?;
    let scope = if asked.is_empty() { scope } else { scope.narrowed_to(&asked) };
    let owner = reader.who.principal.user.id;
    app.answering.check_room()?;
    let text = fields.get("question");
    let question = match app.answering.open(owner, conversation, text, scope, &reader.actor(), reader.operation).await {
        Ok(question) => question,
        Err(answer::AskError::Invalid(sentence)) => {
            let known = match conversation {
                Some(id) => app.store.conversation(id, owner).await?,
                None => None,
            };
            let mut desk = desk(&app, &reader, known).await?;
            text.clone_into(&mut desk.question);
            desk.error = Some(sentence.to_owned());
            return Ok((StatusCode::BAD_REQUEST, page(&desk)?).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let address = format!("/conversations/{}#a{}", question.conversation, question.id);
    app.live.begin(app.answering.clone(), question);
    Ok(Redirect::to(&address).into_response())
}

/// `POST /conversations/{id}/delete`
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let id: ConversationId = id.parse().map_err(|_| WebError::NotFound)?;
    let reader = posted.reader;
    let owner = reader.who.principal.user.id;
    let mut act = app.store.begin().await?;
    if !act.delete_conversation(id, owner).await? {
        return Err(WebError::NotFound);
    }
    let event = Event::new(Action::ConversationDeleted, &reader.actor(), reader.operation);
    act.record(event.on("conversation", id, "")).await?;
    act.commit().await?;
    // Nobody can read on; what was written by now still goes into the log.
    app.live.stop_all(id, owner);
    Ok(Redirect::to("/ask?said=conversation-deleted").into_response())
}

async fn desk(app: &App, reader: &Reader, open: Option<Conversation>) -> Result<AskPage, WebError> {
    let owner = reader.who.principal.user.id;
    let scope = reader.scope(app).await?;
    let mut turns = Vec::new();
    if let Some(conversation) = &open {
        for record in app.store.answers(conversation.id).await? {
            if matches!(record.state, storage::AnswerState::Searching | storage::AnswerState::Writing) {
                app.live.touch(record.id, owner);
            }
            turns.push(answer_view(app, &record, &scope).await?);
        }
    }
    let banner = turns.iter().filter_map(|turn| turn.label).max();
    let collections = readable(app, &scope).await?;
    let examples = app.site.examples.iter();
    let examples = examples.filter(|(name, _)| collections.iter().any(|choice| choice.name == *name));
    let examples: Vec<(&str, &str)> = examples.map(|(name, question)| (name.as_str(), question.as_str())).collect();
    let examples = spread(&examples);
    let current = open.as_ref().map(|conversation| conversation.id);
    let title = open.as_ref().map_or("Ask", |conversation| conversation.title.as_str());
    Ok(AskPage {
        chrome: reader.chrome_with(app, title, Nav::Ask, banner),
        conversation: current.map(|id| id.to_string()),
        groups: groups(app, app.store.conversations(owner, LISTED).await?, current),
        turns,
        collections,
        examples,
        question: String::new(),
        error: None,
        passages: app.store.passage_count(&scope).await?,
    })
}

/// The collections of a scope, by name.
async fn readable(app: &App, scope: &AccessScope) -> Result<Vec<CollectionChoice>, WebError> {
    let ids: Vec<CollectionId> = scope.collections().collect();
    let mut known = app.store.collections().await?;
    known.retain(|collection| ids.contains(&collection.id));
    let choice = |c: domain::Collection| CollectionChoice { id: c.id.to_string(), name: c.name, checked: true };
    Ok(known.into_iter().map(choice).collect())
}

/// Three examples, from different collections as far as there are.
fn spread(examples: &[(&str, &str)]) -> Vec<String> {
    let mut chosen: Vec<(&str, &str)> = Vec::new();
    for round in 0..3 {
        for (name, question) in examples {
            let of_collection = chosen.iter().filter(|(other, _)| other == name).count();
            if chosen.len() < 3 && of_collection == round && !chosen.contains(&(name, question)) {
                chosen.push((name, question));
            }
        }
    }
    chosen.into_iter().map(|(_, question)| question.to_owned()).collect()
}

fn groups(app: &App, conversations: Vec<Conversation>, open: Option<ConversationId>) -> Vec<ConversationGroup> {
    let now = app.store.environment().now();
    let (today, earlier): (Vec<_>, Vec<_>) =
        conversations.into_iter().partition(|conversation| same_day(conversation.updated_at, now));
    [("Today", today), ("Earlier", earlier)]
        .into_iter()
        .filter(|(_, conversations)| !conversations.is_empty())
        .map(|(name, conversations)| ConversationGroup {
            name: name.to_owned(),
            conversations: conversations
                .into_iter()
                .map(|conversation| ConversationLink {
                    id: conversation.id.to_string(),
                    title: conversation.title,
                    current: Some(conversation.id) == open,
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn examples_come_from_different_collections() {
        let all = vec![("IT", "a"), ("IT", "b"), ("Safety", "c"), ("Handbook", "d")];
        assert_eq!(spread(&all), ["a", "c", "d"]);
        assert_eq!(spread(&[("IT", "a"), ("IT", "b")]), ["a", "b"]);
    }
}
