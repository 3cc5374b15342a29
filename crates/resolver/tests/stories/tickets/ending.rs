//! When a ticket is over, and that what is over is swept.

use super::*;

over_both_databases!(
    it_is_over_on_the_second_in_every_state,
    confirmed_and_not_collected_it_is_over_after_a_minute,
    what_is_over_is_swept_and_nothing_else,
);

/// Every state of a ticket to scan, and a ticket in it.
async fn one_in_each_state<S: Store + AdminStore>(front: &Front<S>, verifier: &str) -> Vec<Held> {
    use TicketState::{Cancelled, Confirmed, Redeemed, Scanned, Waiting};
    let mut tickets = Vec::new();
    for state in [Waiting, Scanned, Confirmed, Cancelled, Redeemed] {
        let name = front.begin(verifier).await;
        if state != Waiting {
            done(front.scan(&name, &person("o")).await);
        }
        if [Confirmed, Redeemed].contains(&state) {
            done(front.confirm(&name, &person("o")).await);
        }
        match state {
            Cancelled => drop(done(front.cancel(&name, &person("o")).await)),
            Redeemed => drop(front.redeem(&name, verifier).await.unwrap()),
            _ => {}
        }
        let found = front.look(&name).await.unwrap();
        assert_eq!(found.state, state);
        tickets.push(Held { name, state, expires_at: found.expires_at });
    }
    tickets
}

struct Held {
    name: String,
    state: TicketState,
    expires_at: u64,
}

/// QRL-05.
async fn it_is_over_on_the_second_in_every_state<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    for Held { name, state, expires_at } in one_in_each_state(&front, &verifier).await {
        let lifetime = match state {
            TicketState::Confirmed | TicketState::Redeemed => COLLECT_SECONDS,
            _ => LIFETIME,
        };
        assert_eq!(expires_at, START + lifetime, "{state:?}");
        for second in [expires_at, expires_at + 1] {
            front.set(second);
            assert_eq!(front.look(&name).await, Err(StatusCode::NOT_FOUND), "{state:?}");
            assert_eq!(front.wait(&name, &format!("?wait_ms=10000&known={}", written(state))).await, Err(StatusCode::NOT_FOUND));
            assert_eq!(front.scan(&name, &person("o")).await, Err(StatusCode::NOT_FOUND), "{state:?}");
            assert_eq!(front.confirm(&name, &person("o")).await, Err(StatusCode::NOT_FOUND), "{state:?}");
            assert_eq!(front.cancel(&name, &person("o")).await, Err(StatusCode::NOT_FOUND), "{state:?}");
            assert_eq!(front.redeem(&name, &verifier).await, Err(StatusCode::NOT_FOUND), "{state:?}");
        }
        // A second earlier all of it goes on from there.
        front.set(expires_at - 1);
        assert_eq!(front.look(&name).await.unwrap().state, state);
        match state {
            TicketState::Waiting => assert_eq!(done(front.scan(&name, &person("o")).await).expires_at, expires_at),
            TicketState::Scanned => assert_eq!(done(front.confirm(&name, &person("o")).await).expires_at, expires_at),
            TicketState::Confirmed => {
                assert_eq!(front.redeem(&name, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }));
                assert_eq!(front.look(&name).await.unwrap().expires_at, expires_at - 1 + COLLECT_SECONDS, "a lost answer can be asked for");
            }
            TicketState::Cancelled => drop(done(front.cancel(&name, &person("o")).await)),
            TicketState::Redeemed => assert_eq!(front.redeem(&name, &verifier).await, Ok(RedeemAnswer::Used)),
        }
        front.set(START);
    }
}

fn written(state: TicketState) -> String {
    serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()
}

/// QRL-05.
async fn confirmed_and_not_collected_it_is_over_after_a_minute<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let (early, late) = (front.begin(&verifier).await, front.begin(&verifier).await);
    assert_eq!(done(front.confirm(&early, &person("o")).await).expires_at, START + 60);
    front.set(START + LIFETIME - 30);
    assert_eq!(done(front.confirm(&late, &person("o")).await).expires_at, START + LIFETIME, "confirming makes no ticket live longer");
    assert_eq!(front.redeem(&early, &verifier).await, Err(StatusCode::NOT_FOUND));
    front.pass(30);
    assert_eq!(front.redeem(&late, &verifier).await, Err(StatusCode::NOT_FOUND));
}

async fn what_is_over_is_swept_and_nothing_else<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let tickets = one_in_each_state(&front, &verifier).await;
    let sweep = async || front.state.store.delete_expired(front.state.clock.now()).await.unwrap();
    assert_eq!(sweep().await, 0);
    front.set(START + COLLECT_SECONDS - 1);
    // What was counted is worked off by then: of the client, and of all.
    assert_eq!(sweep().await, 2);
    assert_eq!(sweep().await, 0);
    front.set(START + COLLECT_SECONDS);
    assert_eq!(sweep().await, 2, "confirmed, redeemed");
    front.set(START + LIFETIME - 1);
    assert_eq!(sweep().await, 0);
    assert_eq!(front.look(&tickets[0].name).await.unwrap().state, TicketState::Waiting);
    front.set(START + LIFETIME);
    assert_eq!(sweep().await, 3, "waiting, scanned, cancelled");
}
