//! What an administrator asked for, with every field in order.

use super::fields::{EMAIL, EXTERNAL_ID, FieldProblem, Kind, NAME, PASSWORD_HASH, PHONE_NUMBER, Problems, USERNAME};
use super::identity::WechatPerson;
use super::user::{NewUser, UserChange};
use crate::account::{Account, Email, PasswordHash, PhoneNumber, Sourced};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::password;

/// The shortest password, in characters.
const SHORTEST_PASSWORD: usize = 8;

/// The most identities that one user is made with.
const MOST_IDENTITIES: usize = 32;

/// A user to make.
#[derive(Clone, Default)]
pub struct Draft {
    /// As in [`NewUser::external_id`].
    pub external_id: Option<String>,
    /// As in [`NewUser::name`].
    pub name: Option<String>,
    /// As in [`NewUser::username`].
    pub username: Option<String>,
    /// In E.164.
    pub phone_number: Option<String>,
    /// As in [`NewUser::phone_number_verified`].
    pub is_phone_number_verified: bool,
    /// In lower case.
    pub email: Option<String>,
    /// As in [`NewUser::email_verified`].
    pub is_email_verified: bool,
    /// As in [`NewUser::password_hash`].
    pub password_hash: Option<String>,
    /// As in [`NewUser::identities`].
    pub identities: Vec<WechatPerson>,
}

/// Changes to a user: what is `None` stays, what is `Some(None)` is cleared.
#[derive(Clone, Default)]
pub struct Edit {
    /// As in [`UserChange::external_id`].
    pub external_id: Option<Option<String>>,
    /// As in [`UserChange::name`].
    pub name: Option<Option<String>>,
    /// As in [`UserChange::username`].
    pub username: Option<Option<String>>,
    /// In E.164.
    pub phone_number: Option<Option<String>>,
    /// As in [`UserChange::phone_number_verified`].
    pub is_phone_number_verified: Option<bool>,
    /// In lower case.
    pub email: Option<Option<String>>,
    /// As in [`UserChange::email_verified`].
    pub is_email_verified: Option<bool>,
    /// As in [`UserChange::password_hash`]; `Some(None)` takes the password away.
    pub password_hash: Option<Option<String>>,
}

impl Draft {
    /// Checks every field. A password has to be hashed before.
    ///
    /// # Errors
    ///
    /// Each field that is wrong.
    pub fn parse(user: &NewUser) -> Result<Self, Vec<FieldProblem>> {
        let mut problems = Problems::default();
        if user.password.is_some() {
            problems.add("password", "a password_hash instead");
        }
        if user.phone_number_verified && user.phone_number.is_none() {
            problems.add("phone_number", "the number that was verified");
        }
        if user.email_verified && user.email.is_none() {
            problems.add("email", "the address that was verified");
        }
        if user.identities.len() > MOST_IDENTITIES {
            problems.add("identities", format!("at most {MOST_IDENTITIES}"));
        }
        let mut identities = Vec::new();
        for (index, identity) in user.identities.iter().take(MOST_IDENTITIES).enumerate() {
            match identity.parse(&format!("identities[{index}].")) {
                Ok(person) => identities.push(person),
                Err(wrong) => wrong.into_iter().for_each(|wrong| problems.add(wrong.field, wrong.expected)),
            }
        }
        let draft = Self {
            external_id: problems.read_if_there("external_id", user.external_id.as_deref(), EXTERNAL_ID),
            name: problems.read_if_there("name", user.name.as_deref(), NAME),
            username: problems.read_if_there("username", user.username.as_deref(), USERNAME),
            phone_number: problems.read_if_there("phone_number", user.phone_number.as_deref(), PHONE_NUMBER),
            is_phone_number_verified: user.phone_number_verified,
            email: problems.read_if_there("email", user.email.as_deref(), EMAIL),
            is_email_verified: user.email_verified,
            password_hash: problems.read_if_there("password_hash", user.password_hash.as_deref(), PASSWORD_HASH),
            identities,
        };
        problems.or(Some(draft))
    }
}

