//! Histories made up at random: a store does what the rules of `model.rs` say, whatever came before.
//!
//! The same ones each time. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=1000 cargo test -p wxgate-resolver histories` looks further. One
//! that goes wrong is made shorter until every event in it counts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use resolver_api::{AccountChange, FinishAnswer, LoginOutcome, LoginRequest, Proof, ProofMethod, UnlinkAnswer};
use wxgate_resolver::account::{PasswordHash, State};
use wxgate_resolver::admin::draft::Draft;
use wxgate_resolver::admin::identity::WechatPerson;
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::ids::{SessionId, UserId};
use wxgate_resolver::pending::{self as store_pending, PendingToken};
use wxgate_resolver::policy::{Binding, ConnectorPolicy, OnNoMatch, Registration, Terms};
use wxgate_resolver::store::{
    self, AccountStore, Act, AdminError, AdminStore, Checked, FinishError, IdentityChange, PendingStore, Store, StoredPassword,
};

use crate::model::{self, Answer, Asked, Finish, Identity, Login, Model, No, Outcome, Person, PhoneNumber, Who};
use crate::random::{each, sqlite_in_memory};
use crate::support::{MONTH, OPEN, START, at, by, checked, pc, postgres};

const PLATFORM: &str = "main";

/// What every password that an administrator sets is kept as: nobody hashes here.
const PASSWORD: &str = "a hash";

/// Few of each, so that they meet.
const APPS: u8 = 2;
const OPENIDS: u8 = 2;
const UNIONIDS: u8 = 2;
const NUMBERS: u8 = 2;
const CONNECTORS: u8 = 2;

/// What happens in one of two pools that have nothing to do with each other, and how far the clock steps before: also back.
#[derive(Clone, Debug)]
struct Event {
    is_elsewhere: bool,
    step: i16,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    LogIn {
        person: MadeUp,
        connector: u8,
        profile_available: bool,
        number: Option<u8>,
        link_to: Option<Index>,
        can_send_codes: bool,
    },
    /// Of those that wait the newest one, or one that is so much older.
    Finish {
        age: usize,
        answer: Answered,
    },
    LogOut {
        session: Index,
    },
    SetPolicy {
        connector: u8,
        policy: Option<ConnectorPolicy>,
    },
    Create {
        number: Option<(u8, bool)>,
        people: Vec<MadeUp>,
    },
    Link {
        who: Index,
        person: MadeUp,
    },
    Unlink {
        identity: Index,
        is_forced: bool,
    },
    UnlinkOwn {
        identity: Index,
    },
    Move {
        identity: Index,
        to: Index,
        is_forced: bool,
    },
    Merge {
        into: Index,
        from: Index,
        is_dry_run: bool,
    },
    Act {
        who: Index,
        act: Act,
    },
}

/// What a person says to a login that waits.
#[derive(Clone, Debug)]
enum Answered {
    /// The first or the second account, or one that is not there.
    Choose(u8),
    Create,
    Password {
        who: Index,
        is_right: bool,
    },
}

/// A WeChat person by number. A login without an openid has the first one.
#[derive(Clone, Copy, Debug)]
struct MadeUp {
    openid: Option<(u8, u8)>,
    unionid: Option<u8>,
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    // Now and then more than ten minutes go by.
    let step = prop_oneof![30 => -2..4i16, 1 => Just(650)];
    let event = (prop::bool::weighted(0.1), step, what()).prop_map(|(is_elsewhere, step, what)| Event { is_elsewhere, step, what });
    let chapter = prop_oneof![12 => event.prop_map(|event| vec![event]), 1 => conflict(), 1 => without_codes()];
    prop::collection::vec(chapter, 1..60).prop_map(|chapters| chapters.concat())
}

