//! What every store does. Each story is a function over any [`Store`]; [`for_each_story`] runs them all over one.

use std::collections::BTreeSet;
use std::sync::Arc;

use resolver_api::{LoginMethod, LoginOutcome, LoginRequest, Profile, RefusalReason, RevokedSession, RevokedUser, WechatIdentity};
use tokio::task::JoinSet;
use uuid::Uuid;
use wxgate_resolver::ids::SessionId;
use wxgate_resolver::store::{AdminStore, Answer, LoginError, REVOCATION_PAGE};

use crate::support::{
    CLOSED, MONTH, OPEN, START, SignedIn, With, at, by, checked, disable, enable, in_wechat, key, log_in, pc, sign_out, signed_in,
    told_again,
};

/// Makes a test of every story; `$open` is an async function that opens a new store and something to keep while the story lasts.
macro_rules! for_each_story {
    ($open:path) => {
        $crate::store::stories!(
            $open, store:
            a_first_login_makes_an_account,
            a_second_login_is_the_same_user_in_another_session,
            a_unionid_that_turns_up_later_is_recorded,
            a_new_openid_of_a_known_unionid_is_recorded,
            two_identities_of_one_user_sign_in_that_user,
            identities_of_two_users_are_a_choice_and_change_nothing,
            an_openid_means_nothing_in_another_app,
            a_unionid_means_nothing_on_another_platform,
            pools_never_meet,
            an_openid_is_never_taken_for_a_unionid,
            identities_are_compared_byte_for_byte,
            an_unknown_openid_is_left_alone_when_wechat_can_tell_more,
            a_closed_registration_lets_in_those_who_have_an_account,
            a_replay_gets_the_stored_outcome_for_ten_minutes,
            a_key_cannot_be_used_for_another_login,
            refusals_and_choices_are_replayed_too,
            fifty_first_logins_at_once_make_one_user,
            fifty_requests_with_one_key_get_one_outcome,
            two_methods_at_once_make_one_user_with_two_identities,
            text_is_kept_as_it_came,
            one_nickname_does_not_make_one_person,
            a_profile_is_refreshed_by_logins_that_bring_one,
            a_disabled_user_is_refused_until_enabled,
            a_login_in_the_second_of_a_revocation_is_not_revoked,
            a_clock_that_steps_back_saves_no_session,
            a_session_is_revoked_once,
            the_feed_comes_in_pages,
            a_cursor_of_another_feed_starts_over,
            a_cursor_holds_after_the_sweep,
            whoever_follows_the_feed_misses_nothing,
            what_is_over_is_swept,
        );
    };
}
pub(crate) use for_each_story;

/// Makes a test of each of the stories of a module.
macro_rules! stories {
    ($open:path, $module:ident: $($story:ident,)+) => {
        $(
            #[tokio::test]
            async fn $story() {
                let (store, _keep) = $open().await;
                $crate::$module::$story(store).await;
            }
        )+
    };
}
pub(crate) use stories;

pub(crate) async fn a_first_login_makes_an_account<S: AdminStore>(store: S) {
    let profile = Profile { nickname: Some("小明😀".into()), picture: Some("https://thirdwx.qlogo.cn/1".into()) };
    let request = LoginRequest { profile: Some(profile), ..pc("o-1").unionid("u-1") };
    let LoginOutcome::SignedIn { user, session_id, auth_time, identity, new_user } = log_in(&store, request, at(0)).await else {
        panic!("not signed in");
    };
    assert_eq!(user.id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(user.name.as_deref(), Some("小明😀"));
    assert_eq!(user.picture.as_deref(), Some("https://thirdwx.qlogo.cn/1"));
    assert!(SessionId::parse(&session_id).is_some());
    assert_eq!((auth_time, new_user), (START, true));
    let app_id = "wx0000000000000001".to_owned();
    assert_eq!(identity, WechatIdentity { app_id, openid: "o-1".into(), unionid: Some("u-1".into()) });
}

pub(crate) async fn a_second_login_is_the_same_user_in_another_session<S: AdminStore>(store: S) {
    let first = signed_in(log_in(&store, pc("o-1"), at(0)).await);
    let second = signed_in(log_in(&store, pc("o-1"), at(5)).await);
    assert_eq!(second.user, first.user);
    assert_ne!(second.session_id, first.session_id);
    assert_eq!((second.auth_time, second.new_user), (START + 5, false));
}

pub(crate) async fn a_unionid_that_turns_up_later_is_recorded<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    assert_eq!(signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(1)).await).user, user);
    assert_eq!(signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(2)).await).user, user);
}

