//! Apps' own access tokens, from `cgi-bin/token` and `cgi-bin/stable_token`: not the ones of `sns/*`.
//!
//! The two endpoints keep independent tokens, and both are good at the same time (WeChat docs, "Stable access token").

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::api_error::ApiError;
use crate::params::Params;
use crate::random;
use crate::simulator::{Simulator, Wechat};
use crate::world::InvalidWorld;

const LIFE: u64 = 7200;
/// How long the old one still works after a new one was issued, and how long before its end a stable one is replaced.
const OVERLAP: u64 = 300;
/// Sooner after the last forced refresh the current token comes back.
const FORCE_PAUSE: u64 = 30;

/// Every server token that was handed out.
#[derive(Debug, Default)]
pub(crate) struct ServerTokens {
    issued: HashMap<String, Issued>,
    plain: HashMap<String, String>,
    stable: HashMap<String, Stable>,
}

#[derive(Debug)]
struct Issued {
    appid: String,
    expires_at: u64,
    /// A newer one has taken its place from then on, so it is "not latest" in place of "expired".
    superseded_at: u64,
}

#[derive(Debug, Default)]
struct Stable {
    current: String,
    forced_at: Option<u64>,
}

/// What a token endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServerToken {
    pub(crate) access_token: String,
    pub(crate) expires_in: u64,
}

/// What may happen to an app's server tokens behind a client's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenMishap {
    /// Somebody else forced a refresh: the tokens are refused with 40001, and the endpoints give others.
    Replaced,
    /// The tokens are refused with 40001, and `stable_token` goes on giving the refused one until it is forced.
    Refused,
    /// The tokens are refused with 42001, and the endpoints give others.
    Expired,
}

impl ServerTokens {
    /// Each call issues a token and leaves the one before five minutes (WeChat docs, "Get access token").
    pub(crate) fn plain(&mut self, appid: &str, now: u64) -> ServerToken {
        if let Some(old) = self.plain.get(appid).and_then(|token| self.issued.get_mut(token)) {
            old.superseded_at = old.superseded_at.min(now.saturating_add(OVERLAP));
        }
        let fresh = self.issue(appid, now);
        self.plain.insert(appid.to_owned(), fresh.access_token.clone());
        fresh
    }

    /// The same token until five minutes before its end; then a new one, while the old one lives on to its end.
    pub(crate) fn stable(&mut self, appid: &str, now: u64) -> ServerToken {
        let current = self.stable.get(appid).map(|stable| stable.current.clone()).unwrap_or_default();
        match self.remaining(&current, now) {
            Some(expires_in) if expires_in > OVERLAP => ServerToken { access_token: current, expires_in },
            _ => {
                let fresh = self.issue(appid, now);
                self.stable.entry(appid.to_owned()).or_default().current = fresh.access_token.clone();
                fresh
            }
        }
    }

    /// Whether a forced refresh now would do anything: within 30 s of the last one the current token comes back.
    pub(crate) fn may_force(&self, appid: &str, now: u64) -> bool {
        let forced_at = self.stable.get(appid).and_then(|stable| stable.forced_at);
        forced_at.is_none_or(|at| now.saturating_sub(at) >= FORCE_PAUSE)
    }

    /// A new token; the one before dies at once.
    pub(crate) fn force(&mut self, appid: &str, now: u64) -> ServerToken {
        let fresh = self.issue(appid, now);
        let stable = self.stable.entry(appid.to_owned()).or_default();
        stable.forced_at = Some(now);
        let old = std::mem::replace(&mut stable.current, fresh.access_token.clone());
        if let Some(old) = self.issued.get_mut(&old) {
            old.superseded_at = now;
        }
        fresh
    }

    /// Whose token this is.
    pub(crate) fn find(&self, token: &str, now: u64) -> Result<&str, ApiError> {
        if !is_well_formed(token) {
            return Err(ApiError::MalformedServerToken);
        }
        let issued = self.issued.get(token).ok_or(ApiError::InvalidServerToken)?;
        if now >= issued.superseded_at {
            return Err(ApiError::InvalidServerToken);
        }
        if now >= issued.expires_at {
            return Err(ApiError::AccessTokenExpired);
        }
        Ok(&issued.appid)
    }

    fn befall(&mut self, appid: &str, mishap: TokenMishap, now: u64) {
        for issued in self.issued.values_mut().filter(|issued| issued.appid == appid) {
            match mishap {
                TokenMishap::Replaced | TokenMishap::Refused => issued.superseded_at = now,
                TokenMishap::Expired => issued.expires_at = now,
            }
        }
        if mishap == TokenMishap::Replaced
            && let Some(stable) = self.stable.get_mut(appid)
        {
            stable.current.clear();
        }
    }

    /// By its age alone: a token that is refused before its time is still the one that `stable_token` gives.
    fn remaining(&self, token: &str, now: u64) -> Option<u64> {
        self.issued.get(token).map(|issued| issued.expires_at.saturating_sub(now))
    }

