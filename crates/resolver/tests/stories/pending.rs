//! Logins that wait for their person: choosing, proving, making an account. As the filter sees them, over both databases.

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

use crate::support::{START, TOKEN, With, in_wechat, over_both_databases, pc, signed_in};

const PHONE: &str = "+8613800138000";
const EMAIL: &str = "xiaoming@example.com";
const PASSWORD: &str = "correct horse 电池";

over_both_databases!(
    a_person_chooses_once_and_is_not_asked_again,
    accounts_to_choose_from_are_masked,
    an_account_that_is_disabled_meanwhile_cannot_be_chosen,
    an_account_that_is_not_among_them_cannot_be_chosen,
    a_phone_code_binds_the_account_that_has_the_number,
    an_email_code_binds_the_account_that_has_the_address,
    a_password_binds_by_every_name_that_the_account_has,
    a_password_that_was_changed_meanwhile_is_wrong,
    an_account_without_a_password_cannot_be_bound_by_one,
    an_address_that_nobody_has_looks_like_one_that_somebody_has,
    an_address_proves_only_the_one_account_that_has_verified_it,
    five_wrong_answers_end_it_whichever_they_are,
    guesses_at_once_are_all_counted,
    a_code_is_good_for_five_minutes_and_only_the_last_one,
    another_code_may_be_asked_for_after_a_minute_and_five_in_all,
    an_address_gets_ten_codes_an_hour,
    a_new_account_is_made_where_that_is_offered_and_still_allowed,
    the_same_answer_again_gets_the_same_outcome_and_another_one_none,
    the_same_answer_many_times_at_once_makes_one_account,
    an_identity_that_somebody_has_by_now_stays_theirs,
    an_account_that_is_disabled_meanwhile_is_not_signed_in,
    what_cannot_be_sent_or_was_not_asked_is_not_offered,
    what_is_no_address_is_refused,
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

/// Two accounts, and the login of somebody who has the openid of one and the unionid of the other.
async fn two_accounts<S: Store + AdminStore>(front: &Front<S>) -> ([UserId; 2], LoginRequest) {
    let one = signed_in(front.login(&pc("o-1").nickname("晓明")).await).user;
    let other = signed_in(front.login(&in_wechat("o-2").unionid("u-1").nickname("小明")).await).user;
    ([one, other], pc("o-1").unionid("u-1"))
}

async fn a_person_chooses_once_and_is_not_asked_again<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ConnectorPolicy::default());
    let ([one, other], request) = two_accounts(&front).await;
    let pending = front.wait(&request).await;
    let asked = front.asked(&pending).await.unwrap();
    assert_eq!((asked.application.as_str(), asked.connector.as_str(), asked.tries_left), ("shop", "pc", 5));
    assert_eq!(asked.expires_at, START + 600);

    let outcome = front.finished(&pending, choose("2")).await;
    assert_eq!(signed_in(outcome.clone()).user, other);
    assert_eq!(front.login(&request).await, outcome, "the login is over, whoever asks");
    assert_eq!(front.asked(&pending).await.unwrap_err(), OVER);

    assert_eq!(signed_in(front.login(&pc("o-1").unionid("u-1")).await).user, other);
    assert_eq!(signed_in(front.login(&pc("o-1")).await).user, one, "the other account keeps what it has");
    assert_eq!(front.audit("account_chosen").await, [Some(other.to_string())]);
}

async fn accounts_to_choose_from_are_masked<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ConnectorPolicy::default());
    let ([one, other], request) = two_accounts(&front).await;
    let edit = Edit { phone_number: Some(Some(PHONE.into())), email: Some(Some(EMAIL.into())), ..Edit::default() };
    front.state.store.update_user(other, &edit, &admin(), front.now()).await.unwrap();

    let Question::Choose { accounts } = front.asked(&front.wait(&request).await).await.unwrap().question else { panic!() };
    assert_eq!(accounts[0].name.as_deref(), Some("晓*"));
    assert_eq!((&*accounts[0].id, &*accounts[1].id), ("1", "2"));
    assert_eq!((accounts[1].phone_number.as_deref(), accounts[1].email.as_deref()), (Some("+86138****8000"), Some("x***@example.com")));
    assert_eq!((accounts[1].created_at, accounts[1].last_login_at), (START, START));
    let shown = serde_json::to_string(&accounts).unwrap();
    for secret in [one.to_string(), other.to_string(), "晓明".into(), PHONE.into(), EMAIL.into(), "o-1".into(), "u-1".into()] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

