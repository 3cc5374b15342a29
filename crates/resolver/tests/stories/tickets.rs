//! Tickets as the filter sees them: what people do with one. Over both databases, with a clock that the story moves.

mod ending;
mod limits;
mod races;
mod refusals;
mod showing;
mod withdrawn;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver_api::Profile;
use resolver_api::tickets::{
    COLLECT_SECONDS, CancelTicket, ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, ScanAnswer, ScanTicket,
    Ticket, TicketIdentity, TicketPurpose, TicketState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use uuid::Uuid;
use wxgate_resolver::admin::audit::AuditQuery;
use wxgate_resolver::clock::Clock;
use wxgate_resolver::store::{AdminStore, Store};
use wxgate_resolver::tickets::TicketName;
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, app};

use crate::support::{START, TOKEN, over_both_databases};

over_both_databases!(
    a_scan_goes_from_waiting_to_redeemed,
    whoever_confirms_what_nobody_scanned_has_scanned_it,
    only_the_first_scanner_goes_on,
    a_person_may_refuse_until_it_is_redeemed,
    a_session_goes_over_without_anybody,
    the_audit_log_tells_what_happened_and_no_secret,
    text_of_any_kind_comes_back_as_it_was,
);

const APP: &str = "wx00000000000000aa";

/// How long the tickets of the stories live, unless they say otherwise.
const LIFETIME: u64 = 300;

/// A resolver with a clock that the story moves.
pub(crate) struct Front<S> {
    pub(crate) state: Arc<AppState<S>>,
    pub(crate) app: Router,
    seconds: Arc<AtomicU64>,
}

impl<S: Store + AdminStore> Front<S> {
    pub(crate) fn new(store: S) -> Self {
        Self::with(store, |_| {})
    }

