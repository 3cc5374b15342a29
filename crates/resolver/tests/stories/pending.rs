//! Logins that wait for their person: how they end, whatever was asked. As the filter sees them, over both databases.

mod choosing;
mod proving;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use resolver_api::{
    FinishAnswer, FinishLogin, LoginOutcome, LoginRequest, PendingLogin, Proof, ProofMethod, Question, RefusalReason, SendCode,
    SendCodeAnswer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tower::ServiceExt;
use wxgate_resolver::admin::draft::{Draft, Edit};
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::clock::{Clock, Moment};
use wxgate_resolver::delivery::{Delivery, Message};
use wxgate_resolver::ids::UserId;
use wxgate_resolver::password::Passwords;
use wxgate_resolver::policy::{Binding, ConnectorPolicy, Registration};
use wxgate_resolver::store::{Act, AdminStore, Store};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, app};

use crate::support::{START, SignedIn, TOKEN, With, in_wechat, over_both_databases, pc, signed_in};

const PHONE: &str = "+8613800138000";
const EMAIL: &str = "xiaoming@example.com";
const PASSWORD: &str = "correct horse 电池";

over_both_databases!(
    a_new_account_is_made_where_that_is_offered_and_still_allowed,
    the_same_answer_again_gets_the_same_outcome_and_another_one_none,
    the_same_answer_many_times_at_once_makes_one_account,
    an_identity_that_somebody_has_by_now_stays_theirs,
    an_account_that_is_disabled_meanwhile_is_not_signed_in,
    it_is_over_after_ten_minutes_and_swept,
    what_is_no_token_names_nothing,
);

fn ask() -> ConnectorPolicy {
    ConnectorPolicy { binding: Binding::Ask, ..ConnectorPolicy::default() }
}

/// The administrator of the stories.
fn admin() -> By {
    By { actor: Actor::Admin("alice".into()), client_address: None }
}

/// A resolver with a clock that the story moves, and all messages that leave it.
struct Front<S> {
    state: Arc<AppState<S>>,
    app: Router,
    seconds: Arc<AtomicU64>,
    messages: Mutex<mpsc::UnboundedReceiver<Message>>,
}