async fn an_account_that_is_disabled_meanwhile_cannot_be_chosen<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ConnectorPolicy::default());
    let ([one, _], request) = two_accounts(&front).await;
    let pending = front.wait(&request).await;
    front.disable(one).await;
    let Question::Choose { accounts } = front.asked(&pending).await.unwrap().question else { panic!() };
    assert_eq!(accounts.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(refused(&front.finished(&pending, choose("1")).await), Some(RefusalReason::UserDisabled));
}

async fn an_account_that_is_not_among_them_cannot_be_chosen<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ConnectorPolicy::default());
    let ([one, _], request) = two_accounts(&front).await;
    let pending = front.wait(&request).await;
    for (guess, tries_left) in [("3", 4), ("", 3), (&*one.to_string(), 2), ("1\0", 1)] {
        assert_eq!(front.finish(&pending, choose(guess)).await, wrong(tries_left));
    }
    for proof in [Proof::Create, code("123456"), password("xiaoming", PASSWORD)] {
        assert_eq!(front.finish(&pending, proof).await, Ok(FinishAnswer::NotOffered));
    }
    assert_eq!(signed_in(front.finished(&pending, choose("1")).await).user, one);
}

async fn a_phone_code_binds_the_account_that_has_the_number<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_phone()).await;
    let request = pc("o-1").unionid("u-1").nickname("晓明");
    let pending = front.wait(&request).await;
    let asked = front.asked(&pending).await.unwrap();
    assert_eq!(asked.profile.unwrap().nickname.as_deref(), Some("晓明"));
    let methods = vec![ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password];
    assert_eq!(asked.question, Question::Bind { methods, may_create: true, code: None });

    let SendCodeAnswer::Sent { code: sent } = front.send(&pending, ProofMethod::PhoneCode, "138 0013 8000").await else { panic!() };
    assert_eq!((sent.method, sent.address.as_str()), (ProofMethod::PhoneCode, "+86138****8000"));
    assert_eq!((sent.expires_at, sent.resend_at), (START + 300, START + 60));
    let Question::Bind { code: shown, .. } = front.asked(&pending).await.unwrap().question else { panic!() };
    assert_eq!(shown, Some(sent));

    let right = front.code(PHONE).await;
    assert_eq!(right.len(), 6);
    assert_eq!(front.finish(&pending, code(&other_than(&right))).await, wrong(4));
    let outcome = front.finished(&pending, code(&right)).await;
    assert_eq!(signed_in(outcome.clone()).user, user);
    assert_eq!(front.login(&request).await, outcome);
    for known in [pc("o-1"), in_wechat("o-2").unionid("u-1")] {
        assert_eq!(signed_in(front.login(&known).await).user, user, "both identities are the account's now");
    }
    for action in ["code_sent", "proof_failed", "account_bound"] {
        assert_eq!(front.audit(action).await, [Some(user.to_string())], "{action}");
    }
}

async fn an_email_code_binds_the_account_that_has_the_address<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_email()).await;
    let pending = front.wait(&pc("o-1")).await;
    assert!(matches!(front.send(&pending, ProofMethod::EmailCode, " XiaoMing@Example.com ").await, SendCodeAnswer::Sent { .. }));
    let right = front.code(EMAIL).await;
    assert_eq!(signed_in(front.finished(&pending, code(&format!(" {right} "))).await).user, user);
}

async fn a_password_binds_by_every_name_that_the_account_has<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let draft = Draft { username: Some("xiaoming".into()), email: Some(EMAIL.into()), ..with_phone() };
    let user = front.user(with_password(draft).await).await;
    for (place, name) in ["xiaoming", "13800138000", "XIAOMING@example.com"].into_iter().enumerate() {
        let pending = front.wait(&pc(&format!("o-{place}"))).await;
        assert_eq!(front.finish(&pending, password(name, "correct horse")).await, wrong(4));
        assert_eq!(signed_in(front.finished(&pending, password(name, PASSWORD)).await).user, user);
    }
    assert_eq!(front.audit("account_bound").await.len(), 3);
}

async fn a_password_that_was_changed_meanwhile_is_wrong<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_password(Draft { username: Some("xiaoming".into()), ..Draft::default() }).await).await;
    let pending = front.wait(&pc("o-1")).await;
    let edit = Edit { password_hash: Some(None), ..Edit::default() };
    front.state.store.update_user(user, &edit, &admin(), front.now()).await.unwrap();
    assert_eq!(front.finish(&pending, password("xiaoming", PASSWORD)).await, wrong(4));
}

