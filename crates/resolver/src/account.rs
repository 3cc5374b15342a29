//! An account and how a login or a revocation changes it. Pure, so that every store applies the same rules.

use std::fmt;

use resolver_api::{LoginRequest, Profile, ProofMethod, User};

use crate::address::{Address, mask_name};
use crate::clock::Moment;
use crate::ids::UserId;

/// An account, as a store keeps it. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Stable for life.
    pub id: UserId,
    /// Accounts of different pools never meet.
    pub pool: String,
    /// Whether it may be logged in to.
    pub state: State,
    /// When it was made.
    pub created_at: u64,
    /// When the newest session began; 0 before the first. Never goes back, also when the clock does.
    pub last_auth_time: u64,
    /// Sessions that began up to and including this second have ended; 0 for none.
    pub sessions_not_before: u64,
    /// A name for display.
    pub name: Sourced,
    /// An `https` address of a picture.
    pub picture: Sourced,
    /// Its person's phone number.
    pub phone_number: Option<PhoneNumber>,
    /// Its person's e-mail address.
    pub email: Option<Email>,
    /// What its person types beside the password. Nobody else in the pool has it.
    pub username: Option<String>,
    /// The operator's own name for the account. Nobody else in the pool has it.
    pub external_id: Option<String>,
    /// What its password is checked against.
    pub password_hash: Option<PasswordHash>,
}

/// Whether an account may be logged in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Yes.
    Active,
    /// Not until it is enabled.
    Disabled,
    /// Never again. Its id is not given to anybody else.
    Deleted,
    /// Never again; its identities sign in another account.
    Merged {
        /// The account that has them now.
        into: UserId,
    },
}

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNumber {
    /// E.164.
    pub number: String,
    /// Whether WeChat said that it is the person's.
    pub is_from_wechat: bool,
    /// Whether the person has proved to have it.
    pub is_verified: bool,
}

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// In lower case.
    pub address: String,
    /// Whether the person has proved to have it.
    pub is_verified: bool,
}

/// A PHC string. Cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

/// A field that WeChat fills, until somebody else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// The value, if there is one.
    pub value: Option<String>,
    /// Whether WeChat's word goes. False once the person or an administrator has set or cleared the field.
    pub is_from_wechat: bool,
}

impl Account {
    /// An account whose first login is now.
    pub fn new(id: UserId, login: &LoginRequest, now: Moment) -> Self {
        Self::blank(id, &login.pool, now).signed_in(login, true, now).0
    }

    /// An account that is made now, of which nothing is known, and to which nobody has logged in.
    pub fn blank(id: UserId, pool: &str, now: Moment) -> Self {
        let blank = Sourced { value: None, is_from_wechat: true };
        Self {
            id,
            pool: pool.to_owned(),
            state: State::Active,
            created_at: now.seconds(),
            last_auth_time: 0,
            sessions_not_before: 0,
            name: blank.clone(),
            picture: blank,
            phone_number: None,
            email: None,
            username: None,
            external_id: None,
            password_hash: None,
        }
    }

    /// What may be shown of it before its person has agreed to anything: enough for them to know themselves by.
    pub fn glimpse(&self) -> Profile {
        Profile { nickname: self.name.value.as_deref().map(mask_name), picture: self.picture.value.clone() }
    }

    /// Where its person can be reached by this method, as far as they have proved that.
    pub fn verified_address(&self, method: ProofMethod) -> Option<Address> {
        match method {
            ProofMethod::PhoneCode => {
                self.phone_number.as_ref().filter(|phone| phone.is_verified).map(|phone| Address::Phone(phone.number.clone()))
            }
            ProofMethod::EmailCode => {
                self.email.as_ref().filter(|email| email.is_verified).map(|email| Address::Email(email.address.clone()))
            }
            ProofMethod::Password => None,
        }
    }

    /// The account after a login, and the login's `auth_time`. `may_rename`: what WeChat calls the person may replace what it called them before.
    pub fn signed_in(mut self, login: &LoginRequest, may_rename: bool, now: Moment) -> (Self, u64) {
        // A session that begins in the second of a revocation, or before it by a clock that stepped back, must not count as revoked.
        let auth_time = now.seconds().max(self.sessions_not_before.saturating_add(1));
        self.last_auth_time = self.last_auth_time.max(auth_time);
        if let Some(profile) = &login.profile {
            self.name.refresh(profile.nickname.as_deref(), may_rename);
            self.picture.refresh(profile.picture.as_deref(), may_rename);
        }
        let is_proved_elsewhere = self.phone_number.as_ref().is_some_and(|phone| phone.is_verified && !phone.is_from_wechat);
        if let Some(number) = login.phone_number.clone().filter(|_| !is_proved_elsewhere) {
            self.phone_number = Some(PhoneNumber { number, is_from_wechat: true, is_verified: true });
        }
        (self, auth_time)
    }

    /// The account after every session that it has now was ended.
    pub fn signed_out_everywhere(mut self, now: Moment) -> Self {
        // Also the sessions that began in the future, by a clock that has stepped back since.
        self.sessions_not_before = now.seconds().max(self.last_auth_time).max(self.sessions_not_before);
        self
    }

