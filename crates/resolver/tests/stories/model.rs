//! Who is whom, in one page of plain Rust: what `docs/resolver-api.md` and the design say of one pool, over plain lists. It
//! knows no database and no transaction, and shares no rule with the program; `histories.rs` holds the stores against it.

use std::collections::{BTreeMap, BTreeSet};

use resolver_api::{ProofMethod, RefusalReason};
use wxgate_resolver::policy::{Binding, ConnectorPolicy, OnNoMatch, Registration};

/// An account, by its place in the order in which they were made.
pub(crate) type Who = usize;

/// What WeChat calls a person by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    Openid { app: String, openid: String },
    Unionid(String),
}

/// What a login, or an administrator, says of a WeChat person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) openid: Option<Identity>,
    pub(crate) unionid: Option<String>,
}

/// What a login brings.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) openid: Identity,
    pub(crate) unionid: Option<String>,
    pub(crate) connector: String,
    pub(crate) profile_available: bool,
    pub(crate) phone_number: Option<String>,
    pub(crate) link_to: Option<Who>,
    /// Whether the resolver that is asked can send codes: there may be another one that cannot.
    pub(crate) can_send_codes: bool,
}

/// What becomes of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The session is a new one, or that of an earlier login.
    SignedIn {
        who: Who,
        is_new: bool,
        session: usize,
    },
    /// It waits for its person, as the newest one that does.
    Waits,
    ProfileRequired,
    Refused(RefusalReason),
}

/// A login that waits for its person.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    login: Login,
    pub(crate) asked: Asked,
    tries_left: u32,
    expires_at: u64,
    /// The answer that ended it, what it led to, and until when that is remembered.
    ended: Option<(Answer, Outcome, u64)>,
}

/// What the person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Choose(BTreeSet<Who>),
    Bind { has_password: bool, may_create: bool },
}

/// What the person answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An account, if it is among those to choose from.
    Choose(Option<Who>),
    Create,
    /// The password of an account, and whether it is right.
    Password(Who, bool),
}

/// What becomes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Finished(Outcome),
    Wrong { tries_left: u32 },
    NotOffered,
    Over,
    FinishedOtherwise,
}

/// Why an administrator's wish is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// The account is deleted or merged, or the target of a merge is disabled.
    State,
    /// An identity is somebody's already.
    Taken,
    /// An identity stands there twice.
    Twice,
    LastWayIn,
    /// It is the same account.
    NotTogether,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Disabled,
    Deleted,
    Merged,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) state: State,
    pub(crate) phone_number: Option<PhoneNumber>,
    pub(crate) has_password: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhoneNumber {
    pub(crate) number: String,
    pub(crate) is_verified: bool,
    pub(crate) is_from_wechat: bool,
}

/// A session that was opened, in the order of logins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) who: Who,
    pub(crate) has_ended: bool,
}

/// One pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) accounts: Vec<Account>,
    /// Each identity belongs to one account at most.
    pub(crate) owners: BTreeMap<Identity, Who>,
    /// Of an openid: the unionid that it came with last. Both are one WeChat person.
    unionids: BTreeMap<Identity, String>,
    /// Whom the person chose who came with this openid and this unionid.
    choices: BTreeMap<(Identity, String), Who>,
    pub(crate) policies: BTreeMap<String, ConnectorPolicy>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) waiting: Vec<Waiting>,
}

/// How long a login waits, and how long an end is remembered.
const TEN_MINUTES: u64 = 600;
const TRIES: u32 = 5;

impl Model {
    pub(crate) fn log_in(&mut self, login: &Login, default: &ConnectorPolicy, now: u64) -> Outcome {
        let by_openid = self.owner(&login.openid);
        let by_unionid = login.unionid.clone().and_then(|unionid| self.owner(&Identity::Unionid(unionid)));
        if let Some(who) = login.link_to {
            return self.link_to(who, login, by_openid, by_unionid);
        }
        let is_active = |who: &Who| self.accounts[*who].state == State::Active;
        let known: BTreeSet<Who> = [by_openid, by_unionid].into_iter().flatten().collect();
        if by_openid.is_none() && login.profile_available {
            return Outcome::ProfileRequired;
        }
        let usable: Vec<Who> = known.iter().copied().filter(is_active).collect();
        match usable[..] {
            [who] => self.sign_in(who, login),
            [] if !known.is_empty() => Outcome::Refused(RefusalReason::UserDisabled),
            [] => self.first_login(login, default, now),
            _ => match self.choices.get(&login.both()).copied().filter(|chosen| known.contains(chosen)) {
                Some(who) => self.sign_in(who, login),
                None => self.wait(login, Asked::Choose(known), now),
            },
        }
    }

