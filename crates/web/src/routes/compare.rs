//! One question to the model in use and to the one beside it, for admins and curators, with their own rights.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::evaluation;
use crate::routes::stream::answer_view;
use crate::session::{Posted, Reader};
use crate::show::{page, seconds};
use crate::views::{AnswerView, ComparePage, CompareSide, EvaluationView, Nav, Support};
use answer::AskError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{AnswerId, Role};
use serde::Deserialize;
use storage::AnswerRecord;

pub(crate) const PAGE: &str = "/admin/models/compare";
pub(crate) const ROLES: [Role; 2] = [Role::Admin, Role::Curator];

#[derive(Deserialize)]
pub(crate) struct Wanted {
    stable: Option<String>,
    experimental: Option<String>,
}

/// `GET /admin/models/compare?stable=&experimental=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &ROLES, PAGE).await?;
    let mut compare = empty(&app, &reader).await?;
    if let (Some(stable), Some(experimental)) = (wanted.stable, wanted.experimental) {
        let names = (compare.stable.clone(), compare.experimental.clone());
        compare.sides = vec![
            side(&app, &reader, "stable", &stable, names.0).await?,
            side(&app, &reader, "experimental", &experimental, names.1).await?,
        ];
        compare.question.clone_from(&compare.sides[0].answer.question);
        compare.chrome.banner = compare.sides.iter().filter_map(|side| side.answer.label).max();
        compare.may_promote = compare.may_manage
            && app.models.elsewhere().is_none()
            && Some(&compare.sides[1].model) == compare.experimental.as_ref();
    }
    page(&compare)
}

/// `POST /admin/models/compare`
pub(crate) async fn post(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &ROLES, PAGE).await?;
    let (owner, scope, text) = (reader.who.principal.user.id, reader.scope(&app).await?, fields.get("question"));
    let opened = app.answering.open_comparison(owner, text, scope, &reader.actor(), reader.operation).await;
    let comparison = match opened {
        Ok(comparison) => comparison,
        Err(AskError::Invalid(sentence)) => {
            let mut compare = empty(&app, &reader).await?;
            text.clone_into(&mut compare.question);
            compare.error = Some(sentence.to_owned());
            return Ok((StatusCode::BAD_REQUEST, page(&compare)?).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let [stable, experimental] = [&comparison.stable, &comparison.experimental].map(|(question, _)| question.id);
    app.live.begin_comparison(app.answering.clone(), comparison);
    Ok(Redirect::to(&format!("{PAGE}?stable={stable}&experimental={experimental}")).into_response())
}

async fn empty(app: &App, reader: &Reader) -> Result<ComparePage, WebError> {
    let engines = app.answering.engines();
    let may_manage = reader.role() == Role::Admin;
    let nav = if may_manage { Nav::Models } else { Nav::Compare };
    let experimental = engines.experimental().map(|named| named.name);
    let evaluation = match &experimental {
        Some(name) => evaluation::view(app, reader, name).await?,
        None => EvaluationView::default(),
    };
    Ok(ComparePage {
        chrome: reader.chrome(app, "Compare models", nav),
        stable: engines.stable().map(|named| named.name),
        experimental,
        evaluation,
        may_manage,
        may_promote: false,
        question: String::new(),
        error: None,
        passages: app.store.passage_count(&reader.scope(app).await?).await?,
        sides: Vec::new(),
    })
}

/// One answer of this person; `model` names it as long as the record does not.
async fn side(
    app: &App,
    reader: &Reader,
    role: &'static str,
    id: &str,
    model: Option<String>,
) -> Result<CompareSide, WebError> {
    let id: AnswerId = id.parse().map_err(|_| WebError::NotFound)?;
    let owner = reader.who.principal.user.id;
    let record = app.store.answer(id, owner).await?.ok_or(WebError::NotFound)?;
    let answer = answer_view(app, &record, &reader.scope(app).await?).await?;
    if answer.state.in_work() {
        app.live.touch(id, owner);
    }
    let model = if record.model.is_empty() { model.unwrap_or_default() } else { record.model.clone() };
    let figures = if answer.state.in_work() { Vec::new() } else { figures(&record, &answer) };
    Ok(CompareSide { role, model, answer, figures })
}

fn figures(record: &AnswerRecord, answer: &AnswerView) -> Vec<(&'static str, String)> {
    let number = |name: &str| record.timings.get(name).and_then(serde_json::Value::as_u64);
    let mut figures = Vec::new();
    if let Some(ms) = number("first_word_ms") {
        figures.push(("First word", seconds(ms)));
    }
    if let Some((tokens, ms)) = number("new_tokens").zip(number("decode_ms")).filter(|(_, ms)| *ms > 0) {
        let rate = tokens.saturating_sub(1) as f64 * 1000.0 / ms as f64;
        figures.push(("Writes", format!("{rate:.1} tokens/s")));
    }
    if let Some(ms) = number("total_ms") {
        figures.push(("Complete", seconds(ms)));
    }
    if !answer.sentences.is_empty() {
        let supported = answer.sentences.iter().filter(|sentence| sentence.support == Support::Supported).count();
        figures.push(("Supported", format!("{supported} of {} sentences", answer.sentences.len())));
        let left_out = answer.sources.iter().filter(|source| answer.leaves_out(&source.number)).count();
        figures.push(("Cited", format!("{} of {} passages", answer.sources.len() - left_out, answer.sources.len())));
    }
    figures
}