    fn issue(&mut self, appid: &str, now: u64) -> ServerToken {
        self.issued.retain(|_, issued| now < issued.expires_at.saturating_add(24 * 3600));
        let access_token = format!("98_{}", random::base64url(133));
        let issued = Issued { appid: appid.to_owned(), expires_at: now.saturating_add(LIFE), superseded_at: u64::MAX };
        self.issued.insert(access_token.clone(), issued);
        ServerToken { access_token, expires_in: LIFE }
    }
}

/// Two or three digits, an underscore, base64url text.
fn is_well_formed(token: &str) -> bool {
    token.split_once('_').is_some_and(|(number, rest)| {
        (1..=3).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
            && rest.len() >= 64
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

impl Wechat {
    /// Whose server token a call carries in its query.
    pub(crate) fn caller(&self, params: &Params) -> Result<String, ApiError> {
        let token = params.filled("access_token").ok_or(ApiError::AccessTokenMissing)?;
        self.server_tokens.find(token, self.now()).map(str::to_owned)
    }
}

impl Simulator {
    /// All server tokens that were handed out, of all apps.
    pub fn server_tokens(&self) -> Vec<String> {
        self.with(|wechat| wechat.server_tokens.issued.keys().cloned().collect())
    }

    /// Lets something happen to all server tokens of an app.
    pub fn befall_server_tokens(&self, appid: &str, mishap: TokenMishap) -> Result<(), InvalidWorld> {
        self.with(|wechat| {
            wechat.world.existing_app(appid)?;
            let now = wechat.now();
            wechat.server_tokens.befall(appid, mishap, now);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_plain_token_leaves_the_old_one_five_minutes() {
        let mut tokens = ServerTokens::default();
        let old = tokens.plain("wx1", 0).access_token;
        let new = tokens.plain("wx1", 1_000).access_token;
        assert_ne!(old, new);
        assert_eq!(tokens.find(&old, 1_299), Ok("wx1"));
        assert_eq!(tokens.find(&old, 1_300), Err(ApiError::InvalidServerToken), "not latest");
        assert_eq!(tokens.find(&new, 8_199), Ok("wx1"));
        assert_eq!(tokens.find(&new, 8_200), Err(ApiError::AccessTokenExpired));
    }

    #[test]
    fn a_stable_token_is_the_same_until_five_minutes_before_its_end() {
        let mut tokens = ServerTokens::default();
        let first = tokens.stable("wx1", 0);
        assert_eq!(tokens.stable("wx1", 6_899), ServerToken { expires_in: 301, ..first.clone() });
        let second = tokens.stable("wx1", 6_900);
        assert_ne!(second.access_token, first.access_token);
        assert_eq!(second.expires_in, 7200);
        assert_eq!(tokens.find(&first.access_token, 7_199), Ok("wx1"), "the old one lives on to its end");
        assert_eq!(tokens.find(&first.access_token, 7_200), Err(ApiError::AccessTokenExpired));
    }

    #[test]
    fn a_forced_refresh_kills_the_old_one_at_once() {
        let mut tokens = ServerTokens::default();
        let old = tokens.stable("wx1", 0).access_token;
        assert!(tokens.may_force("wx1", 0));
        let new = tokens.force("wx1", 0).access_token;
        assert_eq!(tokens.find(&old, 0), Err(ApiError::InvalidServerToken));
        assert_eq!(tokens.stable("wx1", 0).access_token, new);
        assert!(!tokens.may_force("wx1", 29));
        assert!(tokens.may_force("wx1", 30));
    }

    #[test]
    fn the_endpoints_do_not_disturb_each_other() {
        let mut tokens = ServerTokens::default();
        let (plain, stable) = (tokens.plain("wx1", 0).access_token, tokens.stable("wx1", 0).access_token);
        tokens.force("wx1", 10);
        tokens.plain("wx1", 10);
        assert_eq!(tokens.find(&plain, 10), Ok("wx1"));
        assert_eq!(tokens.find(&stable, 10), Err(ApiError::InvalidServerToken), "forced, not replaced by the other endpoint");
    }

    #[test]
    fn a_refused_token_is_given_again_until_it_is_forced() {
        let mut tokens = ServerTokens::default();
        let old = tokens.stable("wx1", 0).access_token;
        tokens.befall("wx1", TokenMishap::Refused, 5);
        assert_eq!(tokens.stable("wx1", 5).access_token, old);
        assert_eq!(tokens.find(&old, 5), Err(ApiError::InvalidServerToken));
        let new = tokens.force("wx1", 6).access_token;
        assert_eq!(tokens.find(&new, 6), Ok("wx1"));
        tokens.befall("wx1", TokenMishap::Replaced, 7);
        assert_ne!(tokens.stable("wx1", 7).access_token, new);
    }
}
