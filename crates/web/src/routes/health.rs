//! Whether everything is well: for admins as a page, for machines as two addresses.

use crate::app::App;
use crate::error::WebError;
use crate::session::Reader;
use crate::show::{grouped, moment, page, size};
use crate::views::{EngineRow, EngineState, FindingRow, HealthCard, HealthPage, HealthState, ModelRow, Nav};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Role;
use inference::{Arithmetic, GeneratorState};
use operations::doctor::{Finding, State as Found, glance};
use serde_json::{Value, json};
use storage::{JobFilter, JobState};

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: questions can be answered, or where there are no answers, passages found.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let database = app.store.audit_last().await.is_ok();
    let model = app.answering.generator().is_some();
    let status =
        if database && (model || !app.site.answers) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "database": database, "generation_model": model, "answers": app.site.answers })))
        .into_response()
}

/// `GET /admin`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], "/admin").await?;
    let open = app.store.open_jobs().await?;
    let failed = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
    let failed = app.store.jobs(&failed, 100).await?.len();
    let audited = app.store.audit_last().await?;
    let behind = app.store.index_changes(0, 100).await?.len();
    let times = app.store.answer_times(50).await?;
    let findings = glance(&app.site.subject, &app.store).await;
    let card = |name: &str, value: String, unit: &str, detail: String, state: HealthState| HealthCard {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        detail,
        state,
        share: None,
        href: None,
    };
    let good_if = |good: bool| if good { HealthState::Good } else { HealthState::Attention };
    let mut cards = vec![
        match median(times) {
            Some(ms) => card(
                "Answer time",
                format!("{}.{}", ms / 1000, ms % 1000 / 100),
                "s",
                "median of the last 50 answers".to_owned(),
                HealthState::Good,
            ),
            None => card("Answer time", "–".to_owned(), "", "nothing was asked yet".to_owned(), HealthState::Good),
        },
        card(
            "Answers in work",
            app.live.count().to_string(),
            "",
            "written side by side; what is too many waits".to_owned(),
            HealthState::Good,
        ),
        HealthCard {
            href: Some("/jobs?state=failed".to_owned()),
            ..card("Queue", open.to_string(), "jobs in work", format!("{failed} failed"), good_if(failed == 0))
        },
        card(
            "Index",
            if behind == 0 { "in step".to_owned() } else { behind.to_string() },
            if behind == 0 { "" } else { "changes behind" },
            format!("{} passages can be searched", app.index.passages()),
            good_if(behind == 0),
        ),
        disk(&app, &findings),
        arithmetic(&Arithmetic::of_this_machine()),
    ];
    if !app.site.answers {
        // The first two are about answers.
        cards.drain(..2);
    }
    cards.push(match (app.store.audit_writable().await, audited) {
        // Whatever would have to be recorded is refused until this is mended.
        (Err(error), _) => {
            let detail = format!("nothing is done that would have to be recorded: {error}");
            card("Audit log", "not writable".to_owned(), "", detail, HealthState::Bad)
        }
        (Ok(()), Some((count, hash))) => {
            let detail = format!("head {}…", &hash.to_string()[..8]);
            card("Audit log", grouped(count), "events", detail, HealthState::Good)
        }
        (Ok(()), None) => card("Audit log", "0".to_owned(), "events", String::new(), HealthState::Good),
    });
    if let Some(forwarding) = app.store.last_forwarding().await? {
        let behind = audited.map_or(0, |(count, _)| count).saturating_sub(forwarding.sequence);
        let detail = forwarding.problem.clone().unwrap_or_else(|| format!("passed on to {}", forwarding.receiver));
        let state = good_if(forwarding.problem.is_none());
        cards.push(card("Log collector", grouped(behind), "events behind", detail, state));
    }
    // An engine elsewhere writes in place of the model that is promoted here.
    let elsewhere = app.models.elsewhere().is_some();
    let used = |model: &storage::Model| model.active && !(elsewhere && model.kind == "generate");
    let models: Vec<ModelRow> = app.store.models().await?.into_iter().filter(used).map(model_row).collect();
    let findings = to_look_at(findings);
    let found = findings.iter().map(|finding| finding.state).max();
    let state = cards.iter().map(|card| card.state).max().max(found).unwrap_or(HealthState::Good);
    let verdict = match (state, app.answering.generator()) {
        (_, None) if app.site.answers => "No generation model is in use: nothing can be answered.".to_owned(),
        (HealthState::Good, _) => "All is well.".to_owned(),
        _ => {
            let cards = cards.iter().filter(|card| card.state > HealthState::Good).map(|card| card.name.clone());
            let mut names: Vec<String> = cards.collect();
            let known = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
            let more: Vec<String> =
                findings.iter().map(|finding| finding.check.clone()).filter(|name| !known(name)).collect();
            names.extend(more);
            format!("Needs attention: {}.", names.join(", "))
        }
    };
    let at = moment(app.store.environment().now());
    let engines = engines(&app);
    page(&HealthPage {
        chrome: reader.chrome(&app, "Health", Nav::Health),
        verdict,
        state,
        cards,
        findings,
        models,
        engines,
        at,
    })
}

