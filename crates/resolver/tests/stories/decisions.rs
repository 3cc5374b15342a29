//! Whom a login signs in: accounts that contradict each other, first logins by policy, linking, phone numbers; and what is noted of it.
//! Each story is a function over any store.

use resolver_api::{LoginOutcome, LoginRequest, Profile, ProofMethod, RefusalReason};
use serde_json::Value;
use uuid::Uuid;
use wxgate_resolver::admin::audit::{AuditEntry, AuditQuery};
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::ids::UserId;
use wxgate_resolver::policy::{Binding, ConnectorPolicy, OnNoMatch, Registration, Terms};
use wxgate_resolver::store::{AdminStore, Answer, IdentityChange, Store};

use crate::support::{CLOSED, MONTH, OPEN, START, With, at, by, checked, disable, enable, fresh_key, in_wechat, log_in, pc, signed_in};

const NUMBER: &str = "+8613800138000";

/// As in [`for_each_story`](crate::store::for_each_story).
macro_rules! for_each_decision {
    ($open:path) => {
        $crate::store::stories!(
            $open, decisions:
            of_two_accounts_the_one_that_is_not_disabled_signs_in,
            a_refused_login_changes_nothing,
            a_phone_number_from_wechat_is_the_accounts_own,
            a_number_that_one_account_has_proved_finds_that_account,
            a_number_that_nobody_or_several_have_proved_finds_nobody,
            whoever_is_not_found_is_refused_and_told_why,
            a_stranger_is_asked_where_the_policy_says_so,
            where_there_is_nothing_to_ask_nobody_is_asked,
            nobody_is_asked_for_what_does_not_work_here,
            a_policy_of_the_connectors_own_goes_before_the_default,
            whoever_is_logged_in_links_another_identity,
            an_account_is_called_after_one_wechat_and_keeps_its_name_when_another_is_linked,
            nobody_links_what_somebody_else_has,
            linking_to_nobody_is_refused,
            an_identity_tells_how_it_came_last,
            what_a_login_did_is_noted_without_saying_who_it_is_to_wechat,
        );
    };
}
pub(crate) use for_each_decision;

fn refused(reason: RefusalReason) -> LoginOutcome {
    LoginOutcome::Refused { reason }
}

fn calling_from(number: &str, request: LoginRequest) -> LoginRequest {
    LoginRequest { phone_number: Some(number.into()), ..request }
}

fn linking_to(user: UserId, request: LoginRequest) -> LoginRequest {
    LoginRequest { link_to: Some(user.to_string()), ..request }
}

fn field(on_no_match: OnNoMatch) -> ConnectorPolicy {
    ConnectorPolicy { binding: Binding::Field, on_no_match, ..OPEN.clone() }
}

fn ask(registration: Registration) -> ConnectorPolicy {
    ConnectorPolicy { registration, binding: Binding::Ask, methods: vec![ProofMethod::Password, ProofMethod::PhoneCode], ..OPEN.clone() }
}

/// Logs in where the connector has this policy.
async fn log_in_by<S: AdminStore>(store: &S, policy: &ConnectorPolicy, request: LoginRequest) -> LoginOutcome {
    store.login(&checked(request), &by(policy), at(9)).await.unwrap().outcome
}

async fn phone_number<S: Store + AdminStore>(store: &S, user: UserId) -> Option<(String, bool)> {
    let account = store.find_user(user).await.unwrap().unwrap();
    account.phone_number.map(|phone| (phone.number, phone.is_verified))
}

async fn audit<S: AdminStore>(store: &S) -> Vec<AuditEntry> {
    let query = AuditQuery { pool: "default".into(), user: None, action: None, after: Uuid::nil(), before: Uuid::max(), limit: 100 };
    store.list_audit(&query).await.unwrap()
}

pub(crate) async fn of_two_accounts_the_one_that_is_not_disabled_signs_in<S: AdminStore>(store: S) {
    let a = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let b = signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(0)).await).user;
    let both = || pc("o-1").unionid("u-1");
    for (disabled, other) in [(a, b), (b, a)] {
        disable(&store, disabled, at(1)).await;
        assert_eq!(signed_in(log_in(&store, both(), at(2)).await).user, other);
        enable(&store, disabled, at(5)).await;
    }
    assert!(matches!(log_in(&store, both(), at(3)).await, LoginOutcome::ChooseAccount { .. }), "nothing was recorded");
    disable(&store, a, at(4)).await;
    disable(&store, b, at(4)).await;
    assert_eq!(log_in(&store, both(), at(5)).await, refused(RefusalReason::UserDisabled));
}

