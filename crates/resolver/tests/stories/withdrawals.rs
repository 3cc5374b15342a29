//! Consent that a WeChat person withdraws, over both databases.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use resolver_api::tickets::{WithdrawAuthorization, Withdrawal};
use resolver_api::{LoginOutcome, LoginRequest, Profile, RevokedUser};
use tower::ServiceExt;
use wxgate_resolver::admin::audit::AuditQuery;
use wxgate_resolver::admin::draft::Edit;
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::clock::Clock;
use wxgate_resolver::ids::UserId;
use wxgate_resolver::store::AdminStore;
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, app};

use crate::support::{START, TOKEN, With, at, in_wechat, log_in, over_both_databases, pc, signed_in};

over_both_databases!(
    sessions_up_to_then_end_and_the_profile_goes,
    whoever_logged_in_again_is_not_touched_by_a_late_message,
    a_repeated_message_changes_nothing,
    only_the_named_pools_and_the_named_person_are_touched,
    the_unionid_finds_the_account_too,
    what_an_administrator_has_set_stays,
    an_account_that_is_called_after_another_wechat_keeps_its_name,
    a_person_whom_nobody_knows_is_no_error,
    wechats_clock_may_be_ahead_but_not_without_end,
    what_is_wrong_is_refused,
);

/// When the message is worked on, in seconds into the story.
const LATER: u64 = 1000;

struct Front<S> {
    state: Arc<AppState<S>>,
}

impl<S: AdminStore> Front<S> {
    fn new(store: S) -> Self {
        let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
        state.clock = Clock::new(|| Duration::from_secs(START + LATER));
        state.limits.request = Duration::from_secs(60);
        Self { state: Arc::new(state) }
    }

    async fn withdraw(&self, withdrawal: &WithdrawAuthorization) -> StatusCode {
        let request = Request::post("/v1/authorizations/withdraw")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(Body::from(serde_json::to_vec(withdrawal).unwrap()))
            .unwrap();
        app(self.state.clone()).oneshot(request).await.unwrap().status()
    }

    /// Logs in, and tells who that is.
    async fn log_in(&self, request: LoginRequest, second: u64) -> UserId {
        signed_in(log_in(&self.state.store, request, at(second)).await).user
    }

    async fn name_and_picture(&self, user: UserId) -> (Option<String>, Option<String>) {
        let account = self.state.store.find_user(user).await.unwrap().unwrap();
        (account.name.value, account.picture.value)
    }

    async fn nicknames(&self, user: UserId) -> Vec<Option<String>> {
        let identities = self.state.store.list_identities(user).await.unwrap().unwrap();
        identities.into_iter().map(|identity| identity.nickname).collect()
    }

    async fn revoked(&self) -> Vec<RevokedUser> {
        self.state.store.find_revocations("", at(LATER)).await.unwrap().users
    }

    async fn entries(&self) -> Vec<serde_json::Value> {
        let query = AuditQuery {
            pool: "default".into(),
            user: None,
            action: Some("authorization_withdrawn".into()),
            after: uuid::Uuid::nil(),
            before: uuid::Uuid::max(),
            limit: 100,
        };
        let entries = self.state.store.list_audit(&query).await.unwrap();
        entries.into_iter().map(|entry| serde_json::to_value(entry).unwrap()).collect()
    }
}

fn withdrawal(openid: &str, second: u64) -> WithdrawAuthorization {
    let LoginRequest { platform, app_id, openid, .. } = pc(openid);
    let (reason, at) = (Withdrawal::Revoked, START + second);
    WithdrawAuthorization { pools: vec!["default".into()], platform, app_id, openid, unionid: None, reason, at }
}

fn shown(request: LoginRequest) -> LoginRequest {
    let picture = Some("https://thirdwx.qlogo.cn/1".into());
    LoginRequest { profile: Some(Profile { nickname: Some("小明".into()), picture }), ..request }
}

