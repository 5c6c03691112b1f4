//! `GET /api/v1/users`, `GET /api/v1/groups`: the directory, for admins, to read.

use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::session::require;
use axum::Json;
use axum::extract::State;
use domain::Role;
use serde_json::{Value, json};

/// `GET /api/v1/users`
pub(super) async fn users(State(app): State<App>, program: Program) -> Result<Json<Value>, WebError> {
    require(&app, &program, &[Role::Admin], "/api/v1/users").await?;
    Ok(Json(json!({ "users": app.store.users().await? })))
}

/// `GET /api/v1/groups`
pub(super) async fn groups(State(app): State<App>, program: Program) -> Result<Json<Value>, WebError> {
    require(&app, &program, &[Role::Admin], "/api/v1/groups").await?;
    let mut groups = Vec::new();
    for group in app.store.groups().await? {
        let members = app.store.members(group.id).await?;
        let members: Vec<Value> = members.iter().map(|user| json!({ "id": user.id, "name": user.name })).collect();
        groups.push(json!({ "id": group.id, "name": group.name, "members": members }));
    }
    Ok(Json(json!({ "groups": groups })))
}