fn median(mut times: Vec<u64>) -> Option<u64> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// What the doctor found that somebody should look at.
fn to_look_at(findings: Vec<Finding>) -> Vec<FindingRow> {
    let looked = findings.into_iter().filter(|finding| finding.state > Found::Ok);
    let row = |finding: Finding| FindingRow {
        // Nothing got out, so it is no reason to fail; and of all remarks it is the one that nobody may pass over.
        state: if finding.code == "attempts_to_leave" { HealthState::Bad } else { health_of(finding.state) },
        check: finding.check,
        detail: finding.detail,
        why: finding.why,
        advice: finding.advice,
    };
    looked.map(row).collect()
}

const fn health_of(state: Found) -> HealthState {
    match state {
        Found::Ok => HealthState::Good,
        Found::Warning => HealthState::Attention,
        Found::Failed => HealthState::Bad,
    }
}

fn disk(app: &App, findings: &[Finding]) -> HealthCard {
    let space = fs4::available_space(&app.site.data).ok().zip(fs4::total_space(&app.site.data).ok());
    let Some((free, total)) = space.filter(|(_, total)| *total > 0) else {
        return HealthCard {
            name: "Disk".to_owned(),
            value: "?".to_owned(),
            unit: String::new(),
            detail: "its free space cannot be read".to_owned(),
            state: HealthState::Attention,
            share: None,
            href: None,
        };
    };
    let used = total - free.min(total);
    let share = u8::try_from(100 * used / total).unwrap_or(100);
    let by_share = match share {
        0..=84 => HealthState::Good,
        85..=94 => HealthState::Attention,
        _ => HealthState::Bad,
    };
    let found = findings.iter().find(|finding| finding.code == "disk");
    let state = found.map_or(by_share, |finding| health_of(finding.state).max(by_share));
    let detail = match found {
        Some(finding) if finding.state == Found::Failed => "taking in has stopped; see below what to do".to_owned(),
        _ => format!("{} of {} used", size(used), size(total)),
    };
    HealthCard {
        name: "Disk".to_owned(),
        value: size(free),
        unit: "free".to_owned(),
        detail,
        state,
        share: Some(share),
        href: None,
    }
}

/// What models of this machine compute with; below x86-64-v3 that is a reason for slow answers.
fn arithmetic(arithmetic: &Arithmetic) -> HealthCard {
    let warning = arithmetic.warning();
    HealthCard {
        name: "Processor".to_owned(),
        value: arithmetic.name().to_owned(),
        unit: String::new(),
        state: if warning.is_none() { HealthState::Good } else { HealthState::Attention },
        detail: warning.unwrap_or_else(|| "what models of this machine compute with".to_owned()),
        share: None,
        href: None,
    }
}

/// The engine in use and the one on trial, in a line each.
fn engines(app: &App) -> Vec<EngineRow> {
    let engines = app.answering.engines();
    let places = [
        ("in use", engines.stable()),
        ("on trial", engines.experimental()),
        ("takes over when unsure", engines.larger()),
    ];
    let rows = places.into_iter().filter_map(|(place, named)| {
        let named = named?;
        Some(EngineRow {
            place: if named.generator.on_gpu() { format!("{place}, on the GPU") } else { place.to_owned() },
            state: match named.generator.remote_address() {
                Some(_) => None,
                None => Some(engine_state(&named.generator.state())),
            },
            name: named.name,
        })
    });
    rows.collect()
}

fn engine_state(state: &GeneratorState) -> EngineState {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    EngineState {
        running: state.running.to_string(),
        waiting: state.waiting.to_string(),
        memory: format!("{} of {}", grouped(state.blocks_used as u64), grouped(state.blocks as u64)),
        cached: grouped(state.blocks_cached as u64),
        written: grouped(state.new_tokens),
        reused: percent(state.prefix_hit_rate()),
        guessed: percent(state.acceptance_rate()),
        preempted: grouped(state.preemptions),
    }
}

fn model_row(model: storage::Model) -> ModelRow {
    let text = |name: &str| model.info.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| model.info.get(name).and_then(Value::as_u64);
    let mut facts = vec![text("architecture"), text("quantisation")];
    facts.extend(number("context_tokens").map(|tokens| format!("context {tokens}")));
    facts.extend(number("dimension").map(|dimension| format!("{dimension} dimensions")));
    facts.retain(|fact| !fact.is_empty());
    let purpose = if model.kind == "generate" { "Writes answers" } else { "Reads passages" };
    ModelRow {
        purpose: purpose.to_owned(),
        detail: facts.join(" · "),
        size: number("size_bytes").map(size).unwrap_or_default(),
        sha256: model.sha256,
        name: model.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_processor_needs_attention_and_says_why() {
        let card = arithmetic(&Arithmetic::of(&["sse4.2"]));
        assert_eq!((card.state, card.value.as_str()), (HealthState::Attention, "plain"));
        assert!(card.detail.contains("below x86-64-v3"), "{}", card.detail);
        let card = arithmetic(&Arithmetic::of(&["avx2", "fma", "f16c"]));
        assert_eq!((card.state, card.value.as_str()), (HealthState::Good, "AVX2"));
    }
}
