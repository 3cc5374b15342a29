//! Histories of tickets made up at random: a store does what a page of plain rules says, whatever came before.
//!
//! The same ones each time. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=1000 cargo test -p wxgate-resolver ticket_histories` looks further.

use axum::http::StatusCode;
use proptest::prelude::*;
use proptest::sample::Index;
use resolver_api::tickets::{CreateTicket, RedeemAnswer, RedeemTicket, ScanAnswer, Ticket, TicketIdentity, TicketPurpose, TicketState};
use wxgate_resolver::TicketLimits;
use wxgate_resolver::store::AdminStore;

use crate::random::{each, sqlite_in_memory};
use crate::support::postgres;
use crate::tickets::{Front, fresh, person, redeemer, to_scan};

/// What happens, and how many seconds later than what happened before.
#[derive(Clone, Debug)]
struct Event {
    later: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Make {
        purpose: TicketPurpose,
        lifetime_seconds: u64,
    },
    /// One of three people, who now and then is in another app.
    Say {
        ticket: Index,
        says: Says,
        who: u8,
        is_elsewhere: bool,
        has_phone: bool,
    },
    /// By one of three redemptions, now and then with another's verifier or at another application.
    Redeem {
        ticket: Index,
        redemption: usize,
        slip: Slip,
    },
    Look {
        ticket: Index,
    },
    Sweep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Scan,
    Confirm,
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    None,
    Verifier,
    Application,
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    let purpose = prop_oneof![4 => Just(TicketPurpose::Scan), 2 => Just(TicketPurpose::Launch), 1 => Just(TicketPurpose::HandOver)];
    let make = (purpose, prop_oneof![Just(10u64), Just(60), Just(90), Just(600)]);
    let says = prop_oneof![3 => Just(Says::Scan), 4 => Just(Says::Confirm), 1 => Just(Says::Cancel)];
    let say = (any::<Index>(), says, prop_oneof![5 => Just(0u8), 1 => 1..3u8], prop::bool::weighted(0.1), any::<bool>());
    let slip = prop_oneof![8 => Just(Slip::None), 1 => Just(Slip::Verifier), 1 => Just(Slip::Application)];
    let what = prop_oneof![
        3 => make.prop_map(|(purpose, lifetime_seconds)| What::Make { purpose, lifetime_seconds }),
        8 => say.prop_map(|(ticket, says, who, is_elsewhere, has_phone)| What::Say { ticket, says, who, is_elsewhere, has_phone }),
        4 => (any::<Index>(), 0..3usize, slip).prop_map(|(ticket, redemption, slip)| What::Redeem { ticket, redemption, slip }),
        1 => any::<Index>().prop_map(|ticket| What::Look { ticket }),
        1 => Just(What::Sweep),
    ];
    let later = prop_oneof![12 => Just(0u64), 4 => 1..4u64, 2 => Just(10), 1 => Just(59), 1 => Just(60)];
    let event = (later, what).prop_map(|(later, what)| Event { later, what });
    // Without a ticket nothing happens.
    let first = Just(Event { later: 0, what: What::Make { purpose: TicketPurpose::Scan, lifetime_seconds: 90 } });
    (first, prop::collection::vec(event, 1..40)).prop_map(|(first, rest)| [vec![first], rest].concat())
}

/// A ticket, by the rules: what is known of it is what was said to it, in order.
struct Known {
    name: String,
    verifier: String,
    is_hand_over: bool,
    ends: u64,
    scanned_by: Option<u8>,
    shown: Option<resolver_api::Profile>,
    agreed: Option<TicketIdentity>,
    is_refused: bool,
    collected_by: Option<usize>,
}

/// What a caller hears; nothing when there is no ticket for them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Done(TicketState),
    Taken,
    Settled,
    Redeemed(Option<TicketIdentity>),
    NotConfirmed(TicketState),
    Used,
}

impl Known {
    fn state(&self) -> TicketState {
        if self.is_refused {
            TicketState::Cancelled
        } else if self.collected_by.is_some() {
            TicketState::Redeemed
        } else if self.agreed.is_some() || self.is_hand_over {
            TicketState::Confirmed
        } else if self.scanned_by.is_some() {
            TicketState::Scanned
        } else {
            TicketState::Waiting
        }
    }

    fn hear(&mut self, says: Says, who: u8, identity: &TicketIdentity, is_elsewhere: bool, now: u64) -> Option<Heard> {
        if now >= self.ends || is_elsewhere || self.is_hand_over {
            return None;
        }
        let is_first = self.scanned_by.is_none();
        if *self.scanned_by.get_or_insert(who) != who {
            return Some(Heard::Taken);
        }
        let is_collected = self.collected_by.is_some();
        let is_settled = match says {
            Says::Scan => self.is_refused || is_collected,
            Says::Confirm => self.is_refused,
            Says::Cancel => is_collected,
        };
        if is_settled {
            return Some(Heard::Settled);
        }
        match says {
            Says::Scan if is_first => self.shown = identity.profile.clone(),
            Says::Confirm if self.agreed.is_none() => {
                self.agreed = Some(identity.clone());
                self.shown = identity.profile.clone().or(self.shown.take());
                self.ends = self.ends.min(now + 60);
            }
            Says::Cancel => (self.is_refused, self.agreed, self.shown) = (true, None, None),
            _ => {}
        }
        Some(Heard::Done(self.state()))
    }