pub(crate) async fn a_new_openid_of_a_known_unionid_is_recorded<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    let second = signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(1)).await);
    assert_eq!((second.user, second.new_user), (user, false));
    assert_eq!(signed_in(log_in(&store, in_wechat("o-2"), at(2)).await).user, user, "the openid alone will do");
}

pub(crate) async fn two_identities_of_one_user_sign_in_that_user<S: AdminStore>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    assert_eq!(signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(1)).await).user, user);
}

pub(crate) async fn identities_of_two_users_are_a_choice_and_change_nothing<S: AdminStore>(store: S) {
    let a = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let b = signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(0)).await).user;
    assert_ne!(a, b);

    let LoginOutcome::ChooseAccount { pending, .. } = log_in(&store, pc("o-1").unionid("u-1"), at(1)).await else {
        panic!("no choice");
    };
    assert_eq!(pending.len(), 22);
    assert_eq!(signed_in(log_in(&store, pc("o-1"), at(2)).await).user, a);
    assert_eq!(signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(2)).await).user, b);
    assert_eq!(signed_in(log_in(&store, in_wechat("o-3").unionid("u-1"), at(2)).await).user, b);
}

/// ACC-01.
pub(crate) async fn an_openid_means_nothing_in_another_app<S: AdminStore>(store: S) {
    let one = signed_in(log_in(&store, pc("o-1"), at(0)).await);
    let two = signed_in(log_in(&store, in_wechat("o-1"), at(0)).await);
    assert_ne!(one.user, two.user);
    let elsewhere = LoginRequest { platform: "other".into(), ..pc("o-1") };
    assert!(signed_in(log_in(&store, elsewhere, at(0)).await).new_user);
}

/// ACC-02.
pub(crate) async fn a_unionid_means_nothing_on_another_platform<S: AdminStore>(store: S) {
    let here = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await);
    let elsewhere = LoginRequest { platform: "other".into(), ..in_wechat("o-2").unionid("u-1") };
    let there = signed_in(log_in(&store, elsewhere, at(0)).await);
    assert!(there.new_user);
    assert_ne!(here.user, there.user);
}

pub(crate) async fn pools_never_meet<S: AdminStore>(store: S) {
    let here = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await);
    let elsewhere = LoginRequest { pool: "other".into(), ..pc("o-1").unionid("u-1") };
    let there = signed_in(log_in(&store, elsewhere, at(0)).await);
    assert!(there.new_user);
    assert_ne!(here.user, there.user);
}

/// ACC-03.
pub(crate) async fn an_openid_is_never_taken_for_a_unionid<S: AdminStore>(store: S) {
    let one = signed_in(log_in(&store, pc("same").unionid("u-1"), at(0)).await);
    let two = signed_in(log_in(&store, in_wechat("o-2").unionid("same"), at(0)).await);
    assert!(two.new_user);
    assert_ne!(one.user, two.user);
}

pub(crate) async fn identities_are_compared_byte_for_byte<S: AdminStore>(store: S) {
    let alike = ["oABC", "oabc", "oABC ", " oABC", "oABC\0", "oAB", "oÄ", "oA\u{308}", "ｏABC", "o_BC", "o%"];
    let mut users = BTreeSet::new();
    for openid in alike {
        users.insert(signed_in(log_in(&store, pc(openid), at(0)).await).user);
    }
    for unionid in alike {
        users.insert(signed_in(log_in(&store, in_wechat(&format!("{unionid}!")).unionid(unionid), at(0)).await).user);
    }
    assert_eq!(users.len(), 2 * alike.len());
}