/// Somebody logs in by one name, somebody by another one, then one of them by both, who answers what they are asked: by chance alone that
/// would be rare, and what is remembered of it has to last through all the rest.
fn conflict() -> impl Strategy<Value = Vec<Event>> {
    (0..APPS, 0..OPENIDS, 0..OPENIDS, 0..UNIONIDS, 1..3u8).prop_map(|(app, one, other, unionid, chosen)| {
        let log_in = |openid, unionid| What::LogIn {
            person: MadeUp { openid: Some(openid), unionid },
            connector: 0,
            profile_available: false,
            number: None,
            link_to: None,
            can_send_codes: true,
        };
        let (by_openid, elsewhere) = ((app, one), ((app + 1) % APPS, other));
        let whats = [
            log_in(by_openid, None),
            log_in(elsewhere, Some(unionid)),
            log_in(by_openid, Some(unionid)),
            What::Finish { age: 0, answer: Answered::Choose(chosen) },
        ];
        whats.map(|what| Event { is_elsewhere: false, step: 1, what }).to_vec()
    })
}

/// A policy that asks, then a login at a resolver that cannot send what it asks for: likewise.
fn without_codes() -> impl Strategy<Value = Vec<Event>> {
    (policy(), person(), 0..CONNECTORS).prop_map(|(policy, person, connector)| {
        let policy = ConnectorPolicy { binding: Binding::Ask, methods: vec![ProofMethod::EmailCode], ..policy };
        let log_in = What::LogIn { person, connector, profile_available: false, number: None, link_to: None, can_send_codes: false };
        let whats = [What::SetPolicy { connector, policy: Some(policy) }, log_in];
        whats.map(|what| Event { is_elsewhere: false, step: 1, what }).to_vec()
    })
}

fn what() -> impl Strategy<Value = What> {
    let (session, who, identity) = (any::<Index>, any::<Index>, any::<Index>);
    let number = || prop::option::weighted(0.3, 0..NUMBERS);
    let log_in =
        (person(), 0..CONNECTORS, prop::bool::weighted(0.1), number(), prop::option::weighted(0.1, who()), prop::bool::weighted(0.7))
            .prop_map(|(person, connector, profile_available, number, link_to, can_send_codes)| What::LogIn {
                person,
                connector,
                profile_available,
                number,
                link_to,
                can_send_codes,
            });
    let create = (prop::option::of((0..NUMBERS, any::<bool>())), prop::collection::vec(person(), 0..3));
    let answer = prop_oneof![
        8 => (1..3u8).prop_map(Answered::Choose),
        1 => Just(Answered::Choose(9)),
        3 => Just(Answered::Create),
        4 => (who(), prop::bool::weighted(0.8)).prop_map(|(who, is_right)| Answered::Password { who, is_right }),
    ];
    let act = prop::sample::select(vec![Act::SignOut, Act::Disable, Act::Disable, Act::Enable, Act::Enable, Act::Delete]);
    prop_oneof![
        24 => log_in,
        10 => (prop_oneof![3 => Just(0), 2 => Just(1), 1 => 2..6usize], answer).prop_map(|(age, answer)| What::Finish { age, answer }),
        1 => session().prop_map(|session| What::LogOut { session }),
        4 => (0..CONNECTORS, prop::option::weighted(0.8, policy())).prop_map(|(connector, policy)| What::SetPolicy { connector, policy }),
        2 => create.prop_map(|(number, people)| What::Create { number, people }),
        2 => (who(), person()).prop_map(|(who, person)| What::Link { who, person }),
        3 => (identity(), prop::bool::weighted(0.3)).prop_map(|(identity, is_forced)| What::Unlink { identity, is_forced }),
        2 => identity().prop_map(|identity| What::UnlinkOwn { identity }),
        2 => (identity(), who(), any::<bool>()).prop_map(|(identity, to, is_forced)| What::Move { identity, to, is_forced }),
        2 => (who(), who(), prop::bool::weighted(0.2)).prop_map(|(into, from, is_dry_run)| What::Merge { into, from, is_dry_run }),
        4 => (who(), act).prop_map(|(who, act)| What::Act { who, act }),
    ]
}

fn person() -> impl Strategy<Value = MadeUp> {
    let openid = prop::option::weighted(0.9, (0..APPS, 0..OPENIDS));
    (openid, prop::option::of(0..UNIONIDS)).prop_map(|(openid, unionid)| MadeUp { openid, unionid })
}