pub(crate) async fn a_refused_login_changes_nothing<S: Store + AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").nickname("晓明"), at(0)).await).user;
    disable(&store, user, at(1)).await;
    let before = (store.find_user(user).await.unwrap(), store.list_identities(user).await.unwrap());
    let request = calling_from(NUMBER, pc("o-1").unionid("u-1").nickname("小明"));
    assert_eq!(log_in(&store, request, at(2)).await, refused(RefusalReason::UserDisabled));
    assert_eq!((store.find_user(user).await.unwrap(), store.list_identities(user).await.unwrap()), before);
}

pub(crate) async fn a_phone_number_from_wechat_is_the_accounts_own<S: Store + AdminStore>(store: S) {
    let LoginOutcome::SignedIn { user, .. } = log_in(&store, calling_from(NUMBER, pc("o-1")), at(0)).await else {
        panic!("not signed in");
    };
    assert_eq!((user.phone_number.as_deref(), user.phone_number_verified), (Some(NUMBER), Some(true)));
    let user = user.id.parse().unwrap();
    log_in(&store, pc("o-1"), at(1)).await;
    assert_eq!(phone_number(&store, user).await, Some((NUMBER.into(), true)), "a login without a number says nothing");
    log_in(&store, calling_from("+8613900139000", pc("o-1")), at(2)).await;
    assert_eq!(phone_number(&store, user).await, Some(("+8613900139000".into(), true)));
}

/// ACC-06, ACC-07.
pub(crate) async fn a_number_that_one_account_has_proved_finds_that_account<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, calling_from(NUMBER, pc("o-1")), at(0)).await).user;
    let request = calling_from(NUMBER, in_wechat("o-2").unionid("u-2"));
    let bound = signed_in(log_in_by(&store, &field(OnNoMatch::Refuse), request).await);
    assert_eq!((bound.user, bound.new_user), (user, false));
    for known in [in_wechat("o-2"), pc("o-3").unionid("u-2")] {
        assert_eq!(signed_in(log_in(&store, known, at(2)).await).user, user, "both identities are the account's now");
    }
    let elsewhere = LoginRequest { pool: "other".into(), ..calling_from(NUMBER, in_wechat("o-4")) };
    assert_eq!(log_in_by(&store, &field(OnNoMatch::Refuse), elsewhere).await, refused(RefusalReason::NoMatch));
}

/// ACC-07.
pub(crate) async fn a_number_that_nobody_or_several_have_proved_finds_nobody<S: AdminStore>(store: S) {
    let no_match = refused(RefusalReason::NoMatch);
    let refuse = field(OnNoMatch::Refuse);
    let stranger = || calling_from(NUMBER, in_wechat("o-9"));
    assert_eq!(log_in_by(&store, &refuse, stranger()).await, no_match, "nobody has it");
    let first = signed_in(log_in(&store, calling_from(NUMBER, pc("o-1")), at(0)).await).user;
    assert_eq!(log_in_by(&store, &refuse, in_wechat("o-9")).await, no_match, "no number was brought");
    assert_eq!(log_in_by(&store, &refuse, calling_from("+8613900139000", in_wechat("o-9"))).await, no_match, "another number");
    disable(&store, first, at(1)).await;
    assert_eq!(log_in_by(&store, &refuse, stranger()).await, no_match, "its account is disabled");
    enable(&store, first, at(5)).await;

    let second = signed_in(log_in(&store, calling_from(NUMBER, pc("o-2")), at(2)).await).user;
    assert_ne!(first, second);
    assert_eq!(log_in_by(&store, &refuse, stranger()).await, no_match, "two have it");
    assert!(signed_in(log_in_by(&store, &field(OnNoMatch::Create), stranger()).await).new_user);
}

pub(crate) async fn whoever_is_not_found_is_refused_and_told_why<S: AdminStore>(store: S) {
    let refuse = ConnectorPolicy { on_no_match: OnNoMatch::Refuse, ..OPEN.clone() };
    assert_eq!(log_in_by(&store, &refuse, pc("o-1")).await, refused(RefusalReason::NoMatch));
    let closed_too = ConnectorPolicy { on_no_match: OnNoMatch::Refuse, ..CLOSED.clone() };
    for policy in [CLOSED, closed_too, ConnectorPolicy { binding: Binding::Field, ..CLOSED.clone() }] {
        assert_eq!(log_in_by(&store, &policy, pc("o-1")).await, refused(RefusalReason::RegistrationClosed), "{policy:?}");
    }
    assert!(signed_in(log_in(&store, pc("o-1"), at(0)).await).new_user, "no refusal left a trace");
    assert!(!signed_in(log_in_by(&store, &refuse, pc("o-1")).await).new_user, "no policy keeps out who is known");
}

