//! The audit log: read page by page, or as one file. Nothing changes it.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use uuid::Uuid;

use super::body::{optional, required};
use super::problem::AdminProblems;
use crate::admin::audit::{AuditEntry, AuditQuery, id_at};
use crate::admin::fields::LABEL;
use crate::admin::page::{Page, PageOf};
use crate::http::extract::QueryOf;
use crate::http::problem::Failure;
use crate::state::AppState;
use crate::store::{AdminStore, StoreError};

/// How many entries the export reads at once.
const EXPORT_PAGE: usize = 500;

/// What may be asked for.
#[derive(Deserialize)]
pub(super) struct LogQuery {
    pool: Option<String>,
    user_id: Option<String>,
    action: Option<String>,
    since: Option<String>,
    until: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

impl LogQuery {
    fn parse(&self, page: PageOf) -> Result<AuditQuery, Failure> {
        let user = self.user_id.as_deref().filter(|text| !text.is_empty()).map(Uuid::try_parse).transpose();
        let since = seconds("since", self.since.as_deref())?.map_or(Uuid::nil(), id_at);
        Ok(AuditQuery {
            pool: required("pool", self.pool.as_deref())?,
            user: user.map_err(|_| Failure::InvalidRequest("user_id in the query: expected the id of a user".to_owned()))?,
            action: optional("action", self.action.as_deref(), LABEL)?,
            after: page.after.unwrap_or(Uuid::nil()).max(since),
            before: seconds("until", self.until.as_deref())?.map_or(Uuid::max(), id_at),
            limit: page.limit,
        })
    }
}

fn seconds(name: &str, text: Option<&str>) -> Result<Option<u64>, Failure> {
    let seconds = text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    seconds.map_err(|_| Failure::InvalidRequest(format!("{name} in the query: expected Unix seconds")))
}

/// Read the audit log
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/admin/audit",
    tag = "admin: audit",
    operation_id = "adminListAudit",
    security(("admin" = [])),
    params(
        ("pool" = String, Query, description = "The user pool"),
        ("user_id" = Option<String>, Query, description = "Only entries about this user"),
        ("action" = Option<String>, Query, description = "Only entries of this action"),
        ("since" = Option<u64>, Query, description = "Only entries from this second on"),
        ("until" = Option<u64>, Query, description = "Only entries before this second"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u64>, Query, description = "How many at most; 50 when absent", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>), AdminProblems),
)]
pub(super) async fn list<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    QueryOf(query): QueryOf<LogQuery>,
) -> Result<Json<Page<AuditEntry>>, Failure> {
    let page = PageOf::parse(query.after.as_deref(), query.limit.as_deref()).map_err(Failure::InvalidRequest)?;
    let found = state.store.list_audit(&query.parse(page)?).await?;
    let ids = found.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    let Page { items, next } = page.of(found.into_iter().zip(ids).collect(), |(_, id)| *id);
    Ok(Json(Page { items: items.into_iter().map(|(entry, _)| entry).collect(), next }))
}

/// Export the audit log
///
/// One entry a line, oldest first, read in pages. An answer that breaks off is not the whole log.
#[utoipa::path(
    get,
    path = "/v1/admin/audit/export",
    tag = "admin: audit",
    operation_id = "adminExportAudit",
    security(("admin" = [])),
    params(
        ("pool" = String, Query, description = "The user pool"),
        ("user_id" = Option<String>, Query, description = "Only entries about this user"),
        ("action" = Option<String>, Query, description = "Only entries of this action"),
        ("since" = Option<u64>, Query, description = "Only entries from this second on"),
        ("until" = Option<u64>, Query, description = "Only entries before this second"),
    ),
    responses(
        (status = 200, description = "One AuditEntry a line", body = AuditEntry, content_type = "application/x-ndjson"),
        AdminProblems,
    ),
)]
pub(super) async fn export<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    QueryOf(query): QueryOf<LogQuery>,
) -> Result<Response, Failure> {
    let first = query.parse(PageOf { after: None, limit: EXPORT_PAGE })?;
    // The first page before the answer begins, so that a store that does not work is a problem and no empty file.
    let page = read(&state, first).await?;
    let lines = stream::try_unfold(Some(page), move |page| {
        let state = state.clone();
        async move {
            let Some((lines, next)) = page else {
                return Ok::<_, StoreError>(None);
            };
            let next = match next {
                Some(query) => Some(read(&state, query).await?),
                None => None,
            };
            Ok(Some((lines, next)))
        }
    });
    let body = Body::from_stream(futures_util::TryStreamExt::map_err(lines, |error| {
        tracing::error!(%error, "an export broke off");
        error.to_string()
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// A page as lines, and the query for the next one.
async fn read<S: AdminStore>(state: &AppState<S>, query: AuditQuery) -> Result<(Bytes, Option<AuditQuery>), StoreError> {
    let mut found = state.store.list_audit(&query).await?;
    let has_more = found.len() > query.limit;
    found.truncate(query.limit);
    let mut lines = Vec::new();
    for entry in &found {
        serde_json::to_writer(&mut lines, entry).map_err(|error| StoreError::Database(error.into()))?;
        lines.push(b'\n');
    }
    let next = match found.last().filter(|_| has_more) {
        Some(last) => Some(AuditQuery { after: id(last)?, ..query }),
        None => None,
    };
    Ok((lines.into(), next))
}

fn id(entry: &AuditEntry) -> Result<Uuid, StoreError> {
    Uuid::try_parse(&entry.id).map_err(|_| StoreError::Unreadable("an id"))
}
