//! Authorization codes: bound to an app, short-lived, spent once.

use std::collections::HashMap;

use crate::api_error::ApiError;
use crate::quirks::Quirks;
use crate::random;

/// What a person has granted to an app. Codes stand for it, and so do tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) appid: String,
    pub(crate) person: String,
    pub(crate) scope: Scope,
    /// Given on a snapshot page, so it stands for a virtual identity.
    pub(crate) is_snapshot: bool,
}

/// The three scopes of WeChat login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `snsapi_login`: website apps.
    Login,
    /// `snsapi_base`: an openid and nothing else, silently.
    Base,
    /// `snsapi_userinfo`: nickname, avatar and unionid, after consent.
    UserInfo,
}

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Login => "snsapi_login",
            Self::Base => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
        }
    }
}

/// How long a code lives: 10 minutes on websites and in mobile apps, 5 elsewhere (WeChat docs, "Website app login", "Web
/// authorization", "wx.login").
pub(crate) const LONG_LIFE: u64 = 600;
pub(crate) const SHORT_LIFE: u64 = 300;

/// Every code of one kind that was handed out and is not yet forgotten, with what it stands for.
#[derive(Debug)]
pub(crate) struct Codes<T> {
    issued: HashMap<String, Issued<T>>,
}

#[derive(Debug)]
struct Issued<T> {
    appid: String,
    grant: T,
    expires_at: u64,
    is_used: bool,
}

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self { issued: HashMap::new() }
    }
}

/// Why a code buys nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeError {
    /// Never issued, or forgotten.
    Unknown,
    /// Issued to another app.
    Foreign,
    Expired,
    Used,
}

impl CodeError {
    /// What a login says of it.
    pub(crate) fn at_login(self, quirks: &Quirks) -> ApiError {
        match self {
            Self::Used => ApiError::CodeUsed,
            Self::Expired if quirks.expired_code_is_42003 => ApiError::CodeExpired,
            Self::Expired | Self::Unknown | Self::Foreign => ApiError::InvalidCode,
        }
    }
}

impl<T: Clone> Codes<T> {
    /// Hands out a code: 32 alphanumerics.
    pub(crate) fn issue(&mut self, appid: &str, grant: T, life: u64, now: u64) -> String {
        // An expired code and an unknown one get the same answer, but for a day they are told apart (see `Quirks`).
        self.issued.retain(|_, issued| now < issued.expires_at.saturating_add(24 * 3600));
        let code = random::alphanumeric(32);
        let expires_at = now.saturating_add(life);
        self.issued.insert(code.clone(), Issued { appid: appid.to_owned(), grant, expires_at, is_used: false });
        code
    }

    /// Finds a code that `appid` could exchange now. Nothing is spent until [`Unspent::spend`].
    pub(crate) fn find(&mut self, code: &str, appid: &str, now: u64) -> Result<Unspent<'_, T>, CodeError> {
        let issued = self.issued.get_mut(code).ok_or(CodeError::Unknown)?;
        if issued.appid != appid {
            return Err(CodeError::Foreign);
        }
        if now >= issued.expires_at {
            return Err(CodeError::Expired);
        }
        if issued.is_used {
            return Err(CodeError::Used);
        }
        Ok(Unspent { issued })
    }
}

/// A code that would be accepted.
pub(crate) struct Unspent<'a, T> {
    issued: &'a mut Issued<T>,
}

impl<T: Clone> Unspent<'_, T> {
    pub(crate) fn grant(&self) -> &T {
        &self.issued.grant
    }

    pub(crate) fn spend(self) -> T {
        self.issued.is_used = true;
        self.issued.grant.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(life: u64) -> (Codes<&'static str>, String) {
        let mut codes = Codes::default();
        let code = codes.issue("wx1", "xiaoming", life, 0);
        (codes, code)
    }

    #[test]
    fn a_code_is_32_alphanumerics_and_buys_once() {
        let (mut codes, code) = issued(LONG_LIFE);
        assert_eq!(code.len(), 32);
        assert!(code.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(codes.find(&code, "wx1", 599).map(Unspent::spend), Ok("xiaoming"));
        assert_eq!(codes.find(&code, "wx1", 599).map(Unspent::spend), Err(CodeError::Used));
    }

    #[test]
    fn looking_at_a_code_does_not_spend_it() {
        let (mut codes, code) = issued(SHORT_LIFE);
        assert!(codes.find(&code, "wx1", 0).is_ok());
        assert!(codes.find(&code, "wx1", 0).is_ok());
    }

    #[test]
    fn another_apps_code_is_foreign() {
        let (mut codes, code) = issued(SHORT_LIFE);
        assert_eq!(codes.find(&code, "wx2", 0).map(Unspent::spend), Err(CodeError::Foreign));
    }

    #[test]
    fn a_code_ends_with_its_life() {
        let (mut codes, code) = issued(SHORT_LIFE);
        assert!(codes.find(&code, "wx1", 299).is_ok());
        assert_eq!(codes.find(&code, "wx1", 300).map(Unspent::spend), Err(CodeError::Expired));
    }
}
