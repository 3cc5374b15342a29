//! What the workers of one Envoy share about one app's server token: a few numbers and the token, as bytes in Envoy's
//! shared data. Here is what becomes of them; who reads and writes them, with compare-and-swap, is `src/host/tokens.rs`.
//!
//! All of it is a hint. Whatever is lost, unreadable or of another clock is asked for again.

use crate::error::{Failure, LoginError};
use crate::http::{Entropy, Moment};
use crate::secret::Secret;
use crate::step::TokenNews;
use crate::wechat::server_token::{self, ServerToken, TokenReport};

/// `stable_token` gives another token no earlier than this before the end of the one that it gave; both are good then.
const OVERLAP_MS: u64 = 300_000;

/// A token is not used in its last moments: the call with it takes time, too.
const LAST_MOMENTS_MS: u64 = 5_000;

/// Nobody else asks while one may still be waiting for WeChat's answer.
const CLAIM_GRACE_MS: u64 = 5_000;

/// After a refusal: a flow that meets another one does not ask again for so long.
const LOOKED_AFTER_MS: u64 = 10_000;

/// Between a refusal and the question whether WeChat still gives that token: so that of several Envoys one forces another
/// token, and the others find it.
const RESOLVE_MS: (u64, u64) = (500, 4_500);

/// A forced token kills every other Envoy's, and there are 20 a day for all of them.
const FORCE_PAUSE_MS: u64 = 600_000;
const FORCED_A_DAY: u64 = 6;
const DAY_MS: u64 = 86_400_000;

/// The longest pause after failures, but for a quota that is used up for a day.
const MAX_PAUSE_MS: u64 = 60_000;
const QUOTA_PAUSE_MS: u64 = 600_000;

/// A fault without a number of WeChat's.
const NO_ANSWER: i64 = i64::MIN;

/// Everything about one app's token. Times are milliseconds since the Unix epoch; 0 is never.
#[derive(Clone, Default)]
pub(super) struct Shared {
    /// Empty where none is known.
    token: String,
    expires_ms: u64,
    /// When the token was asked for: a later answer is at least as true.
    asked_ms: u64,
    /// When to ask for the next one.
    refresh_ms: u64,
    /// Until then somebody is asking.
    claimed_ms: u64,
    /// Failures in sequence, the latest of them, and until when nobody asks.
    failures: u64,
    failed_ms: u64,
    paused_ms: u64,
    /// WeChat's number for the latest failure, as its bits; 0 for none.
    fault: u64,
    /// When a call was refused for this token, and when to find out whether WeChat still gives it.
    refused_ms: u64,
    resolve_ms: u64,
    /// When another token was forced, how often since when, and whether an operator knows that it did not help.
    forced_ms: u64,
    forced_since_ms: u64,
    forced: u64,
    is_stuck: u64,
}

/// What a report has led to.
pub(super) struct Told {
    pub(super) news: Option<TokenNews>,
    /// The root has to force another token now.
    pub(super) must_force: bool,
}