impl<S: Store + AdminStore> Front<S> {
    fn new(store: S, policy: ConnectorPolicy) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        Self::with(store, policy, Delivery::none().or_else_to(move |message| sender.send(message.clone()).unwrap()), messages)
    }

    fn with(store: S, policy: ConnectorPolicy, delivery: Delivery, messages: mpsc::UnboundedReceiver<Message>) -> Self {
        let seconds = Arc::new(AtomicU64::new(START));
        let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
        let clock = seconds.clone();
        state.clock = Clock::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        state.default_policy = policy;
        state.delivery = delivery;
        // Many wait for four places, on a busy machine.
        state.limits.request = Duration::from_secs(60);
        let state = Arc::new(state);
        Self { app: app(state.clone()), state, seconds, messages: Mutex::new(messages) }
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn now(&self) -> Moment {
        self.state.clock.now()
    }

    fn seconds(&self) -> u64 {
        self.now().seconds()
    }

    async fn user(&self, draft: Draft) -> UserId {
        self.state.store.create_user("default", &draft, &admin(), self.now()).await.unwrap().id
    }

    async fn disable(&self, user: UserId) {
        self.state.store.act_on_user(user, Act::Disable, Duration::from_secs(3600), &admin(), self.now()).await.unwrap();
    }

    async fn login(&self, request: &LoginRequest) -> LoginOutcome {
        post(&self.app, "/v1/logins", request).await.unwrap()
    }

    /// A login that waits for its person.
    async fn wait(&self, request: &LoginRequest) -> String {
        match self.login(request).await {
            LoginOutcome::ChooseAccount { pending, .. } | LoginOutcome::BindAccount { pending, .. } => pending,
            other => panic!("nobody is asked: {other:?}"),
        }
    }

    /// What it asks, while it is not over.
    async fn asked(&self, pending: &str) -> Result<PendingLogin, StatusCode> {
        let request = Request::get(format!("/v1/pending-logins/{pending}")).header("authorization", format!("Bearer {TOKEN}"));
        read(self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
    }

    async fn send(&self, pending: &str, method: ProofMethod, address: &str) -> SendCodeAnswer {
        let request = SendCode { method, address: address.into(), language: "en".into(), client_address: None };
        post(&self.app, &format!("/v1/pending-logins/{pending}/code"), &request).await.unwrap()
    }

    /// The code of the next message; what is sent to nobody leaves none.
    async fn code(&self, to: &str) -> String {
        let message = self.messages.lock().await.recv().await.unwrap();
        assert_eq!((message.to.as_str(), message.application.as_str()), (to, "shop"));
        message.code.0
    }

    /// Asks for a code, and reads it.
    async fn code_for(&self, pending: &str, method: ProofMethod, address: &str) -> String {
        assert!(matches!(self.send(pending, method, address).await, SendCodeAnswer::Sent { .. }));
        self.code(address).await
    }

    async fn finish(&self, pending: &str, proof: Proof) -> Result<FinishAnswer, StatusCode> {
        finish(&self.app, pending, proof).await
    }

    async fn finished(&self, pending: &str, proof: Proof) -> LoginOutcome {
        match self.finish(pending, proof).await.unwrap() {
            FinishAnswer::Finished { outcome } => outcome,
            other => panic!("not finished: {other:?}"),
        }
    }

    /// The actions of the audit log, with the account that each is about.
    async fn audit(&self, action: &str) -> Vec<Option<String>> {
        let query = wxgate_resolver::admin::audit::AuditQuery {
            pool: "default".into(),
            user: None,
            action: Some(action.into()),
            after: uuid::Uuid::nil(),
            before: uuid::Uuid::max(),
            limit: 100,
        };
        self.state.store.list_audit(&query).await.unwrap().into_iter().map(|entry| entry.user_id).collect()
    }
}

async fn finish(app: &Router, pending: &str, proof: Proof) -> Result<FinishAnswer, StatusCode> {
    let request = FinishLogin { proof, client_address: Some("192.0.2.1".into()) };
    post(app, &format!("/v1/pending-logins/{pending}/finish"), &request).await
}

async fn post<T: DeserializeOwned>(app: &Router, path: &str, body: &impl Serialize) -> Result<T, StatusCode> {
    let request = Request::post(path).header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
    read(app.clone().oneshot(request.body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()).await.unwrap()).await
}

async fn read<T: DeserializeOwned>(response: axum::response::Response) -> Result<T, StatusCode> {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    if status == StatusCode::OK { Ok(serde_json::from_slice(&body).unwrap()) } else { Err(status) }
}

fn refused(outcome: &LoginOutcome) -> Option<RefusalReason> {
    match outcome {
        LoginOutcome::Refused { reason } => Some(*reason),
        _ => None,
    }
}

fn choose(account: &str) -> Proof {
    Proof::Choose { account: account.into() }
}

fn code(code: &str) -> Proof {
    Proof::Code { code: code.into() }
}

fn password(account: &str, password: &str) -> Proof {
    Proof::Password { account: account.into(), password: password.into() }
}

fn wrong(tries_left: u32) -> Result<FinishAnswer, StatusCode> {
    Ok(FinishAnswer::Wrong { tries_left })
}

const OVER: StatusCode = StatusCode::NOT_FOUND;

/// A code that is not the right one.
fn other_than(code: &str) -> String {
    let other = if code.starts_with('0') { "1" } else { "0" };
    format!("{other}{}", &code[1..])
}

fn with_phone() -> Draft {
    Draft { phone_number: Some(PHONE.into()), is_phone_number_verified: true, ..Draft::default() }
}

fn with_email() -> Draft {
    Draft { email: Some(EMAIL.into()), is_email_verified: true, ..Draft::default() }
}

async fn with_password(draft: Draft) -> Draft {
    Draft { password_hash: Some(Passwords::default().hash(PASSWORD).await.unwrap()), ..draft }
}

async fn a_new_account_is_made_where_that_is_offered_and_still_allowed<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let pending = front.wait(&pc("o-1").nickname("晓明")).await;
    let made = signed_in(front.finished(&pending, Proof::Create).await);
    assert!(made.new_user);
    assert_eq!(made.name.as_deref(), Some("晓明"));
    assert_eq!(signed_in(front.login(&pc("o-1")).await).user, made.user);

    let pending = front.wait(&pc("o-2")).await;
    let closed = ConnectorPolicy { registration: Registration::Closed, ..ask() };
    front.state.store.set_policy("default", "pc", Some(&closed), &admin(), front.now()).await.unwrap();
    assert_eq!(refused(&front.finished(&pending, Proof::Create).await), Some(RefusalReason::RegistrationClosed));

    let pending = front.wait(&pc("o-3")).await;
    assert!(matches!(front.asked(&pending).await.unwrap().question, Question::Bind { may_create: false, .. }));
    assert_eq!(front.finish(&pending, Proof::Create).await, Ok(FinishAnswer::NotOffered));
}

