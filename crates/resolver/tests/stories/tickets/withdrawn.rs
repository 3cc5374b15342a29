//! A person confirms on their phone, and withdraws their consent before the browser has collected the login.

use resolver_api::tickets::{WithdrawAuthorization, Withdrawal};

use super::*;

over_both_databases!(
    what_was_confirmed_before_logs_nobody_in,
    what_was_confirmed_later_goes_on,
    nobody_else_s_ticket_is_touched,
    what_was_redeemed_stays_redeemed,
    of_a_withdrawal_and_a_redemption_at_once_one_comes_first,
);

fn by(openid: &str, at: u64) -> WithdrawAuthorization {
    WithdrawAuthorization {
        pools: vec!["b2b".into(), "default".into()],
        platform: "main".into(),
        app_id: APP.into(),
        openid: openid.into(),
        unionid: None,
        reason: Withdrawal::Revoked,
        at,
    }
}

impl<S: Store + AdminStore> Front<S> {
    async fn withdraw(&self, withdrawal: &WithdrawAuthorization) {
        let request = Request::post("/v1/authorizations/withdraw").header("authorization", format!("Bearer {TOKEN}"));
        let body = Body::from(serde_json::to_vec(withdrawal).unwrap());
        let request = request.header("content-type", "application/json").body(body).unwrap();
        assert_eq!(self.app.clone().oneshot(request).await.unwrap().status(), StatusCode::NO_CONTENT);
    }

    async fn confirmed(&self, ticket: CreateTicket, openid: &str) -> String {
        let name = self.begin_as(&ticket).await;
        done(self.confirm(&name, &TicketIdentity { app_id: ticket.app_id, ..person(openid) }).await);
        name
    }
}

async fn what_was_confirmed_before_logs_nobody_in<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    for purpose in [TicketPurpose::Scan, TicketPurpose::Launch] {
        let ticket = front.confirmed(CreateTicket { purpose, ..to_scan(&verifier) }, "o").await;
        // In the same second, by a person who has no account yet, and as often as WeChat says so.
        for _ in 0..2 {
            front.withdraw(&by("o", front.now())).await;
            let found = front.look(&ticket).await.unwrap();
            assert_eq!((found.state, &found.profile), (TicketState::Cancelled, &None), "{purpose:?}");
            assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::NotConfirmed { state: TicketState::Cancelled }));
        }
        assert_eq!(front.confirm(&ticket, &person("o")).await, Ok(ScanAnswer::Settled));
    }
    let query = AuditQuery {
        pool: "default".into(),
        user: None,
        action: Some("ticket_cancelled".into()),
        after: Uuid::nil(),
        before: Uuid::max(),
        limit: 100,
    };
    let told = front.state.store.list_audit(&query).await.unwrap();
    assert_eq!(told.len(), 2, "once for each ticket");
    assert!(told.iter().all(|entry| serde_json::to_value(entry).unwrap()["actor"] == "wechat"));
}

async fn what_was_confirmed_later_goes_on<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let scanned = front.begin(&verifier).await;
    done(front.scan(&scanned, &person("o")).await);
    front.pass(10);
    let ticket = front.confirmed(to_scan(&verifier), "o").await;
    // A message that is late, and what was not agreed to yet.
    front.withdraw(&by("o", START + 9)).await;
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }));
    done(front.confirm(&scanned, &person("o")).await);
    assert_eq!(front.redeem(&scanned, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }));

    // Near its end nothing tells when it was confirmed: then it counts as what is withdrawn.
    let late = front.begin(&verifier).await;
    front.pass(LIFETIME - 20);
    done(front.confirm(&late, &person("o")).await);
    front.withdraw(&by("o", front.now() - 41)).await;
    assert_eq!(front.look(&late).await.unwrap().state, TicketState::Confirmed);
    front.withdraw(&by("o", front.now() - 40)).await;
    assert_eq!(front.look(&late).await.unwrap().state, TicketState::Cancelled);
}

async fn nobody_else_s_ticket_is_touched<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let usual = || to_scan(&verifier);
    let others = [
        front.confirmed(usual(), "p").await,
        front.confirmed(CreateTicket { app_id: "wx00000000000000bb".into(), ..usual() }, "o").await,
        front.confirmed(CreateTicket { pool: "elsewhere".into(), ..usual() }, "o").await,
        front.begin_as(&hand_over(&verifier)).await,
    ];
    let theirs = [front.confirmed(usual(), "o").await, front.confirmed(CreateTicket { pool: "b2b".into(), ..usual() }, "o").await];
    front.withdraw(&by("o", front.now())).await;
    for ticket in &others {
        assert!(matches!(front.redeem(ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { .. })));
    }
    for ticket in &theirs {
        assert_eq!(front.look(ticket).await.unwrap().state, TicketState::Cancelled);
    }
}

async fn what_was_redeemed_stays_redeemed<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let ticket = front.confirmed(to_scan(&verifier), "o").await;
    let redeemer = redeemer(&verifier);
    let first = front.redeem_as(&ticket, &redeemer).await;
    front.withdraw(&by("o", front.now())).await;
    assert_eq!(front.look(&ticket).await.unwrap().state, TicketState::Redeemed);
    assert_eq!(front.redeem_as(&ticket, &redeemer).await, first, "its answer was lost");
}

async fn of_a_withdrawal_and_a_redemption_at_once_one_comes_first<S: AdminStore>(store: S) {
    let front = Front::new(store);
    front.warm_up().await;
    let verifier = fresh();
    for _ in 0..20 {
        let ticket = front.confirmed(to_scan(&verifier), "o").await;
        let withdrawal = by("o", front.now());
        let (redeemed, ()) = tokio::join!(front.redeem(&ticket, &verifier), front.withdraw(&withdrawal));
        let expected = match redeemed {
            Ok(RedeemAnswer::Redeemed { .. }) => TicketState::Redeemed,
            Ok(RedeemAnswer::NotConfirmed { state: TicketState::Cancelled }) => TicketState::Cancelled,
            other => panic!("{other:?}"),
        };
        assert_eq!(front.look(&ticket).await.unwrap().state, expected);
    }
}
