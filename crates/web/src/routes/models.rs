//! Model packs, for admins: the list, and what can be done with each. What takes a while is done in the background,
//! and the page shows how it goes.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::evaluation;
use crate::session::{Posted, Reader};
use crate::show::{grouped, moment, page, size};
use crate::views::{
    ConfirmPage, ElsewhereView, InboxRow, MemoryView, ModelDone, ModelStanding, ModelView, ModelWork, ModelsPage, Nav,
};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::Role;
use models::{By, Memory, Speed, Task};
use serde::Deserialize;
use serde_json::Value;
use storage::{Model, ModelState};

const PAGE: &str = "/admin/models";

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    name: String,
}

/// `GET /admin/models`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], PAGE).await?;
    // The task first: what ends while the page is made may then still be shown as running, but its end never beside the
    // list as it was before.
    let board = app.models.board();
    let engines = app.models.engines();
    let mut models = app.models.list().await?;
    models.sort_by_key(|model| model.kind != "generate");
    let rollback = models.iter().find(|model| model.kind == "generate" && model.previous);
    let evaluations = app.models.evaluations().await?;
    let now = app.store.environment().now();
    page(&ModelsPage {
        chrome: reader.chrome(&app, "Models", Nav::Models),
        work: board.work.map(|work| ModelWork {
            elapsed: format!("{} s", now.duration_since(work.since).as_secs().max(0)),
            title: work.title,
            stage: work.stage,
        }),
        done: board.done.map(|done| ModelDone {
            title: done.title,
            sentence: done.sentence,
            good: done.good,
            at: moment(done.at),
        }),
        elsewhere: app
            .models
            .elsewhere()
            .map(|engine| ElsewhereView { model: engine.model.clone(), address: engine.address.clone() }),
        rollback: rollback.map(|model| model.name.clone()),
        models: models
            .iter()
            .map(|model| {
                let takes_over = app.models.larger() == Some(model.name.as_str());
                ModelView {
                    evaluated: evaluations.get(&model.name).map(evaluation::line),
                    ..model_view(model, engines.named(&model.name).is_some(), takes_over)
                }
            })
            .collect(),
        memory: app.models.memory().map(memory_view),
        inbox: app
            .models
            .inbox()?
            .into_iter()
            .map(|entry| InboxRow { name: entry.name, size: size(entry.size_bytes) })
            .collect(),
        inbox_folder: app.models.inbox_folder().display().to_string(),
        places: app.models.places().iter().map(|place| place.display().to_string()).collect(),
    })
}

/// `POST /admin/models/import`
pub(crate) async fn import(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], PAGE).await?;
    let path = app.models.offered(fields.get("source"))?;
    let name = Some(fields.get("name").trim().to_owned()).filter(|name| !name.is_empty());
    begin(&app, &reader, Task::Import { path, name })
}

/// `POST /admin/models/verify`
pub(crate) async fn verify(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    named(&app, posted, Task::Verify).await
}

/// `POST /admin/models/load`
pub(crate) async fn load(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    named(&app, posted, Task::Load).await
}

/// `POST /admin/models/measure`
pub(crate) async fn measure(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    named(&app, posted, Task::Measure).await
}

/// `POST /admin/models/unload`
pub(crate) async fn unload(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    posted.reader.require(&app, &[Role::Admin], PAGE).await?;
    begin(&app, &posted.reader, Task::Unload)
}

/// `GET /admin/models/promote?name=`
pub(crate) async fn confirm_promote(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], PAGE).await?;
    let model = app.models.find(&wanted.name).await?;
    app.models.promotable(&model.kind).map_err(|error| WebError::Conflict(error.to_string()))?;
    let consequence = if model.kind == "generate" {
        "It is loaded and tried first; if that fails, everything stays as it is. From then on it writes every answer; \
         answers being written are finished by the model in use now, and you can roll back to that one."
    } else {
        "It is used from the next start of the server on. Vectors of the model in use now mean nothing to it: they are \
         made anew then, in the background, and until that is done documents are found by their words alone."
    };
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Promote a model", Nav::Models),
        question: format!("Take “{}” into use?", model.name),
        consequence: consequence.to_owned(),
        action: "/admin/models/promote".to_owned(),
        button: "Take it into use".to_owned(),
        cancel: PAGE.to_owned(),
        fields: vec![("name".to_owned(), model.name)],
        dangerous: false,
    })
}

/// `POST /admin/models/promote`
pub(crate) async fn promote(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    named(&app, posted, Task::Promote).await
}