impl Draft {
    /// The account that it makes.
    pub fn to_account(&self, id: UserId, pool: &str, now: Moment) -> Account {
        let blank = Account::blank(id, pool, now);
        let name = match &self.name {
            Some(name) => Sourced { value: Some(name.clone()), is_from_wechat: false },
            None => blank.name,
        };
        let is_verified = self.is_phone_number_verified;
        let phone_number = self.phone_number.clone().map(|number| PhoneNumber { number, is_from_wechat: false, is_verified });
        let email = self.email.clone().map(|address| Email { address, is_verified: self.is_email_verified });
        Account {
            name,
            phone_number,
            email,
            username: self.username.clone(),
            external_id: self.external_id.clone(),
            password_hash: self.password_hash.clone().map(PasswordHash),
            ..blank
        }
    }
}

impl Edit {
    /// The account after the changes.
    ///
    /// # Errors
    ///
    /// What would be verified is not there.
    pub fn apply(&self, mut account: Account) -> Result<Account, FieldProblem> {
        if let Some(name) = self.name.clone() {
            account.name = Sourced { value: name, is_from_wechat: false };
        }
        if let Some(number) = self.phone_number.clone() {
            let known = account.phone_number.take();
            account.phone_number = number.map(|number| match known {
                Some(known) if known.number == number => known,
                _ => PhoneNumber { number, is_from_wechat: false, is_verified: false },
            });
        }
        if let Some(address) = self.email.clone() {
            let known = account.email.take();
            account.email = address.map(|address| match known {
                Some(known) if known.address == address => known,
                _ => Email { address, is_verified: false },
            });
        }
        match (self.is_phone_number_verified, &mut account.phone_number) {
            (Some(is_verified), Some(phone_number)) => phone_number.is_verified = is_verified,
            (Some(true), None) => return Err(FieldProblem::new("phone_number", "the number that was verified")),
            _ => {}
        }
        match (self.is_email_verified, &mut account.email) {
            (Some(is_verified), Some(email)) => email.is_verified = is_verified,
            (Some(true), None) => return Err(FieldProblem::new("email", "the address that was verified")),
            _ => {}
        }
        if let Some(username) = self.username.clone() {
            account.username = username;
        }
        if let Some(external_id) = self.external_id.clone() {
            account.external_id = external_id;
        }
        if let Some(hash) = self.password_hash.clone() {
            account.password_hash = hash.map(PasswordHash);
        }
        Ok(account)
    }

    /// Checks every field. A password has to be hashed before.
    ///
    /// # Errors
    ///
    /// Each field that is wrong.
    pub fn parse(change: &UserChange) -> Result<Self, Vec<FieldProblem>> {
        fn read(problems: &mut Problems, field: &str, value: Option<&Option<String>>, kind: Kind<String>) -> Option<Option<String>> {
            value.map(|value| problems.read_if_there(field, value.as_deref(), kind))
        }
        let mut problems = Problems::default();
        let password_hash = match (&change.password, &change.password_hash) {
            (None, None) => None,
            (Some(None), None) => Some(None),
            (None, Some(hash)) => Some(problems.read("password_hash", hash, PASSWORD_HASH)),
            (Some(_), _) => {
                problems.add("password", "a password_hash instead");
                None
            }
        };
        let edit = Self {
            external_id: read(&mut problems, "external_id", change.external_id.as_ref(), EXTERNAL_ID),
            name: read(&mut problems, "name", change.name.as_ref(), NAME),
            username: read(&mut problems, "username", change.username.as_ref(), USERNAME),
            phone_number: read(&mut problems, "phone_number", change.phone_number.as_ref(), PHONE_NUMBER),
            is_phone_number_verified: change.phone_number_verified,
            email: read(&mut problems, "email", change.email.as_ref(), EMAIL),
            is_email_verified: change.email_verified,
            password_hash,
        };
        problems.or(Some(edit))
    }

    /// The names of the fields that it sets or clears, for the audit log.
    pub fn fields(&self) -> Vec<&'static str> {
        [
            ("external_id", self.external_id.is_some()),
            ("name", self.name.is_some()),
            ("username", self.username.is_some()),
            ("phone_number", self.phone_number.is_some()),
            ("phone_number_verified", self.is_phone_number_verified.is_some()),
            ("email", self.email.is_some()),
            ("email_verified", self.is_email_verified.is_some()),
            ("password", self.password_hash.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, is_there)| is_there.then_some(field))
        .collect()
    }
}

