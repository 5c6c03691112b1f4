//! The routes, one file for each kind of thing.

mod account;
pub(crate) mod api;
mod approvals;
mod ask;
mod audit;
mod batch_report;
mod batches;
mod certificate;
mod collection;
mod collections_admin;
mod compare;
mod diagnostics;
mod document;
mod document_acts;
mod evaluation;
mod folders;
mod health;
mod jobs;
mod library;
mod manual;
mod metrics;
mod models;
pub(crate) mod narrowing;
mod oidc;
pub(crate) mod openai;
mod people;
mod search;
mod second_factor;
mod setup;
mod sign_in;
mod steps;
mod stream;
mod upload;
mod usage;

pub use audit::Exports;

use crate::app::App;
use crate::error::WebError;
use crate::metrics::count;
use crate::{assets, guard};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{get, post};
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;

/// All routes over `app`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/setup", get(setup::get).post(setup::post))
        .route("/sign-in", get(sign_in::get).post(sign_in::post))
        .route("/sign-in/certificate", get(certificate::get).post(certificate::post))
        .route("/sign-in/code", get(steps::code).post(steps::enter_code))
        .route("/sign-in/key", post(steps::present_key))
        .route("/sign-in/oidc", get(oidc::depart))
        .route("/sign-in/oidc/return", get(oidc::arrive))
        .route("/sign-in/password", get(steps::password).post(steps::choose_password))
        .route("/second-factor", get(second_factor::get).post(second_factor::enrol))
        .route("/second-factor/picture.svg", get(second_factor::picture))
        .route("/second-factor/app/remove", post(second_factor::remove_app))
        .route("/second-factor/keys", post(second_factor::register_key))
        .route("/second-factor/keys/{id}/remove", post(second_factor::remove_key))
        .route("/second-factor/codes", post(second_factor::new_codes))
        .route("/second-factor/remove", post(second_factor::remove))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/ask", get(ask::get).post(ask::post))
        .route("/conversations/{id}", get(ask::conversation))
        .route("/conversations/{id}/delete", post(ask::delete))
        .route("/answers/{id}/events", get(stream::events))
        .route("/answers/{id}/stop", post(stream::stop))
        .route("/search", get(search::get))
        .route("/library", get(library::get))
        .route("/collections", post(collections_admin::create))
        .route("/collections/{id}", get(collection::get).post(collections_admin::change))
        // Files of an upload are read one by one, and each is held to the limit of its own.
        .route("/collections/{id}/documents", post(upload::post).layer(DefaultBodyLimit::disable()))
        .route("/collections/{id}/grants", post(collections_admin::grant))
        .route("/collections/{id}/delete", get(collections_admin::confirm_delete).post(collections_admin::delete))
        .route("/documents/{id}", get(document::get))
        .route("/documents/{id}/original", get(document::original))
        .route("/documents/{id}/pages/{page}", get(document::picture::get))
        .route("/documents/{id}/label", post(document_acts::relabel))
        .route("/documents/{id}/delete", get(document_acts::confirm_delete).post(document_acts::delete))
        .route("/batches/{id}", get(batches::get))
        .route("/batches/{id}/failures.csv", get(batch_report::csv))
        .route("/batches/{id}/failures.json", get(batch_report::json))
        .route("/batches/{id}/{act}", post(batches::act))
        .route("/jobs", get(jobs::get))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/jobs/{id}/retry", post(jobs::retry))
        .route("/folders", get(folders::get).post(folders::add))
        .route("/folders/{id}/pause", post(folders::pause))
        .route("/folders/{id}/resume", post(folders::resume))
        .route("/folders/{id}/look", post(folders::look))
        .route("/folders/{id}/remove", get(folders::confirm_remove).post(folders::remove))
        .route("/people", get(people::get).post(people::create))
        .route("/people/{id}", post(people::change))
        .route("/groups", post(people::create_group))
        .route("/groups/{id}/members", post(people::change_members))
        .route("/admin", get(health::get))
        .route("/admin/usage", get(usage::get))
        .route("/admin/diagnostics", post(diagnostics::post))
        .route("/admin/collections", get(collections_admin::get))
        .route("/admin/models", get(models::get))
        .route("/admin/models/import", post(models::import))
        .route("/admin/models/verify", post(models::verify))
        .route("/admin/models/load", post(models::load))
        .route("/admin/models/unload", post(models::unload))
        .route("/admin/models/measure", post(models::measure))
        .route("/admin/models/promote", get(models::confirm_promote).post(models::promote))
        .route("/admin/models/rollback", get(models::confirm_rollback).post(models::rollback))
        .route("/admin/models/remove", get(models::confirm_remove).post(models::remove))
        .route("/admin/models/evaluate", post(evaluation::post))
        .route("/admin/models/evaluate/stop", post(evaluation::stop))
        .route("/admin/models/compare", get(compare::get).post(compare::post))
        .route("/manual", get(manual::index))
        .route("/manual/{name}", get(manual::get))
        .route("/audit", get(audit::get))
        .route("/audit/overview", get(audit::overview))
        .route("/audit/readers", get(audit::readers))
        .route("/audit/day", get(audit::persons_day))
        .route("/audit/checkpoint", get(audit::checkpoint).post(audit::sign))
        .route("/audit/checkpoint.json", get(audit::checkpoint_file))
        .route("/audit/checkpoint.svg", get(audit::checkpoint_picture))
        .route("/audit/holds/release", post(audit::ask_release))
        .route("/audit/exports", post(audit::begin_export))
        .route("/audit/exports/{id}", get(audit::export_page))
        .route("/audit/exports/{id}/file", get(audit::export_file))
        .route("/audit/{sequence}", get(audit::event))
        .route("/audit/export", post(audit::export))
        .route("/audit/verify", post(audit::verify))
        .route("/approvals", get(approvals::get))
        .route("/approvals/{id}/{act}", post(approvals::act))
        .route("/account", get(account::get))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end-others", post(account::end_other_sessions))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/theme", post(account::theme))
        .route("/account/tokens", post(account::make_token))
        .route("/account/tokens/{id}/revoke", post(account::revoke_token))
        .merge(openai::routes())
        .merge(api::routes(&app))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::get))
        .route("/favicon.ico", get(assets::favicon))
        .route("/static/{name}", get(assets::get))
        .fallback(|| async { WebError::NotFound })
        .method_not_allowed_fallback(|| async { WebError::NotFound })
        .layer(from_fn_with_state(app.clone(), crate::setup::lead))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| {
            let what = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            axum::response::IntoResponse::into_response(WebError::internal(std::io::Error::other(what)))
        }))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(from_fn_with_state(app.clone(), count))
        .with_state(app)
}

/// The page that people begin with.
async fn home(State(app): State<App>) -> Redirect {
    Redirect::to(if app.site.answers { "/ask" } else { "/search" })
}