fn policy() -> impl Strategy<Value = ConnectorPolicy> {
    let registration = prop_oneof![2 => Just(Registration::Open), 1 => Just(Registration::Closed)];
    let binding = prop_oneof![1 => Just(Binding::None), 3 => Just(Binding::Field), 3 => Just(Binding::Ask)];
    let on_no_match = prop_oneof![3 => Just(OnNoMatch::Create), 1 => Just(OnNoMatch::Refuse)];
    let (code, password) = (ProofMethod::EmailCode, ProofMethod::Password);
    let methods = prop_oneof![1 => Just(vec![]), 3 => Just(vec![password]), 3 => Just(vec![code]), 1 => Just(vec![code, password])];
    (registration, binding, on_no_match, methods).prop_map(|(registration, binding, on_no_match, methods)| ConnectorPolicy {
        registration,
        binding,
        on_no_match,
        methods,
    })
}

impl MadeUp {
    fn openid(self) -> (String, String) {
        let (app, openid) = self.openid.unwrap_or_default();
        (format!("wx{app}"), format!("o{openid}"))
    }

    fn unionid(self) -> Option<String> {
        self.unionid.map(|unionid| format!("u{unionid}"))
    }

    /// None where nobody is named.
    fn person(self) -> Option<Person> {
        let openid = self.openid.map(|_| openid_of(self.openid()));
        let person = Person { openid, unionid: self.unionid() };
        (person.openid.is_some() || person.unionid.is_some()).then_some(person)
    }

    fn wechat_person(self) -> WechatPerson {
        WechatPerson { platform: PLATFORM.into(), openid: self.openid.map(|_| self.openid()), unionid: self.unionid() }
    }
}

fn openid_of((app, openid): (String, String)) -> Identity {
    Identity::Openid { app, openid }
}

fn number(number: u8) -> String {
    format!("+861380013800{number}")
}

trait AllStores: Store + AdminStore + AccountStore + PendingStore {}
impl<S: Store + AdminStore + AccountStore + PendingStore> AllStores for S {}

/// A pool of the store, and what the model says of it.
struct Pool<'s, S> {
    store: &'s S,
    name: String,
    model: Model,
    /// The accounts' ids, in the order of the model.
    ids: Vec<UserId>,
    /// The sessions' ids and when they began, likewise.
    sessions: Vec<(String, u64)>,
    /// What the logins that wait are called, likewise, and the accounts to choose from by their ids there.
    waiting: Vec<PendingToken>,
    candidates: Vec<BTreeMap<String, Who>>,
}