/// Takes the password that is to be hashed out of a request, where there is one and no hash beside it.
///
/// # Errors
///
/// It is too short or too long, or a hash is there too.
pub fn take_password(password: &mut Option<String>, password_hash: Option<&str>) -> Result<Option<String>, Vec<FieldProblem>> {
    let Some(password) = password.take() else {
        return Ok(None);
    };
    let mut problems = Problems::default();
    if password_hash.is_some() {
        problems.add("password", "either a password or a password_hash");
    }
    if !(SHORTEST_PASSWORD..=password::LONGEST).contains(&password.chars().count()) {
        problems.add("password", format!("{SHORTEST_PASSWORD} to {} characters", password::LONGEST));
    }
    problems.or(Some(Some(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(problems: Result<impl Sized, Vec<FieldProblem>>) -> Vec<String> {
        problems.err().unwrap().into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn addresses_are_kept_in_one_spelling() {
        let user = NewUser { phone_number: Some("138 0013 8000".into()), email: Some("Me@Example.COM".into()), ..NewUser::default() };
        let draft = Draft::parse(&user).unwrap();
        assert_eq!(draft.phone_number.as_deref(), Some("+8613800138000"));
        assert_eq!(draft.email.as_deref(), Some("me@example.com"));
    }

    #[test]
    fn every_wrong_field_of_a_user_is_named() {
        let user = NewUser {
            external_id: Some(String::new()),
            name: Some("a\0".into()),
            username: Some("me@example.com".into()),
            phone_number_verified: true,
            email: Some("me".into()),
            password_hash: Some("$2b$12$abcdefghijklmnopqrstuv".into()),
            identities: vec![super::super::identity::NewIdentity::default()],
            ..NewUser::default()
        };
        let wrong = fields(Draft::parse(&user));
        for field in ["external_id", "name", "username", "phone_number", "email", "password_hash", "identities[0].platform"] {
            assert!(wrong.iter().any(|wrong| wrong == field), "{field} of {wrong:?}");
        }
    }

    #[test]
    fn null_clears_and_what_is_absent_stays() {
        let change: UserChange = serde_json::from_str(r#"{"name": null, "email": "A@b.cn", "password": null}"#).unwrap();
        let edit = Edit::parse(&change).unwrap();
        assert_eq!((edit.name.clone(), edit.email.clone(), edit.username.clone()), (Some(None), Some(Some("a@b.cn".into())), None));
        assert_eq!(edit.fields(), ["name", "email", "password"]);
        assert!(Edit::parse(&UserChange::default()).unwrap().fields().is_empty());
    }

    #[test]
    fn another_number_is_not_verified_unless_somebody_says_so() {
        let user = NewUser { phone_number: Some("13800138000".into()), phone_number_verified: true, ..NewUser::default() };
        let now = Moment::from_unix(std::time::Duration::from_secs(100));
        let account = Draft::parse(&user).unwrap().to_account(uuid::Uuid::nil(), "default", now);
        let after = |change: &str| {
            let edit = Edit::parse(&serde_json::from_str(change).unwrap()).unwrap();
            edit.apply(account.clone()).map(|account| account.phone_number.map(|phone| (phone.number, phone.is_verified)))
        };
        assert_eq!(after(r#"{"name": "x"}"#), Ok(Some(("+8613800138000".into(), true))));
        assert_eq!(after(r#"{"phone_number": "138 0013 8000"}"#), Ok(Some(("+8613800138000".into(), true))), "the same number");
        assert_eq!(after(r#"{"phone_number": "13900139000"}"#), Ok(Some(("+8613900139000".into(), false))));
        assert_eq!(after(r#"{"phone_number": "13900139000", "phone_number_verified": true}"#), Ok(Some(("+8613900139000".into(), true))));
        assert_eq!(after(r#"{"phone_number": null}"#), Ok(None));
        assert!(after(r#"{"phone_number": null, "phone_number_verified": true}"#).is_err());
    }

    #[test]
    fn a_password_is_neither_short_nor_beside_a_hash() {
        assert_eq!(take_password(&mut None, Some("h")), Ok(None));
        assert_eq!(take_password(&mut Some("correct horse".into()), None), Ok(Some("correct horse".into())));
        assert_eq!(fields(take_password(&mut Some("short".into()), None)), ["password"]);
        assert_eq!(fields(take_password(&mut Some("correct horse".into()), Some("h"))), ["password"]);
    }
}