pub(crate) async fn an_unknown_openid_is_left_alone_when_wechat_can_tell_more<S: AdminStore>(store: S) {
    let base = LoginRequest { profile_available: true, ..in_wechat("o-1") };
    assert_eq!(log_in(&store, base.clone(), at(0)).await, LoginOutcome::ProfileRequired);
    assert_eq!(store.find_outcome(&key(&base), at(0)).await.unwrap(), None, "nothing was stored");

    let full = signed_in(log_in(&store, in_wechat("o-1").unionid("u-1"), at(1)).await);
    assert!(full.new_user);
    let again = LoginRequest { profile_available: true, ..in_wechat("o-1") };
    assert_eq!(signed_in(log_in(&store, again, at(2)).await).user, full.user);
}

pub(crate) async fn a_closed_registration_lets_in_those_who_have_an_account<S: AdminStore>(store: S) {
    let login = async |request| store.login(&checked(request), &by(&CLOSED), at(1)).await.unwrap().outcome;
    let refused = LoginOutcome::Refused { reason: RefusalReason::RegistrationClosed };
    assert_eq!(login(pc("o-1").unionid("u-1")).await, refused);

    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    assert_eq!(signed_in(login(pc("o-1")).await).user, user);
    assert_eq!(signed_in(login(in_wechat("o-2").unionid("u-1")).await).user, user);
}

pub(crate) async fn a_replay_gets_the_stored_outcome_for_ten_minutes<S: AdminStore>(store: S) {
    let request = pc("o-1").nickname("晓明");
    let first = log_in(&store, request.clone(), at(0)).await;
    let replay = request.clone().nickname("another profile is no other question");
    let answer = store.login(&checked(replay), &by(&CLOSED), at(599)).await.unwrap();
    let again = told_again(first.clone());
    assert_eq!(answer, Answer { outcome: again.clone(), is_replay: true });
    assert_eq!(store.find_outcome(&key(&request), at(599)).await.unwrap(), Some(again));

    assert_eq!(store.find_outcome(&key(&request), at(600)).await.unwrap(), None);
    let second = signed_in(log_in(&store, request, at(600)).await);
    let first = signed_in(first);
    assert_eq!(second.user, first.user);
    assert_ne!(second.session_id, first.session_id);
}

pub(crate) async fn a_key_cannot_be_used_for_another_login<S: AdminStore>(store: S) {
    let request = pc("o-1");
    let first = log_in(&store, request.clone(), at(0)).await;
    let other = LoginRequest { openid: "o-2".into(), ..request.clone() };
    assert!(matches!(store.login(&checked(other), &by(&OPEN), at(1)).await, Err(LoginError::KeyReused)));
    assert_eq!(store.find_outcome(&key(&request), at(1)).await.unwrap(), Some(told_again(first)));
    assert!(signed_in(log_in(&store, pc("o-2"), at(1)).await).new_user, "that request left no trace");
}

pub(crate) async fn refusals_and_choices_are_replayed_too<S: AdminStore>(store: S) {
    let refused = pc("o-1");
    let outcome = store.login(&checked(refused.clone()), &by(&CLOSED), at(0)).await.unwrap().outcome;
    let answer = store.login(&checked(refused), &by(&OPEN), at(1)).await.unwrap();
    assert_eq!(answer, Answer { outcome, is_replay: true });

    log_in(&store, pc("o-1"), at(2)).await;
    log_in(&store, in_wechat("o-2").unionid("u-1"), at(2)).await;
    let choice = pc("o-1").unionid("u-1");
    let outcome = log_in(&store, choice.clone(), at(3)).await;
    assert!(matches!(outcome, LoginOutcome::ChooseAccount { .. }));
    assert_eq!(store.login(&checked(choice), &by(&OPEN), at(4)).await.unwrap().outcome, outcome);
}

async fn all_at_once<S: AdminStore>(store: S, requests: Vec<LoginRequest>) -> Vec<SignedIn> {
    let store = Arc::new(store);
    let mut logins = JoinSet::new();
    for request in requests {
        let store = store.clone();
        logins.spawn(async move { signed_in(store.login(&checked(request), &by(&OPEN), at(0)).await.unwrap().outcome) });
    }
    logins.join_all().await
}