async fn an_account_without_a_password_cannot_be_bound_by_one<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let disabled = front.user(with_password(Draft { username: Some("gone".into()), ..Draft::default() }).await).await;
    front.disable(disabled).await;
    front.user(Draft { username: Some("xiaoming".into()), ..with_phone() }).await;
    let pending = front.wait(&pc("o-1")).await;
    for (proof, tries_left) in [
        (password("xiaoming", ""), 4),
        (password("nobody", PASSWORD), 3),
        (password("gone", PASSWORD), 2),
        (password("xiaoming\0", PASSWORD), 1),
    ] {
        assert_eq!(front.finish(&pending, proof).await, wrong(tries_left));
    }
    let long = password("xiaoming", &"x".repeat(257));
    assert_eq!(front.finish(&pending, long).await, Err(StatusCode::BAD_REQUEST));
    assert_eq!(front.asked(&pending).await.unwrap().tries_left, 1);
}

async fn an_address_that_nobody_has_looks_like_one_that_somebody_has<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_phone()).await;
    let (known, unknown) = (front.wait(&pc("o-1")).await, front.wait(&pc("o-2")).await);
    let nobodys = front.send(&unknown, ProofMethod::PhoneCode, "+8613800138999").await;
    let somebodys = front.send(&known, ProofMethod::PhoneCode, PHONE).await;
    let masked = |answer: &SendCodeAnswer| serde_json::to_string(answer).unwrap().replace("8999", "8000");
    assert_eq!(masked(&nobodys), masked(&somebodys));
    let right = front.code(PHONE).await;
    assert_eq!(front.finish(&unknown, code(&right)).await, wrong(4));
    assert_eq!(front.finish(&known, code(&other_than(&right))).await, wrong(4));
    let shown = |asked: PendingLogin| masked_question(&asked);
    assert_eq!(shown(front.asked(&unknown).await.unwrap()), shown(front.asked(&known).await.unwrap()));
    let too_soon = front.send(&unknown, ProofMethod::PhoneCode, "+8613800138999").await;
    assert_eq!(too_soon, front.send(&known, ProofMethod::PhoneCode, PHONE).await);
}

fn masked_question(asked: &PendingLogin) -> String {
    serde_json::to_string(asked).unwrap().replace("8999", "8000")
}

async fn an_address_proves_only_the_one_account_that_has_verified_it<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(Draft { is_phone_number_verified: false, ..with_phone() }).await;
    for _ in 0..2 {
        front.user(with_email()).await;
    }
    let gone = front.user(Draft { phone_number: Some("+8613800138001".into()), ..with_phone() }).await;
    front.disable(gone).await;
    for (method, address) in [(ProofMethod::PhoneCode, PHONE), (ProofMethod::EmailCode, EMAIL), (ProofMethod::PhoneCode, "+8613800138001")]
    {
        let pending = front.wait(&pc("o-1")).await;
        assert!(matches!(front.send(&pending, method, address).await, SendCodeAnswer::Sent { .. }));
    }
    // The first message that leaves is for the one whose address it is.
    front.user(Draft { phone_number: Some("+8613800138002".into()), ..with_phone() }).await;
    let pending = front.wait(&pc("o-1")).await;
    front.code_for(&pending, ProofMethod::PhoneCode, "+8613800138002").await;
}

async fn five_wrong_answers_end_it_whichever_they_are<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_password(Draft { username: Some("xiaoming".into()), ..with_phone() }).await).await;
    let pending = front.wait(&pc("o-1")).await;
    assert_eq!(front.finish(&pending, code("123456")).await, wrong(4), "none was sent");
    let right = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    assert_eq!(front.finish(&pending, password("xiaoming", "wrong")).await, wrong(3));
    assert_eq!(front.finish(&pending, code(&other_than(&right))).await, wrong(2));
    assert_eq!(front.finish(&pending, code("")).await, wrong(1));
    assert_eq!(front.finish(&pending, password("nobody", "wrong")).await, wrong(0));
    for proof in [code(&right), password("xiaoming", PASSWORD), Proof::Create] {
        assert_eq!(front.finish(&pending, proof).await, Err(OVER));
    }
    assert_eq!(front.asked(&pending).await.unwrap_err(), OVER);

    // Only that login is over. Whoever it was, the account is as it was.
    let pending = front.wait(&pc("o-1")).await;
    assert_eq!(signed_in(front.finished(&pending, password("xiaoming", PASSWORD)).await).user, user);
}