impl Shared {
    /// Reads what a worker has written. What is too short reads as zeros: nothing is known.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut shared = Self::default();
        let mut rest = bytes;
        for number in shared.numbers() {
            let Some((head, tail)) = rest.split_first_chunk() else { return Self::default() };
            *number = u64::from_le_bytes(*head);
            rest = tail;
        }
        shared.token = String::from_utf8(rest.to_vec()).unwrap_or_default();
        shared
    }

    /// For other workers to read.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut copy = self.clone();
        let mut bytes: Vec<u8> = copy.numbers().iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(self.token.as_bytes());
        bytes
    }

    fn numbers(&mut self) -> [&mut u64; 14] {
        [
            &mut self.expires_ms,
            &mut self.asked_ms,
            &mut self.refresh_ms,
            &mut self.claimed_ms,
            &mut self.failures,
            &mut self.failed_ms,
            &mut self.paused_ms,
            &mut self.fault,
            &mut self.refused_ms,
            &mut self.resolve_ms,
            &mut self.forced_ms,
            &mut self.forced_since_ms,
            &mut self.forced,
            &mut self.is_stuck,
        ]
    }

    /// The token, if there is one to use.
    pub(super) fn token(&self, now_ms: u64) -> Option<Secret> {
        self.has_token(now_ms).then(|| Secret::new(self.token.as_str()))
    }

    /// Whether there is one to use.
    pub(super) fn has_token(&self, now_ms: u64) -> bool {
        !self.token.is_empty() && now_ms.saturating_add(LAST_MOMENTS_MS) < self.expires_ms
    }

    /// Why nobody asks for a token at the moment, after failures.
    pub(super) fn pause(&self, now_ms: u64) -> Option<Failure> {
        is_ahead(self.paused_ms, now_ms, QUOTA_PAUSE_MS * 2).then(|| match self.fault.cast_signed() {
            NO_ANSWER | 0 => Failure::new(LoginError::WechatUnavailable, "no server token: WeChat did not answer when it was asked last"),
            errcode => server_token::failure(errcode, &format!("errcode {errcode} when WeChat was asked last")),
        })
    }

    /// Whether the refusal of this token is known, so that there is nothing to be found out about it.
    pub(super) fn is_looked_after(&self, token: &str, now_ms: u64) -> bool {
        self.token == token && self.refused_ms != 0 && now_ms.abs_diff(self.refused_ms) < LOOKED_AFTER_MS
    }

    /// If it is time to ask WeChat, and nobody does: the same, claimed by whoever manages to write it.
    pub(super) fn claimed(&self, now_ms: u64, timeout_ms: u32) -> Option<Self> {
        let patience_ms = u64::from(timeout_ms).saturating_add(CLAIM_GRACE_MS);
        if is_ahead(self.claimed_ms, now_ms, patience_ms) || self.pause(now_ms).is_some() {
            return None;
        }
        let is_to_resolve = self.resolve_ms != 0 && !is_ahead(self.resolve_ms, now_ms, RESOLVE_MS.1 * 2);
        let is_due = !self.has_token(now_ms) || now_ms >= self.refresh_ms || is_to_resolve;
        is_due.then(|| Self { claimed_ms: now_ms.saturating_add(patience_ms), ..self.clone() })
    }

    /// Takes in what somebody has learnt. Only the root can be told to force, and says in how long that would be answered.
    pub(super) fn tell(&mut self, report: &TokenReport, moment: Moment, root_timeout_ms: Option<u32>) -> Told {
        let mut entropy = Entropy::new(moment.seed);
        let now_ms = moment.now_ms;
        let quiet = Told { news: None, must_force: false };
        if root_timeout_ms.is_some() {
            self.claimed_ms = 0;
        }
        let is_older = |asked_ms: u64, than_ms: u64| asked_ms <= than_ms && than_ms <= now_ms;
        match (report, root_timeout_ms) {
            // Somebody has asked since: what this one was told may be dead.
            (TokenReport::Given { asked_ms, is_forced: false, .. }, _) if self.has_token(now_ms) && is_older(*asked_ms, self.asked_ms) => {
                quiet
            }
            (TokenReport::Given { token, is_forced: false, .. }, Some(timeout_ms))
                if self.resolve_ms != 0 && token.token.expose() == self.token =>
            {
                self.resolve_ms = 0;
                if !self.may_force(now_ms) {
                    let was_told = std::mem::replace(&mut self.is_stuck, 1) == 1;
                    return Told { news: (!was_told).then_some(TokenNews::Stuck), must_force: false };
                }
                self.force(now_ms, timeout_ms);
                Told { news: Some(TokenNews::Forced), must_force: true }
            }
            (TokenReport::Given { token, asked_ms, .. }, _) => Told { news: self.take(token, *asked_ms, &mut entropy), ..quiet },
            (TokenReport::Failed { failure, errcode, asked_ms, is_forced, is_unused }, _) => {
                if *is_forced {
                    // The next question without force tells whether WeChat has acted on a lost one: then it gives another
                    // token. Where it has not, nobody's token has died, and the next one need not wait.
                    (self.forced_ms, self.resolve_ms) = (0, now_ms);
                    self.forced = self.forced.saturating_sub((*is_unused).into());
                }
                // Many may have asked at the same time, and all of them have met one failure; or one has been answered since.
                if is_older(*asked_ms, self.failed_ms) || is_older(*asked_ms, self.asked_ms) {
                    return quiet;
                }
                Told { news: self.fail(failure, *errcode, now_ms, &mut entropy), ..quiet }
            }
            (TokenReport::Refused { token, errcode }, _) => {
                if token.token.expose() != self.token || self.is_looked_after(&self.token, now_ms) {
                    return quiet;
                }
                self.refused_ms = now_ms;
                self.resolve_ms = now_ms.saturating_add(between(RESOLVE_MS, &mut entropy));
                let is_new = self.is_stuck == 0;
                Told { news: is_new.then_some(TokenNews::Refused { errcode: *errcode }), must_force: false }
            }
        }
    }

    fn take(&mut self, given: &ServerToken, asked_ms: u64, entropy: &mut Entropy) -> Option<TokenNews> {
        if self.token != given.token.expose() {
            given.token.expose().clone_into(&mut self.token);
            (self.refused_ms, self.resolve_ms, self.is_stuck) = (0, 0, 0);
        }
        let life_ms = given.expires_in.saturating_mul(1000);
        self.asked_ms = asked_ms;
        // Counted from the question, so that it is over a little sooner than WeChat thinks.
        self.expires_ms = asked_ms.saturating_add(life_ms);
        let until_refresh_ms = match life_ms.checked_sub(OVERLAP_MS) {
            // As soon as WeChat gives another one, and not all Envoys in the same second.
            Some(until_overlap_ms) => until_overlap_ms.saturating_add(between((5_000, 120_000), entropy)),
            None => between((life_ms / 4, life_ms / 2), entropy).max(1_000),
        };
        self.refresh_ms = asked_ms.saturating_add(until_refresh_ms);
        (self.failures, self.failed_ms, self.paused_ms) = (0, 0, 0);
        (std::mem::take(&mut self.fault) != 0).then_some(TokenNews::Available)
    }

    fn fail(&mut self, failure: &Failure, errcode: Option<i64>, now_ms: u64, entropy: &mut Entropy) -> Option<TokenNews> {
        let (least_ms, most_ms) = match errcode {
            Some(45009 | 48006) => (MAX_PAUSE_MS, QUOTA_PAUSE_MS),
            Some(45011) => (MAX_PAUSE_MS, MAX_PAUSE_MS),
            _ => (1_000, MAX_PAUSE_MS),
        };
        let pause_ms = least_ms.saturating_mul(1 << self.failures.min(10)).min(most_ms);
        self.failures = self.failures.saturating_add(1);
        self.failed_ms = now_ms;
        self.paused_ms = now_ms.saturating_add(between((pause_ms / 4 * 3, pause_ms / 4 * 5), entropy));
        let fault = errcode.unwrap_or(NO_ANSWER).cast_unsigned();
        let is_news = std::mem::replace(&mut self.fault, fault) != fault;
        is_news.then(|| TokenNews::Missing { failure: failure.clone() })
    }

    fn may_force(&self, now_ms: u64) -> bool {
        let is_paused = self.forced_ms != 0 && now_ms.abs_diff(self.forced_ms) < FORCE_PAUSE_MS;
        let is_same_day = now_ms.abs_diff(self.forced_since_ms) < DAY_MS;
        !(is_paused || is_same_day && self.forced >= FORCED_A_DAY)
    }

    /// Before it is sent: two workers must not both think that they may.
    fn force(&mut self, now_ms: u64, timeout_ms: u32) {
        if now_ms.abs_diff(self.forced_since_ms) >= DAY_MS {
            (self.forced_since_ms, self.forced) = (now_ms, 0);
        }
        self.forced = self.forced.saturating_add(1);
        self.forced_ms = now_ms;
        self.claimed_ms = now_ms.saturating_add(timeout_ms.into()).saturating_add(CLAIM_GRACE_MS);
    }
}

/// Whether `time` is still to come. One that is further away than can be was written before the clock was set back.
fn is_ahead(time_ms: u64, now_ms: u64, furthest_ms: u64) -> bool {
    time_ms > now_ms && time_ms - now_ms <= furthest_ms
}

fn between((least, most): (u64, u64), entropy: &mut Entropy) -> u64 {
    let random = u64::from_le_bytes(entropy.bytes());
    least + random % (most.saturating_sub(least) + 1)
}
