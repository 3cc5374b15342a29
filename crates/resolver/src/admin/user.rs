//! Users, as an administrator makes, changes and sees them.

use serde::{Deserialize, Deserializer, Serialize};

use super::identity::NewIdentity;
use crate::account::{Account, State};

/// A user to make.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The operator's own name for the account; no two users of a pool have the same.
    #[serde(default)]
    pub external_id: Option<String>,
    /// A name for display. Once given, WeChat's nickname no longer replaces it.
    #[serde(default)]
    pub name: Option<String>,
    /// A name to log in with; no two users of a pool have the same.
    #[serde(default)]
    pub username: Option<String>,
    /// A phone number; it is kept in E.164, such as `+8613800138000`.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// Whether the person has proved to have that number. Only then does it prove an account.
    #[serde(default)]
    pub phone_number_verified: bool,
    /// An e-mail address; it is kept in lower case.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the person has proved to have that address. Only then does it prove an account.
    #[serde(default)]
    pub email_verified: bool,
    /// A password, of which only the Argon2id hash is kept.
    #[serde(default)]
    pub password: Option<String>,
    /// Or the hash of a password that exists: Argon2id in PHC form.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// The WeChat people who may log in to it.
    #[serde(default)]
    pub identities: Vec<NewIdentity>,
}

/// Changes to a user: what is absent stays, `null` clears.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// As in [`NewUser::external_id`].
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub external_id: Option<Option<String>>,
    /// As in [`NewUser::name`]; cleared, too, WeChat's nickname no longer replaces it.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    /// As in [`NewUser::username`].
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub username: Option<Option<String>>,
    /// As in [`NewUser::phone_number`]. Another number is not verified unless the same request says so.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub phone_number: Option<Option<String>>,
    /// As in [`NewUser::phone_number_verified`].
    #[serde(default)]
    pub phone_number_verified: Option<bool>,
    /// As in [`NewUser::email`]. Another address is not verified unless the same request says so.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// As in [`NewUser::email_verified`].
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// As in [`NewUser::password`]; `null` takes the password away.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Option<String>>,
    /// As in [`NewUser::password_hash`].
    #[serde(default)]
    pub password_hash: Option<String>,
}

/// A field that is there, be it `null`, is `Some`.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// A user, as an administrator sees them. Never the password's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserView {
    /// The `sub` that applications see.
    pub id: String,
    /// The pool.
    pub pool: String,
    /// Whether the account may be used.
    pub state: UserState,
    /// The account that took this one's place, where they were merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// When it was made.
    pub created_at: u64,
    /// When somebody last logged in to it; 0 for never.
    pub last_login_at: u64,
    /// As in [`NewUser::external_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// As in [`NewUser::name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether WeChat's nickname may replace the name.
    pub is_name_from_wechat: bool,
    /// The `https` address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// As in [`NewUser::username`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// As in [`NewUser::phone_number`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// As in [`NewUser::phone_number_verified`].
    pub phone_number_verified: bool,
    /// As in [`NewUser::email`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// As in [`NewUser::email_verified`].
    pub email_verified: bool,
    /// Whether there is a password.
    pub has_password: bool,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// It may.
    Active,
    /// Its logins are refused until it is enabled.
    Disabled,
    /// Its personal data is gone, for good.
    Deleted,
    /// Another account took its place, for good.
    Merged,
}

impl UserView {
    /// The account, as an administrator sees it.
    pub fn of(account: &Account) -> Self {
        let merged_into = match account.state {
            State::Merged { into } => Some(into.to_string()),
            State::Active | State::Disabled | State::Deleted => None,
        };
        Self {
            id: account.id.to_string(),
            pool: account.pool.clone(),
            state: account.state.into(),
            merged_into,
            created_at: account.created_at,
            last_login_at: account.last_auth_time,
            external_id: account.external_id.clone(),
            name: account.name.value.clone(),
            is_name_from_wechat: account.name.is_from_wechat,
            picture: account.picture.value.clone(),
            username: account.username.clone(),
            phone_number: account.phone_number.as_ref().map(|phone| phone.number.clone()),
            phone_number_verified: account.phone_number.as_ref().is_some_and(|phone| phone.is_verified),
            email: account.email.as_ref().map(|email| email.address.clone()),
            email_verified: account.email.as_ref().is_some_and(|email| email.is_verified),
            has_password: account.password_hash.is_some(),
        }
    }
}

impl UserState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Disabled, Self::Deleted, Self::Merged];

    /// Its name, also in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::Merged => "merged",
        }
    }
}

impl From<State> for UserState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Disabled => Self::Disabled,
            State::Deleted => Self::Deleted,
            State::Merged { .. } => Self::Merged,
        }
    }
}
