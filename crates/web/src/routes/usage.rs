//! How much is asked, for admins: by group, never by person, and without what was asked.

use super::audit::share;
use crate::app::App;
use crate::error::WebError;
use crate::session::Reader;
use crate::show::{day, page};
use crate::views::{Nav, UsagePage, UsageRow};
use axum::extract::State;
use axum::response::Response;
use domain::Role;
use jiff::SignedDuration;

/// How far back questions are counted. Always the same, so that two windows cannot be compared to tell about one question.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// `GET /admin/usage`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], "/admin/usage").await?;
    let now = app.store.environment().now();
    let since = now.checked_sub(WINDOW).unwrap_or(now);
    let usage = app.store.usage_since(since).await?;
    let most = usage.iter().map(|group| group.questions).max().unwrap_or(0);
    let mut groups: Vec<UsageRow> = usage
        .into_iter()
        .map(|usage| UsageRow {
            share: share(usage.questions, most),
            group: usage.group,
            people: usage.people,
            questions: usage.questions,
        })
        .collect();
    groups.sort_by_key(|row| row.group.is_some());
    page(&UsagePage { chrome: reader.chrome(&app, "Usage", Nav::Health), groups, since: day(since) })
}