    pub(crate) fn with(store: S, change: impl FnOnce(&mut AppState<S>)) -> Self {
        let seconds = Arc::new(AtomicU64::new(START));
        let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
        let clock = seconds.clone();
        state.clock = Clock::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        // Many wait for four places, on a busy machine.
        state.limits.request = Duration::from_secs(60);
        change(&mut state);
        let state = Arc::new(state);
        Self { app: app(state.clone()), state, seconds }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Moves the clock to this second, also back.
    pub(crate) fn set(&self, second: u64) {
        self.seconds.store(second, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.state.clock.now().seconds()
    }

    /// Opens all connections to the database, so that nobody is late whose connection is not there yet.
    async fn warm_up(&self) {
        let checks = (0..16).map(|_| self.state.store.check());
        futures_util::future::try_join_all(checks).await.unwrap();
    }

    pub(crate) async fn make(&self, ticket: &CreateTicket) -> CreateTicketAnswer {
        post(&self.app, "/v1/tickets", ticket).await.unwrap()
    }

    /// A new ticket to scan, for whoever has the verifier.
    pub(crate) async fn begin(&self, verifier: &str) -> String {
        self.begin_as(&to_scan(verifier)).await
    }

    pub(crate) async fn begin_as(&self, ticket: &CreateTicket) -> String {
        match self.make(ticket).await {
            CreateTicketAnswer::Created { ticket, .. } => ticket,
            other => panic!("no ticket: {other:?}"),
        }
    }

    pub(crate) async fn look(&self, ticket: &str) -> Result<Ticket, StatusCode> {
        self.wait(ticket, "").await
    }

    pub(crate) async fn wait(&self, ticket: &str, query: &str) -> Result<Ticket, StatusCode> {
        let request = Request::get(format!("/v1/tickets/{ticket}{query}")).header("authorization", format!("Bearer {TOKEN}"));
        read(self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
    }

    pub(crate) async fn scan(&self, ticket: &str, identity: &TicketIdentity) -> Result<ScanAnswer, StatusCode> {
        self.scan_on("main", ticket, identity).await
    }

    async fn scan_on(&self, platform: &str, ticket: &str, identity: &TicketIdentity) -> Result<ScanAnswer, StatusCode> {
        let body = ScanTicket { platform: platform.into(), identity: identity.clone(), client_address: Some("192.0.2.9".into()) };
        post(&self.app, &format!("/v1/tickets/{ticket}/scan"), &body).await
    }

    pub(crate) async fn confirm(&self, ticket: &str, identity: &TicketIdentity) -> Result<ScanAnswer, StatusCode> {
        let body = ConfirmTicket { identity: identity.clone(), client_address: Some("192.0.2.9".into()) };
        post(&self.app, &format!("/v1/tickets/{ticket}/confirm"), &body).await
    }

    pub(crate) async fn cancel(&self, ticket: &str, identity: &TicketIdentity) -> Result<ScanAnswer, StatusCode> {
        let TicketIdentity { app_id, openid, .. } = identity.clone();
        let body = CancelTicket { app_id, openid, client_address: Some("192.0.2.9".into()) };
        post(&self.app, &format!("/v1/tickets/{ticket}/cancel"), &body).await
    }

    /// By a redemption of its own.
    pub(crate) async fn redeem(&self, ticket: &str, verifier: &str) -> Result<RedeemAnswer, StatusCode> {
        self.redeem_as(ticket, &redeemer(verifier)).await
    }

    pub(crate) async fn redeem_as(&self, ticket: &str, redeemer: &RedeemTicket) -> Result<RedeemAnswer, StatusCode> {
        post(&self.app, &format!("/v1/tickets/{ticket}/redeem"), redeemer).await
    }
}

async fn post<T: DeserializeOwned, B: Serialize + Sync>(app: &Router, path: &str, body: &B) -> Result<T, StatusCode> {
    let request = Request::post(path).header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
    let body = Body::from(serde_json::to_vec(body).unwrap());
    read(app.clone().oneshot(request.body(body).unwrap()).await.unwrap()).await
}

async fn read<T: DeserializeOwned>(response: axum::response::Response) -> Result<T, StatusCode> {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    if status == StatusCode::OK { Ok(serde_json::from_slice(&body).unwrap()) } else { Err(status) }
}

/// What nobody has had before: a verifier, a redemption.
pub(crate) fn fresh() -> String {
    TicketName::random().unwrap().as_str().to_owned()
}

pub(crate) fn redeemer(verifier: &str) -> RedeemTicket {
    RedeemTicket { verifier: verifier.into(), application: "shop".into(), redemption: fresh(), client_address: Some("192.0.2.1".into()) }
}

pub(crate) fn to_scan(verifier: &str) -> CreateTicket {
    CreateTicket {
        purpose: TicketPurpose::Scan,
        pool: "default".into(),
        application: "shop".into(),
        connector: "scan".into(),
        app_id: APP.into(),
        challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)),
        number: Some("42".into()),
        client: Some("Chrome, Windows".into()),
        client_address: Some("192.0.2.1".into()),
        lifetime_seconds: LIFETIME,
    }
}

/// A session that goes over.
pub(crate) fn hand_over(verifier: &str) -> CreateTicket {
    CreateTicket { purpose: TicketPurpose::HandOver, number: None, ..to_scan(verifier) }
}

pub(crate) fn person(openid: &str) -> TicketIdentity {
    TicketIdentity {
        app_id: APP.into(),
        openid: openid.into(),
        unionid: Some(format!("unionid of {openid}")),
        profile: Some(Profile { nickname: Some("小明😀".into()), picture: None }),
        phone_number: None,
    }
}

/// The ticket of an answer that it is done.
pub(crate) fn done(answer: Result<ScanAnswer, StatusCode>) -> Ticket {
    match answer {
        Ok(ScanAnswer::Done { ticket }) => *ticket,
        other => panic!("not done: {other:?}"),
    }
}

async fn a_scan_goes_from_waiting_to_redeemed<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let ticket = front.begin(&verifier).await;
    let waiting = front.look(&ticket).await.unwrap();
    assert_eq!(
        waiting,
        Ticket {
            purpose: TicketPurpose::Scan,
            application: "shop".into(),
            connector: "scan".into(),
            app_id: APP.into(),
            state: TicketState::Waiting,
            number: Some("42".into()),
            client: Some("Chrome, Windows".into()),
            client_address: Some("192.0.2.1".into()),
            created_at: START,
            expires_at: START + LIFETIME,
            profile: None,
            retry_after: None,
        }
    );
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::NotConfirmed { state: TicketState::Waiting }));

    front.pass(10);
    let scanned = Ticket { state: TicketState::Scanned, profile: person("o").profile, ..waiting };
    assert_eq!(done(front.scan(&ticket, &TicketIdentity { unionid: None, ..person("o") }).await), scanned);
    assert_eq!(front.look(&ticket).await.unwrap(), scanned);
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::NotConfirmed { state: TicketState::Scanned }));

    front.pass(10);
    let agreed = TicketIdentity { phone_number: Some("+8613800138000".into()), profile: None, ..person("o") };
    let confirmed = Ticket { state: TicketState::Confirmed, expires_at: front.now() + COLLECT_SECONDS, ..scanned };
    assert_eq!(done(front.confirm(&ticket, &agreed).await), confirmed, "the picture of the scan stays");
    assert_eq!(front.look(&ticket).await.unwrap(), confirmed);

    front.pass(10);
    let redeemer = redeemer(&verifier);
    let redeemed = RedeemAnswer::Redeemed { identity: Some(agreed) };
    assert_eq!(front.redeem_as(&ticket, &redeemer).await.unwrap(), redeemed);
    assert_eq!(front.redeem_as(&ticket, &redeemer).await.unwrap(), redeemed, "its answer was lost");
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Used));
    assert_eq!(front.look(&ticket).await.unwrap().state, TicketState::Redeemed);
}