impl<S: AllStores> Pool<'_, S> {
    async fn live(&mut self, what: What, time: u64) {
        let now = at(time);
        let story = By { actor: Actor::Admin("story".into()), client_address: None };
        let who = |index: &Index| (!self.ids.is_empty()).then(|| index.index(self.ids.len()));
        let identity = |index: &Index| pick(index, &self.model.owners);
        match what {
            What::LogIn { person, connector, profile_available, number: phone, link_to, can_send_codes } => {
                let link_to = link_to.as_ref().and_then(who);
                let (app_id, openid) = person.openid();
                let login = Login {
                    openid: openid_of(person.openid()),
                    unionid: person.unionid(),
                    connector: format!("c{connector}"),
                    profile_available,
                    phone_number: phone.map(number),
                    link_to,
                    can_send_codes,
                };
                let request = LoginRequest {
                    pool: self.name.clone(),
                    platform: PLATFORM.into(),
                    app_id,
                    unionid: login.unionid.clone(),
                    connector: login.connector.clone(),
                    profile_available,
                    phone_number: login.phone_number.clone(),
                    link_to: link_to.map(|who| self.ids[who].to_string()),
                    ..pc(&openid)
                };
                let expected = self.model.log_in(&login, &OPEN, time);
                let terms = if can_send_codes { by(&OPEN) } else { Terms { methods: vec![ProofMethod::Password], ..by(&OPEN) } };
                let answer = self.store.login(&checked(request), &terms, now).await.unwrap();
                self.check(&expected, answer.outcome, time).await;
            }
            What::Finish { age, answer } => {
                if let Some(place) = self.waiting.len().checked_sub(age + 1) {
                    self.finish(place, &answer, time).await;
                }
            }
            What::LogOut { session } => {
                if self.sessions.is_empty() {
                    return;
                }
                let index = session.index(self.sessions.len());
                let id = SessionId::parse(&self.sessions[index].0).unwrap();
                self.store.revoke_session(&id, START + MONTH.as_secs(), now).await.unwrap();
                self.model.sessions[index].has_ended = true;
            }
            What::SetPolicy { connector, policy } => {
                let connector = format!("c{connector}");
                self.store.set_policy(&self.name, &connector, policy.as_ref(), &story, now).await.unwrap();
                match policy {
                    Some(policy) => drop(self.model.policies.insert(connector, policy)),
                    None => drop(self.model.policies.remove(&connector)),
                }
            }
            What::Create { number: phone, mut people } => {
                people.retain(|person| person.person().is_some());
                let draft = Draft {
                    phone_number: phone.map(|(phone, _)| number(phone)),
                    is_phone_number_verified: phone.is_some_and(|(_, is_verified)| is_verified),
                    password_hash: Some(PASSWORD.into()),
                    identities: people.iter().map(|person| person.wechat_person()).collect(),
                    ..Draft::default()
                };
                let phone = phone.map(|(phone, is_verified)| PhoneNumber { number: number(phone), is_verified, is_from_wechat: false });
                let expected = self.model.create(phone, &people.iter().filter_map(|person| person.person()).collect::<Vec<_>>());
                let done = self.store.create_user(&self.name, &draft, &story, now).await;
                agree(expected, done.map(|account| self.ids.push(account.id)));
            }
            What::Link { who: index, person } => {
                let (Some(who), Some(known)) = (who(&index), person.person()) else { return };
                let expected = self.model.link(who, &known);
                agree(expected, self.store.link_identity(self.ids[who], &person.wechat_person(), &story, now).await);
            }
            What::Unlink { identity: index, is_forced } => {
                let Some((identity, who)) = identity(&index) else { return };
                let change = self.change(&identity, who, is_forced).await;
                agree(self.model.unlink(&identity, is_forced), self.store.unlink_identity(&change, MONTH, &story, now).await);
            }
            What::UnlinkOwn { identity: index } => {
                let Some((identity, who)) = identity(&index) else { return };
                let linked = self.change(&identity, who, false).await.identity;
                let change = AccountChange { pool: self.name.clone(), application: "shop".into(), client_address: None };
                let got = self.store.unlink(self.ids[who], linked, &change, MONTH, now).await.unwrap();
                let expected = match self.model.accounts[who].state {
                    model::State::Active => Some(match self.model.unlink(&identity, false) {
                        Ok(()) => UnlinkAnswer::Unlinked,
                        Err(No::LastWayIn) => UnlinkAnswer::LastWayIn,
                        Err(no) => panic!("{no:?}"),
                    }),
                    _ => None,
                };
                assert_eq!(got, expected);
            }
            What::Move { identity: index, to, is_forced } => {
                let (Some((identity, who)), Some(to)) = (identity(&index), who(&to)) else { return };
                let change = self.change(&identity, who, is_forced).await;
                let expected = self.model.move_to(&identity, to, is_forced);
                agree(expected, self.store.move_identity(&change, self.ids[to], MONTH, &story, now).await);
            }
            What::Merge { into, from, is_dry_run } => {
                let (Some(into), Some(from)) = (who(&into), who(&from)) else { return };
                let mut merged = self.model.clone();
                let expected = merged.merge(into, from);
                agree(expected, self.store.merge_users(self.ids[into], self.ids[from], is_dry_run, MONTH, &story, now).await);
                if expected.is_ok() && !is_dry_run {
                    self.model = merged;
                }
            }
            What::Act { who: index, act } => {
                let Some(who) = who(&index) else { return };
                let expected = match act {
                    Act::SignOut => self.model.sign_out(who),
                    Act::Disable => self.model.disable(who),
                    Act::Enable => self.model.enable(who),
                    Act::Delete => self.model.delete(who),
                };
                agree(expected, self.store.act_on_user(self.ids[who], act, MONTH, &story, now).await);
            }
        }
    }

    async fn finish(&mut self, place: usize, answer: &Answered, time: u64) {
        let token = &self.waiting[place];
        let (said, proof, checked) = match answer {
            Answered::Choose(number) => {
                let account = number.to_string();
                let chosen = self.candidates[place].get(&account).copied();
                (Answer::Choose(chosen), Proof::Choose { account: account.clone() }, Checked::Choose(account))
            }
            Answered::Create => (Answer::Create, Proof::Create, Checked::Create),
            Answered::Password { who, is_right } => {
                if self.ids.is_empty() {
                    return;
                }
                let who = who.index(self.ids.len());
                let stored = StoredPassword { user: self.ids[who], hash: PasswordHash(PASSWORD.into()) };
                let proof = Proof::Password { account: who.to_string(), password: is_right.to_string() };
                (Answer::Password(who, *is_right), proof, Checked::Password(is_right.then_some(stored)))
            }
        };
        let expected = self.model.finish(place, &said, &OPEN, time);
        let answered = store::Answered { proof: checked, digest: token.digest_of_proof(&proof), client_address: None };
        let got = self.store.finish_pending(token, &answered, &by(&OPEN), at(time)).await;
        match (expected, got) {
            (Finish::Finished(expected), Ok(FinishAnswer::Finished { outcome })) => self.check(&expected, outcome, time).await,
            (Finish::Wrong { tries_left: expected }, Ok(FinishAnswer::Wrong { tries_left })) => assert_eq!(tries_left, expected),
            (Finish::NotOffered, Ok(FinishAnswer::NotOffered))
            | (Finish::Over, Err(FinishError::Over))
            | (Finish::FinishedOtherwise, Err(FinishError::FinishedOtherwise)) => {}
            (expected, got) => panic!("{expected:?} was expected, and {got:?} came"),
        }
    }

    /// What the store answered is what was expected.
    async fn check(&mut self, expected: &Outcome, got: LoginOutcome, time: u64) {
        match (expected, got) {
            (Outcome::SignedIn { who, is_new, session }, LoginOutcome::SignedIn { user, session_id, auth_time, new_user, .. }) => {
                let id: UserId = user.id.parse().unwrap();
                if *who == self.ids.len() {
                    assert!(!self.ids.contains(&id), "an id was given to two accounts");
                    self.ids.push(id);
                }
                assert_eq!((id, new_user), (self.ids[*who], *is_new));
                if *session == self.sessions.len() {
                    self.sessions.push((session_id, auth_time));
                } else {
                    assert_eq!(self.sessions[*session], (session_id, auth_time), "a replay");
                }
            }
            (Outcome::Waits, LoginOutcome::ChooseAccount { pending, .. } | LoginOutcome::BindAccount { pending, .. }) => {
                let token = PendingToken::parse(&pending).unwrap();
                let waiting = self.store.find_pending(&token, at(time)).await.unwrap().unwrap();
                let ids = waiting.candidates.into_iter().map(|candidate| candidate.id);
                let who = |user: UserId| self.ids.iter().position(|id| *id == user).unwrap();
                let candidates: BTreeMap<_, _> = ids.map(|id| (id.clone(), who(waiting.pending.candidate(&id).unwrap()))).collect();
                let asked = match waiting.pending.asked {
                    store_pending::Asked::Choose { .. } => Asked::Choose(candidates.values().copied().collect()),
                    store_pending::Asked::Bind { methods, may_create, .. } => {
                        Asked::Bind { has_password: methods.contains(&ProofMethod::Password), may_create }
                    }
                };
                assert_eq!(asked, self.model.waiting[self.waiting.len()].asked);
                self.waiting.push(token);
                self.candidates.push(candidates);
            }
            (Outcome::ProfileRequired, LoginOutcome::ProfileRequired) => {}
            (Outcome::Refused(expected), LoginOutcome::Refused { reason }) => assert_eq!(*expected, reason),
            (expected, got) => panic!("{expected:?} was expected, and {got:?} came"),
        }
    }

    async fn change(&self, identity: &Identity, who: Who, is_forced: bool) -> IdentityChange {
        let (id, _) = self.identities(who).await.into_iter().find(|(_, own)| own == identity).unwrap();
        IdentityChange { user: self.ids[who], identity: id.parse().unwrap(), is_forced }
    }

    /// The identities of an account in the store, each with its id.
    async fn identities(&self, who: Who) -> Vec<(String, Identity)> {
        let identities = self.store.list_identities(self.ids[who]).await.unwrap().unwrap();
        let read = |identity: wxgate_resolver::admin::identity::Identity| match (identity.app_id, identity.openid, identity.unionid) {
            (Some(app), Some(openid), _) => (identity.id, Identity::Openid { app, openid }),
            (_, _, unionid) => (identity.id, Identity::Unionid(unionid.unwrap())),
        };
        identities.into_iter().map(read).collect()
    }

    /// Everything that the store knows is what the model knows.
    async fn compare(&self, ended: &Ended) {
        for (who, (account, id)) in self.model.accounts.iter().zip(&self.ids).enumerate() {
            let stored = self.store.find_user(*id).await.unwrap().unwrap();
            let state = match stored.state {
                State::Active => model::State::Active,
                State::Disabled => model::State::Disabled,
                State::Deleted => model::State::Deleted,
                State::Merged { .. } => model::State::Merged,
            };
            let phone_number = stored.phone_number.map(|phone| PhoneNumber {
                number: phone.number,
                is_verified: phone.is_verified,
                is_from_wechat: phone.is_from_wechat,
            });
            let has_password = stored.password_hash.is_some();
            assert_eq!((state, &phone_number, has_password), (account.state, &account.phone_number, account.has_password), "account {who}");
            let identities: BTreeSet<_> = self.identities(who).await.into_iter().map(|(_, identity)| identity).collect();
            assert_eq!(identities, self.model.identities_of(who), "account {who}");
        }
        for (session, (id, auth_time)) in self.model.sessions.iter().zip(&self.sessions) {
            let not_before = ended.users.get(&self.ids[session.who].to_string());
            let has_ended = ended.sessions.contains(id) || not_before.is_some_and(|not_before| auth_time <= not_before);
            assert_eq!(has_ended, session.has_ended, "a session of account {} that began at {auth_time}, by {not_before:?}", session.who);
        }
    }
}

