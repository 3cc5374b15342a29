//! Tokens that WeChat gives and refuses: when another one is forced, and by whom.

use super::*;

#[test]
fn a_token_that_others_replaced_is_found_at_once_and_nobody_notices() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(2));
    envoy.tick(&mut wechat);
    wechat.refuse();
    wechat.now_ms += 1000;
    wechat.current = ("98_others".into(), wechat.now_ms + 7_000_000);
    assert_eq!(envoy.call(&mut wechat, 0).as_deref(), Ok("98_others"));
    assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_others"));
    assert_eq!((wechat.asked.len(), wechat.forced()), (2, 0));
    assert_eq!(envoy.news(), []);
}

#[test]
fn a_flow_takes_the_token_that_came_meanwhile_and_asks_for_none() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    envoy.tick(&mut wechat);
    let gate = envoy.workers[0].clone();
    let Step::Call(first, flow) = start(&gate, wechat.moment()) else { panic!("a token is known") };
    wechat.refuse();
    wechat.now_ms += 100;
    let other = TokenReport::of(ok(json!({"access_token": "98_other", "expires_in": 7200})), wechat.now_ms, false);
    envoy.tell(&mut wechat, &gate, &other, false);
    let refused = wechat.answer(&first);
    let Step::Call(second, _) = flow.resume(refused, wechat.moment()) else { panic!("there is another token") };
    assert_eq!(second.path, "/called?access_token=98_other");
}

#[test]
fn a_new_token_that_is_refused_is_not_asked_for_again() {
    let (mut wechat, mut envoy) = (Wechat { refuses_all: true, ..Wechat::new() }, Envoy::new(1));
    assert_eq!(envoy.call(&mut wechat, 0), Err(LoginError::WechatUnavailable));
    assert_eq!(wechat.asked.len(), 1);
}

#[test]
fn a_force_that_never_left_counts_for_nothing() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    envoy.tick(&mut wechat);
    wechat.refuse();
    let _ = envoy.call(&mut wechat, 0);
    let gate = envoy.workers[0].clone();
    for _ in 0..8 {
        wechat.now_ms += 80_000;
        let (claimed, plain) = gate.claim_server_token(0, &envoy.shared.0, wechat.now_ms).unwrap();
        envoy.shared.0 = claimed;
        let same = TokenReport::of(wechat.answer(&plain), wechat.now_ms, false);
        assert!(envoy.tell(&mut wechat, &gate, &same, true).is_some(), "more often than six times a day");
        wechat.now_ms += 100;
        let not_sent = TokenReport::of(Err(CallFailure::NotSent), wechat.now_ms, true);
        envoy.tell(&mut wechat, &gate, &not_sent, true);
    }
}

#[test]
fn a_token_that_is_refused_and_given_again_is_forced_once_after_a_while() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(2));
    envoy.tick(&mut wechat);
    wechat.refuse();
    for worker in (0..2).cycle().take(20) {
        assert_eq!(envoy.call(&mut wechat, worker), Err(LoginError::WechatUnavailable));
    }
    assert_eq!((wechat.asked.len(), wechat.forced()), (2, 0), "one has asked once more, and the others know");
    envoy.wait(&mut wechat, 250);
    assert_eq!(wechat.asked.len(), 2, "not at once: others may be faster");
    envoy.wait(&mut wechat, 4_500);
    assert_eq!(wechat.asked.iter().map(|(is_forced, _)| *is_forced).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_token2"));
    assert_eq!(envoy.news(), [TokenNews::Refused { errcode: 40001 }, TokenNews::Forced]);
}

#[test]
fn of_several_envoys_one_forces_and_the_others_find_its_token() {
    for seed in 0..20 {
        let mut wechat = Wechat { seed: seed * 9, ..Wechat::new() };
        let mut envoys: Vec<_> = (0..3).map(|_| Envoy::new(2)).collect();
        envoys.iter_mut().for_each(|envoy| envoy.tick(&mut wechat));
        wechat.refuse();
        for envoy in &mut envoys {
            assert_eq!(envoy.call(&mut wechat, 0), Err(LoginError::WechatUnavailable));
        }
        for _ in 0..40 {
            wechat.now_ms += 250;
            envoys.iter_mut().for_each(|envoy| envoy.tick(&mut wechat));
        }
        assert_eq!(wechat.forced(), 1, "with seed {seed}: {:?}", wechat.asked);
        for envoy in &mut envoys {
            assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_token2"));
        }
    }
}