async fn whoever_confirms_what_nobody_scanned_has_scanned_it<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let ticket = front.begin_as(&CreateTicket { purpose: TicketPurpose::Launch, number: None, ..to_scan(&verifier) }).await;
    let confirmed = done(front.confirm(&ticket, &person("o")).await);
    assert_eq!((confirmed.state, &confirmed.profile), (TicketState::Confirmed, &person("o").profile));
    let other = TicketIdentity { phone_number: Some("+8613800138000".into()), profile: None, ..person("o") };
    assert_eq!(done(front.confirm(&ticket, &other).await), confirmed, "the first word counts");
    assert_eq!(done(front.scan(&ticket, &other).await), confirmed);
    assert_eq!(front.confirm(&ticket, &person("p")).await, Ok(ScanAnswer::Taken));
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }));
    assert_eq!(done(front.confirm(&ticket, &person("o")).await).state, TicketState::Redeemed, "its answer was lost");
    assert_eq!(front.confirm(&ticket, &person("p")).await, Ok(ScanAnswer::Taken));
}

async fn only_the_first_scanner_goes_on<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let ticket = front.begin(&fresh()).await;
    let scanned = done(front.scan(&ticket, &person("o")).await);
    assert_eq!(done(front.scan(&ticket, &person("o")).await), scanned);
    for answer in
        [front.scan(&ticket, &person("p")).await, front.confirm(&ticket, &person("p")).await, front.cancel(&ticket, &person("p")).await]
    {
        assert_eq!(answer, Ok(ScanAnswer::Taken));
    }
    assert_eq!(front.look(&ticket).await.unwrap(), scanned);
    assert_eq!(done(front.confirm(&ticket, &person("o")).await).state, TicketState::Confirmed);
}