pub(crate) async fn a_stranger_is_asked_where_the_policy_says_so<S: AdminStore>(store: S) {
    let request = pc("o-1");
    let outcome = log_in_by(&store, &ask(Registration::Closed), request.clone()).await;
    let LoginOutcome::BindAccount { pending, expires_at } = &outcome else {
        panic!("not asked: {outcome:?}");
    };
    assert_eq!((pending.len(), *expires_at), (22, START + 9 + 600));
    let answer = store.login(&checked(request), &by(&OPEN), at(10)).await.unwrap();
    assert_eq!(answer, Answer { outcome, is_replay: true });
    let known = signed_in(log_in(&store, pc("o-1"), at(11)).await);
    assert!(known.new_user, "to be asked is no account");
    assert_eq!(signed_in(log_in_by(&store, &ask(Registration::Open), pc("o-1")).await).user, known.user, "who is known is not asked");
}

pub(crate) async fn where_there_is_nothing_to_ask_nobody_is_asked<S: AdminStore>(store: S) {
    let nothing = |registration| ConnectorPolicy { methods: Vec::new(), ..ask(registration) };
    let reason = RefusalReason::RegistrationClosed;
    assert_eq!(log_in_by(&store, &nothing(Registration::Closed), pc("o-1")).await, refused(reason));
    assert!(signed_in(log_in_by(&store, &nothing(Registration::Open), pc("o-1")).await).new_user);
}

/// Codes that a resolver cannot send are as if the policy did not name them, be it the default or the connector's own.
pub(crate) async fn nobody_is_asked_for_what_does_not_work_here<S: Store + AdminStore>(store: S) {
    let only_codes = |registration| ConnectorPolicy { methods: vec![ProofMethod::PhoneCode, ProofMethod::EmailCode], ..ask(registration) };
    let (open, closed) = (only_codes(Registration::Open), only_codes(Registration::Closed));
    let refuse = ConnectorPolicy { on_no_match: OnNoMatch::Refuse, ..open.clone() };
    let admin = By { actor: Actor::Admin("ada".into()), client_address: None };
    for (policy, expected) in [(&closed, Some(RefusalReason::RegistrationClosed)), (&refuse, Some(RefusalReason::NoMatch)), (&open, None)] {
        let codes_do_not_work = |default: &ConnectorPolicy| Terms { default: default.clone(), methods: vec![ProofMethod::Password] };
        store.set_policy("default", "in-wechat", Some(policy), &admin, at(0)).await.unwrap();
        for (request, terms) in [(pc("o-1"), codes_do_not_work(policy)), (in_wechat("o-2"), codes_do_not_work(&OPEN))] {
            let outcome = store.login(&checked(request.clone()), &terms, at(1)).await.unwrap().outcome;
            match expected {
                Some(reason) => assert_eq!(outcome, refused(reason), "{policy:?}"),
                None => assert!(signed_in(outcome).new_user),
            }
            let elsewhere =
                store.login(&checked(LoginRequest { openid: "o-3".into(), ..again(request) }), &by(policy), at(1)).await.unwrap();
            assert!(matches!(elsewhere.outcome, LoginOutcome::BindAccount { .. }), "where codes can be sent, the stranger is asked");
        }
    }
}

/// The same person once more.
fn again(request: LoginRequest) -> LoginRequest {
    LoginRequest { idempotency_key: fresh_key(), ..request }
}