async fn sessions_up_to_then_end_and_the_profile_goes<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = front.log_in(shown(pc("o").unionid("u")), 0).await;
    front.log_in(shown(in_wechat("p").unionid("u")), 1).await;
    assert_eq!(front.nicknames(user).await.into_iter().flatten().count(), 3);

    assert_eq!(front.withdraw(&withdrawal("o", 500)).await, StatusCode::NO_CONTENT);
    let not_before = START + 500;
    let longest = front.state.limits.longest_session.as_secs();
    assert_eq!(front.revoked().await, [RevokedUser { user_id: user.to_string(), not_before, expires_at: not_before + longest }]);
    assert_eq!(front.name_and_picture(user).await, (None, None));
    assert_eq!(front.nicknames(user).await, [None, None, None]);
    let entries = front.entries().await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((&entry["user_id"], &entry["actor"]), (&user.to_string().into(), &"wechat".into()));
    assert_eq!((&entry["detail"]["reason"], &entry["detail"]["at"]), (&"revoked".into(), &not_before.into()));
    assert!(!entry.to_string().contains("小明"));

    let again = signed_in(log_in(&front.state.store, shown(pc("o").unionid("u")), at(LATER)).await);
    assert_eq!(
        (again.user, again.auth_time, again.name.as_deref()),
        (user, START + LATER, Some("小明")),
        "who agrees again is the same user"
    );
}

async fn whoever_logged_in_again_is_not_touched_by_a_late_message<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = front.log_in(shown(pc("o")), 0).await;
    let new = signed_in(log_in(&front.state.store, shown(pc("o")), at(501)).await);
    assert_eq!(front.withdraw(&withdrawal("o", 500)).await, StatusCode::NO_CONTENT);
    assert_eq!(front.revoked().await[0].not_before, START + 500, "the older session has ended");
    assert!(new.auth_time > START + 500, "the newer one goes on");
    assert_eq!(front.name_and_picture(user).await.0.as_deref(), Some("小明"));
    assert_eq!(front.nicknames(user).await, [Some("小明".into())]);
}

async fn a_repeated_message_changes_nothing<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = front.log_in(shown(pc("o")), 0).await;
    front.withdraw(&withdrawal("o", 500)).await;
    let before = front.revoked().await;
    front.log_in(shown(pc("o")), 600).await;
    for older in [500, 500, 400] {
        assert_eq!(front.withdraw(&withdrawal("o", older)).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(front.revoked().await, before);
    assert_eq!(front.name_and_picture(user).await.0.as_deref(), Some("小明"));
    assert_eq!(front.entries().await.len(), 1);
}

async fn only_the_named_pools_and_the_named_person_are_touched<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let elsewhere = |pool: &str| LoginRequest { pool: pool.into(), ..shown(pc("o")) };
    let (here, there, third) =
        (front.log_in(elsewhere("default"), 0).await, front.log_in(elsewhere("b2b"), 0).await, front.log_in(elsewhere("c"), 0).await);
    let others = [
        front.log_in(shown(pc("other")), 0).await,
        front.log_in(shown(in_wechat("o")), 0).await,
        front.log_in(LoginRequest { platform: "other".into(), ..shown(pc("o")) }, 0).await,
        front.log_in(shown(pc("x").unionid("o")), 0).await,
        third,
    ];
    let pools = ["b2b", "nobody's", "default"].map(Into::into).to_vec();
    front.withdraw(&WithdrawAuthorization { pools, ..withdrawal("o", 500) }).await;
    let mut revoked: Vec<_> = front.revoked().await.into_iter().map(|user| user.user_id).collect();
    revoked.sort();
    let mut expected = [here, there].map(|user| user.to_string());
    expected.sort();
    assert_eq!(revoked, expected);
    for user in others {
        assert_eq!(front.name_and_picture(user).await.0.as_deref(), Some("小明"));
    }
}