async fn a_person_may_refuse_until_it_is_redeemed<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    for before in [TicketState::Waiting, TicketState::Scanned, TicketState::Confirmed] {
        let ticket = front.begin(&verifier).await;
        if before != TicketState::Waiting {
            done(front.scan(&ticket, &person("o")).await);
        }
        if before == TicketState::Confirmed {
            done(front.confirm(&ticket, &person("o")).await);
        }
        let cancelled = done(front.cancel(&ticket, &person("o")).await);
        assert_eq!((cancelled.state, &cancelled.profile), (TicketState::Cancelled, &None));
        assert_eq!(done(front.cancel(&ticket, &person("o")).await), cancelled);
        assert_eq!(front.scan(&ticket, &person("o")).await, Ok(ScanAnswer::Settled));
        assert_eq!(front.confirm(&ticket, &person("o")).await, Ok(ScanAnswer::Settled));
        assert_eq!(front.scan(&ticket, &person("p")).await, Ok(ScanAnswer::Taken));
        assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::NotConfirmed { state: TicketState::Cancelled }));
    }
    let ticket = front.begin(&verifier).await;
    done(front.confirm(&ticket, &person("o")).await);
    front.redeem(&ticket, &verifier).await.unwrap();
    assert_eq!(front.cancel(&ticket, &person("o")).await, Ok(ScanAnswer::Settled));
    assert_eq!(front.scan(&ticket, &person("o")).await, Ok(ScanAnswer::Settled));
}

async fn a_session_goes_over_without_anybody<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let ticket = front.begin_as(&hand_over(&verifier)).await;
    let found = front.look(&ticket).await.unwrap();
    assert_eq!((found.state, found.expires_at), (TicketState::Confirmed, START + COLLECT_SECONDS));
    for answer in
        [front.scan(&ticket, &person("o")).await, front.confirm(&ticket, &person("o")).await, front.cancel(&ticket, &person("o")).await]
    {
        assert_eq!(answer, Err(StatusCode::NOT_FOUND));
    }
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: None }));
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Used));
}

async fn the_audit_log_tells_what_happened_and_no_secret<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let (ticket, refused) = (front.begin(&verifier).await, front.begin(&verifier).await);
    done(front.scan(&ticket, &person("OPENID-CANARY")).await);
    done(front.scan(&ticket, &person("OPENID-CANARY")).await);
    front.pass(1);
    front.scan(&ticket, &person("another")).await.unwrap();
    done(front.confirm(&ticket, &person("OPENID-CANARY")).await);
    done(front.confirm(&ticket, &person("OPENID-CANARY")).await);
    front.pass(1);
    let redeemer = redeemer(&verifier);
    for _ in 0..2 {
        front.redeem_as(&ticket, &redeemer).await.unwrap();
    }
    front.pass(1);
    front.redeem(&ticket, &verifier).await.unwrap();
    done(front.cancel(&refused, &person("OPENID-CANARY")).await);

    let query = AuditQuery { pool: "default".into(), user: None, action: None, after: Uuid::nil(), before: Uuid::max(), limit: 100 };
    let entries: Vec<_> = front.state.store.list_audit(&query).await.unwrap();
    let text = serde_json::to_string(&entries).unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.client_address.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        told,
        [
            ("ticket_scanned", "192.0.2.9"),
            ("ticket_confirmed", "192.0.2.9"),
            ("ticket_redeemed", "192.0.2.1"),
            ("ticket_cancelled", "192.0.2.9")
        ]
    );
    assert_eq!(entries[1].detail["begun_at"], "192.0.2.1");
    assert_eq!(entries[0].detail["ticket"], entries[2].detail["ticket"], "they belong together");
    assert_ne!(entries[0].detail["ticket"], entries[3].detail["ticket"]);
    for secret in ["CANARY", "小明", &ticket, &refused, &verifier, &redeemer.redemption, &to_scan(&verifier).challenge] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

async fn text_of_any_kind_comes_back_as_it_was<S: AdminStore>(store: S) {
    let front = Front::new(store);
    for openid in ["'\"\\", "\0\u{7f}\n", "😀𝒳é", "%_"] {
        let verifier = fresh();
        let ticket = front.begin_as(&CreateTicket { client: Some("Ünïcode 😀".into()), ..to_scan(&verifier) }).await;
        let somebody = TicketIdentity {
            profile: Some(Profile { nickname: Some("'; DROP TABLE tickets; --".into()), picture: Some("https://qlogo.cn/1".into()) }),
            ..person(openid)
        };
        let confirmed = done(front.confirm(&ticket, &somebody).await);
        assert_eq!((&confirmed.profile, confirmed.client.as_deref()), (&somebody.profile, Some("Ünïcode 😀")));
        assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(somebody) }), "{openid:?}");
    }
}