async fn guesses_at_once_are_all_counted<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_phone()).await;
    let pending = front.wait(&pc("o-1")).await;
    let right = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    let mut guesses = JoinSet::new();
    for _ in 0..20 {
        let (app, pending, guess) = (front.app.clone(), pending.clone(), other_than(&right));
        guesses.spawn(async move { finish(&app, &pending, code(&guess)).await });
    }
    let mut answers: Vec<_> = guesses.join_all().await;
    answers.sort_by_key(|answer| match answer {
        Ok(FinishAnswer::Wrong { tries_left }) => 4 - tries_left,
        _ => 5,
    });
    let expected: Vec<_> = (0..5).rev().map(wrong).chain(std::iter::repeat_n(Err(OVER), 15)).collect();
    assert_eq!(answers, expected);
    assert_eq!(front.finish(&pending, code(&right)).await, Err(OVER));
}

async fn a_code_is_good_for_five_minutes_and_only_the_last_one<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_phone()).await;
    let pending = front.wait(&pc("o-1")).await;
    let first = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    front.pass(300);
    assert_eq!(front.finish(&pending, code(&first)).await, wrong(4));
    let second = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    front.pass(60);
    let third = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
    if second != third {
        assert_eq!(front.finish(&pending, code(&second)).await, wrong(3));
    }
    front.pass(200);
    assert_eq!(signed_in(front.finished(&pending, code(&third)).await).user, user);
}

async fn another_code_may_be_asked_for_after_a_minute_and_five_in_all<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_phone()).await;
    let pending = front.wait(&pc("o-1")).await;
    for _ in 0..5 {
        front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
        let resend_at = front.seconds() + 60;
        front.pass(59);
        let answer = front.send(&pending, ProofMethod::EmailCode, EMAIL).await;
        assert!([SendCodeAnswer::TooSoon { resend_at }, SendCodeAnswer::TooMany].contains(&answer), "{answer:?}");
        front.pass(1);
    }
    assert_eq!(front.send(&pending, ProofMethod::PhoneCode, PHONE).await, SendCodeAnswer::TooMany);
}

async fn an_address_gets_ten_codes_an_hour<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    front.user(with_phone()).await;
    for person in 0..10 {
        let pending = front.wait(&pc(&format!("o-{person}"))).await;
        front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
        front.pass(60);
    }
    let pending = front.wait(&pc("o-10")).await;
    assert_eq!(front.send(&pending, ProofMethod::PhoneCode, "138-0013-8000").await, SendCodeAnswer::TooMany);
    assert!(matches!(front.send(&pending, ProofMethod::PhoneCode, "+8613800138999").await, SendCodeAnswer::Sent { .. }));
    while front.state.store.delete_expired(front.now()).await.unwrap() != 0 {}
    let pending = front.wait(&pc("o-11")).await;
    assert_eq!(front.send(&pending, ProofMethod::PhoneCode, PHONE).await, SendCodeAnswer::TooMany, "a sweep forgets nothing that counts");
    front.pass(3600 - 600);
    let pending = front.wait(&pc("o-12")).await;
    front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
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
    let answers = answers.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && matches!(answer, FinishAnswer::Finished { .. })), "{answers:?}");
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

async fn what_cannot_be_sent_or_was_not_asked_is_not_offered<S: Store + AdminStore>(store: S) {
    let (_, messages) = mpsc::unbounded_channel();
    let policy = ConnectorPolicy { methods: vec![ProofMethod::EmailCode, ProofMethod::Password], ..ask() };
    let front = Front::with(store, policy, Delivery::none(), messages);
    let pending = front.wait(&pc("o-1")).await;
    let Question::Bind { methods, .. } = front.asked(&pending).await.unwrap().question else { panic!() };
    assert_eq!(methods, [ProofMethod::Password]);
    for method in [ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password] {
        assert_eq!(front.send(&pending, method, PHONE).await, SendCodeAnswer::NotOffered);
    }
    assert_eq!(front.finish(&pending, choose("1")).await, Ok(FinishAnswer::NotOffered));
    assert_eq!(front.asked(&pending).await.unwrap().tries_left, 5);
}

async fn what_is_no_address_is_refused<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let pending = front.wait(&pc("o-1")).await;
    for (method, address) in [
        (ProofMethod::PhoneCode, ""),
        (ProofMethod::PhoneCode, EMAIL),
        (ProofMethod::EmailCode, PHONE),
        (ProofMethod::EmailCode, "a@x.com@evil.com"),
        (ProofMethod::EmailCode, &*format!("{}@example.com", "a".repeat(300))),
    ] {
        assert_eq!(front.send(&pending, method, address).await, SendCodeAnswer::InvalidAddress, "{address}");
    }
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