    /// The person is logged in as `who` already, and brings another identity.
    fn link_to(&mut self, who: Who, login: &Login, by_openid: Option<Who>, by_unionid: Option<Who>) -> Outcome {
        if self.accounts[who].state != State::Active {
            return Outcome::Refused(RefusalReason::UserDisabled);
        }
        if [by_openid, by_unionid].into_iter().flatten().any(|owner| owner != who) {
            return Outcome::Refused(RefusalReason::IdentityTaken);
        }
        if by_openid.is_none() && login.profile_available {
            return Outcome::ProfileRequired;
        }
        self.sign_in(who, login)
    }

    fn first_login(&mut self, login: &Login, default: &ConnectorPolicy, now: u64) -> Outcome {
        let policy = self.policies.get(&login.connector).unwrap_or(default).clone();
        if policy.binding == Binding::Field {
            let has_number = |account: &Account| {
                let verified = account.phone_number.as_ref().filter(|phone| phone.is_verified).map(|phone| &phone.number);
                account.state == State::Active && verified.is_some() && verified == login.phone_number.as_ref()
            };
            let matches: Vec<Who> = (0..self.accounts.len()).filter(|who| has_number(&self.accounts[*who])).collect();
            if let [who] = matches[..] {
                return self.sign_in(who, login);
            }
        }
        let has_password = policy.methods.contains(&ProofMethod::Password);
        let has_code = login.can_send_codes && policy.methods.iter().any(|method| *method != ProofMethod::Password);
        if policy.binding == Binding::Ask && (has_password || has_code) {
            let asked = Asked::Bind { has_password, may_create: may_create(&policy) };
            return self.wait(login, asked, now);
        }
        self.register(login, &policy)
    }

    fn wait(&mut self, login: &Login, asked: Asked, now: u64) -> Outcome {
        self.waiting.push(Waiting { login: login.clone(), asked, tries_left: TRIES, expires_at: now + TEN_MINUTES, ended: None });
        Outcome::Waits
    }

    /// The person answers a login that waits.
    pub(crate) fn finish(&mut self, place: usize, answer: &Answer, default: &ConnectorPolicy, now: u64) -> Finish {
        let Waiting { login, asked, tries_left, expires_at, ended } = self.waiting[place].clone();
        if let Some((by, outcome, remembered_until)) = ended {
            return match (now < remembered_until, by == *answer) {
                (true, true) => Finish::Finished(outcome),
                (true, false) => Finish::FinishedOtherwise,
                (false, _) => Finish::Over,
            };
        }
        if now >= expires_at || tries_left == 0 {
            return Finish::Over;
        }
        let is_right = match (&asked, answer) {
            (Asked::Choose(accounts), Answer::Choose(chosen)) => chosen.is_some_and(|chosen| accounts.contains(&chosen)),
            (Asked::Bind { may_create: true, .. }, Answer::Create) => true,
            (Asked::Bind { has_password: true, .. }, Answer::Password(who, is_right)) => *is_right && self.accounts[*who].has_password,
            _ => return Finish::NotOffered,
        };
        if !is_right {
            self.waiting[place].tries_left -= 1;
            return Finish::Wrong { tries_left: tries_left - 1 };
        }
        let outcome = self.end(&login, answer, default);
        self.waiting[place].ended = Some((answer.clone(), outcome.told_again(), now + TEN_MINUTES));
        Finish::Finished(outcome)
    }

    /// A right answer counts for what is so now, and takes nothing from anybody.
    fn end(&mut self, login: &Login, answer: &Answer, default: &ConnectorPolicy) -> Outcome {
        let unionid = login.unionid.clone().map(Identity::Unionid);
        let owners: BTreeSet<Who> = [Some(&login.openid), unionid.as_ref()].into_iter().flatten().filter_map(|id| self.owner(id)).collect();
        let (who, may_be_others) = match (answer, owners.first()) {
            (Answer::Create, None) => {
                let policy = self.policies.get(&login.connector).unwrap_or(default).clone();
                return self.register(login, &policy);
            }
            // The account was made a moment ago, in another window.
            (Answer::Create, Some(owner)) => (*owner, false),
            (Answer::Choose(chosen), _) => (chosen.unwrap(), true),
            (Answer::Password(who, _), _) => (*who, false),
        };
        let is_of_somebody_else = owners.iter().any(|owner| *owner != who);
        if (is_of_somebody_else && !may_be_others) || (may_be_others && !owners.contains(&who)) {
            return Outcome::Refused(RefusalReason::IdentityTaken);
        }
        if self.accounts[who].state != State::Active {
            return Outcome::Refused(RefusalReason::UserDisabled);
        }
        if is_of_somebody_else {
            self.choices.insert(login.both(), who);
        }
        self.sign_in(who, login)
    }

