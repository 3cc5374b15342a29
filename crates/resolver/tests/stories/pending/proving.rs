//! Somebody whom nobody knows proves an account: by a code, or by a password.

use super::*;

over_both_databases!(
    a_phone_code_binds_the_account_that_has_the_number,
    an_email_code_binds_the_account_that_has_the_address,
    a_password_binds_by_every_name_that_the_account_has,
    a_password_that_was_changed_meanwhile_is_wrong,
    an_account_without_a_password_cannot_be_bound_by_one,
    an_address_that_nobody_has_looks_like_one_that_somebody_has,
    an_address_proves_only_the_one_account_that_has_verified_it,
    five_wrong_answers_end_it_whichever_they_are,
    guesses_at_once_are_all_counted,
    more_logins_are_no_more_guesses,
    a_code_to_an_address_that_was_taken_away_proves_nothing,
    a_code_is_good_for_five_minutes_and_only_the_last_one,
    another_code_may_be_asked_for_after_a_minute_and_five_in_all,
    an_address_gets_ten_codes_an_hour,
    what_cannot_be_sent_or_was_not_asked_is_not_offered,
    where_no_code_can_be_sent_nobody_stands_before_an_empty_page,
    what_is_no_address_is_refused,
);

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
    let mut about = front.audit("proof_failed").await;
    about.sort();
    let somebodys = Some(user.to_string());
    assert_eq!(about, [None, None, None, somebodys.clone(), somebodys], "two wrong codes after one was sent to that account");

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

/// Twenty wrong answers of one WeChat person within an hour, whichever app they came by and at whatever moment; then not even the right one.
async fn more_logins_are_no_more_guesses<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_password(Draft { username: Some("xiaoming".into()), ..with_phone() }).await).await;
    let somebody = |login: u64| if login.is_multiple_of(2) { pc("o-1").unionid("u-1") } else { in_wechat("o-2").unionid("u-1") };
    let mut guesses = JoinSet::new();
    for login in 0..6 {
        let (app, pending) = (front.app.clone(), front.wait(&somebody(login)).await);
        guesses.spawn(async move {
            let mut wrong = 0;
            for _ in 0..4 {
                wrong += usize::from(matches!(finish(&app, &pending, code("123456")).await, Ok(FinishAnswer::Wrong { .. })));
            }
            wrong
        });
    }
    assert_eq!(guesses.join_all().await.iter().sum::<usize>(), 20);

    let request = somebody(0);
    let pending = front.wait(&request).await;
    let outcome = front.finished(&pending, password("xiaoming", PASSWORD)).await;
    assert_eq!(refused(&outcome), Some(RefusalReason::Policy));
    assert_eq!(front.login(&request).await, outcome, "that login is over");
    assert_eq!(front.audit("account_bound").await, []);

    // Nobody else is kept out, and a new account takes no guess.
    let other = front.wait(&pc("o-3")).await;
    assert_eq!(signed_in(front.finished(&other, password("xiaoming", PASSWORD)).await).user, user);
    while front.state.store.delete_expired(front.now()).await.unwrap() != 0 {}
    front.pass(3599);
    let pending = front.wait(&somebody(0)).await;
    assert_eq!(refused(&front.finished(&pending, password("xiaoming", PASSWORD)).await), Some(RefusalReason::Policy));
    front.pass(1);
    let pending = front.wait(&somebody(1)).await;
    assert_eq!(signed_in(front.finished(&pending, password("xiaoming", PASSWORD)).await).user, user);
}

async fn a_code_to_an_address_that_was_taken_away_proves_nothing<S: Store + AdminStore>(store: S) {
    let front = Front::new(store, ask());
    let user = front.user(with_phone()).await;
    let no_longer = [
        Edit { phone_number: Some(None), ..Edit::default() },
        Edit { phone_number: Some(Some("+8613900139000".into())), is_phone_number_verified: Some(true), ..Edit::default() },
        Edit { is_phone_number_verified: Some(false), ..Edit::default() },
    ];
    let again = Edit { phone_number: Some(Some(PHONE.into())), is_phone_number_verified: Some(true), ..Edit::default() };
    for edit in no_longer {
        let pending = front.wait(&pc("o-1")).await;
        let right = front.code_for(&pending, ProofMethod::PhoneCode, PHONE).await;
        front.state.store.update_user(user, &edit, &admin(), front.now()).await.unwrap();
        assert_eq!(front.finish(&pending, code(&right)).await, wrong(4), "{:?}", edit.fields());
        front.state.store.update_user(user, &again, &admin(), front.now()).await.unwrap();
    }
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

async fn where_no_code_can_be_sent_nobody_stands_before_an_empty_page<S: Store + AdminStore>(store: S) {
    let (_, messages) = mpsc::unbounded_channel();
    let front = Front::with(store, ask(), Delivery::none(), messages);
    let codes = ConnectorPolicy { methods: vec![ProofMethod::PhoneCode, ProofMethod::EmailCode], ..ask() };
    let closed = ConnectorPolicy { registration: Registration::Closed, ..codes.clone() };
    front.state.store.set_policy("default", "pc", Some(&closed), &admin(), front.now()).await.unwrap();
    assert_eq!(refused(&front.login(&pc("o-1")).await), Some(RefusalReason::RegistrationClosed));
    front.state.store.set_policy("default", "pc", Some(&codes), &admin(), front.now()).await.unwrap();
    assert!(signed_in(front.login(&pc("o-1")).await).new_user, "to make an account is all that could be offered");
    assert!(matches!(front.login(&in_wechat("o-2")).await, LoginOutcome::BindAccount { .. }), "by a password, an account can be proved");
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
