//! The first page of a new site. There is no such page once anybody has an account.

use crate::app::App;
use crate::error::WebError;
use crate::names::{LabelWords, Words};
use crate::session::{FORM_COOKIE, Fields, client, cookie, operation, theme_of};
use crate::setup::{Tried, is_open};
use crate::show::page;
use crate::views::{Chrome, Nav, SetupCollection, SetupFields, SetupPage};
use audit::{Action, Actor, Event, Outcome};
use axum::Form;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use domain::{Label, OperationId};
use identity::{FirstCollection, FirstPerson, FirstReaders, FirstSite};
use subtle::ConstantTimeEq;

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
    let (parts, body) = request.into_parts();
    let (actor, operation) = (Actor::anonymous(client(&parts).address), operation(&parts, &app));
    let jar = CookieJar::from_headers(&parts.headers);
    let Form(fields) = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), &app)
        .await
        .map_err(|_| WebError::Invalid("the form could not be read".to_owned()))?;
    let fields = Fields(fields);
    let typed = typed(&fields)?;
    let again = |sentence: String, status| shown(&app, &jar, typed.clone(), Some(sentence), status);
    let token = jar.get(FORM_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    if token.is_empty() || !bool::from(token.as_bytes().ct_eq(fields.get("csrf").as_bytes())) {
        return again("This page had been open for too long. Try again.".to_owned(), StatusCode::FORBIDDEN);
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
        Err(WebError::Invalid(sentence) | WebError::Conflict(sentence)) => {
            let mut sentence = format!("{sentence}.");
            if let Some(first) = sentence.get(..1).map(str::to_uppercase) {
                sentence.replace_range(..1, &first);
            }
            return again(sentence, StatusCode::BAD_REQUEST);
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
    let token: String = app.store.environment().random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let set = cookie(app, FORM_COOKIE, &token, Some(3600));
    let chrome = Chrome {
        title: "Set up".to_owned(),
        organisation: app.site.organisation(),
        asking: app.site.answers,
        active: Nav::None,
        person: None,
        csrf: token,
        banner: None,
        flash: None,
        theme: theme_of(jar),
    };
    let least = identity::MINIMUM_PASSWORD_CHARACTERS;
    let password_rule = format!("At least {least} characters; a few words that only you put together are best.");
    let form = SetupPage { chrome, typed, error, password_rule };
    Ok((status, AppendHeaders([(header::SET_COOKIE, set)]), page(&form)?).into_response())
}