    /// A new account, for whoever logs in, where the policy allows it.
    fn register(&mut self, login: &Login, policy: &ConnectorPolicy) -> Outcome {
        if !may_create(policy) {
            return Outcome::Refused(match policy.registration {
                Registration::Closed => RefusalReason::RegistrationClosed,
                Registration::Open => RefusalReason::NoMatch,
            });
        }
        self.accounts.push(Account { state: State::Active, phone_number: None, has_password: false });
        let who = self.accounts.len() - 1;
        self.sign_in(who, login);
        Outcome::SignedIn { who, is_new: true, session: self.sessions.len() - 1 }
    }

    /// A session for `who`, who gets what the login brings and nobody has.
    fn sign_in(&mut self, who: Who, login: &Login) -> Outcome {
        let unionid = login.unionid.clone();
        for identity in [Some(login.openid.clone()), unionid.clone().map(Identity::Unionid)].into_iter().flatten() {
            self.owners.entry(identity).or_insert(who);
        }
        if let Some(unionid) = unionid.filter(|_| self.owner(&login.openid) == Some(who)) {
            self.unionids.insert(login.openid.clone(), unionid);
        }
        let phone = &mut self.accounts[who].phone_number;
        let is_proved_elsewhere = phone.as_ref().is_some_and(|phone| phone.is_verified && !phone.is_from_wechat);
        if let Some(number) = login.phone_number.clone().filter(|_| !is_proved_elsewhere) {
            *phone = Some(PhoneNumber { number, is_verified: true, is_from_wechat: true });
        }
        self.sessions.push(Session { who, has_ended: false });
        Outcome::SignedIn { who, is_new: false, session: self.sessions.len() - 1 }
    }

    pub(crate) fn create(&mut self, phone_number: Option<PhoneNumber>, people: &[Person]) -> Result<Who, No> {
        let mut all = BTreeSet::new();
        for person in people {
            if person.identities().any(|identity| !all.insert(identity)) {
                return Err(No::Twice);
            }
            if person.identities().any(|identity| self.owners.contains_key(&identity)) {
                return Err(No::Taken);
            }
        }
        self.accounts.push(Account { state: State::Active, phone_number, has_password: true });
        let who = self.accounts.len() - 1;
        people.iter().for_each(|person| self.give(who, person));
        Ok(who)
    }

    pub(crate) fn link(&mut self, who: Who, person: &Person) -> Result<(), No> {
        self.check_usable(who)?;
        if person.identities().any(|identity| self.owners.contains_key(&identity)) {
            return Err(No::Taken);
        }
        self.give(who, person);
        Ok(())
    }

    fn give(&mut self, who: Who, person: &Person) {
        self.owners.extend(person.identities().map(|identity| (identity, who)));
        if let (Some(openid), Some(unionid)) = (&person.openid, &person.unionid) {
            self.unionids.insert(openid.clone(), unionid.clone());
        }
    }

    /// Takes a WeChat person away from the account that has this identity.
    pub(crate) fn unlink(&mut self, identity: &Identity, is_forced: bool) -> Result<(), No> {
        let who = self.owners[identity];
        for gone in self.person_to_take(identity, is_forced)? {
            self.forget_choices(who, &gone);
            self.owners.remove(&gone);
            self.unionids.remove(&gone);
        }
        self.end_sessions(who);
        Ok(())
    }

    /// Gives the WeChat person of this identity to another account.
    pub(crate) fn move_to(&mut self, identity: &Identity, to: Who, is_forced: bool) -> Result<(), No> {
        let who = self.owners[identity];
        self.check_usable(who)?;
        self.check_usable(to)?;
        if who == to {
            return Err(No::NotTogether);
        }
        for moved in self.person_to_take(identity, is_forced)? {
            self.forget_choices(who, &moved);
            self.owners.insert(moved, to);
        }
        self.end_sessions(who);
        Ok(())
    }

