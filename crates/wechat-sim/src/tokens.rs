//! User access tokens and refresh tokens: the ones of `sns/*`, not an app's own server token.

use std::collections::HashMap;

use crate::codes::Grant;
use crate::random;

/// WeChat docs, "Web authorization": two hours.
pub(crate) const ACCESS_LIFE: u64 = 7200;
/// WeChat docs, "Web authorization": 30 days, and use does not extend it.
const REFRESH_LIFE: u64 = 30 * 24 * 3600;

/// Every token that was handed out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

#[derive(Debug)]
struct Access {
    grant: Grant,
    expires_at: u64,
}

#[derive(Debug)]
struct Refresh {
    grant: Grant,
    access_token: String,
    expires_at: u64,
}

/// What a token answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenPair {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    Unknown,
    Expired,
}

impl Tokens {
    pub(crate) fn issue(&mut self, grant: Grant, now: u64) -> TokenPair {
        let pair = TokenPair { access_token: token(), refresh_token: token() };
        let refresh =
            Refresh { grant: grant.clone(), access_token: pair.access_token.clone(), expires_at: now.saturating_add(REFRESH_LIFE) };
        self.refresh.insert(pair.refresh_token.clone(), refresh);
        self.access.insert(pair.access_token.clone(), Access { grant, expires_at: now.saturating_add(ACCESS_LIFE) });
        pair
    }

    /// While the access token is valid, the same one with its life renewed; afterwards a new one. The refresh token
    /// stays (WeChat docs, "Web authorization", step 3).
    pub(crate) fn renew(&mut self, token_: &str, appid: &str, now: u64) -> Result<(TokenPair, Grant), TokenError> {
        let refresh = self.refresh.get_mut(token_).filter(|r| r.grant.appid == appid).ok_or(TokenError::Unknown)?;
        if now >= refresh.expires_at {
            return Err(TokenError::Expired);
        }
        let is_valid = self.access.get(&refresh.access_token).is_some_and(|access| now < access.expires_at);
        if !is_valid {
            refresh.access_token = token();
        }
        let access = Access { grant: refresh.grant.clone(), expires_at: now.saturating_add(ACCESS_LIFE) };
        self.access.insert(refresh.access_token.clone(), access);
        let pair = TokenPair { access_token: refresh.access_token.clone(), refresh_token: token_.to_owned() };
        Ok((pair, refresh.grant.clone()))
    }

    pub(crate) fn find(&self, access_token: &str, now: u64) -> Result<&Grant, TokenError> {
        let access = self.access.get(access_token).ok_or(TokenError::Unknown)?;
        if now >= access.expires_at {
            return Err(TokenError::Expired);
        }
        Ok(&access.grant)
    }
}

/// Two digits, an underscore, base64url text: as recorded.
fn token() -> String {
    format!("98_{}", random::base64url(86))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Scope;

    fn grant() -> Grant {
        Grant { appid: "wx1".into(), person: "xiaoming".into(), scope: Scope::UserInfo, is_snapshot: false }
    }

    #[test]
    fn refreshing_keeps_a_valid_token_and_replaces_an_expired_one() {
        let mut tokens = Tokens::default();
        let first = tokens.issue(grant(), 0);
        let (kept, _) = tokens.renew(&first.refresh_token, "wx1", 7_000).unwrap();
        assert_eq!(kept, first);
        assert!(tokens.find(&first.access_token, 14_199).is_ok(), "its life was renewed");
        let (new, _) = tokens.renew(&first.refresh_token, "wx1", 14_200).unwrap();
        assert_ne!(new.access_token, first.access_token);
        assert_eq!(new.refresh_token, first.refresh_token);
        assert_eq!(tokens.find(&first.access_token, 14_200), Err(TokenError::Expired));
    }

    #[test]
    fn use_does_not_extend_a_refresh_token() {
        let mut tokens = Tokens::default();
        let pair = tokens.issue(grant(), 0);
        assert!(tokens.renew(&pair.refresh_token, "wx1", REFRESH_LIFE - 1).is_ok());
        assert_eq!(tokens.renew(&pair.refresh_token, "wx1", REFRESH_LIFE), Err(TokenError::Expired));
    }

    #[test]
    fn another_app_cannot_refresh() {
        let mut tokens = Tokens::default();
        let pair = tokens.issue(grant(), 0);
        assert_eq!(tokens.renew(&pair.refresh_token, "wx2", 0), Err(TokenError::Unknown));
    }
}
