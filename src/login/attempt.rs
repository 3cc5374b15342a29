//! A login that has begun and not ended: its `state`, and the sealed cookie that ties it to one browser.
//!
//! Each attempt has a cookie of its own, so tabs do not disturb each other. Nothing about it is kept at the edge or
//! in the resolver: a million abandoned logins cost nobody anything.

use resolver_api::tickets::COLLECT_SECONDS;
use subtle::ConstantTimeEq;

use super::return_to::ReturnTo;
use super::sealed_fields::{self, text, time};
use crate::config::{Application, Connector};
use crate::http::{Entropy, Headers};
use crate::session::{KeyRing, Purpose, Session, cookie};

/// Seconds in which a login must be finished. WeChat's codes live 5 or 10 minutes.
pub const LIFETIME: u64 = 600;

/// WeChat takes up to 128 characters of `[a-zA-Z0-9]`; 32 of them hold 190 bits.
const STATE_CHARS: usize = 32;

/// These many name the cookie; the other 24, 142 bits, are what nobody can guess.
const ID_CHARS: usize = 8;

/// One browser keeps so many at once; the oldest go first.
const MAX_ATTEMPTS: usize = 5;

/// More than this are not even looked at: no browser that keeps to our bounds sends them.
const MAX_EXAMINED: usize = 16;

/// All attempt cookies together stay below this, so that no server refuses the request headers.
const MAX_COOKIE_BYTES: usize = 5 * 1024;

/// What the cookie holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// WeChat's `state`.
    state: String,
    /// Good only at this application ...
    pub application: String,
    /// ... and for this connector.
    pub connector: String,
    /// When it began.
    started_at: u64,
    /// Where the visitor was going.
    return_to: String,
    /// Goes into the login's idempotency key; unlike `state` it is in no address, so nobody else can ask for the outcome.
    pub nonce: String,
    /// It is to link another WeChat to the account of the person who began it.
    pub link: Option<Link>,
    /// It ends in this browser when a phone has confirmed it, and not by a callback.
    pub scan: Option<Scan>,
    /// It asks for the profile because `snsapi_base` told of an openid that nobody has. Never done twice.
    pub is_escalated: bool,
    /// It was begun again because WeChat had seen its predecessor's code before. Never done twice.
    is_restarted: bool,
}

/// Whose account a login is to be linked to. Both must still be true when the browser comes back, or somebody else's
/// WeChat could get a way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The account.
    pub subject: String,
    /// The session in which the person asked for it.
    pub session: String,
}

impl Link {
    /// Whether this is the session in which it was asked for.
    pub fn is_of(&self, session: &Session) -> bool {
        (&self.subject, &self.session) == (&session.subject, &session.id)
    }
}

/// A code that the browser shows for a phone to scan. The attempt's nonce is the verifier of its ticket: who knows the
/// ticket, which everybody can read off the screen, has nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The resolver's name for it, which is what the code says.
    pub ticket: String,
    /// What the code says instead, where WeChat has made that of the ticket.
    pub text: Option<String>,
    /// Two digits, for the person to compare.
    pub number: String,
    /// When it can no longer be scanned. What is confirmed until then may be collected for [`COLLECT_SECONDS`] more.
    pub expires_at: u64,
}

impl Scan {
    /// Whether it can neither be scanned nor collected any more, whoever is asked.
    pub fn is_over(&self, now: u64) -> bool {
        now >= self.expires_at.saturating_add(COLLECT_SECONDS)
    }
}

/// Why a callback belongs to no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAttempt {
    /// No cookie of that name, or it does not open, or it is for another state, application or connector.
    Missing,
    /// It is older than [`LIFETIME`].
    Expired,
}

impl Attempt {
    /// Begins a login.
    pub fn begin(application: &Application, connector: &Connector, return_to: &ReturnTo, now: u64, entropy: &mut Entropy) -> Self {
        Self {
            state: base62(STATE_CHARS, entropy),
            application: application.id.clone(),
            connector: connector.id.clone(),
            started_at: now,
            return_to: return_to.as_str().into(),
            nonce: base62(22, entropy),
            link: None,
            scan: None,
            is_escalated: false,
            is_restarted: false,
        }
    }

    /// The same login, to link what it brings to an account.
    pub fn linking(self, link: Link) -> Self {
        Self { link: Some(link), ..self }
    }

