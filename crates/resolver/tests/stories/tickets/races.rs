//! Many who want the same ticket at the same moment.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::*;

over_both_databases!(
    of_fifty_that_redeem_at_once_one_gets_the_person,
    of_many_that_scan_at_once_one_has_it,
    confirming_and_refusing_at_once_do_not_both_count,
);

/// QRL-04.
async fn of_fifty_that_redeem_at_once_one_gets_the_person<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    let verifier = fresh();
    let ticket = front.begin(&verifier).await;
    done(front.confirm(&ticket, &person("o")).await);
    front.warm_up().await;
    let mut redeeming = JoinSet::new();
    for _ in 0..50 {
        let (front, ticket, verifier) = (front.clone(), ticket.clone(), verifier.clone());
        redeeming.spawn(async move { front.redeem(&ticket, &verifier).await.unwrap() });
    }
    let answers = redeeming.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == RedeemAnswer::Redeemed { identity: Some(person("o")) }).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == RedeemAnswer::Used).count(), 49);
}

async fn of_many_that_scan_at_once_one_has_it<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    for round in 0..10 {
        let verifier = fresh();
        let ticket = front.begin(&verifier).await;
        front.warm_up().await;
        let mut scanning = JoinSet::new();
        for place in 0..6 {
            let (front, ticket) = (front.clone(), ticket.clone());
            // Two by two they are the same person; some confirm at once.
            let somebody = person(&format!("o-{}", place / 2));
            scanning.spawn(async move {
                let answer = if place % 2 == 0 { front.scan(&ticket, &somebody).await } else { front.confirm(&ticket, &somebody).await };
                (somebody.openid, answer.unwrap())
            });
        }
        let answers = scanning.join_all().await;
        let has_it: BTreeSet<_> =
            answers.iter().filter(|(_, answer)| matches!(answer, ScanAnswer::Done { .. })).map(|(openid, _)| openid).collect();
        assert_eq!(has_it.len(), 1, "round {round}: {answers:?}");
        assert_eq!(answers.iter().filter(|(_, answer)| *answer == ScanAnswer::Taken).count(), 4, "round {round}");
        let first = has_it.into_iter().next().unwrap();
        assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person(first)) }));
    }
}

async fn confirming_and_refusing_at_once_do_not_both_count<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    for round in 0..10 {
        let verifier = fresh();
        let ticket = front.begin(&verifier).await;
        done(front.confirm(&ticket, &person("o")).await);
        let me = person("o");
        let (redeemed, cancelled) = tokio::join!(front.redeem(&ticket, &verifier), front.cancel(&ticket, &me));
        match (redeemed.unwrap(), cancelled.unwrap()) {
            (RedeemAnswer::Redeemed { .. }, ScanAnswer::Settled)
            | (RedeemAnswer::NotConfirmed { state: TicketState::Cancelled }, ScanAnswer::Done { .. }) => {}
            other => panic!("round {round}: {other:?}"),
        }
    }
}