#[test]
fn forcing_is_rare_and_never_a_loop() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    envoy.tick(&mut wechat);
    // An account without the permission: every token is refused.
    wechat.refuses_all = true;
    let begin = wechat.now_ms;
    let mut calls = 0;
    while wechat.now_ms < begin + 6 * 3_600_000 {
        calls += 1;
        assert_eq!(envoy.call(&mut wechat, 0), Err(LoginError::WechatUnavailable));
        envoy.wait(&mut wechat, 1_000);
    }
    let forced: Vec<_> = wechat.asked.iter().filter(|(is_forced, _)| *is_forced).map(|(_, at)| *at).collect();
    assert_eq!(forced.len(), 6, "a day's, so that three Envoys stay below WeChat's 20");
    assert!(forced.windows(2).all(|pair| pair[1] - pair[0] >= 600_000), "{forced:?}");
    assert!(wechat.asked.len() < calls / 2, "{} questions for {calls} calls", wechat.asked.len());
    let news = envoy.news();
    let stuck = news.iter().filter(|news| **news == TokenNews::Stuck).count();
    assert!((6..=9).contains(&stuck), "once for each token, not for each call: {stuck}");
    envoy.wait(&mut wechat, 18 * 3_600_000);
    let _ = envoy.call(&mut wechat, 0);
    envoy.wait(&mut wechat, 5_000);
    assert_eq!(wechat.forced(), 7, "the next day");
}

#[test]
fn a_force_that_wechat_has_not_acted_on_is_tried_again_and_one_that_it_has_is_not() {
    let timeout = || Ok(HttpReply { status: 504, body: vec![] });
    for (fault, is_done, forced) in [
        (Err(CallFailure::NotSent), false, 2),
        (ok(json!({"errcode": 45011, "errmsg": "slower"})), false, 2),
        // Nobody knows, until the next question without force finds the new token, or the old one.
        (Err(CallFailure::Reset), false, 2),
        (Err(CallFailure::Reset), true, 1),
        (timeout(), false, 2),
        (timeout(), true, 1),
    ] {
        let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
        envoy.tick(&mut wechat);
        wechat.refuse();
        let _ = envoy.call(&mut wechat, 0);
        let gate = envoy.workers[0].clone();
        wechat.now_ms += 5_000;
        let (claimed, plain) = gate.claim_server_token(0, &envoy.shared.0, wechat.now_ms).unwrap();
        envoy.shared.0 = claimed;
        let same = TokenReport::of(wechat.answer(&plain), wechat.now_ms, false);
        let force = envoy.tell(&mut wechat, &gate, &same, true).expect("now it is forced");
        match is_done {
            true => drop(wechat.answer(&force)),
            false => wechat.asked.push((true, wechat.now_ms)),
        }
        wechat.now_ms += 100;
        let failed = TokenReport::of(fault.clone(), wechat.now_ms, true);
        assert!(envoy.tell(&mut wechat, &gate, &failed, true).is_none());
        envoy.wait(&mut wechat, 76_000);
        assert_eq!(envoy.call(&mut wechat, 0).as_deref(), Ok("98_token2"), "{fault:?}");
        assert_eq!(wechat.forced(), forced, "{fault:?}");
    }
}

#[test]
fn a_force_that_is_lost_each_time_is_tried_six_times_a_day() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    envoy.tick(&mut wechat);
    wechat.refuse();
    wechat.loses_forced = true;
    for _ in 0..360 {
        let _ = envoy.call(&mut wechat, 0);
        envoy.wait(&mut wechat, 10_000);
    }
    assert_eq!(wechat.forced(), 6, "{:?}", wechat.asked);
}