    /// The same login, by a code that a phone scans.
    pub fn scanning(self, scan: Scan) -> Self {
        Self { scan: Some(scan), ..self }
    }

    /// Whether nothing can come of it any more.
    fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.started_at) >= LIFETIME || self.scan.as_ref().is_some_and(|scan| scan.is_over(now))
    }

    /// The same login once more, asking WeChat for the profile too. `None` when that was done before.
    pub fn escalated(&self, now: u64, entropy: &mut Entropy) -> Option<Self> {
        (!self.is_escalated).then(|| Self { is_escalated: true, ..self.again(now, entropy) })
    }

    /// The same login once more, because WeChat had seen the code before. `None` when that was done before.
    pub fn restarted(&self, now: u64, entropy: &mut Entropy) -> Option<Self> {
        (!self.is_restarted).then(|| Self { is_restarted: true, ..self.again(now, entropy) })
    }

    fn again(&self, now: u64, entropy: &mut Entropy) -> Self {
        Self { state: base62(STATE_CHARS, entropy), nonce: base62(22, entropy), started_at: now, ..self.clone() }
    }

    /// The attempt that a callback with this `state` finishes, read from the browser's own cookie.
    ///
    /// # Errors
    /// [`NoAttempt`]: nothing has been sent to anybody then.
    pub fn find(
        headers: &Headers,
        keys: &KeyRing,
        state: &[u8],
        application: &Application,
        connector: &Connector,
        now: u64,
    ) -> Result<Self, NoAttempt> {
        let name = cookie_name(state).ok_or(NoAttempt::Missing)?;
        let attempt = cookie::only(headers, &name).and_then(|token| Self::open(keys, token)).ok_or(NoAttempt::Missing)?;
        let is_this = bool::from(attempt.state.as_bytes().ct_eq(state));
        if !is_this || attempt.application != application.id || attempt.connector != connector.id {
            return Err(NoAttempt::Missing);
        }
        if now.saturating_sub(attempt.started_at) >= LIFETIME {
            return Err(NoAttempt::Expired);
        }
        Ok(attempt)
    }

    /// WeChat's `state`.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Where the visitor was going.
    pub fn return_to(&self, path_prefix: &str) -> ReturnTo {
        ReturnTo::parse(self.return_to.as_bytes(), path_prefix)
    }

    /// A `Set-Cookie` that keeps the attempt in this browser. `None` only for a ring without keys.
    pub fn set_cookie(&self, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        let started_at = self.started_at.to_string();
        let mut texts = vec![("s", self.state.as_str()), ("t", &started_at), ("r", &self.return_to), ("n", &self.nonce)];
        if let Some(link) = &self.link {
            texts.extend([("ls", link.subject.as_str()), ("li", &link.session)]);
        }
        let expires_at = self.scan.as_ref().map(|scan| scan.expires_at.to_string()).unwrap_or_default();
        if let Some(scan) = &self.scan {
            texts.extend([("kt", scan.ticket.as_str()), ("kd", &scan.number), ("ke", &expires_at)]);
            texts.extend(scan.text.as_deref().map(|text| ("kq", text)));
        }
        texts.extend(self.is_escalated.then_some(("e", "1")));
        texts.extend(self.is_restarted.then_some(("a", "1")));
        let place = (self.application.as_str(), self.connector.as_str());
        let token = sealed_fields::seal(keys, Purpose::Attempt, entropy.bytes(), place, &texts)?;
        Some(cookie::set(&cookie_name(self.state.as_bytes())?, &token, LIFETIME))
    }

    /// A `Set-Cookie` that ends the attempt in this browser.
    pub fn clear_cookie(&self) -> Option<String> {
        cookie_name(self.state.as_bytes()).map(|name| cookie::clear(&name))
    }

    fn open(keys: &KeyRing, token: &[u8]) -> Option<Self> {
        let fields = sealed_fields::opened(keys, Purpose::Attempt, token, MAX_COOKIE_BYTES)?;
        let link = || Some(Link { subject: text(&fields, "ls")?, session: text(&fields, "li")? });
        let scan = || {
            let (ticket, number, expires_at) = (text(&fields, "kt")?, text(&fields, "kd")?, time(&fields, "ke")?);
            Some(Scan { ticket, text: text(&fields, "kq"), number, expires_at })
        };
        Some(Self {
            state: text(&fields, "s")?,
            application: text(&fields, "p")?,
            connector: text(&fields, "c")?,
            started_at: time(&fields, "t")?,
            return_to: text(&fields, "r")?,
            nonce: text(&fields, "n")?,
            link: link(),
            scan: scan(),
            is_escalated: fields.get("e").is_some(),
            is_restarted: fields.get("a").is_some(),
        })
    }
}