async fn the_unionid_finds_the_account_too<S: AdminStore>(store: S) {
    let front = Front::new(store);
    // The openid of the message is one that nobody has seen.
    let by_message = front.log_in(shown(in_wechat("o-1").unionid("u-1")), 0).await;
    front.withdraw(&WithdrawAuthorization { unionid: Some("u-1".into()), ..withdrawal("unseen", 500) }).await;
    assert_eq!(front.name_and_picture(by_message).await, (None, None));
    assert_eq!(front.nicknames(by_message).await, [None, None]);

    // The openid and the unionid are of two accounts.
    let by_openid = front.log_in(shown(pc("o-2")), 0).await;
    let by_unionid = front.log_in(shown(in_wechat("o-3").unionid("u-2")), 0).await;
    let both = log_in(&front.state.store, shown(pc("o-2").unionid("u-2")), at(1)).await;
    assert!(matches!(both, LoginOutcome::ChooseAccount { .. }));
    front.withdraw(&WithdrawAuthorization { unionid: Some("u-2".into()), ..withdrawal("o-2", 500) }).await;
    for user in [by_openid, by_unionid] {
        assert_eq!(front.name_and_picture(user).await, (None, None));
    }
    assert_eq!(front.revoked().await.len(), 3);
}

async fn what_an_administrator_has_set_stays<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = front.log_in(shown(pc("o")), 0).await;
    let edit = Edit { name: Some(Some("王小明".into())), ..Edit::default() };
    let alice = By { actor: Actor::Admin("alice".into()), client_address: None };
    front.state.store.update_user(user, &edit, &alice, at(1)).await.unwrap();
    front.withdraw(&withdrawal("o", 500)).await;
    assert_eq!(front.name_and_picture(user).await, (Some("王小明".into()), None));
    assert_eq!(front.nicknames(user).await, [None]);
}

async fn an_account_that_is_called_after_another_wechat_keeps_its_name<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = front.log_in(shown(pc("o")), 0).await;
    let another = LoginRequest { link_to: Some(user.to_string()), ..in_wechat("p").nickname("晓红") };
    assert_eq!(front.log_in(another, 1).await, user);
    let other_app = |openid: &str| WithdrawAuthorization { app_id: in_wechat(openid).app_id, ..withdrawal(openid, 500) };
    front.withdraw(&other_app("p")).await;
    assert_eq!(front.name_and_picture(user).await.0.as_deref(), Some("小明"));
    assert_eq!(front.nicknames(user).await.into_iter().flatten().collect::<Vec<_>>(), ["小明"]);
    assert_eq!(front.revoked().await.len(), 1, "all sessions of the account end: nothing tells by which WeChat one began");
    front.withdraw(&withdrawal("o", 500)).await;
    assert_eq!(front.name_and_picture(user).await, (None, None));
}

async fn a_person_whom_nobody_knows_is_no_error<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let cancelled = WithdrawAuthorization { reason: Withdrawal::Cancelled, ..withdrawal("nobody", 0) };
    assert_eq!(front.withdraw(&cancelled).await, StatusCode::NO_CONTENT);
    assert_eq!((front.revoked().await.len(), front.entries().await.len()), (0, 0));
}

async fn wechats_clock_may_be_ahead_but_not_without_end<S: AdminStore>(store: S) {
    let front = Front::new(store);
    front.log_in(pc("o"), 0).await;
    front.withdraw(&withdrawal("o", LATER + 5)).await;
    assert_eq!(front.revoked().await[0].not_before, START + LATER + 5);
    front.withdraw(&withdrawal("o", LATER + 10_000)).await;
    assert_eq!(front.revoked().await[0].not_before, START + LATER + 60);
    let again = signed_in(log_in(&front.state.store, pc("o"), at(LATER)).await);
    assert_eq!(again.auth_time, START + LATER + 61, "and nobody is locked out by it");
}

async fn what_is_wrong_is_refused<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let right = || withdrawal("o", 0);
    for wrong in [
        WithdrawAuthorization { pools: vec![], ..right() },
        WithdrawAuthorization { pools: vec!["p".into(); 101], ..right() },
        WithdrawAuthorization { pools: vec!["\n".into()], ..right() },
        WithdrawAuthorization { platform: String::new(), ..right() },
        WithdrawAuthorization { app_id: "a".repeat(65), ..right() },
        WithdrawAuthorization { openid: String::new(), ..right() },
        WithdrawAuthorization { unionid: Some(String::new()), ..right() },
    ] {
        assert_eq!(front.withdraw(&wrong).await, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
}
