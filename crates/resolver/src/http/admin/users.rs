//! Users, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Admin;
use super::body::{optional, required};
use super::problem::AdminProblems;
use crate::account::Account;
use crate::admin::draft::{Draft, Edit, take_password};
use crate::admin::fields::NAME;
use crate::admin::page::{Page, PageOf};
use crate::admin::user::{NewUser, UserChange, UserState, UserView};
use crate::http::extract::{JsonBody, PathId, QueryOf};
use crate::http::problem::Failure;
use crate::ids::UserId;
use crate::state::AppState;
use crate::store::{Act, AdminStore, Search};

/// What a search may say.
#[derive(Deserialize)]
pub(super) struct SearchQuery {
    pool: Option<String>,
    q: Option<String>,
    #[serde(rename = "match")]
    matching: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

/// Search users
///
/// Oldest first. `q` is compared with `external_id`, `username`, `phone_number`, `email` and `name`.
#[utoipa::path(
    get,
    path = "/v1/admin/users",
    tag = "admin: users",
    operation_id = "adminSearchUsers",
    security(("admin" = [])),
    params(
        ("pool" = String, Query, description = "The user pool"),
        ("q" = Option<String>, Query, description = "What a field begins with; all users when absent", max_length = 256),
        ("match" = Option<String>, Query, description = "`prefix` (the default), or `exact`: found by index, and never by `name`"),
        ("state" = Option<UserState>, Query, description = "Only users in this state"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u64>, Query, description = "How many at most; 50 when absent", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page of users", body = Page<UserView>), AdminProblems),
)]
pub(super) async fn search<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    QueryOf(query): QueryOf<SearchQuery>,
) -> Result<Json<Page<UserView>>, Failure> {
    let page = PageOf::parse(query.after.as_deref(), query.limit.as_deref()).map_err(Failure::InvalidRequest)?;
    let is_exact = match query.matching.as_deref() {
        None | Some("prefix") => false,
        Some("exact") => true,
        Some(_) => return Err(Failure::InvalidRequest("match in the query: expected prefix or exact".to_owned())),
    };
    let search = Search {
        pool: required("pool", query.pool.as_deref())?,
        text: optional("q", query.q.as_deref(), NAME)?,
        is_exact,
        state: query.state.as_deref().map(parse_state).transpose()?,
        after: page.after.unwrap_or(Uuid::nil()),
        limit: page.limit,
    };
    let found = state.store.search_users(&search).await?;
    let Page { items, next } = page.of(found, |account| account.id);
    Ok(Json(Page { items: items.iter().map(UserView::of).collect(), next }))
}

fn parse_state(text: &str) -> Result<UserState, Failure> {
    UserState::ALL
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| Failure::InvalidRequest("state in the query: expected active, disabled, deleted or merged".to_owned()))
}

/// In which pool.
#[derive(Deserialize)]
pub(super) struct InPool {
    pool: Option<String>,
}

/// Create a user
///
/// An `external_id` makes it safe to send again: the second time is 409 `/problems/taken`, with the user's id in `user_id`.
#[utoipa::path(
    post,
    path = "/v1/admin/users",
    tag = "admin: users",
    operation_id = "adminCreateUser",
    security(("admin" = [])),
    params(("pool" = String, Query, description = "The user pool")),
    request_body = NewUser,
    responses((status = 201, description = "The user", body = UserView), AdminProblems),
)]
pub(super) async fn create<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    QueryOf(query): QueryOf<InPool>,
    JsonBody(mut user): JsonBody<NewUser>,
) -> Result<(StatusCode, Json<UserView>), Failure> {
    let pool = required("pool", query.pool.as_deref())?;
    if let Some(password) = take_password(&mut user.password, user.password_hash.as_deref())? {
        user.password_hash = Some(state.passwords.hash(&password).await?);
    }
    let draft = Draft::parse(&user)?;
    let account = state.store.create_user(&pool, &draft, &by, state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(UserView::of(&account))))
}

/// Show a user
#[utoipa::path(
    get,
    path = "/v1/admin/users/{user_id}",
    tag = "admin: users",
    operation_id = "adminFindUser",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 200, description = "The user", body = UserView), AdminProblems),
)]
pub(super) async fn find<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    PathId(user): PathId<UserId>,
) -> Result<Json<UserView>, Failure> {
    let account: Account = state.store.find_user(user).await?.ok_or(Failure::NotFound("no such user"))?;
    Ok(Json(UserView::of(&account)))
}

/// Change a user
///
/// What is absent stays, `null` clears. A name that was set or cleared here is no longer replaced by WeChat's nickname.
#[utoipa::path(
    patch,
    path = "/v1/admin/users/{user_id}",
    tag = "admin: users",
    operation_id = "adminChangeUser",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    request_body = UserChange,
    responses((status = 200, description = "The user afterwards", body = UserView), AdminProblems),
)]
pub(super) async fn change<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathId(user): PathId<UserId>,
    JsonBody(mut change): JsonBody<UserChange>,
) -> Result<Json<UserView>, Failure> {
    if let Some(password) = &mut change.password
        && let Some(password) = take_password(password, change.password_hash.as_deref())?
    {
        change.password = None;
        change.password_hash = Some(state.passwords.hash(&password).await?);
    }
    let edit = Edit::parse(&change)?;
    let account = state.store.update_user(user, &edit, &by, state.clock.now()).await?;
    Ok(Json(UserView::of(&account)))
}

/// Disable a user
///
/// Every session ends, and further logins are refused with `user_disabled`.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/disable",
    tag = "admin: users",
    operation_id = "adminDisableUser",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 204, description = "Disabled"), AdminProblems),
)]
pub(super) async fn disable<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    admin: Admin,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Failure> {
    act(&state, user, Act::Disable, &admin).await
}

/// Enable a user
///
/// Lets the user log in again. Sessions that have ended stay so.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/enable",
    tag = "admin: users",
    operation_id = "adminEnableUser",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 204, description = "Enabled"), AdminProblems),
)]
pub(super) async fn enable<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    admin: Admin,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Failure> {
    act(&state, user, Act::Enable, &admin).await
}

/// Sign a user out everywhere
///
/// Every session that the user has now ends at every filter, as soon as it reads the feed.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/revoke-sessions",
    tag = "admin: users",
    operation_id = "adminRevokeUserSessions",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 204, description = "Ended"), AdminProblems),
)]
pub(super) async fn revoke_sessions<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    admin: Admin,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Failure> {
    act(&state, user, Act::SignOut, &admin).await
}

/// Delete a user
///
/// Personal data and identities go, sessions end. The id stays, so that nobody else ever gets it; whoever logs in with one of the identities
/// afterwards is a stranger.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{user_id}",
    tag = "admin: users",
    operation_id = "adminDeleteUser",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 204, description = "Deleted"), AdminProblems),
)]
pub(super) async fn delete<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    admin: Admin,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Failure> {
    act(&state, user, Act::Delete, &admin).await
}

async fn act<S: AdminStore>(state: &AppState<S>, user: UserId, act: Act, Admin(by): &Admin) -> Result<StatusCode, Failure> {
    state.store.act_on_user(user, act, state.limits.longest_session, by, state.clock.now()).await?;
    tracing::info!(%user, ?act, by = %by.actor, "user changed");
    Ok(StatusCode::NO_CONTENT)
}