/// Both do it, or neither, for the same reason.
fn agree<T, U>(expected: Result<T, No>, got: Result<U, AdminError>) {
    let got = got.map(drop).map_err(|error| match error {
        AdminError::State(_) => No::State,
        AdminError::Taken(_) => No::Taken,
        AdminError::Field(_) => No::Twice,
        AdminError::LastWayIn => No::LastWayIn,
        AdminError::NotTogether => No::NotTogether,
        other => panic!("{other:?}"),
    });
    assert_eq!(got, expected.map(drop));
}

fn pick(index: &Index, owners: &BTreeMap<Identity, Who>) -> Option<(Identity, Who)> {
    let (identity, who) = owners.iter().nth(index.index(owners.len().max(1)))?;
    Some((identity.clone(), *who))
}

/// What the feed says.
#[derive(Default)]
struct Ended {
    sessions: BTreeSet<String>,
    users: BTreeMap<String, u64>,
}

/// Reads the feed from a cursor, which it moves, to the end.
async fn follow(store: &impl Store, cursor: &mut String, time: u64) -> Ended {
    let mut ended = Ended::default();
    loop {
        let page = store.find_revocations(cursor, at(time)).await.unwrap();
        ended.sessions.extend(page.sessions.into_iter().map(|session| session.session_id));
        ended.users.extend(page.users.into_iter().map(|user| (user.user_id, user.not_before)));
        *cursor = page.cursor;
        if !page.more {
            return ended;
        }
    }
}

/// Lives the history in two pools that nobody has used before.
async fn live(store: &impl AllStores, history: Vec<Event>) {
    let mut cursor = String::new();
    follow(store, &mut cursor, 0).await;
    let run = SessionId::random().unwrap();
    let pool = |name: &str| Pool {
        store,
        name: format!("{name} {}", run.as_str()),
        model: Model::default(),
        ids: Vec::new(),
        sessions: Vec::new(),
        waiting: Vec::new(),
        candidates: Vec::new(),
    };
    let (mut here, mut elsewhere, mut time) = (pool("here"), pool("elsewhere"), 1000u64);
    for Event { is_elsewhere, step, what } in history {
        time = time.saturating_add_signed(step.into());
        let pool = if is_elsewhere { &mut elsewhere } else { &mut here };
        pool.live(what, time).await;
    }
    let ended = follow(store, &mut cursor, time).await;
    here.compare(&ended).await;
    elsewhere.compare(&ended).await;
}

/// Lives so many histories, all of them in one database.
fn check<S: AllStores>(cases: u32, store: impl Future<Output = S>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(store);
    each(cases, history(), |history| runtime.block_on(live(&store, history)));
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