    fn collect(&mut self, redemption: usize, slip: Slip, now: u64) -> Option<Heard> {
        if now >= self.ends || slip != Slip::None {
            return None;
        }
        if self.state() == TicketState::Confirmed {
            self.collected_by = Some(redemption);
            self.ends = now + 60;
        }
        Some(match self.collected_by {
            Some(first) if first == redemption => Heard::Redeemed(self.agreed.clone()),
            Some(_) => Heard::Used,
            None => Heard::NotConfirmed(self.state()),
        })
    }

    fn check(&self, found: Result<Ticket, StatusCode>, now: u64) {
        match found {
            Ok(ticket) => {
                assert!(now < self.ends, "it is over");
                assert_eq!((ticket.state, ticket.expires_at, &ticket.profile), (self.state(), self.ends, &self.shown));
            }
            Err(status) => assert_eq!((status, now >= self.ends), (StatusCode::NOT_FOUND, true)),
        }
    }
}

/// What was heard, where it is no error.
fn heard(answer: Result<ScanAnswer, StatusCode>) -> Option<Heard> {
    match answer {
        Ok(ScanAnswer::Done { ticket }) => Some(Heard::Done(ticket.state)),
        Ok(ScanAnswer::Taken) => Some(Heard::Taken),
        Ok(ScanAnswer::Settled) => Some(Heard::Settled),
        Err(status) => {
            assert_eq!(status, StatusCode::NOT_FOUND);
            None
        }
    }
}

fn heard_of_redeeming(answer: Result<RedeemAnswer, StatusCode>) -> Option<Heard> {
    match answer {
        Ok(RedeemAnswer::Redeemed { identity }) => Some(Heard::Redeemed(identity)),
        Ok(RedeemAnswer::NotConfirmed { state }) => Some(Heard::NotConfirmed(state)),
        Ok(RedeemAnswer::Used) => Some(Heard::Used),
        Err(status) => {
            assert_eq!(status, StatusCode::NOT_FOUND);
            None
        }
    }
}

async fn live<S: AdminStore>(front: &Front<S>, history: Vec<Event>) {
    let mut tickets: Vec<Known> = Vec::new();
    let redemptions = [fresh(), fresh(), fresh()];
    let mut now = front.now();
    for Event { later, what } in history {
        now += later;
        front.set(now);
        let pick = |index: &Index| index.index(tickets.len().max(1));
        match what {
            What::Make { purpose, lifetime_seconds } => {
                let verifier = fresh();
                let ticket = CreateTicket { purpose, lifetime_seconds, client_address: None, ..to_scan(&verifier) };
                let is_hand_over = purpose == TicketPurpose::HandOver;
                tickets.push(Known {
                    name: front.begin_as(&ticket).await,
                    verifier,
                    is_hand_over,
                    ends: now + if is_hand_over { lifetime_seconds.min(60) } else { lifetime_seconds },
                    scanned_by: None,
                    shown: None,
                    agreed: None,
                    is_refused: false,
                    collected_by: None,
                });
            }
            What::Say { ticket, says, who, is_elsewhere, has_phone } => {
                let known = pick(&ticket);
                let known = &mut tickets[known];
                let mut identity = person(&format!("o-{who}"));
                identity.phone_number = has_phone.then(|| "+8613800138000".into());
                identity.profile.take_if(|_| has_phone);
                if is_elsewhere {
                    identity.app_id = "wx00000000000000bb".into();
                }
                let answer = match says {
                    Says::Scan => front.scan(&known.name, &identity).await,
                    Says::Confirm => front.confirm(&known.name, &identity).await,
                    Says::Cancel => front.cancel(&known.name, &identity).await,
                };
                assert_eq!(heard(answer), known.hear(says, who, &identity, is_elsewhere, now), "{says:?}");
            }
            What::Redeem { ticket, redemption, slip } => {
                let known = pick(&ticket);
                let known = &mut tickets[known];
                let mut redeemer = RedeemTicket { redemption: redemptions[redemption].clone(), ..redeemer(&known.verifier) };
                match slip {
                    Slip::None => {}
                    Slip::Verifier => redeemer.verifier = fresh(),
                    Slip::Application => redeemer.application = "wiki".into(),
                }
                let answer = front.redeem_as(&known.name, &redeemer).await;
                assert_eq!(heard_of_redeeming(answer), known.collect(redemption, slip, now), "{slip:?}");
            }
            What::Look { ticket } => {
                let known = &tickets[pick(&ticket)];
                known.check(front.look(&known.name).await, now);
            }
            What::Sweep => while front.state.store.delete_expired(front.state.clock.now()).await.unwrap() > 0 {},
        }
    }
    for known in &tickets {
        known.check(front.look(&known.name).await, now);
    }
}

/// Lives so many histories, all of them in one database.
fn check<S: AdminStore>(cases: u32, store: impl Future<Output = S>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let front = Front::with(runtime.block_on(store), |state| {
        state.limits.tickets = TicketLimits { a_minute: 60_000, ..state.limits.tickets };
    });
    each(cases, history(), |history| runtime.block_on(live(&front, history)));
}

#[test]
fn sqlite_does_what_the_rules_say() {
    let (store, _keep) = sqlite_in_memory();
    check(128, store);
}

#[test]
fn postgres_does_what_the_rules_say() {
    check(24, async { postgres().await.0 });
}