async fn the_same_answer_again_gets_the_same_outcome_and_another_one_none<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_password(Draft { username: Some("xiaoming".into()), ..with_phone() }).await).await;
    let pending = front.wait(&pc("o-1")).await;
    let right = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    let outcome = front.finished(&pending, code(&right)).await;
    front.pass(500);
    assert_eq!(front.finished(&pending, code(&right)).await, outcome);
    for proof in [code(&other_than(&right)), password("xiaoming", PASSWORD), Proof::Create, choose("1")] {
        assert_eq!(front.finish(&pending, proof).await, Err(StatusCode::CONFLICT));
    }
    front.pass(100);
    assert_eq!(front.finish(&pending, code(&right)).await, Err(OVER));
}

async fn the_same_answer_many_times_at_once_makes_one_account<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let pending = front.wait(&pc("o-1")).await;
    let mut answers = JoinSet::new();
    for _ in 0..20 {
        let (app, pending) = (front.app.clone(), pending.clone());
        answers.spawn(async move { finish(&app, &pending, Proof::Create).await.unwrap() });
    }
    let logins = answers.join_all().await.into_iter().map(|answer| match answer {
        FinishAnswer::Finished { outcome } => signed_in(outcome),
        other => panic!("not finished: {other:?}"),
    });
    let logins: Vec<_> = logins.collect();
    assert_eq!(logins.iter().filter(|login| login.new_user).count(), 1, "{logins:?}");
    let again = SignedIn { new_user: false, ..logins[0].clone() };
    assert!(logins.into_iter().all(|login| SignedIn { new_user: false, ..login } == again));
}

async fn an_identity_that_somebody_has_by_now_stays_theirs<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_phone()).await;
    // The same person in three windows.
    let [first, second, third] = [front.wait(&pc("o-1")).await, front.wait(&pc("o-1")).await, front.wait(&pc("o-1")).await];
    let made = signed_in(front.finished(&first, Proof::Create).await).user;
    let right = front.code_for(&second, ProofMethod::PhoneCode, PHONE).await;
    assert_eq!(refused(&front.finished(&second, code(&right)).await), Some(RefusalReason::IdentityTaken));
    let again = signed_in(front.finished(&third, Proof::Create).await);
    assert_eq!((again.user, again.new_user), (made, false));
    assert_eq!(signed_in(front.login(&pc("o-1")).await).user, made);
}

async fn an_account_that_is_disabled_meanwhile_is_not_signed_in<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_phone()).await;
    let pending = front.wait(&pc("o-1")).await;
    let right = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    front.disable(user).await;
    assert_eq!(refused(&front.finished(&pending, code(&right)).await), Some(RefusalReason::UserDisabled));
    assert_eq!(front.audit("account_bound").await, []);
}

async fn it_is_over_after_ten_minutes_and_swept<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let pending = front.wait(&pc("o-1")).await;
    front.pass(599);
    assert_eq!(front.state.store.delete_expired(front.now()).await.unwrap(), 0);
    assert!(front.asked(&pending).await.is_ok());
    front.pass(1);
    assert_eq!(front.asked(&pending).await.unwrap_err(), OVER);
    assert_eq!(front.finish(&pending, Proof::Create).await, Err(OVER));
    assert_eq!(front.state.store.delete_expired(front.now()).await.unwrap(), 2, "the pending login, and the login's outcome");
}

async fn what_is_no_token_names_nothing<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.wait(&pc("o-1")).await;
    for nothing in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%ff", "1"] {
        assert_eq!(front.asked(nothing).await.unwrap_err(), OVER, "{nothing}");
        assert_eq!(front.finish(nothing, Proof::Create).await, Err(OVER));
    }
}