    /// All that an account has of one WeChat person: a unionid and the openids that came with it last, or an openid alone.
    fn person_to_take(&self, identity: &Identity, is_forced: bool) -> Result<Vec<Identity>, No> {
        let who = self.owners[identity];
        self.check_usable(who)?;
        let unionid = |identity: &Identity| match identity {
            Identity::Unionid(unionid) => Some(unionid.clone()),
            openid => self.unionids.get(openid).cloned(),
        };
        let is_same = |other: &Identity| other == identity || (unionid(other).is_some() && unionid(other) == unionid(identity));
        let (person, others): (Vec<_>, Vec<_>) = self.identities_of(who).into_iter().partition(is_same);
        if others.is_empty() && !is_forced { Err(No::LastWayIn) } else { Ok(person) }
    }

    /// Who leaves an account chooses anew.
    fn forget_choices(&mut self, who: Who, gone: &Identity) {
        self.choices.retain(|(openid, unionid), chosen| {
            let is_of_it = openid == gone || Identity::Unionid(unionid.clone()) == *gone;
            *chosen != who || !is_of_it
        });
    }

    pub(crate) fn merge(&mut self, into: Who, from: Who) -> Result<(), No> {
        if into == from {
            return Err(No::NotTogether);
        }
        self.check_usable(into)?;
        self.check_usable(from)?;
        if self.accounts[into].state != State::Active {
            return Err(No::State);
        }
        for who in self.owners.values_mut().chain(self.choices.values_mut()).filter(|who| **who == from) {
            *who = into;
        }
        let number = self.accounts[from].phone_number.take();
        let kept = &mut self.accounts[into].phone_number;
        *kept = kept.take().or(number);
        self.accounts[into].has_password |= std::mem::take(&mut self.accounts[from].has_password);
        self.accounts[from].state = State::Merged;
        self.end_sessions(from);
        Ok(())
    }

    pub(crate) fn sign_out(&mut self, who: Who) -> Result<(), No> {
        self.check_usable(who)?;
        self.end_sessions(who);
        Ok(())
    }

    pub(crate) fn disable(&mut self, who: Who) -> Result<(), No> {
        self.sign_out(who)?;
        self.accounts[who].state = State::Disabled;
        Ok(())
    }

    pub(crate) fn enable(&mut self, who: Who) -> Result<(), No> {
        self.check_usable(who)?;
        self.accounts[who].state = State::Active;
        Ok(())
    }

    pub(crate) fn delete(&mut self, who: Who) -> Result<(), No> {
        self.sign_out(who)?;
        for gone in self.identities_of(who) {
            self.owners.remove(&gone);
            self.unionids.remove(&gone);
        }
        self.choices.retain(|_, chosen| *chosen != who);
        self.accounts[who] = Account { state: State::Deleted, phone_number: None, has_password: false };
        Ok(())
    }

    pub(crate) fn identities_of(&self, who: Who) -> BTreeSet<Identity> {
        self.owners.iter().filter(|(_, owner)| **owner == who).map(|(identity, _)| identity.clone()).collect()
    }

    fn owner(&self, identity: &Identity) -> Option<Who> {
        self.owners.get(identity).copied()
    }

    fn check_usable(&self, who: Who) -> Result<(), No> {
        match self.accounts[who].state {
            State::Active | State::Disabled => Ok(()),
            State::Deleted | State::Merged => Err(No::State),
        }
    }

    fn end_sessions(&mut self, who: Who) {
        self.sessions.iter_mut().filter(|session| session.who == who).for_each(|session| session.has_ended = true);
    }
}

impl Outcome {
    /// An account is new once.
    fn told_again(&self) -> Self {
        match self.clone() {
            Self::SignedIn { who, session, .. } => Self::SignedIn { who, is_new: false, session },
            other => other,
        }
    }
}

fn may_create(policy: &ConnectorPolicy) -> bool {
    policy.registration == Registration::Open && policy.on_no_match == OnNoMatch::Create
}

impl Login {
    /// The openid and the unionid, for a choice between the accounts that have them.
    fn both(&self) -> (Identity, String) {
        (self.openid.clone(), self.unionid.clone().unwrap_or_default())
    }
}

impl Person {
    fn identities(&self) -> impl Iterator<Item = Identity> + use<> {
        self.openid.clone().into_iter().chain(self.unionid.clone().map(Identity::Unionid))
    }
}
