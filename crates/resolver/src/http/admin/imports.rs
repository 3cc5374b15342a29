//! Imports: the file is read while it arrives, and the answer tells how far it is.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use resolver_api::Problem;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::Admin;
use super::body::required;
use super::problem::AdminProblems;
use crate::admin::fields::FieldProblem;
use crate::admin::import::{ImportCounts, ImportEvent, JsonLines, Row, Rows};
use crate::audit::{Action, By};
use crate::http::extract::QueryOf;
use crate::http::problem::Failure;
use crate::ids;
use crate::state::AppState;
use crate::store::{AdminStore, Imported, StoreError};

/// The largest file, in bytes.
const LARGEST_FILE: usize = 64 * 1024 * 1024;

/// How many rows one transaction takes: so long does a login wait for the writer, at most.
const BATCH: usize = 200;

/// How many failed rows are told in all; the others are counted.
const MOST_TOLD: u64 = 10_000;

/// The longest that the next piece of the file may take.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a batch is tried that finds the database busy.
const TRIES: u32 = 5;

/// The place for the import under way: one at a time leaves room for logins.
#[derive(Clone)]
pub(super) struct Place(Arc<Semaphore>);

impl Default for Place {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// In which pool.
#[derive(Deserialize)]
pub(super) struct InPool {
    pool: Option<String>,
}

/// Import users
///
/// A CSV file with a header row, or one NewUser a line; up to 64 MiB. Each row stands alone, and is known by its `external_id`: one that is
/// known already changes nothing. The answer is one event a line, while the file is read; the last one says whether it was read to its end.
#[utoipa::path(
    post,
    path = "/v1/admin/imports",
    tag = "admin: users",
    operation_id = "adminImportUsers",
    security(("admin" = [])),
    params(("pool" = String, Query, description = "The user pool")),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "One ImportEvent a line", body = ImportEvent, content_type = "application/x-ndjson"),
        (status = 413, description = "`/problems/body-too-large`: over 64 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`/problems/unsupported-media-type`", body = Problem, content_type = "application/problem+json"),
        AdminProblems,
    ),
)]
pub(super) async fn create<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Extension(Place(places)): Extension<Place>,
    Admin(by): Admin,
    QueryOf(query): QueryOf<InPool>,
    request: Request,
) -> Result<Response, Failure> {
    let pool = required("pool", query.pool.as_deref())?;
    let mut rows = rows_of(request.headers())?;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST_FILE) {
        return Err(Failure::BodyTooLarge(LARGEST_FILE));
    }
    let place = places.try_acquire_owned().map_err(|_| Failure::Overloaded)?;

    // A file of another kind is a problem as a rule, and not the last line of an answer that began well.
    let mut file = request.into_body().into_data_stream();
    let first = next_piece(&mut file).await.map_err(|problem| Failure::InvalidRequest(format!("body: {problem}")))?;
    let begun = match &first {
        Some(bytes) => rows.push(bytes)?,
        None => rows.finish()?,
    };
    let import = ids::fresh_uuid(state.clock.now()).map_err(StoreError::from)?;
    let detail = json!({"import": import, "phase": "begun"});
    state.store.record(&by.entry(&pool, Action::UsersImported, None, detail), state.clock.now()).await?;

    let (events, told) = unbounded_channel();
    let importing = Import { state, pool, by, id: import, counts: ImportCounts::default(), told: 0, events, _place: place };
    let length = first.map_or(0, |bytes| bytes.len());
    // In a task of its own: it ends with the file, and waits for nobody who does not read the answer.
    tokio::spawn(importing.run(rows, begun, file, length));
    let lines =
        stream::unfold(told, |mut told| async move { told.recv().await.map(|line| (Ok::<_, std::convert::Infallible>(line), told)) });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

fn rows_of(headers: &HeaderMap) -> Result<Rows, Failure> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Ok(Rows::Csv(Box::default())),
        "application/x-ndjson" => Ok(Rows::JsonLines(JsonLines::default())),
        _ => Err(Failure::UnsupportedMediaType("text/csv or application/x-ndjson")),
    }
}

async fn next_piece(file: &mut BodyDataStream) -> Result<Option<Bytes>, &'static str> {
    match tokio::time::timeout(LONGEST_PAUSE, file.next()).await {
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(_))) => Err("the file broke off"),
        Ok(None) => Ok(None),
        Err(_) => Err("the file did not go on for a minute"),
    }
}