pub(crate) async fn a_policy_of_the_connectors_own_goes_before_the_default<S: Store + AdminStore>(store: S) {
    let admin = By { actor: Actor::Admin("ada".into()), client_address: None };
    let closed = ConnectorPolicy { methods: vec![ProofMethod::Password], ..CLOSED.clone() };
    store.set_policy("default", "pc", Some(&OPEN), &admin, at(0)).await.unwrap();
    store.set_policy("default", "pc", Some(&closed), &admin, at(1)).await.unwrap();
    let [own] = &store.list_policies("default").await.unwrap()[..] else {
        panic!("not one policy");
    };
    assert_eq!((own.connector.as_str(), &own.policy, own.changed_at), ("pc", &closed, START + 1));
    assert_eq!(store.list_policies("other").await.unwrap(), []);

    assert_eq!(log_in_by(&store, &OPEN, pc("o-1")).await, refused(RefusalReason::RegistrationClosed));
    for elsewhere in [in_wechat("o-1"), LoginRequest { pool: "other".into(), ..pc("o-1") }] {
        assert!(signed_in(log_in_by(&store, &OPEN, elsewhere).await).new_user);
    }
    store.set_policy("default", "pc", None, &admin, at(2)).await.unwrap();
    assert!(signed_in(log_in_by(&store, &OPEN, pc("o-1")).await).new_user);

    let changes: Vec<_> = audit(&store).await.into_iter().filter(|entry| entry.action == "policy_changed").collect();
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|entry| entry.actor == "admin:ada" && entry.detail["connector"] == "pc"), "{changes:?}");
}

pub(crate) async fn whoever_is_logged_in_links_another_identity<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let linked = signed_in(log_in_by(&store, &CLOSED, linking_to(user, in_wechat("o-2").unionid("u-2"))).await);
    assert_eq!((linked.user, linked.new_user), (user, false));
    for known in [in_wechat("o-2"), pc("o-3").unionid("u-2"), linking_to(user, in_wechat("o-2"))] {
        assert_eq!(signed_in(log_in(&store, known, at(2)).await).user, user);
    }
    let base = LoginRequest { profile_available: true, ..linking_to(user, in_wechat("o-5")) };
    assert_eq!(log_in(&store, base, at(3)).await, LoginOutcome::ProfileRequired);
}

pub(crate) async fn an_account_is_called_after_one_wechat_and_keeps_its_name_when_another_is_linked<S: AdminStore>(store: S) {
    let with_picture = |request: LoginRequest, nickname: &str, picture: &str| LoginRequest {
        profile: Some(Profile { nickname: Some(nickname.into()), picture: Some(format!("https://thirdwx.qlogo.cn/{picture}")) }),
        ..request
    };
    let seen = async |request, second| match log_in(&store, request, at(second)).await {
        LoginOutcome::SignedIn { user, .. } => (user.name.unwrap(), user.picture.unwrap().rsplit('/').next().unwrap().to_owned()),
        other => panic!("not signed in: {other:?}"),
    };
    let called = |name: &str, picture: &str| (name.to_owned(), picture.to_owned());
    let user = signed_in(log_in(&store, with_picture(pc("o-1").unionid("u-1"), "晓明", "1"), at(0)).await).user;
    let second = || in_wechat("o-2").unionid("u-2");
    assert_eq!(seen(linking_to(user, with_picture(second(), "小红", "2")), 1).await, called("晓明", "1"), "linking renames nobody");
    assert_eq!(seen(with_picture(second(), "小红", "3"), 2).await, called("晓明", "1"), "nor does a login by what was linked");
    assert_eq!(seen(with_picture(pc("o-1").unionid("u-1"), "晓明", "4"), 3).await, called("晓明", "4"));
    // By another openid of the same WeChat, which has a new name by now.
    assert_eq!(seen(with_picture(in_wechat("o-3").unionid("u-1"), "小明", "5"), 4).await, called("小明", "5"));
    assert_eq!(seen(with_picture(second(), "小红", "6"), 5).await, called("小明", "5"));

    let first = store.list_identities(user).await.unwrap().unwrap().into_iter().find(|own| own.unionid.as_deref() == Some("u-1")).unwrap();
    let admin = By { actor: Actor::Admin("ada".into()), client_address: None };
    let change = IdentityChange { user, identity: first.id.parse().unwrap(), is_forced: false };
    store.unlink_identity(&change, MONTH, &admin, at(6)).await.unwrap();
    assert_eq!(seen(with_picture(second(), "小红", "7"), 7).await, called("小红", "7"), "the one after which it was called is gone");
}

/// ACC-08, ACC-09.
pub(crate) async fn nobody_links_what_somebody_else_has<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let other = signed_in(log_in(&store, in_wechat("o-2").unionid("u-2"), at(0)).await).user;
    let taken = refused(RefusalReason::IdentityTaken);
    assert_eq!(log_in(&store, linking_to(user, in_wechat("o-2")), at(1)).await, taken);
    assert_eq!(log_in(&store, linking_to(user, pc("o-1").unionid("u-2")), at(1)).await, taken);
    disable(&store, other, at(2)).await;
    assert_eq!(log_in(&store, linking_to(user, in_wechat("o-2")), at(3)).await, taken, "a disabled account keeps what it has");
    enable(&store, other, at(5)).await;
    assert_eq!(signed_in(log_in(&store, in_wechat("o-2"), at(4)).await).user, other);
}

