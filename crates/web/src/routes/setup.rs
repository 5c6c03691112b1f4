//! The first page of a new site. There is no such page once anybody has an account.

use crate::app::App;
use crate::door::{self, STALE, chrome, is_own, sent};
use crate::error::WebError;
use crate::names::{LabelWords, Words};
use crate::routes::sign_in::sentence;
use crate::session::{FORM_COOKIE, Fields, client, cookie, operation};
use crate::setup::{Tried, is_open};
use crate::views::{SetupCollection, SetupFields, SetupPage};
use audit::{Action, Actor, Event, Outcome};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use domain::{Label, OperationId};
use identity::{FirstCollection, FirstPerson, FirstReaders, FirstSite};

/// Collections that the page offers to make.
const COLLECTIONS: usize = 3;

/// `GET /setup`
pub(crate) async fn get(State(app): State<App>, jar: CookieJar) -> Result<Response, WebError> {
    if !is_open(&app).await? {
        return Err(WebError::NotFound);
    }
    let typed = SetupFields {
        labels: Label::ALL.map(|label| label.as_str().to_owned()),
        collections: vec![SetupCollection::default(); COLLECTIONS],
        ..SetupFields::default()
    };
    shown(&app, &jar, typed, None, StatusCode::OK)
}

/// `POST /setup`
pub(crate) async fn post(State(app): State<App>, request: Request) -> Result<Response, WebError> {
    if !is_open(&app).await? {
        return Err(WebError::NotFound);
    }
    let (parts, jar, fields): (_, _, Vec<(String, String)>) = sent(request, &app).await?;
    let (actor, operation) = (Actor::anonymous(client(&parts).address), operation(&parts, &app));
    let fields = Fields(fields);
    let typed = typed(&fields)?;
    let again = |sentence: String, status| shown(&app, &jar, typed.clone(), Some(sentence), status);
    if !is_own(&jar, fields.get("csrf")) {
        return again(STALE.to_owned(), StatusCode::FORBIDDEN);
    }
    let now = app.store.environment().now();
    match app.setup.try_code(fields.get("code"), now) {
        Tried::Right => {}
        tried => {
            refused(&app, &actor, operation).await?;
            let (sentence, status) = match tried {
                Tried::Throttled => ("Too many wrong codes. Wait a quarter of an hour.", StatusCode::TOO_MANY_REQUESTS),
                _ => ("That is not the code on the console.", StatusCode::UNAUTHORIZED),
            };
            return again(sentence.to_owned(), status);
        }
    }
    for person in ["admin", "auditor"] {
        if fields.get(&format!("{person}_password")) != fields.get(&format!("{person}_again")) {
            return again(format!("The two passwords of the {person} differ."), StatusCode::BAD_REQUEST);
        }
    }
    let site = site(&typed, &fields);
    match app.identity.set_up(&site, &actor, operation).await.map_err(WebError::from) {
        Ok(()) => {}
        Err(WebError::Invalid(reason) | WebError::Conflict(reason)) => {
            return again(sentence(&reason), StatusCode::BAD_REQUEST);
        }
        Err(other) => return Err(other),
    }
    let labels = LabelWords(site.labels.map(|label| label.trim().to_owned()));
    app.site.names.set(Words { organisation: site.organisation.trim().to_owned(), labels });
    app.setup.finish();
    let spent = AppendHeaders([(header::SET_COOKIE, cookie(&app, FORM_COOKIE, "", Some(0)))]);
    Ok((spent, Redirect::to("/sign-in?said=set-up")).into_response())
}

/// A wrong code is an event of its own.
async fn refused(app: &App, actor: &Actor, operation: OperationId) -> Result<(), WebError> {
    let mut act = app.store.begin().await?;
    act.record(Event::new(Action::SetupRefused, actor, operation).outcome(Outcome::Denied)).await?;
    Ok(act.commit().await?)
}

fn typed(fields: &Fields) -> Result<SetupFields, WebError> {
    let text = |name: &str| fields.get(name).to_owned();
    let mut labels = fields.all("label").map(str::to_owned);
    let labels = std::array::from_fn(|_| labels.next().unwrap_or_default());
    let mut of_collections =
        [fields.all("collection_label"), fields.all("collection_readers"), fields.all("collection_group")];
    let mut collections = Vec::new();
    for name in fields.all("collection").take(COLLECTIONS) {
        let [label, readers, group] = of_collections.each_mut().map(|values| values.next().unwrap_or_default());
        collections.push(SetupCollection {
            name: name.to_owned(),
            label: label.parse().map_err(WebError::Invalid)?,
            readers: readers.to_owned(),
            group: group.to_owned(),
        });
    }
    Ok(SetupFields {
        organisation: text("organisation"),
        labels,
        admin_name: text("admin_name"),
        admin_display: text("admin_display"),
        auditor_name: text("auditor_name"),
        auditor_display: text("auditor_display"),
        collections,
    })
}

fn site(typed: &SetupFields, fields: &Fields) -> FirstSite {
    let person = |name: &str, display_name: &str, password| FirstPerson {
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        password: fields.get(password).to_owned(),
    };
    let named = typed.collections.iter().filter(|collection| !collection.name.trim().is_empty());
    let collections = named.map(|collection| FirstCollection {
        name: collection.name.clone(),
        label: collection.label,
        readers: match collection.readers.as_str() {
            "everybody" => FirstReaders::Everybody,
            "group" => FirstReaders::Group(collection.group.clone()),
            // Unknown means denied.
            _ => FirstReaders::Nobody,
        },
    });
    FirstSite {
        organisation: typed.organisation.clone(),
        labels: typed.labels.clone(),
        admin: person(&typed.admin_name, &typed.admin_display, "admin_password"),
        auditor: person(&typed.auditor_name, &typed.auditor_display, "auditor_password"),
        collections: collections.collect(),
    }
}

fn shown(
    app: &App,
    jar: &CookieJar,
    typed: SetupFields,
    error: Option<String>,
    status: StatusCode,
) -> Result<Response, WebError> {
    let chrome = chrome(app, jar, "Set up");
    let least = identity::MINIMUM_PASSWORD_CHARACTERS;
    let password_rule = format!("At least {least} characters; a few words that only you put together are best.");
    let form = SetupPage { chrome, typed, error, password_rule };
    door::shown(app, &form.chrome.csrf, &form, status)
}