/// ACC-13.
pub(crate) async fn fifty_first_logins_at_once_make_one_user<S: AdminStore>(store: S) {
    let requests = (0..50).map(|_| pc("o-1").unionid("u-1")).collect();
    let logins = all_at_once(store, requests).await;
    let users: BTreeSet<_> = logins.iter().map(|login| login.user).collect();
    let sessions: BTreeSet<_> = logins.iter().map(|login| &login.session_id).collect();
    assert_eq!((users.len(), sessions.len()), (1, 50));
    assert_eq!(logins.iter().filter(|login| login.new_user).count(), 1);
}

pub(crate) async fn fifty_requests_with_one_key_get_one_outcome<S: AdminStore>(store: S) {
    let request = pc("o-1");
    let logins = all_at_once(store, vec![request; 50]).await;
    assert_eq!(logins.iter().filter(|login| login.new_user).count(), 1, "whoever counts accounts counts it once");
    let again: Vec<_> = logins.into_iter().map(|login| SignedIn { new_user: false, ..login }).collect();
    assert!(again.iter().all(|login| *login == again[0]), "{again:?}");
}

/// ACC-14.
pub(crate) async fn two_methods_at_once_make_one_user_with_two_identities<S: AdminStore>(store: S) {
    let store = Arc::new(store);
    let both = (0..20).flat_map(|_| [pc("o-1").unionid("u-1"), in_wechat("o-2").unionid("u-1")]);
    let mut logins = JoinSet::new();
    for request in both {
        let store = store.clone();
        logins.spawn(async move { signed_in(log_in(&*store, request, at(0)).await).user });
    }
    let users: BTreeSet<_> = logins.join_all().await.into_iter().collect();
    assert_eq!(users.len(), 1);
    for request in [pc("o-1"), in_wechat("o-2")] {
        assert!(users.contains(&signed_in(log_in(&*store, request, at(1)).await).user));
    }
}

/// ACC-18.
pub(crate) async fn text_is_kept_as_it_came<S: AdminStore>(store: S) {
    for text in ["'); DROP TABLE users; --", "nul \0 within", "\0", "👩‍👩‍👧‍👦 小明 é e\u{301}", "\u{202e}right to left", "?1 :a $b %s \\"]
    {
        let request = LoginRequest { app_id: "wx'; --".into(), ..pc(text).unionid(text).nickname(text) };
        let first = signed_in(log_in(&store, request.clone(), at(0)).await);
        let name = text.replace('\0', "");
        assert_eq!(first.name.clone().unwrap_or_default(), name, "PostgreSQL's text holds no U+0000");

        let replay = store.find_outcome(&key(&request), at(1)).await.unwrap().unwrap();
        assert_eq!(signed_in(replay), SignedIn { new_user: false, ..first.clone() });
        let again = LoginRequest { app_id: "wx'; --".into(), ..pc(text) };
        let again = signed_in(log_in(&store, again, at(1)).await);
        assert_eq!((again.user, again.name), (first.user, first.name));
    }
}

/// ACC-22.
pub(crate) async fn one_nickname_does_not_make_one_person<S: AdminStore>(store: S) {
    let one = signed_in(log_in(&store, pc("o-1").nickname("admin"), at(0)).await);
    let two = signed_in(log_in(&store, pc("o-2").nickname("admin"), at(0)).await);
    assert_ne!(one.user, two.user);
    assert_eq!(one.name, two.name);
}

pub(crate) async fn a_profile_is_refreshed_by_logins_that_bring_one<S: AdminStore>(store: S) {
    let name = async |request, second| signed_in(log_in(&store, request, at(second)).await).name;
    assert_eq!(name(pc("o-1"), 0).await, None);
    assert_eq!(name(pc("o-1").nickname("晓明"), 1).await.as_deref(), Some("晓明"));
    assert_eq!(name(pc("o-1").nickname("小明"), 2).await.as_deref(), Some("小明"));
    assert_eq!(name(pc("o-1"), 3).await.as_deref(), Some("小明"));
    assert_eq!(name(pc("o-1").nickname(""), 4).await.as_deref(), Some("小明"));
}

