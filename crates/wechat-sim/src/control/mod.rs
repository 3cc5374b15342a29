//! `/sim/*`: everything that [`Simulator`] does in process, as JSON over HTTP, for tests in other languages and for
//! visitors with curl. It is not part of WeChat: no faults, no journal, and HTTP statuses that mean what they say.

mod account;
mod mini_program;
mod mobile_app;
mod push;
mod scan;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::act_error::ActError;
use crate::faults::Fault;
use crate::journal::JournalEntry;
use crate::limits::Limits;
use crate::open_pages::{self, Decision, ErrorPage, Outcome};
use crate::phone_pages;
use crate::push::PushError;
use crate::quirks::Quirks;
use crate::scans::ScanError;
use crate::server_tokens::TokenMishap;
use crate::simulator::{Simulator, Wechat};
use crate::world::{self, App, AppKind, InvalidWorld, Person, PhoneNumber};

pub(crate) fn routes() -> Router<Simulator> {
    Router::new()
        .merge(open_pages::phone_routes())
        .merge(phone_pages::routes())
        .route("/sim/apps", get(list_apps))
        .route("/sim/apps/{appid}", put(put_app))
        .route("/sim/apps/{appid}/bind", post(bind_app))
        .route("/sim/apps/{appid}/unbind", post(unbind_app))
        .route("/sim/people", get(list_people))
        .route("/sim/people/{name}", put(put_person))
        .route("/sim/current-person", get(current_person).put(set_current_person).delete(clear_current_person))
        .route("/sim/authorize", post(authorize))
        .merge(scan::routes())
        .merge(account::routes())
        .merge(mini_program::routes())
        .merge(mobile_app::routes())
        .merge(push::routes())
        .route("/sim/apps/{appid}/server-tokens", post(befall_server_tokens))
        .route("/sim/limits", get(limits).put(set_limits))
        .route("/sim/faults", get(list_faults).put(set_faults).delete(clear_faults))
        .route("/sim/quirks", get(quirks).put(set_quirks))
        .route("/sim/clock", get(clock))
        .route("/sim/clock/advance", post(advance))
        .route("/sim/journal", get(journal).delete(clear_journal))
        .route("/sim/reset", post(reset))
}

type Answer<T> = Result<Json<T>, ControlError>;

/// An app with what its console would tell of it.
#[derive(Serialize)]
struct AppView {
    #[serde(flatten)]
    app: App,
    /// By which other apps open a mini program; official accounts have one, too.
    original_id: Option<String>,
}

impl AppView {
    fn of(appid: &str, app: &App) -> Self {
        let has_original_id = matches!(app.kind, AppKind::OfficialAccount | AppKind::MiniProgram);
        Self { app: app.clone(), original_id: has_original_id.then(|| world::original_id(appid)) }
    }
}

async fn list_apps(State(sim): State<Simulator>) -> Json<BTreeMap<String, AppView>> {
    Json(sim.with(|wechat| wechat.world.apps().iter().map(|(appid, app)| (appid.clone(), AppView::of(appid, app))).collect()))
}

