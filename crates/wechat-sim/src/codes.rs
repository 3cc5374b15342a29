//! Authorization codes: bound to an app, short-lived, spent once.

use std::collections::HashMap;

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

    /// 10 minutes on websites, 5 in official accounts (WeChat docs, "Website app login" and "Web authorization").
    fn code_life(self) -> u64 {
        match self {
            Self::Login => 600,
            Self::Base | Self::UserInfo => 300,
        }
    }
}

/// Every code that was handed out and is not yet forgotten.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    issued: HashMap<String, Issued>,
}

#[derive(Debug)]
struct Issued {
    grant: Grant,
    expires_at: u64,
    is_used: bool,
}

/// Why a code buys nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeError {
    /// Never issued, forgotten, or issued to another app.
    Unknown,
    Expired,
    Used,
}

impl Codes {
    /// Hands out a code: 32 alphanumerics.
    pub(crate) fn issue(&mut self, grant: Grant, now: u64) -> String {
        // An expired code and an unknown one get the same answer, but for a day they are told apart (see `Quirks`).
        self.issued.retain(|_, issued| now < issued.expires_at.saturating_add(24 * 3600));
        let code = random::alphanumeric(32);
        let expires_at = now.saturating_add(grant.scope.code_life());
        self.issued.insert(code.clone(), Issued { grant, expires_at, is_used: false });
        code
    }

    /// Finds a code that `appid` could exchange now. Nothing is spent until [`Unspent::spend`].
    pub(crate) fn find(&mut self, code: &str, appid: &str, now: u64) -> Result<Unspent<'_>, CodeError> {
        let issued = self.issued.get_mut(code).ok_or(CodeError::Unknown)?;
        if issued.grant.appid != appid {
            return Err(CodeError::Unknown);
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
pub(crate) struct Unspent<'a> {
    issued: &'a mut Issued,
}

impl Unspent<'_> {
    pub(crate) fn spend(self) -> Grant {
        self.issued.is_used = true;
        self.issued.grant.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scope: Scope) -> Grant {
        Grant { appid: "wx1".into(), person: "xiaoming".into(), scope, is_snapshot: false }
    }

    #[test]
    fn a_code_is_32_alphanumerics_and_buys_once() {
        let mut codes = Codes::default();
        let code = codes.issue(grant(Scope::Login), 0);
        assert_eq!(code.len(), 32);
        assert!(code.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(codes.find(&code, "wx1", 599).map(Unspent::spend), Ok(grant(Scope::Login)));
        assert_eq!(codes.find(&code, "wx1", 599).map(Unspent::spend), Err(CodeError::Used));
    }

    #[test]
    fn looking_at_a_code_does_not_spend_it() {
        let mut codes = Codes::default();
        let code = codes.issue(grant(Scope::Base), 0);
        assert!(codes.find(&code, "wx1", 0).is_ok());
        assert!(codes.find(&code, "wx1", 0).is_ok());
    }

    #[test]
    fn another_apps_code_is_unknown() {
        let mut codes = Codes::default();
        let code = codes.issue(grant(Scope::Base), 0);
        assert_eq!(codes.find(&code, "wx2", 0).map(Unspent::spend), Err(CodeError::Unknown));
    }

    #[test]
    fn each_scope_has_its_life() {
        for (scope, life) in [(Scope::Login, 600), (Scope::Base, 300), (Scope::UserInfo, 300)] {
            let mut codes = Codes::default();
            let code = codes.issue(grant(scope), 7);
            assert!(codes.find(&code, "wx1", 7 + life - 1).is_ok());
            assert_eq!(codes.find(&code, "wx1", 7 + life).map(Unspent::spend), Err(CodeError::Expired));
        }
    }
}
