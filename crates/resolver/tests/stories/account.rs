//! A person's own account.

use resolver_api::{AccountChange, LoginRequest, UnlinkAnswer};
use uuid::Uuid;
use wxgate_resolver::store::Store;

use crate::support::{MONTH, START, With, at, in_wechat, log_in, over_both_databases, pc, signed_in};

over_both_databases!(
    a_person_sees_one_entry_for_each_wechat_person,
    the_last_wechat_person_stays,
    an_unlinked_wechat_person_is_a_stranger_again,
    an_account_of_another_pool_is_not_found,
    signing_out_everywhere_ends_what_was_before,
);

fn change(pool: &str) -> AccountChange {
    AccountChange { pool: pool.into(), application: "shop".into(), client_address: Some("192.0.2.1".into()) }
}

async fn a_person_sees_one_entry_for_each_wechat_person<S: Store>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1").nickname("晓明"), at(0)).await).user;
    log_in(&store, in_wechat("o-2").unionid("u-1").nickname("小明"), at(100)).await;

    let view = store.view_account(user, "default").await.unwrap().unwrap();
    assert_eq!((view.user.id.as_str(), view.created_at), (user.to_string().as_str(), START));
    assert_eq!((view.email, view.identities.len()), (None, 1));
    let person = &view.identities[0];
    assert_eq!(person.nickname.as_deref(), Some("小明"));
    assert_eq!(person.connectors, ["in-wechat", "pc"]);
    assert_eq!((person.linked_at, person.last_login_at), (START, START + 100));
}

async fn the_last_wechat_person_stays<S: Store>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    let view = store.view_account(user, "default").await.unwrap().unwrap();
    let linked: Uuid = view.identities[0].id.parse().unwrap();
    let answer = store.unlink(user, linked, &change("default"), MONTH, at(1)).await.unwrap();
    assert_eq!(answer, Some(UnlinkAnswer::LastWayIn));
    assert_eq!(store.view_account(user, "default").await.unwrap(), Some(view));
    assert_eq!(store.find_revocations("", at(1)).await.unwrap().users, []);
    assert_eq!(store.unlink(user, Uuid::nil(), &change("default"), MONTH, at(1)).await.unwrap(), None);
}

async fn an_unlinked_wechat_person_is_a_stranger_again<S: Store>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    log_in(&store, in_wechat("o-2").unionid("u-1"), at(1)).await;
    let linked = LoginRequest { link_to: Some(user.to_string()), ..pc("o-3").nickname("晓明") };
    assert_eq!(signed_in(log_in(&store, linked, at(2)).await).user, user);
    let view = store.view_account(user, "default").await.unwrap().unwrap();
    assert_eq!(view.identities.iter().map(|person| person.connectors.len()).collect::<Vec<_>>(), [2, 1]);

    let first: Uuid = view.identities[0].id.parse().unwrap();
    assert_eq!(store.unlink(user, first, &change("default"), MONTH, at(10)).await.unwrap(), Some(UnlinkAnswer::Unlinked));
    let left = store.view_account(user, "default").await.unwrap().unwrap().identities;
    assert_eq!(left, view.identities[1..]);
    assert_eq!(store.find_revocations("", at(10)).await.unwrap().users[0].not_before, START + 10);
    assert_eq!(store.unlink(user, first, &change("default"), MONTH, at(11)).await.unwrap(), None);

    // Neither by the unionid nor by an openid that came with it.
    let stranger = signed_in(log_in(&store, in_wechat("o-2").unionid("u-1"), at(12)).await);
    assert!(stranger.new_user && stranger.user != user);
    assert_eq!(signed_in(log_in(&store, pc("o-3"), at(13)).await).user, user);
}

async fn an_account_of_another_pool_is_not_found<S: Store>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    let view = store.view_account(user, "default").await.unwrap().unwrap();
    let linked: Uuid = view.identities[0].id.parse().unwrap();
    for (somebody, pool) in [(user, "another"), (user, ""), (Uuid::nil(), "default")] {
        assert_eq!(store.view_account(somebody, pool).await.unwrap(), None);
        assert_eq!(store.unlink(somebody, linked, &change(pool), MONTH, at(1)).await.unwrap(), None);
        assert!(!store.sign_out_everywhere(somebody, &change(pool), MONTH, at(1)).await.unwrap());
    }
    assert_eq!(store.find_revocations("", at(1)).await.unwrap().users, []);
}

async fn signing_out_everywhere_ends_what_was_before<S: Store>(store: S) {
    let user = signed_in(log_in(&store, pc("o-1"), at(0)).await).user;
    assert!(store.sign_out_everywhere(user, &change("default"), MONTH, at(10)).await.unwrap());
    let feed = store.find_revocations("", at(10)).await.unwrap();
    assert_eq!((feed.users[0].user_id.clone(), feed.users[0].not_before), (user.to_string(), START + 10));
    assert!(signed_in(log_in(&store, pc("o-1"), at(10)).await).auth_time > START + 10);
}