pub(crate) async fn linking_to_nobody_is_refused<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let nobody = refused(RefusalReason::UserDisabled);
    assert_eq!(log_in(&store, linking_to(Uuid::from_u128(7), in_wechat("o-2")), at(1)).await, nobody);
    let elsewhere = LoginRequest { pool: "other".into(), ..linking_to(user, in_wechat("o-2")) };
    assert_eq!(log_in(&store, elsewhere, at(1)).await, nobody, "accounts of different pools never meet");
    disable(&store, user, at(2)).await;
    assert_eq!(log_in(&store, linking_to(user, in_wechat("o-2")), at(3)).await, nobody);
    assert!(signed_in(log_in(&store, in_wechat("o-2"), at(4)).await).new_user, "no refusal left a trace");
}

pub(crate) async fn an_identity_tells_how_it_came_last<S: Store + AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").nickname("晓明"), at(0)).await).user;
    let again = LoginRequest { connector: "embedded".into(), ..pc("o-1").unionid("u-1") };
    log_in(&store, again, at(5)).await;
    log_in(&store, in_wechat("o-2").unionid("u-1").nickname("小明"), at(7)).await;

    let mut identities = store.list_identities(user).await.unwrap().unwrap();
    identities.sort_by_key(|identity| (identity.openid.clone(), identity.unionid.clone()));
    let told: Vec<_> = identities
        .iter()
        .map(|identity| {
            (
                identity.openid.as_deref(),
                identity.connector.as_deref(),
                identity.nickname.as_deref(),
                identity.linked_at - START,
                identity.last_login_at - START,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, Some("in-wechat"), Some("小明"), 5, 7),
            (Some("o-1"), Some("embedded"), Some("晓明"), 0, 5),
            (Some("o-2"), Some("in-wechat"), Some("小明"), 7, 7),
        ]
    );
    assert!(identities.iter().all(|identity| identity.unionid.as_deref() == Some("u-1")), "{identities:?}");
}

pub(crate) async fn what_a_login_did_is_noted_without_saying_who_it_is_to_wechat<S: Store + AdminStore>(store: S) {
    let from = |request| LoginRequest { client_address: Some("192.0.2.7".into()), ..request };
    let request = from(calling_from(NUMBER, pc("o-CANARY").nickname("CANARY")));
    let user = signed_in(log_in(&store, request.clone(), at(0)).await).user;
    log_in_by(&store, &OPEN, request).await; // a replay did nothing
    log_in(&store, from(pc("o-CANARY").unionid("u-CANARY")), at(1)).await;
    log_in(&store, from(linking_to(user, in_wechat("o-CANARY"))), at(2)).await;
    log_in_by(&store, &CLOSED, from(pc("o-2"))).await;
    let bound = calling_from(NUMBER, LoginRequest { app_id: "wx0000000000000003".into(), ..pc("o-CANARY") });
    log_in_by(&store, &field(OnNoMatch::Refuse), from(bound)).await;

    let mut entries = audit(&store).await;
    entries.sort_by_key(|entry| entry.at);
    let mut actions: Vec<_> = entries.iter().map(|entry| (entry.at / 1000 - START, &*entry.action)).collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            (0, "registered"),
            (1, "identity_recorded"),
            (1, "signed_in"),
            (2, "identity_linked"),
            (2, "identity_recorded"),
            (2, "signed_in"),
            (9, "account_bound"),
            (9, "identity_recorded"),
            (9, "login_refused"),
            (9, "signed_in"),
        ]
    );
    for entry in &entries {
        assert_eq!((entry.actor.as_str(), entry.client_address.as_deref()), ("wechat", Some("192.0.2.7")));
        assert_eq!(entry.detail["application"], "shop");
        let is_about_user = entry.user_id == Some(user.to_string());
        assert_eq!(is_about_user, entry.action != "login_refused");
    }
    let refusal = entries.iter().find(|entry| entry.action == "login_refused").unwrap();
    assert_eq!(refusal.detail["reason"], "registration_closed");
    let recorded = entries.iter().find(|entry| entry.action == "registered").unwrap();
    assert!(matches!(&recorded.detail["identities"], Value::Array(ids) if ids.len() == 1), "{recorded:?}");
    assert!(!format!("{entries:?}").contains("CANARY") && !format!("{entries:?}").contains(NUMBER));
}