/// An import under way.
struct Import<S> {
    state: Arc<AppState<S>>,
    pool: String,
    by: By,
    id: uuid::Uuid,
    counts: ImportCounts,
    told: u64,
    events: UnboundedSender<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl<S: AdminStore> Import<S> {
    async fn run(mut self, rows: Rows, begun: Vec<Row>, file: BodyDataStream, length: usize) {
        let problem = self.read(rows, begun, file, length).await.err();
        let counts = self.counts;
        let ImportCounts { done, created, unchanged, failed } = counts;
        let is_complete = problem.is_none();
        let detail = json!({
            "import": self.id, "phase": "ended", "complete": is_complete,
            "done": done, "created": created, "unchanged": unchanged, "failed": failed,
        });
        let entry = self.by.entry(&self.pool, Action::UsersImported, None, detail);
        if let Err(error) = self.state.store.record(&entry, self.state.clock.now()).await {
            tracing::error!(%error, "the end of an import could not be recorded");
        }
        tracing::info!(pool = self.pool, by = %self.by.actor, done, created, unchanged, failed, is_complete, "users imported");
        self.tell(&ImportEvent::End { counts, complete: is_complete, problem });
    }

    /// Reads the file to its end, or says why not.
    async fn read(&mut self, mut rows: Rows, begun: Vec<Row>, mut file: BodyDataStream, mut length: usize) -> Result<(), String> {
        let mut batch = Vec::new();
        let mut ready = begun;
        let mut has_ended = false;
        loop {
            for row in ready {
                batch.push(row);
                if batch.len() == BATCH {
                    self.store(&mut batch).await?;
                }
            }
            if has_ended {
                break;
            }
            ready = match next_piece(&mut file).await? {
                Some(bytes) => {
                    length = length.saturating_add(bytes.len());
                    if length > LARGEST_FILE {
                        self.store(&mut batch).await?;
                        return Err(format!("the file is too large; expected at most {LARGEST_FILE} bytes"));
                    }
                    rows.push(&bytes).map_err(|problem| problem.to_string())?
                }
                None => {
                    has_ended = true;
                    rows.finish().map_err(|problem| problem.to_string())?
                }
            };
        }
        self.store(&mut batch).await
    }

    /// Imports the rows of a batch that are in order, and tells of all that failed.
    async fn store(&mut self, batch: &mut Vec<Row>) -> Result<(), String> {
        let (mut lines, mut drafts, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for Row { line, user } in batch.drain(..) {
            match user {
                Ok(draft) => {
                    lines.push(line);
                    drafts.push(draft);
                }
                Err(problems) => failed.push((line, problems)),
            }
        }
        for (line, became) in lines.into_iter().zip(self.import(&drafts).await?) {
            match became {
                Imported::Created => self.counts.created += 1,
                Imported::Unchanged => self.counts.unchanged += 1,
                Imported::Failed(problem) => failed.push((line, vec![problem])),
            }
        }
        failed.sort_by_key(|(line, _)| *line);
        for (line, problems) in failed {
            self.fail(line, problems);
        }
        self.counts.done = self.counts.created + self.counts.unchanged + self.counts.failed;
        self.tell(&ImportEvent::Progress { counts: self.counts });
        Ok(())
    }

    async fn import(&self, drafts: &[crate::admin::draft::Draft]) -> Result<Vec<Imported>, String> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let mut tried = 1;
        loop {
            match self.state.store.import_users(&self.pool, drafts, self.state.clock.now()).await {
                Ok(imported) => return Ok(imported),
                Err(StoreError::Busy) if tried < TRIES => tried += 1,
                Err(error) => {
                    tracing::error!(%error, "an import broke off");
                    return Err("the database does not work; the resolver's log says why".to_owned());
                }
            }
        }
    }

    fn fail(&mut self, line: u64, problems: Vec<FieldProblem>) {
        self.counts.failed += 1;
        if self.told < MOST_TOLD {
            self.told += 1;
            self.tell(&ImportEvent::Row { line, problems });
        }
    }

    fn tell(&self, event: &ImportEvent) {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        // Whoever sent the file may have left; it is imported all the same.
        let _ = self.events.send(line.into());
    }
}