/// `Set-Cookie`s that make room for one more attempt: what is over, unreadable, or oldest beyond the bounds goes.
pub fn make_room(headers: &Headers, keys: &KeyRing, now: u64) -> Vec<String> {
    let mut kept = Vec::new();
    let mut cleared = Vec::new();
    let attempts = cookie::cookies(headers).filter_map(|(name, token)| {
        let name = std::str::from_utf8(name).ok()?;
        name.strip_prefix(cookie::ATTEMPT_PREFIX).filter(|id| is_id(id)).map(|_| (name, token))
    });
    for (position, (name, token)) in attempts.take(MAX_EXAMINED).enumerate() {
        match Attempt::open(keys, token).filter(|attempt| !attempt.is_over(now)) {
            Some(attempt) => kept.push((attempt.started_at, position, name.len() + token.len(), name)),
            None => cleared.push(cookie::clear(name)),
        }
    }
    let (mut count, mut bytes) = (0, 0);
    // The newest first. Of one second's attempts the later cookie is the newer one (RFC 6265bis, section 5.8.3).
    while let Some((newest, _)) = kept.iter().enumerate().max_by_key(|(_, (started_at, position, ..))| (*started_at, *position)) {
        let (_, _, size, name) = kept.swap_remove(newest);
        (count, bytes) = (count + 1, bytes + size);
        if count >= MAX_ATTEMPTS || bytes > MAX_COOKIE_BYTES {
            cleared.push(cookie::clear(name));
        }
    }
    cleared
}

/// The cookie of the attempt with this `state`; `None` unless it is 32 characters of `[0-9A-Za-z]`.
fn cookie_name(state: &[u8]) -> Option<String> {
    let text =
        std::str::from_utf8(state).ok().filter(|text| text.len() == STATE_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric()))?;
    Some(format!("{}{}", cookie::ATTEMPT_PREFIX, text.get(..ID_CHARS)?))
}

fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `length` characters of `[0-9A-Za-z]`, each equally likely: bytes of 248 and above would favour the first ones.
pub(crate) fn base62(length: usize, entropy: &mut Entropy) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let fair = entropy.bytes::<32>().into_iter().filter(|byte| *byte < 248);
        text.extend(fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62))).take(length - text.len()).map(|byte| char::from(*byte)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::tests::{application, website};
    use crate::session::test_key;

    fn keys() -> KeyRing {
        KeyRing::new("i", vec![test_key(1)])
    }

    fn begun(now: u64, seed: u8) -> Attempt {
        Attempt::begin(&application(), &website().1, &ReturnTo::parse(b"/cart", "/wxgate"), now, &mut Entropy::new([seed; 32]))
    }

    /// The browser's `Cookie` header after these `Set-Cookie`s.
    fn jar(cookies: &[String]) -> Headers {
        let pairs: Vec<_> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
        Headers::from_pairs([("cookie", pairs.join("; ").as_bytes())])
    }

    fn kept(attempt: &Attempt) -> String {
        attempt.set_cookie(&keys(), &mut Entropy::new([9; 32])).unwrap()
    }

    fn find(headers: &Headers, state: &str, now: u64) -> Result<Attempt, NoAttempt> {
        Attempt::find(headers, &keys(), state.as_bytes(), &application(), &website().1, now)
    }

    #[test]
    fn the_browser_that_began_finds_its_attempt_and_no_other_does() {
        let attempt = begun(0, 1);
        assert_eq!(find(&jar(&[kept(&attempt)]), attempt.state(), 599), Ok(attempt.clone()));
        assert_eq!(find(&jar(&[]), attempt.state(), 0), Err(NoAttempt::Missing));
        assert_eq!(find(&jar(&[kept(&begun(0, 2))]), attempt.state(), 0), Err(NoAttempt::Missing));
        assert_eq!(find(&jar(&[kept(&attempt)]), attempt.state(), 600), Err(NoAttempt::Expired));
    }

    #[test]
    fn each_tab_has_its_own() {
        let (a, b) = (begun(0, 1), begun(5, 2));
        let jar = jar(&[kept(&a), kept(&b)]);
        assert_eq!(find(&jar, a.state(), 10), Ok(a.clone()));
        assert_eq!(find(&jar, b.state(), 10), Ok(b));
    }

    #[test]
    fn swapped_or_changed_cookies_are_no_attempt() {
        let (a, b) = (begun(0, 1), begun(0, 2));
        let swapped = kept(&a).replace(&a.state()[..8], &b.state()[..8]);
        assert_eq!(find(&jar(&[swapped]), b.state(), 0), Err(NoAttempt::Missing));
        assert_eq!(find(&jar(&[kept(&a), kept(&a)]), a.state(), 0), Err(NoAttempt::Missing), "two of one name");
        let other = Application { id: "other".into(), ..application() };
        assert_eq!(Attempt::find(&jar(&[kept(&a)]), &keys(), a.state().as_bytes(), &other, &website().1, 0), Err(NoAttempt::Missing));
    }

    #[test]
    fn a_state_is_what_wechat_takes_and_never_the_same() {
        let mut entropy = Entropy::new([3; 32]);
        let states: std::collections::HashSet<_> = (0..1000).map(|_| base62(STATE_CHARS, &mut entropy)).collect();
        assert_eq!(states.len(), 1000);
        assert!(states.iter().all(|state| state.len() == 32 && state.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        for odd in
            ["", "short", "0123456789012345678901234567890é", "0123456789012345678901234567890-", "012345678901234567890123456789012"]
        {
            assert_eq!(find(&jar(&[]), odd, 0), Err(NoAttempt::Missing));
        }
    }

    #[test]
    fn a_browser_keeps_few_attempts_and_the_newest_ones() {
        let attempts: Vec<_> = (0..6).map(|n| begun(n / 3, n as u8)).collect();
        let cookies: Vec<_> = attempts.iter().map(kept).collect();
        let room = make_room(&jar(&cookies), &keys(), 10);
        let cleared = |attempt: &Attempt| room.contains(&attempt.clear_cookie().unwrap());
        assert_eq!(attempts.iter().map(cleared).collect::<Vec<_>>(), [true, true, false, false, false, false]);
        assert_eq!(make_room(&jar(&cookies), &keys(), 1000).len(), 6, "all are over by then");
        assert_eq!(make_room(&jar(&["__Host-wxgate_attempt_abcdefgh=rubbish".into(), "a=b".into()]), &keys(), 0).len(), 1);
    }

    #[test]
    fn what_can_no_longer_be_scanned_makes_room_before_its_time() {
        let scan = Scan { ticket: "q2nqv0hYdVOkdlkY0m2m3g".into(), text: None, number: "07".into(), expires_at: 180 };
        let attempt = begun(0, 1).scanning(scan.clone());
        let jar = jar(&[kept(&attempt)]);
        assert_eq!(find(&jar, attempt.state(), 300).unwrap().scan, Some(scan), "whoever asks is told what became of it");
        assert!(make_room(&jar, &keys(), 239).is_empty(), "what was confirmed at the last moment");
        assert_eq!(make_room(&jar, &keys(), 240), [attempt.clear_cookie().unwrap()]);
    }

    #[test]
    fn an_attempt_by_a_code_stays_far_below_what_a_cookie_may_have() {
        let text = Some("http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI".into());
        let scan = Scan { ticket: "q2nqv0hYdVOkdlkY0m2m3g".into(), text, number: "42".into(), expires_at: 1_767_225_600 };
        assert!(kept(&begun(1_767_225_600, 1).scanning(scan)).len() < 600);
    }

    #[test]
    fn the_cookies_stay_small_however_long_the_return_paths_are() {
        let long = ReturnTo::parse(format!("/{}", "a".repeat(2000)).as_bytes(), "/wxgate");
        let cookies: Vec<_> =
            (0..4).map(|n| kept(&Attempt::begin(&application(), &website().1, &long, n, &mut Entropy::new([n as u8; 32])))).collect();
        assert_eq!(make_room(&jar(&cookies), &keys(), 10).len(), 3);
    }
}
