//! The audit log: who did what to which account from where. Entries are added, in the transaction of what they tell, and
//! never changed. They hold ids and names of fields, never what a field holds.

use std::fmt;

use serde_json::Value;

use crate::ids::UserId;

/// One entry to add.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The pool that it happened in.
    pub pool: String,
    /// Who did it.
    pub actor: Actor,
    /// What was done, such as `user_disabled`.
    pub action: &'static str,
    /// The account that it is about, if there is one.
    pub user: Option<UserId>,
    /// Where they were: an IP address.
    pub client_address: Option<String>,
    /// More about it: an object.
    pub detail: Value,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The administrator of this name.
    Admin(String),
    /// The account's own person.
    User(UserId),
    /// A login, as WeChat proved it.
    Wechat,
}

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin(name) => write!(out, "admin:{name}"),
            Self::User(id) => write!(out, "user:{id}"),
            Self::Wechat => write!(out, "wechat"),
        }
    }
}
