//! Somebody whose openid and unionid are of different accounts chooses one.

use super::*;

over_both_databases!(
    a_person_chooses_once_and_is_not_asked_again,
    accounts_to_choose_from_are_masked,
    an_account_that_is_disabled_meanwhile_cannot_be_chosen,
    an_account_that_is_not_among_them_cannot_be_chosen,
);

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