/// `GET /admin/models/rollback`
pub(crate) async fn confirm_rollback(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], PAGE).await?;
    app.models.promotable("generate").map_err(|error| WebError::Conflict(error.to_string()))?;
    let models = app.models.list().await?;
    let previous = models.into_iter().find(|model| model.kind == "generate" && model.previous);
    let none = || WebError::Conflict("no other model was in use before; promote one by its name instead".to_owned());
    let previous = previous.ok_or_else(none)?;
    let consequence = "It is loaded first; if that fails, everything stays as it is. Answers being written are finished \
                       by the model in use now, to which you can come back the same way.";
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Roll back", Nav::Models),
        question: format!("Go back to “{}”?", previous.name),
        consequence: consequence.to_owned(),
        action: "/admin/models/rollback".to_owned(),
        button: "Roll back".to_owned(),
        cancel: PAGE.to_owned(),
        fields: Vec::new(),
        dangerous: false,
    })
}

/// `POST /admin/models/rollback`
pub(crate) async fn rollback(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    posted.reader.require(&app, &[Role::Admin], PAGE).await?;
    begin(&app, &posted.reader, Task::Rollback)
}

/// `GET /admin/models/remove?name=`
pub(crate) async fn confirm_remove(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], PAGE).await?;
    let model = app.models.find(&wanted.name).await?;
    app.models.removable(&model).map_err(|error| WebError::Conflict(error.to_string()))?;
    let consequence = "Its files leave the disk at once, and cannot be brought back from here: to use it again you need \
                       the medium that it came from. The audit log keeps its name and hash.";
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Remove a model", Nav::Models),
        question: format!("Remove “{}”?", model.name),
        consequence: consequence.to_owned(),
        action: "/admin/models/remove".to_owned(),
        button: "Remove it".to_owned(),
        cancel: PAGE.to_owned(),
        fields: vec![("name".to_owned(), model.name)],
        dangerous: true,
    })
}

/// `POST /admin/models/remove`
pub(crate) async fn remove(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    named(&app, posted, Task::Remove).await
}

/// An act with the model that the form names.
async fn named(app: &App, posted: Posted, task: fn(String) -> Task) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(app, &[Role::Admin], PAGE).await?;
    let model = app.models.find(fields.get("name")).await?;
    begin(app, &reader, task(model.name))
}

fn begin(app: &App, reader: &Reader, task: Task) -> Result<Response, WebError> {
    app.models.begin(task, By { actor: reader.actor(), operation: reader.operation })?;
    Ok(Redirect::to(PAGE).into_response())
}

fn memory_view(memory: Memory) -> MemoryView {
    let used = memory.total.saturating_sub(memory.available);
    let share = u8::try_from(100 * used / memory.total.max(1)).unwrap_or(100);
    MemoryView { free: size(memory.available), total: size(memory.total), share }
}

fn model_view(model: &Model, loaded: bool, takes_over: bool) -> ModelView {
    let text = |name: &str| model.info.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| model.info.get(name).and_then(Value::as_u64);
    let card = |name: &str| model.card.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut facts = vec![text("architecture"), text("quantisation")];
    facts.extend(number("parameters").map(weights));
    facts.extend(number("context_tokens").map(|tokens| format!("context {}", grouped(tokens))));
    facts.extend(number("dimension").map(|dimension| format!("{dimension} dimensions")));
    facts.extend(takes_over.then(|| "takes over where the one in use is not sure".to_owned()));
    facts.retain(|fact| !fact.is_empty());
    let speed: Option<Speed> = model.speed.clone().and_then(|speed| serde_json::from_value(speed).ok());
    ModelView {
        name: model.name.clone(),
        generates: model.kind == "generate",
        facts,
        standing: match model.state() {
            ModelState::Imported => ModelStanding::Imported,
            ModelState::Verified => ModelStanding::Verified,
            ModelState::Experimental => ModelStanding::Experimental,
            ModelState::Stable => ModelStanding::Stable,
            ModelState::Previous => ModelStanding::Previous,
        },
        since: moment(model.state_since),
        loaded,
        verified: model.verified_at.map(moment),
        size: number("size_bytes").map(size).unwrap_or_default(),
        need: model.need_bytes.map(size),
        resident: model.resident_bytes.map(size),
        reads: speed.as_ref().map(|speed| format!("{:.0}", speed.prefill_tokens_per_s)),
        writes: speed.as_ref().map(|speed| format!("{:.1}", speed.decode_tokens_per_s)),
        measured: speed.map(|speed| format!("{} on {}", moment(speed.at), speed.machine)),
        evaluated: None,
        license: card("license"),
        link: card("link"),
        author: card("author"),
        sha256: model.sha256.clone(),
        problem: model.problem.clone(),
    }
}

/// `1.5 B weights`
fn weights(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 { format!("{:.1} B weights", count / 1e9) } else { format!("{:.0} M weights", count / 1e6) }
}