    /// The account after what WeChat told of its person was erased. WeChat may fill it again.
    pub fn without_wechats_profile(mut self) -> Self {
        for field in [&mut self.name, &mut self.picture] {
            field.value.take_if(|_| field.is_from_wechat);
        }
        self
    }

    /// The account, as applications may see it.
    pub fn to_user(&self) -> User {
        User {
            id: self.id.to_string(),
            name: self.name.value.clone(),
            picture: self.picture.value.clone(),
            phone_number: self.phone_number.as_ref().map(|phone| phone.number.clone()),
            phone_number_verified: self.phone_number.as_ref().map(|phone| phone.is_verified),
        }
    }
}

impl Sourced {
    /// Takes WeChat's value. A login without one says nothing: many methods bring no profile.
    fn refresh(&mut self, value: Option<&str>, may_replace: bool) {
        if let Some(value) = value.filter(|_| self.is_from_wechat && (may_replace || self.value.is_none())) {
            self.value = Some(value.to_owned());
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use resolver_api::Profile;
    use uuid::Uuid;

    use super::*;
    use crate::login::tests::request;

    fn at(seconds: u64) -> Moment {
        Moment::from_unix(Duration::from_secs(seconds))
    }

    fn named(nickname: &str) -> LoginRequest {
        LoginRequest { profile: Some(Profile { nickname: Some(nickname.into()), picture: None }), ..request() }
    }

    fn calling_from(number: &str) -> LoginRequest {
        LoginRequest { phone_number: Some(number.into()), ..request() }
    }

    #[test]
    fn wechat_refreshes_a_name_until_somebody_else_sets_it() {
        let account = Account::new(Uuid::nil(), &named("晓明"), at(100));
        let (account, _) = account.signed_in(&named("小明😀"), true, at(101));
        assert_eq!(account.name.value.as_deref(), Some("小明😀"));

        let (mut account, _) = account.signed_in(&request(), true, at(102));
        assert_eq!(account.name.value.as_deref(), Some("小明😀"), "a login without a profile says nothing");

        account.name = Sourced { value: Some("Wang Xiaoming".into()), is_from_wechat: false };
        let (account, _) = account.signed_in(&named("晓明"), true, at(103));
        assert_eq!(account.name.value.as_deref(), Some("Wang Xiaoming"));
    }

    #[test]
    fn a_name_that_may_not_be_replaced_is_still_given_to_whoever_has_none() {
        let nameless = Account::new(Uuid::nil(), &request(), at(100));
        let (account, _) = nameless.signed_in(&named("晓明"), false, at(101));
        let (account, _) = account.signed_in(&named("小明"), false, at(102));
        assert_eq!(account.name.value.as_deref(), Some("晓明"));
    }

    #[test]
    fn wechat_sets_the_phone_number_unless_the_person_has_proved_another_one() {
        let (first, second) = ("+8613800138000", "+8613900139000");
        let from_wechat = |number: &str| Some(PhoneNumber { number: number.into(), is_from_wechat: true, is_verified: true });
        let account = Account::new(Uuid::nil(), &calling_from(first), at(100));
        assert_eq!(account.phone_number, from_wechat(first));
        let (account, _) = account.signed_in(&request(), true, at(101));
        assert_eq!(account.phone_number, from_wechat(first), "a login without a number says nothing");
        let (mut account, _) = account.signed_in(&calling_from(second), true, at(102));
        assert_eq!(account.phone_number, from_wechat(second), "the person has a new phone");

        account.phone_number = Some(PhoneNumber { number: first.into(), is_from_wechat: false, is_verified: false });
        let (mut account, _) = account.signed_in(&calling_from(second), true, at(103));
        assert_eq!(account.phone_number, from_wechat(second), "nobody had proved the other one");

        let proved = Some(PhoneNumber { number: first.into(), is_from_wechat: false, is_verified: true });
        account.phone_number = proved.clone();
        let (account, _) = account.signed_in(&calling_from(second), true, at(104));
        assert_eq!(account.phone_number, proved);
    }

    #[test]
    fn a_login_in_the_second_of_a_revocation_is_after_it() {
        let account = Account::new(Uuid::nil(), &request(), at(100)).signed_out_everywhere(at(100));
        assert_eq!(account.sessions_not_before, 100);
        let (account, auth_time) = account.signed_in(&request(), true, at(100));
        assert_eq!(auth_time, 101);

        let account = account.signed_out_everywhere(at(100));
        assert_eq!(account.sessions_not_before, 101, "that session has ended too");
    }

    #[test]
    fn a_clock_that_steps_back_neither_saves_a_session_nor_ends_a_new_one() {
        let account = Account::new(Uuid::nil(), &request(), at(10_000)).signed_out_everywhere(at(6_400));
        assert_eq!(account.sessions_not_before, 10_000);
        let (_, auth_time) = account.signed_in(&request(), true, at(6_401));
        assert_eq!(auth_time, 10_001);
    }
}
