//! `GET /metrics`: figures for Prometheus. Open to the addresses that the site names, and to an admin's token that is
//! for it; to nobody else. No figure is told apart by a person, a document or a collection.

use crate::app::App;
use crate::error::WebError;
use crate::metrics::{CONTENT_TYPE, Exposition, Kind};
use crate::session::{bearer, client, operation};
use answer::NamedGenerator;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Role;
use identity::TokenScope;
use inference::{Arithmetic, GeneratorState};
use std::net::SocketAddr;

/// A figure of an engine: name, kind, help, value.
type Figure = (&'static str, Kind, &'static str, fn(&GeneratorState) -> u64);

const FIGURES: [Figure; 12] = [
    ("requests_running", Kind::Gauge, "Answers being written.", |s| s.running as u64),
    ("requests_waiting", Kind::Gauge, "Requests that wait for admission.", |s| s.waiting as u64),
    ("kv_blocks", Kind::Gauge, "Blocks of memory for keys and values.", |s| s.blocks as u64),
    ("kv_blocks_used", Kind::Gauge, "Blocks that running answers hold.", |s| s.blocks_used as u64),
    ("kv_blocks_cached", Kind::Gauge, "Blocks kept of earlier prompts.", |s| s.blocks_cached as u64),
    ("answers_total", Kind::Counter, "Answers that came to their end.", |s| s.answers),
    ("prompt_tokens_total", Kind::Counter, "Tokens of admitted prompts.", |s| s.prompt_tokens),
    ("prompt_tokens_reused_total", Kind::Counter, "Tokens of prompts found in the prefix cache.", |s| s.reused_tokens),
    ("new_tokens_total", Kind::Counter, "Tokens written.", |s| s.new_tokens),
    ("drafted_tokens_total", Kind::Counter, "Tokens guessed.", |s| s.drafted_tokens),
    ("accepted_tokens_total", Kind::Counter, "Guessed tokens that were right.", |s| s.accepted_tokens),
    ("preemptions_total", Kind::Counter, "Answers put off for lack of memory.", |s| s.preemptions),
];

/// `GET /metrics`
pub(crate) async fn get(State(app): State<App>, parts: Parts) -> Result<Response, WebError> {
    if let Some(refused) = refusal(&app, &parts).await? {
        return Ok(refused);
    }
    let mut page = Exposition::default();
    let arithmetic = Arithmetic::of_this_machine();
    page.family("carrel_build_info", Kind::Gauge, "1, with the version and what models compute with.");
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("instructions", arithmetic.name())];
    page.sample("carrel_build_info", &labels, 1);
    let started = app.metrics.started().as_second();
    page.single("process_start_time_seconds", Kind::Gauge, "When the server started, Unix time.", started);
    if let Some(bytes) = models::resident_memory() {
        page.single("process_resident_memory_bytes", Kind::Gauge, "Memory of the process.", bytes);
    }
    page.single("carrel_index_passages", Kind::Gauge, "Passages that can be searched.", app.index.passages());
    page.family("carrel_jobs", Kind::Gauge, "Jobs of the queue by state.");
    for (state, count) in app.store.jobs_by_state().await? {
        page.sample("carrel_jobs", &[("state", state.as_str())], count);
    }
    answers(&mut page, &app);
    engines(&mut page, &app);
    app.metrics.write(&mut page);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page.finish()).into_response())
}

/// Why this request gets no figures; `None` if it may have them.
async fn refusal(app: &App, parts: &Parts) -> Result<Option<Response>, WebError> {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    if address.is_some_and(|address| app.site.metrics_allow.iter().any(|network| network.contains(address))) {
        return Ok(None);
    }
    let bearer = match bearer(&parts.headers) {
        Some(secret) => {
            let address = client(parts).address;
            app.identity.authenticate_token(secret, &address, operation(parts, app)).await?
        }
        None => None,
    };
    let sentence = "metrics are for the addresses in metrics.allow and for an admin's token that is for 'metrics'\n";
    Ok(match bearer {
        Some(bearer) if bearer.may(TokenScope::Metrics) && bearer.principal.user.role == Role::Admin => None,
        Some(_) => Some((StatusCode::FORBIDDEN, sentence).into_response()),
        None => Some((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], sentence).into_response()),
    })
}

fn answers(page: &mut Exposition, app: &App) {
    let counts = app.answering.counts();
    page.single("carrel_questions_total", Kind::Counter, "Questions taken.", counts.asked);
    page.family("carrel_answers_total", Kind::Counter, "Answers by how they ended.");
    for (state, count) in [
        ("finished", counts.finished),
        ("refused", counts.refused),
        ("stopped", counts.stopped),
        ("failed", counts.failed),
    ] {
        page.sample("carrel_answers_total", &[("state", state)], count);
    }
    let help = "Answers that the larger model was asked to write again.";
    page.single("carrel_escalations_total", Kind::Counter, help, counts.escalated);
}

/// The engines of this machine; of one elsewhere nothing is known here but that it is in use.
fn engines(page: &mut Exposition, app: &App) {
    let engines = app.answering.engines();
    let places = [("stable", engines.stable()), ("experimental", engines.experimental()), ("larger", engines.larger())];
    let running: Vec<(&str, NamedGenerator)> =
        places.into_iter().filter_map(|(place, named)| Some((place, named?))).collect();
    page.family("carrel_engine_info", Kind::Gauge, "1 for each engine in use or on trial, with where it runs.");
    for (place, named) in &running {
        let runs = if named.generator.remote_address().is_some() { "elsewhere" } else { "here" };
        page.sample("carrel_engine_info", &[("place", place), ("runs", runs)], 1);
    }
    let here = running.iter().filter(|(_, named)| named.generator.remote_address().is_none());
    let states: Vec<(&str, GeneratorState)> = here.map(|(place, named)| (*place, named.generator.state())).collect();
    for (name, kind, help, value) in FIGURES {
        let name = format!("carrel_engine_{name}");
        page.family(&name, kind, help);
        for (place, state) in &states {
            page.sample(&name, &[("place", place)], value(state));
        }
    }
}