async fn put_app(State(sim): State<Simulator>, Path(appid): Path<String>, Body(app): Body<App>) -> Answer<AppView> {
    let view = AppView::of(&appid, &app);
    sim.put_app(&appid, app)?;
    Ok(Json(view))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bind {
    platform: String,
}

async fn bind_app(State(sim): State<Simulator>, Path(appid): Path<String>, Body(bind): Body<Bind>) -> Result<StatusCode, ControlError> {
    sim.bind_app(&appid, &bind.platform)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unbind_app(State(sim): State<Simulator>, Path(appid): Path<String>) -> Result<StatusCode, ControlError> {
    sim.unbind_app(&appid)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person with every id that WeChat would give away.
#[derive(Serialize)]
struct PersonView {
    nickname: String,
    headimgurl: Option<String>,
    snapshot: bool,
    consented: Vec<String>,
    phone_number: Option<PhoneNumber>,
    is_blocked: bool,
    /// Official accounts, by appid.
    follows: Vec<String>,
    /// By appid.
    openids: BTreeMap<String, String>,
    /// By Open Platform account.
    unionids: BTreeMap<String, String>,
    /// What snapshot pages give in place of the openids.
    virtual_openids: BTreeMap<String, String>,
    /// What snapshot pages give in place of the unionids.
    virtual_unionids: BTreeMap<String, String>,
}

impl PersonView {
    fn of(wechat: &Wechat, name: &str, person: &Person) -> Self {
        let by_app = |id: fn(&str, &str) -> String| wechat.world.apps().keys().map(|appid| (appid.clone(), id(name, appid))).collect();
        let by_platform = |id: fn(&str, &str) -> String| {
            wechat.world.platforms().into_iter().map(|platform| (platform.to_owned(), id(name, platform))).collect()
        };
        Self {
            nickname: person.nickname.clone(),
            headimgurl: person.headimgurl.clone(),
            snapshot: person.snapshot,
            consented: wechat.world.consents_of(name, wechat.now()).into_iter().map(str::to_owned).collect(),
            phone_number: person.phone_number.clone(),
            is_blocked: person.is_blocked,
            follows: wechat.world.apps().keys().filter(|appid| wechat.followers.find(name, appid).is_some()).cloned().collect(),
            openids: by_app(world::openid),
            unionids: by_platform(world::unionid),
            virtual_openids: by_app(world::virtual_openid),
            virtual_unionids: by_platform(world::virtual_unionid),
        }
    }
}

async fn list_people(State(sim): State<Simulator>) -> Json<BTreeMap<String, PersonView>> {
    Json(sim.with(|wechat| {
        let people = wechat.world.people().iter();
        people.map(|(name, person)| (name.clone(), PersonView::of(wechat, name, person))).collect()
    }))
}

async fn put_person(State(sim): State<Simulator>, Path(name): Path<String>, Body(person): Body<Person>) -> Answer<PersonView> {
    sim.put_person(&name, person.clone())?;
    Ok(Json(sim.with(|wechat| PersonView::of(wechat, &name, &person))))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    person: Option<String>,
}

async fn current_person(State(sim): State<Simulator>) -> Json<Holder> {
    Json(Holder { person: sim.with(|wechat| wechat.world.current_person().map(str::to_owned)) })
}

async fn set_current_person(State(sim): State<Simulator>, Body(holder): Body<Holder>) -> Answer<Holder> {
    sim.set_current_person(holder.person.as_deref())?;
    Ok(Json(holder))
}

async fn clear_current_person(State(sim): State<Simulator>) -> Result<StatusCode, ControlError> {
    sim.set_current_person(None)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorize {
    url: String,
    person: Option<String>,
    #[serde(default = "yes")]
    allow: bool,
}

fn yes() -> bool {
    true
}

/// Exactly one of the three says something.
#[derive(Default, Serialize)]
struct Authorized {
    redirect_to: Option<String>,
    refused: bool,
    error_page: Option<ErrorPage>,
}

async fn authorize(State(sim): State<Simulator>, Body(request): Body<Authorize>) -> Answer<Authorized> {
    let person = named_or_current(&sim, request.person)?;
    let decision = if request.allow { Decision::Allow } else { Decision::Refuse };
    Ok(Json(match sim.authorize(&request.url, &person, decision)? {
        Outcome::Redirect(url) => Authorized { redirect_to: Some(url), ..Authorized::default() },
        Outcome::Refused => Authorized { refused: true, ..Authorized::default() },
        Outcome::ErrorPage(page) => Authorized { error_page: Some(page), ..Authorized::default() },
    }))
}

async fn list_faults(State(sim): State<Simulator>) -> Json<Vec<Fault>> {
    Json(sim.faults())
}

async fn set_faults(State(sim): State<Simulator>, Body(faults): Body<Vec<Fault>>) -> Json<Vec<Fault>> {
    sim.set_faults(faults);
    Json(sim.faults())
}

async fn clear_faults(State(sim): State<Simulator>) -> StatusCode {
    sim.clear_faults();
    StatusCode::NO_CONTENT
}

async fn quirks(State(sim): State<Simulator>) -> Json<Quirks> {
    Json(sim.quirks())
}

async fn set_quirks(State(sim): State<Simulator>, Body(quirks): Body<Quirks>) -> Json<Quirks> {
    sim.set_quirks(quirks);
    Json(quirks)
}

#[derive(Serialize)]
struct Now {
    now: u64,
}

async fn limits(State(sim): State<Simulator>) -> Json<Limits> {
    Json(sim.limits())
}

async fn set_limits(State(sim): State<Simulator>, Body(limits): Body<Limits>) -> Json<Limits> {
    sim.set_limits(limits);
    Json(limits)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Befall {
    mishap: TokenMishap,
}

async fn befall_server_tokens(
    State(sim): State<Simulator>,
    Path(appid): Path<String>,
    Body(befall): Body<Befall>,
) -> Result<StatusCode, ControlError> {
    sim.befall_server_tokens(&appid, befall.mishap)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clock(State(sim): State<Simulator>) -> Json<Now> {
    Json(Now { now: sim.now() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(State(sim): State<Simulator>, Body(advance): Body<Advance>) -> Json<Now> {
    sim.advance(Duration::from_secs(advance.seconds));
    Json(Now { now: sim.now() })
}

async fn journal(State(sim): State<Simulator>) -> Json<Vec<JournalEntry>> {
    Json(sim.journal())
}

async fn clear_journal(State(sim): State<Simulator>) -> StatusCode {
    sim.clear_journal();
    StatusCode::NO_CONTENT
}

async fn reset(State(sim): State<Simulator>) -> StatusCode {
    sim.reset();
    StatusCode::NO_CONTENT
}

fn named_or_current(sim: &Simulator, person: Option<String>) -> Result<String, ActError> {
    let current = || sim.with(|wechat| wechat.world.current_person().map(str::to_owned));
    person.or_else(current).ok_or(ActError::NobodyHoldsThePhone)
}

/// A JSON body whatever its content type says, so that `curl -d` will do.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| ControlError::Json(error).into_response())
    }
}

/// Why the control API did nothing.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    #[error(transparent)]
    World(#[from] InvalidWorld),
    #[error(transparent)]
    Act(#[from] ActError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("say which QR code: \"uuid\", or \"url\" with the QR code's text or its image's address")]
    NoUuid,
    #[error("the body is not what this route takes: {0}")]
    Json(serde_json::Error),
}

impl ControlError {
    fn status(&self) -> StatusCode {
        match self {
            Self::World(InvalidWorld::UnknownApp(_) | InvalidWorld::UnknownPerson(_)) | Self::Act(ActError::UnknownPerson(_)) => {
                StatusCode::NOT_FOUND
            }
            Self::Push(PushError::Invalid(InvalidWorld::UnknownApp(_))) | Self::Act(ActError::NoSuchVisit) => StatusCode::NOT_FOUND,
            Self::Act(ActError::Scan(ScanError::Expired | ScanError::ScannedByAnother) | ActError::InvalidLaunchScene) => {
                StatusCode::CONFLICT
            }
            Self::World(_) | Self::Push(_) | Self::Act(_) | Self::NoUuid | Self::Json(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

#[derive(Serialize)]
struct ErrorView {
    error: String,
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.status(), Json(ErrorView { error: self.to_string() })).into_response()
    }
}