/// ACC-17.
pub(crate) async fn a_disabled_user_is_refused_until_enabled<S: AdminStore>(store: S) {
    let before = signed_in(log_in(&store, pc("o-1"), at(0)).await);
    disable(&store, before.user, at(10)).await;
    let refused = LoginOutcome::Refused { reason: RefusalReason::UserDisabled };
    assert_eq!(log_in(&store, pc("o-1").unionid("u-1"), at(11)).await, refused);
    let feed = store.find_revocations("", at(11)).await.unwrap();
    let ended = RevokedUser { user_id: before.user.to_string(), not_before: START + 10, expires_at: START + 10 + MONTH.as_secs() };
    assert_eq!(feed.users, [ended]);

    enable(&store, before.user, at(11)).await;
    let after = signed_in(log_in(&store, pc("o-1"), at(12)).await);
    assert_eq!((after.user, after.auth_time), (before.user, START + 12));
    assert_eq!(store.find_revocations("", at(12)).await.unwrap(), feed, "the old sessions stay ended");
    let other = signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(13)).await);
    assert!(other.new_user, "the refused login recorded nothing");
}

pub(crate) async fn a_login_in_the_second_of_a_revocation_is_not_revoked<S: AdminStore>(store: S) {
    let before = signed_in(log_in(&store, pc("o-1"), at(0)).await);
    sign_out(&store, before.user, at(0)).await;
    let after = signed_in(log_in(&store, pc("o-1"), at(0)).await);
    let [ended] = &store.find_revocations("", at(0)).await.unwrap().users[..] else {
        panic!("not one user");
    };
    assert!(before.auth_time <= ended.not_before);
    assert!(after.auth_time > ended.not_before);
}

/// REL-14.
pub(crate) async fn a_clock_that_steps_back_saves_no_session<S: AdminStore>(store: S) {
    let before = signed_in(log_in(&store, pc("o-1"), at(3600)).await);
    sign_out(&store, before.user, at(0)).await;
    let after = signed_in(log_in(&store, pc("o-1"), at(1)).await);
    let users = store.find_revocations("", at(1)).await.unwrap().users;
    assert!(before.auth_time <= users[0].not_before);
    assert!(after.auth_time > users[0].not_before);
}

pub(crate) async fn a_session_is_revoked_once<S: AdminStore>(store: S) {
    let session = SessionId::random().unwrap();
    let feed = async |after: &str| store.find_revocations(after, at(0)).await.unwrap();
    let nothing = feed("").await;
    assert_eq!((&nothing.sessions[..], &nothing.users[..], nothing.more), (&[][..], &[][..], false));

    store.revoke_session(&session, START + 100, at(0)).await.unwrap();
    let first = feed(&nothing.cursor).await;
    let ended = |expires_at| RevokedSession { session_id: session.as_str().to_owned(), expires_at };
    assert_eq!(first.sessions, [ended(START + 100)]);

    store.revoke_session(&session, START + 100, at(0)).await.unwrap();
    store.revoke_session(&session, START + 50, at(0)).await.unwrap();
    assert_eq!(feed(&first.cursor).await.sessions, [], "it says no more than before");
    store.revoke_session(&session, START + 200, at(0)).await.unwrap();
    assert_eq!(feed(&first.cursor).await.sessions, [ended(START + 200)]);
    assert_eq!(feed("").await.sessions, [ended(START + 200)]);

    let over = SessionId::random().unwrap();
    store.revoke_session(&over, START - 1, at(0)).await.unwrap();
    assert_eq!(feed("").await.sessions, [ended(START + 200)], "a session that is over needs no revocation");
}

