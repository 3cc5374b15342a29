//! Histories made up at random: a store does what a page of plain rules does.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use resolver_api::{LoginOutcome, LoginRequest, RefusalReason};
use wxgate_resolver::ids::{SessionId, UserId};
use wxgate_resolver::store::Store;

use crate::support::{CLOSED, OPEN, START, With, at, checked, pc, sqlite};

const MONTH: Duration = Duration::from_hours(30 * 24);

#[derive(Clone, Debug)]
enum Event {
    LogIn { app: u8, openid: u8, unionid: Option<u8>, profile_available: bool, is_open: bool },
    LogOut { session: Index },
    SignOutEverywhere { user: Index },
    Disable { user: Index },
    Enable { user: Index },
}

fn event() -> impl Strategy<Value = Event> {
    let log_in = (0..2u8, 0..4u8, prop::option::of(0..3u8), prop::bool::weighted(0.2), prop::bool::weighted(0.8))
        .prop_map(|(app, openid, unionid, profile_available, is_open)| Event::LogIn { app, openid, unionid, profile_available, is_open });
    prop_oneof![
        8 => log_in,
        1 => any::<Index>().prop_map(|session| Event::LogOut { session }),
        1 => any::<Index>().prop_map(|user| Event::SignOutEverywhere { user }),
        1 => any::<Index>().prop_map(|user| Event::Disable { user }),
        1 => any::<Index>().prop_map(|user| Event::Enable { user }),
    ]
}

#[derive(Debug)]
struct Session {
    id: String,
    user: UserId,
    auth_time: u64,
    has_ended: bool,
}

/// The rules of the design, over plain lists.
#[derive(Default)]
struct Model {
    owners: HashMap<String, UserId>,
    users: Vec<(UserId, bool)>,
    sessions: Vec<Session>,
}

impl Model {
    fn is_disabled(&mut self, user: UserId) -> &mut bool {
        &mut self.users.iter_mut().find(|(id, _)| *id == user).unwrap().1
    }

    fn end_sessions_of(&mut self, user: UserId) {
        self.sessions.iter_mut().filter(|session| session.user == user).for_each(|session| session.has_ended = true);
    }

    /// Checks the outcome of a login, and learns from it.
    fn log_in(&mut self, request: &LoginRequest, is_open: bool, outcome: LoginOutcome) {
        let openid = format!("{} {}", request.app_id, request.openid);
        let identities: Vec<_> = [Some(openid.clone()), request.unionid.clone()].into_iter().flatten().collect();
        let by_openid = self.owners.get(&openid).copied();
        let by_unionid = request.unionid.as_ref().and_then(|unionid| self.owners.get(unionid)).copied();
        let user = match (by_openid, by_unionid) {
            (Some(a), Some(b)) if a != b => match (*self.is_disabled(a), *self.is_disabled(b)) {
                (false, false) => return assert!(matches!(outcome, LoginOutcome::ChooseAccount { .. })),
                (true, false) => Some(b),
                _ => Some(a),
            },
            (None, _) if request.profile_available => return assert_eq!(outcome, LoginOutcome::ProfileRequired),
            (None, None) if !is_open => {
                return assert_eq!(outcome, LoginOutcome::Refused { reason: RefusalReason::RegistrationClosed });
            }
            (known, also_known) => known.or(also_known),
        };
        if user.is_some_and(|user| *self.is_disabled(user)) {
            return assert_eq!(outcome, LoginOutcome::Refused { reason: RefusalReason::UserDisabled });
        }
        let LoginOutcome::SignedIn { user: got, session_id, auth_time, new_user, .. } = outcome else {
            panic!("{request:?} was answered {outcome:?}");
        };
        let got: UserId = got.id.parse().unwrap();
        assert_eq!(new_user, user.is_none());
        assert_eq!(got, user.unwrap_or(got));
        if new_user {
            assert!(self.users.iter().all(|(id, _)| *id != got), "an id was given to two people");
            self.users.push((got, false));
        }
        for identity in identities {
            self.owners.entry(identity).or_insert(got);
        }
        self.sessions.push(Session { id: session_id, user: got, auth_time, has_ended: false });
    }
}

/// Lives the history on a new store; each event comes with a step of the clock, which may go back.
async fn live(history: Vec<(Event, i8)>) {
    let (store, _dir) = sqlite().await;
    let (mut model, mut time) = (Model::default(), 1000u64);
    for (event, step) in history {
        time = time.saturating_add_signed(step.into());
        let now = at(time);
        let user = |index: &Index| (!model.users.is_empty()).then(|| index.get(&model.users).0);
        match event {
            Event::LogIn { app, openid, unionid, profile_available, is_open } => {
                let request = LoginRequest { app_id: format!("wx{app}"), profile_available, ..pc(&format!("o{openid}")) };
                let request = match unionid {
                    Some(unionid) => request.unionid(&format!("u{unionid}")),
                    None => request,
                };
                let policy = if is_open { &OPEN } else { &CLOSED };
                let answer = store.login(&checked(request.clone()), policy, now).await.unwrap();
                model.log_in(&request, is_open, answer.outcome);
            }
            Event::LogOut { session } if !model.sessions.is_empty() => {
                let index = session.index(model.sessions.len());
                let session = &mut model.sessions[index];
                store.revoke_session(&SessionId::parse(&session.id).unwrap(), START + 5000, now).await.unwrap();
                session.has_ended = true;
            }
            Event::LogOut { .. } => {}
            Event::SignOutEverywhere { user: index } => {
                let Some(user) = user(&index) else { continue };
                assert!(store.revoke_user_sessions(user, MONTH, now).await.unwrap());
                model.end_sessions_of(user);
            }
            Event::Disable { user: index } => {
                let Some(user) = user(&index) else { continue };
                assert!(store.disable_user(user, MONTH, now).await.unwrap());
                model.end_sessions_of(user);
                *model.is_disabled(user) = true;
            }
            Event::Enable { user: index } => {
                let Some(user) = user(&index) else { continue };
                assert!(store.enable_user(user).await.unwrap());
                *model.is_disabled(user) = false;
            }
        }
    }
    let feed = store.find_revocations("", at(time)).await.unwrap();
    for session in &model.sessions {
        let is_revoked = feed.sessions.iter().any(|revoked| revoked.session_id == session.id);
        let is_before = |id: &str, not_before| id == session.user.to_string() && session.auth_time <= not_before;
        let has_ended = is_revoked || feed.users.iter().any(|revoked| is_before(&revoked.user_id, revoked.not_before));
        assert_eq!(has_ended, session.has_ended, "{session:?} by {feed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_does_what_the_rules_say(history in prop::collection::vec((event(), -2..3i8), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(live(history));
    }
}
