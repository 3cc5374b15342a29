//! What a session holds and when it ends.

use resolver_api::User;
use serde::{Deserialize, Serialize};

use super::seal::{KeyRing, Purpose};
use crate::config::SessionRules;

/// A logged-in person at one pool of applications. Field names are short because the whole travels in a cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `sid`, chosen by the resolver.
    #[serde(rename = "i")]
    pub id: String,
    /// The account: the resolver's user id.
    #[serde(rename = "s")]
    pub subject: String,
    /// Good only for applications of this pool ...
    #[serde(rename = "p")]
    pub pool: String,
    /// ... that still enable this connector.
    #[serde(rename = "c")]
    pub connector: String,
    /// When the person logged in.
    #[serde(rename = "a")]
    pub auth_time: u64,
    /// When this token was sealed: the idle time runs from here.
    #[serde(rename = "u")]
    pub sealed_at: u64,
    /// The end, however often the session is used. Set at login and never moved.
    #[serde(rename = "e")]
    pub ends_at: u64,
    /// A name for display.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An address of a picture.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// E.164.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the person has proved to have it.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// The WeChat identity that was used.
    #[serde(rename = "w")]
    pub wechat: WechatIds,
}

/// WeChat's names for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WechatIds {
    /// The app.
    #[serde(rename = "a")]
    pub app_id: String,
    /// The person in that app.
    #[serde(rename = "o")]
    pub openid: String,
    /// The person on the platform, where WeChat told.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
}

/// Browsers keep 4 KiB a cookie and servers about 8 KiB of headers; ours stays far below either.
pub const MAX_TOKEN_BYTES: usize = 1024;

/// A name is for display; the longest that WeChat allows is far shorter.
const MAX_NAME_CHARS: usize = 64;

impl Session {
    /// Seals the session as of now. What is only for display is left out where the token would become too long.
    pub fn seal(mut self, keys: &KeyRing, now: u64, mut nonce: impl FnMut() -> [u8; 24]) -> Option<String> {
        self.sealed_at = now;
        loop {
            let plaintext = serde_json::to_vec(&self).ok()?;
            let token = keys.seal(Purpose::Session, nonce(), &plaintext)?;
            if token.len() <= MAX_TOKEN_BYTES {
                return Some(token);
            }
            self.picture.take().or_else(|| self.name.take())?;
        }
    }

    /// Reads a token; `None` for whatever is not one of ours.
    pub fn open(keys: &KeyRing, token: &[u8]) -> Option<Self> {
        // Long rubbish is turned away before any work is done on it.
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        serde_json::from_slice(&keys.open(Purpose::Session, token)?).ok()
    }

    /// Whether it has ended by itself.
    pub fn has_expired(&self, rules: &SessionRules, now: u64) -> bool {
        now >= self.ends_at || now.saturating_sub(self.sealed_at) >= rules.idle_seconds
    }

    /// Whether half the idle time is used, so that a new token is due.
    pub fn is_renewal_due(&self, rules: &SessionRules, now: u64) -> bool {
        now.saturating_sub(self.sealed_at).saturating_mul(2) >= rules.idle_seconds
    }

    /// Takes from the account what applications may want to show.
    pub fn with_user(mut self, user: User) -> Self {
        self.name = user.name.map(|name| name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect());
        self.picture = user.picture.filter(|url| url.starts_with("https://"));
        self.phone_number_verified = user.phone_number.as_ref().and(user.phone_number_verified);
        self.phone_number = user.phone_number;
        self
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::session::seal::tests::key;

    pub(crate) fn session(now: u64) -> Session {
        Session {
            id: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            subject: "01900000-0000-7000-8000-000000000001".into(),
            pool: "default".into(),
            connector: "pc".into(),
            auth_time: now,
            sealed_at: now,
            ends_at: now + 1000,
            name: Some("Lin 林".into()),
            picture: Some("https://thirdwx.qlogo.cn/x/132".into()),
            phone_number: None,
            phone_number_verified: None,
            wechat: WechatIds { app_id: "wx0000000000000001".into(), openid: "o-1".into(), unionid: None },
        }
    }

    fn rules() -> SessionRules {
        SessionRules { keys: KeyRing::new("i", vec![key(1)]), idle_seconds: 100, absolute_seconds: 1000 }
    }

    #[test]
    fn a_session_reads_back_as_of_the_time_of_sealing() {
        let rules = rules();
        let token = session(0).seal(&rules.keys, 50, || [1; 24]).unwrap();
        let opened = Session::open(&rules.keys, token.as_bytes()).unwrap();
        assert_eq!(opened, Session { sealed_at: 50, ..session(0) });
    }

    #[test]
    fn idle_and_absolute_end_hold_to_the_second() {
        let rules = rules();
        let at = |now| session(0).has_expired(&rules, now);
        assert_eq!([at(0), at(99), at(100)], [false, false, true]);
        let renewed = Session { sealed_at: 990, ..session(0) };
        assert_eq!([renewed.has_expired(&rules, 999), renewed.has_expired(&rules, 1000)], [false, true]);
        assert!(!session(0).is_renewal_due(&rules, 49));
        assert!(session(0).is_renewal_due(&rules, 50));
    }

    #[test]
    fn a_long_profile_never_makes_the_cookie_too_long() {
        let rules = rules();
        let user = User { name: Some("名".repeat(500)), picture: Some(format!("https://x/{}", "p".repeat(2000))), ..User::default() };
        let token = session(0).with_user(user).seal(&rules.keys, 0, || [1; 24]).unwrap();
        assert!(token.len() <= MAX_TOKEN_BYTES);
        let opened = Session::open(&rules.keys, token.as_bytes()).unwrap();
        assert_eq!((opened.name.unwrap().chars().count(), opened.picture), (64, None));
    }

    #[test]
    fn hostile_plaintext_is_no_session() {
        let rules = rules();
        let sealed = |text: &str| rules.keys.seal(Purpose::Session, [1; 24], text.as_bytes()).unwrap();
        let good = serde_json::to_string(&session(0)).unwrap();
        for text in [
            "".into(),
            "{}".into(),
            "[".repeat(500),
            good.replacen("\"s\":", "\"s\":\"x\",\"s\":", 1),
            good.replacen("\"a\":0", "\"a\":-1", 1),
            good.replacen("\"a\":0", "\"a\":1e400", 1),
            good.replacen("\"a\":0", "\"a\":99999999999999999999", 1),
        ] {
            assert!(Session::open(&rules.keys, sealed(&text).as_bytes()).is_none(), "{text}");
        }
    }
}