pub(crate) async fn the_feed_comes_in_pages<S: AdminStore>(store: S) {
    let mut expected = Vec::new();
    for _ in 0..=REVOCATION_PAGE {
        let session = SessionId::random().unwrap();
        store.revoke_session(&session, START + 100, at(0)).await.unwrap();
        expected.push(session.as_str().to_owned());
    }
    let first = store.find_revocations("", at(0)).await.unwrap();
    assert_eq!((first.sessions.len(), first.more), (REVOCATION_PAGE, true));
    assert!(serde_json::to_vec(&first).unwrap().len() < 64 * 1024);
    let second = store.find_revocations(&first.cursor, at(0)).await.unwrap();
    assert_eq!((second.sessions.len(), second.more), (1, false));
    let third = store.find_revocations(&second.cursor, at(0)).await.unwrap();
    assert_eq!((third.sessions.len(), &third.cursor), (0, &second.cursor));

    let got: Vec<_> = first.sessions.into_iter().chain(second.sessions).map(|session| session.session_id).collect();
    assert_eq!(got, expected, "oldest first");
}

/// REL-25: after a restore from a backup, positions are handed out again.
pub(crate) async fn a_cursor_of_another_feed_starts_over<S: AdminStore>(store: S) {
    for _ in 0..3 {
        store.revoke_session(&SessionId::random().unwrap(), START + 100, at(0)).await.unwrap();
    }
    let all = store.find_revocations("", at(0)).await.unwrap();
    let (same, last_digit) = all.cursor.split_at(all.cursor.len() - 1);
    let foreign = format!("{same}{}", if last_digit == "0" { "1" } else { "0" });
    for cursor in ["garbage", "2.00000000000000000000000000000002", "9.00000000000000000000000000000009", &foreign] {
        assert_eq!(store.find_revocations(cursor, at(0)).await.unwrap(), all, "{cursor}");
    }
}

pub(crate) async fn a_cursor_holds_after_the_sweep<S: AdminStore>(store: S) {
    let revoke = async |expires_at| {
        let session = SessionId::random().unwrap();
        store.revoke_session(&session, START + expires_at, at(0)).await.unwrap();
        store.find_revocations("", at(0)).await.unwrap().cursor
    };
    let middle = revoke(10).await;
    let newest = revoke(10).await;
    while store.delete_expired(at(11)).await.unwrap() > 0 {}
    let nothing = store.find_revocations(&newest, at(11)).await.unwrap();
    assert_eq!((nothing.sessions.len(), &nothing.cursor), (0, &newest));

    revoke(100).await;
    for cursor in [middle, newest] {
        assert_eq!(store.find_revocations(&cursor, at(11)).await.unwrap().sessions.len(), 1);
    }
}

pub(crate) async fn whoever_follows_the_feed_misses_nothing<S: AdminStore>(store: S) {
    let store = Arc::new(store);
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            let mut revoked = Vec::new();
            for _ in 0..40 {
                let session = SessionId::random().unwrap();
                store.revoke_session(&session, START + 100, at(0)).await.unwrap();
                revoked.push(session.as_str().to_owned());
            }
            revoked
        });
    }
    let (mut cursor, mut followed) = (String::new(), Vec::new());
    let mut follow = async || {
        let feed = store.find_revocations(&cursor, at(0)).await.unwrap();
        followed.extend(feed.sessions.into_iter().map(|session| session.session_id));
        cursor = feed.cursor;
    };
    let mut revoked = BTreeSet::new();
    while !writers.is_empty() {
        follow().await;
        while let Some(done) = writers.try_join_next() {
            revoked.extend(done.unwrap());
        }
    }
    follow().await;
    assert_eq!(followed.len(), 160, "nothing came twice");
    assert_eq!(followed.into_iter().collect::<BTreeSet<_>>(), revoked);
}

pub(crate) async fn what_is_over_is_swept<S: AdminStore>(store: S) {
    log_in(&store, LoginRequest { method: LoginMethod::MobileApp, ..pc("o-1") }, at(0)).await;
    store.revoke_session(&SessionId::random().unwrap(), START + 700, at(0)).await.unwrap();
    assert_eq!(store.delete_expired(at(599)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(at(600)).await.unwrap(), 1, "the outcome");
    assert_eq!(store.delete_expired(at(700)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(at(701)).await.unwrap(), 1, "the revocation");
    assert!(!signed_in(log_in(&store, pc("o-1"), at(702)).await).new_user, "a user is never swept");
}
