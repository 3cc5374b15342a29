//! How many tickets a client, and all together, may make.

use tokio::task::JoinSet;
use wxgate_resolver::TicketLimits;

use super::*;

over_both_databases!(
    a_client_makes_so_many_a_minute_and_then_one_by_one,
    all_clients_together_make_so_many,
    fifty_at_once_make_no_more_than_the_limit,
    sessions_that_go_over_are_counted_apart,
    a_clock_that_steps_back_locks_nobody_out,
    ten_minutes_of_a_flood_make_no_more_than_the_limits,
);

/// A ticket to scan for a client at this address.
fn from(address: &str) -> CreateTicket {
    CreateTicket { client_address: Some(address.into()), ..to_scan(&fresh()) }
}

fn is_made(answer: &CreateTicketAnswer) -> bool {
    matches!(answer, CreateTicketAnswer::Created { .. })
}

/// QRL-09.
async fn a_client_makes_so_many_a_minute_and_then_one_by_one<S: AdminStore>(store: S) {
    let front = Front::with(store, |state| state.limits.tickets.a_minute_of_a_client = 30);
    for _ in 0..30 {
        front.begin(&fresh()).await;
    }
    let too_many = CreateTicketAnswer::TooMany { retry_at: START + 2 };
    assert_eq!(front.make(&to_scan(&fresh())).await, too_many);
    assert_eq!(front.make(&from("::ffff:192.0.2.1")).await, too_many, "the same address, written otherwise");
    front.begin_as(&from("192.0.2.2")).await;
    front.begin_as(&CreateTicket { client_address: None, ..to_scan(&fresh()) }).await;

    front.pass(1);
    assert_eq!(front.make(&to_scan(&fresh())).await, too_many);
    front.pass(1);
    front.begin(&fresh()).await;
    assert_eq!(front.make(&to_scan(&fresh())).await, CreateTicketAnswer::TooMany { retry_at: START + 4 });
    front.pass(60);
    for _ in 0..30 {
        front.begin(&fresh()).await;
    }
    assert!(matches!(front.make(&to_scan(&fresh())).await, CreateTicketAnswer::TooMany { .. }));

    // Of IPv6, everybody has more addresses than anybody could count.
    for host in 0..30 {
        front.begin_as(&from(&format!("2001:db8:1:2::{host:x}"))).await;
    }
    assert!(matches!(front.make(&from("2001:db8:1:2:ffff::")).await, CreateTicketAnswer::TooMany { .. }));
    front.begin_as(&from("2001:db8:1:3::1")).await;
}

/// QRL-09.
async fn all_clients_together_make_so_many<S: AdminStore>(store: S) {
    let front = Front::with(store, |state| state.limits.tickets.a_minute = 20);
    let from = |host: u32| from(&format!("192.0.2.{host}"));
    for host in 0..20 {
        front.begin_as(&from(host)).await;
    }
    assert_eq!(front.make(&from(99)).await, CreateTicketAnswer::TooMany { retry_at: START + 3 });
    assert_eq!(front.make(&CreateTicket { client_address: None, ..from(0) }).await, CreateTicketAnswer::TooMany { retry_at: START + 3 });
    front.pass(3);
    front.begin_as(&from(99)).await;
}

async fn fifty_at_once_make_no_more_than_the_limit<S: AdminStore>(store: S) {
    let front = Arc::new(Front::with(store, |state| {
        state.limits.tickets = TicketLimits { a_minute_of_a_client: 7, a_minute: 12, ..state.limits.tickets };
    }));
    front.warm_up().await;
    let mut making = JoinSet::new();
    for place in 0..50 {
        let front = front.clone();
        let client_address = Some(format!("192.0.2.{}", place % 2));
        making.spawn(async move { front.make(&CreateTicket { client_address, ..to_scan(&fresh()) }).await });
    }
    assert_eq!(making.join_all().await.iter().filter(|answer| is_made(answer)).count(), 12);
}

async fn sessions_that_go_over_are_counted_apart<S: AdminStore>(store: S) {
    let front = Front::with(store, |state| {
        state.limits.tickets = TicketLimits { a_minute_of_a_client: 2, a_minute: 3, ..state.limits.tickets };
    });
    let is_made = async |ticket: &CreateTicket| is_made(&front.make(ticket).await);
    let launch = |verifier: &str| CreateTicket { purpose: TicketPurpose::Launch, ..to_scan(verifier) };
    let elsewhere = |ticket: CreateTicket| CreateTicket { client_address: Some("192.0.2.2".into()), ..ticket };
    assert!(is_made(&to_scan(&fresh())).await && is_made(&launch(&fresh())).await);
    assert!(!is_made(&launch(&fresh())).await && is_made(&elsewhere(to_scan(&fresh()))).await);
    assert!(!is_made(&elsewhere(to_scan(&fresh()))).await, "of all");
    assert!(is_made(&hand_over(&fresh())).await && is_made(&hand_over(&fresh())).await);
    assert!(!is_made(&hand_over(&fresh())).await && is_made(&elsewhere(hand_over(&fresh()))).await);
    assert!(!is_made(&elsewhere(hand_over(&fresh()))).await, "of all");
}

/// REL-14.
async fn a_clock_that_steps_back_locks_nobody_out<S: AdminStore>(store: S) {
    let front = Front::with(store, |state| state.limits.tickets.a_minute_of_a_client = 2);
    front.pass(3600);
    front.begin(&fresh()).await;
    front.begin(&fresh()).await;
    front.set(START);
    front.begin(&fresh()).await;
    front.begin(&fresh()).await;
    assert!(matches!(front.make(&to_scan(&fresh())).await, CreateTicketAnswer::TooMany { .. }));
}

/// QRL-09, with the limits as they are shipped. At most a minute's worth is made at once and then each share as it falls due, whatever is asked
/// beside it: what is refused leaves nothing behind (one row for each client, of whom there is one anyway), so 10⁵ requests are refused like
/// these few thousand.
async fn ten_minutes_of_a_flood_make_no_more_than_the_limits<S: AdminStore>(store: S) {
    const MINUTES: u64 = 10;
    const WECHAT_DRAWS_A_MINUTE: u32 = 5000;
    let front = Front::new(store);
    let TicketLimits { a_minute_of_a_client, a_minute, .. } = front.state.limits.tickets;
    assert!(a_minute < WECHAT_DRAWS_A_MINUTE, "each ticket is one drawing at most, and the others are for the mini program's own");

    let mut made = 0;
    for _ in 0..MINUTES * 60 {
        for _ in 0..2 {
            made += u32::from(is_made(&front.make(&from("192.0.2.1")).await));
        }
        front.pass(1);
    }
    let of_one = a_minute_of_a_client * (1 + u32::try_from(MINUTES).unwrap());
    assert!((of_one - 1..=of_one).contains(&made), "{made} of one address");

    // A thousand addresses, each of which keeps to its own limit.
    front.pass(3600);
    let mut made = 0;
    for request in 0..a_minute + 500 {
        made += u32::from(is_made(&front.make(&from(&format!("198.51.{}.{}", request % 1000 / 250, request % 250))).await));
    }
    assert_eq!(made, a_minute, "of all together");
    // Somebody who asks for the first time competes with them for what falls due, and waits for no longer than they.
    let CreateTicketAnswer::TooMany { retry_at } = front.make(&from("203.0.113.7")).await else { panic!("the minute is used up") };
    assert!(retry_at <= front.now() + 1);
    front.set(retry_at);
    front.begin_as(&from("203.0.113.7")).await;
    // Who is logged in takes a session over to a web view all the while.
    front.begin_as(&hand_over(&fresh())).await;
}
