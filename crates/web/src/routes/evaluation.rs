//! A site's own questions to the model on trial and to the one in use: ordered here, made by the server beside its other
//! work, and shown with both models.

use crate::app::App;
use crate::error::WebError;
use crate::routes::compare::{PAGE, ROLES};
use crate::session::{Posted, Reader};
use crate::show::moment;
use crate::views::{EvaluationRow, EvaluationView};
use audit::Actor;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use models::{Evaluation, Order, Standing};
use serde_json::Value;

/// Questions of a set that are asked at most; more would say little more and take hours.
const QUESTIONS: usize = 30;
/// What a set is called that nobody named.
const UNNAMED: &str = "questions.csv";

/// `POST /admin/models/evaluate`: the fields `questions`, a table as it comes out of a spreadsheet, and `set`, its name.
pub(crate) async fn post(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &ROLES, PAGE).await?;
    let nothing = "no model is on trial; load one beside the one in use, then put your questions to both";
    let wanted = app.answering.engines().experimental().ok_or_else(|| WebError::Conflict(nothing.to_owned()))?;
    let questions = fields.get("questions").trim();
    if questions.is_empty() {
        return Err(WebError::Invalid(
            "put the questions into the field: a line each, below a line of headings".to_owned(),
        ));
    }
    let set: String = fields.get("set").trim().chars().filter(|c| !c.is_control() && *c != '/').take(80).collect();
    // As a table, whatever somebody calls it.
    let set = match set.is_empty() {
        true => UNNAMED.to_owned(),
        false if set.to_lowercase().ends_with(".csv") => set,
        false => format!("{set}.csv"),
    };
    let order = Order {
        id: reader.operation,
        model: wanted.name,
        set,
        questions: questions.to_owned(),
        user: reader.who.principal.user.id,
        limit: QUESTIONS,
        actor: reader.actor(),
        at: app.store.environment().now(),
        standing: Standing::Waiting,
    };
    app.models.place_order(&order).await?;
    Ok(Redirect::to(PAGE).into_response())
}

/// `POST /admin/models/evaluate/stop`
pub(crate) async fn stop(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, .. } = posted;
    reader.require(&app, &ROLES, PAGE).await?;
    app.models.withdraw_order(&format!("{} stopped it", name(&reader.actor()))).await?;
    Ok(Redirect::to(PAGE).into_response())
}

fn name(actor: &Actor) -> &str {
    &actor.name
}

/// How the evaluation of the model on trial stands, for the page that compares it with the one in use.
pub(crate) async fn view(app: &App, reader: &Reader, model: &str) -> Result<EvaluationView, WebError> {
    let order = app.models.order().await?;
    let open = order.as_ref().filter(|order| order.is_open());
    let failed = order.as_ref().filter(|order| order.model == model).and_then(|order| match &order.standing {
        Standing::Failed(reason) => Some(format!("{}: {reason}", order.set)),
        _ => None,
    });
    let found = app.models.evaluations().await?.remove(model);
    let beside = found.as_ref().and_then(|found| found.beside.as_ref()).map(|(name, _)| name.clone());
    Ok(EvaluationView {
        at_work: open.map(|order| match order.standing {
            Standing::Running { done, of } => format!("{} on {}: {done} of {of} answers", order.model, order.set),
            _ => format!("{} on {}: waiting its turn", order.model, order.set),
        }),
        by: open.map(|order| name(&order.actor).to_owned()).filter(|name| *name != reader.actor().name),
        failed,
        beside,
        rows: found.as_ref().map(rows).unwrap_or_default(),
        of: found.as_ref().map(of),
    })
}

fn rows(found: &Evaluation) -> Vec<EvaluationRow> {
    let other = found.beside.as_ref().map(|(_, figures)| figures);
    let row = |what, own, beside: Option<String>| EvaluationRow { what, own, beside: beside.unwrap_or_default() };
    let shares = [
        ("Right answers", "answer_match"),
        ("Right citations", "citation_precision"),
        ("Supported sentences", "supported_sentences"),
        ("Refused what has no answer", "refusal_recall"),
        ("Refused only that", "refusal_precision"),
    ];
    let shares =
        shares.map(|(what, key)| row(what, share(&found.figures, key), other.map(|figures| share(figures, key))));
    let first = row("First word after, median", first_word(&found.figures), other.map(first_word));
    shares.into_iter().chain([first]).collect()
}

fn share(figures: &Value, key: &str) -> String {
    let share = figures.get(key).and_then(Value::as_f64);
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

fn first_word(figures: &Value) -> String {
    let ms = figures.get("ttft_ms").and_then(|times| times.get("p50")?.as_f64());
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms / 1000.0))
}

/// `30 questions of site.csv, 14 March 2026, 09:41`
fn of(found: &Evaluation) -> String {
    let questions = found.figures.get("questions").and_then(Value::as_u64).unwrap_or(0);
    let word = if questions == 1 { "question" } else { "questions" };
    format!("{questions} {word} of {}, {}", found.set, moment(found.at))
}

/// What a model made of the site's own questions, in a line.
pub(crate) fn line(found: &Evaluation) -> String {
    let part = |label: &str, key: &str| {
        let own = share(&found.figures, key);
        match &found.beside {
            Some((_, figures)) => format!("{label} {own} (in use {})", share(figures, key)),
            None => format!("{label} {own}"),
        }
    };
    format!(
        "{}, {}, {}; {}",
        part("right answers", "answer_match"),
        part("supported sentences", "supported_sentences"),
        part("refused what has no answer", "refusal_recall"),
        of(found)
    )
}
