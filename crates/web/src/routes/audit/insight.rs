//! What the log adds up to: days and acts, the readers of a document or passage, a person's day.

use super::log::{beginning, day, row};
use super::{auditor, looked};
use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::session::Reader;
use crate::show::{page, second};
use crate::views::{ActionBar, DayBar, DayPage, Nav, OverviewPage, ReaderRow, ReadersPage};
use ::audit::Action;
use axum::extract::State;
use axum::response::Response;
use domain::DocumentId;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// Days of the chart.
const DAYS: i64 = 30;
/// Width of a day in the chart's units.
const DAY_WIDTH: usize = 20;
/// Readers and events of a day that are listed.
const LISTED: u32 = 200;

/// What counts as refused in the chart.
const REFUSED: [Action; 5] = [
    Action::AccessDenied,
    Action::DocumentRefused,
    Action::SignInFailed,
    Action::SignInThrottled,
    Action::TokenRefused,
];

/// `GET /audit/overview`
pub(crate) async fn overview(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    looked(&app, &reader, "/audit/overview", Map::new()).await?;
    let today = app.store.environment().now().to_zoned(TimeZone::system()).date();
    let (mut days, mut actions) = (Vec::new(), BTreeMap::<Action, u64>::new());
    for back in (0..DAYS).rev() {
        let name = today.saturating_sub(back.days()).to_string();
        let invalid = WebError::Invalid;
        let (Some(from), Some(to)) =
            (beginning(&name, 0).map_err(invalid)?, beginning(&name, 1).map_err(WebError::Invalid)?)
        else {
            continue;
        };
        let counts = app.store.audit_counts(from, to).await?;
        let sum = |wanted: &dyn Fn(Action) -> bool| {
            counts.iter().filter(|count| wanted(count.action)).map(|count| count.count).sum::<u64>()
        };
        days.push(DayBar {
            day: name,
            events: sum(&|_| true),
            questions: sum(&|action| action == Action::QuestionAsked),
            refused: sum(&|action| REFUSED.contains(&action)),
            x: days.len() * DAY_WIDTH + 2,
            height: 0,
            questions_height: 0,
        });
        counts.iter().for_each(|count| *actions.entry(count.action).or_default() += count.count);
    }
    let most = days.iter().map(|day| day.events).max().unwrap_or(0);
    for day in &mut days {
        (day.height, day.questions_height) = (share(day.events, most), share(day.questions, most));
    }
    let mut actions: Vec<(Action, u64)> = actions.into_iter().collect();
    actions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let highest = actions.first().map_or(0, |(_, count)| *count);
    let actions = actions.into_iter().map(|(action, count)| ActionBar {
        action: action.as_str().to_owned(),
        meaning: action.meaning().to_owned(),
        count,
        share: share(count, highest),
    });
    let chrome = reader.chrome(&app, "Overview of the log", Nav::Audit);
    page(&OverviewPage { chrome, days, most, actions: actions.collect() })
}

/// In percent; what is there at all shows.
pub(crate) fn share(part: u64, whole: u64) -> u64 {
    (100 * part).checked_div(whole).unwrap_or(0).max(u64::from(part > 0))
}

#[derive(Deserialize)]
pub(crate) struct Of {
    #[serde(default)]
    id: String,
}

/// `GET /audit/readers?id=`
pub(crate) async fn readers(
    State(app): State<App>,
    reader: Reader,
    Asked(Of { id }): Asked<Of>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let chrome = reader.chrome(&app, "Who saw this", Nav::Audit);
    let id = id.trim().to_owned();
    let nothing =
        |error| ReadersPage { chrome: chrome.clone(), id: id.clone(), name: None, readers: Vec::new(), error };
    if id.is_empty() {
        return page(&nothing(None));
    }
    // Ids of documents and passages look alike.
    let Ok(document) = id.parse::<DocumentId>() else {
        let shown: String = id.chars().take(60).collect();
        return page(&nothing(Some(format!(
            "'{shown}' is no id; an event, a document's address or a source names it"
        ))));
    };
    looked(&app, &reader, "/audit/readers", Map::from_iter([("of".to_owned(), json!(id))])).await?;
    let found = app.store.readers_of(document.uuid(), LISTED).await?;
    let name = app.store.document_for_ingest(document).await?.map(|document| document.title);
    let readers = found.into_iter().map(|reading| ReaderRow {
        person: reading.person,
        times: reading.times,
        first: second(reading.first),
        last: second(reading.last),
        sequence: reading.sequence,
        day: reading.last.to_zoned(TimeZone::system()).date().to_string(),
    });
    page(&ReadersPage { readers: readers.collect(), name, ..nothing(None) })
}

#[derive(Deserialize)]
pub(crate) struct Whose {
    #[serde(default)]
    person: String,
    #[serde(default)]
    day: String,
}

/// `GET /audit/day?person=&day=`
pub(crate) async fn persons_day(
    State(app): State<App>,
    reader: Reader,
    Asked(Whose { person, day: wanted }): Asked<Whose>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let mut shown = DayPage {
        chrome: reader.chrome(&app, "A person's day", Nav::Audit),
        person: person.trim().to_owned(),
        day: wanted.trim().to_owned(),
        around: None,
        actions: Vec::new(),
        entries: Vec::new(),
        more: false,
        error: None,
    };
    if shown.person.is_empty() || shown.day.is_empty() {
        return page(&shown);
    }
    let (date, from, to) = match (day(&shown.day), beginning(&shown.day, 0), beginning(&shown.day, 1)) {
        (Ok(date), Ok(from), Ok(to)) => (date, from, to),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            shown.error = Some(error);
            return page(&shown);
        }
    };
    let detail = Map::from_iter([("person".to_owned(), json!(shown.person)), ("day".to_owned(), json!(shown.day))]);
    looked(&app, &reader, "/audit/day", detail).await?;
    let filter =
        storage::AuditFilter { from, to, actor: Some(shown.person.clone()), ..storage::AuditFilter::default() };
    let entries = app.store.audit_in_order(&filter, LISTED + 1).await?;
    shown.more = entries.len() > LISTED as usize;
    let mut actions = BTreeMap::<Action, u64>::new();
    entries.iter().for_each(|entry| *actions.entry(entry.event.action).or_default() += 1);
    shown.actions = actions.into_iter().map(|(action, count)| (action.as_str().to_owned(), count)).collect();
    shown.entries = entries.into_iter().take(LISTED as usize).map(row).collect();
    shown.around = Some((date.saturating_sub(1.days()).to_string(), date.saturating_add(1.days()).to_string()));
    page(&shown)
}
