//! All that the core can ask for or answer. Data in, data out: [`crate::gate::Gate::begin`] gives a [`Step`], and
//! [`Suspended::resume`] gives the next one, until it is [`Step::Done`].

use std::rc::Rc;

pub use crate::coroutine::Suspended;
use crate::error::{Failure, LoginError};
use crate::http::{BodyResult, CallResult, HttpCall, Peer};
use crate::identity::Assertion;
use crate::wechat::server_token::TokenReport;

/// What the host has to do next. A request waits for one thing at a time, and `Suspended` is consumed on use, so it
/// cannot be resumed twice, or with what it does not wait for.
pub enum Step {
    /// Make this call and resume with its result. A call that cannot be sent is resumed too, with that as the result.
    Call(HttpCall, Suspended<CallResult>),
    /// Wait for the whole body of the request and resume with it, or with why there is none: the flow then answers
    /// without another call.
    ReadBody(Suspended<BodyResult>),
    /// The request is decided.
    Done(Outcome),
}

/// A decision, and what is to be told of it.
pub struct Outcome {
    /// What happens to the request.
    pub verdict: Verdict,
    /// In the order in which it happened. Empty for a plain pass.
    pub events: Vec<Event>,
}

/// What happens to a request.
pub enum Verdict {
    /// It goes on to the application.
    Forward(Forward),
    /// We answer it.
    Reply(Reply),
}

/// Changes to a request on its way to the application. All fields are empty for most requests but `identity` and
/// `cookie`, and cost nothing then.
#[derive(Default)]
pub struct Forward {
    /// Request headers to remove, as they were spelt: copies of our identity headers that the client sent.
    pub remove: Vec<String>,
    /// The signed identity; absent where the request passes without one.
    pub identity: Option<Rc<Assertion>>,
    /// What becomes of the `Cookie` header.
    pub cookie: CookieEdit,
    /// Whether to remove `Authorization`, because it held our bearer token.
    pub remove_authorization: bool,
    /// A `Set-Cookie` for the answer: the session, sealed anew.
    pub renewed_cookie: Option<String>,
}

/// What becomes of a request's `Cookie` header.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum CookieEdit {
    /// It holds none of our cookies.
    #[default]
    Keep,
    /// It held nothing else.
    Remove,
    /// What is left of it, byte for byte.
    Replace(Vec<u8>),
}

/// An answer of our own.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case; values are visible ASCII and spaces.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
}

/// A session that has just been ended and must be refused from now on by every worker here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSession {
    /// The session's `sid`.
    pub session_id: String,
    /// When it would have ended by itself.
    pub expires_at: u64,
}

/// Something worth counting or logging. No variant holds a secret or anything about a person but our own ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A visitor was sent to WeChat.
    LoginStarted {
        /// The connector's id.
        connector: String,
    },
    /// A login ended in a session.
    SignedIn {
        /// The connector's id.
        connector: String,
        /// The application's id.
        application: String,
        /// Whether it made the account.
        new_user: bool,
    },
    /// A login waits for its person's answer.
    LoginPending {
        /// The connector's id.
        connector: String,
        /// `choose_account` or `bind_account`.
        question: &'static str,
    },
    /// A code that a phone scans has come a step further.
    Scan {
        /// The connector's id.
        connector: String,
        /// The step.
        step: ScanStep,
    },
    /// Somebody has answered a pending login, or changed their own account.
    AccountAction {
        /// The application's id.
        application: String,
        /// What was asked for, such as `send_code`.
        action: &'static str,
        /// What became of it, such as `too_soon`.
        result: &'static str,
    },
    /// A login was sent back to WeChat for a second time.
    LoginRepeated {
        /// The connector's id.
        connector: String,
        /// Why.
        repetition: Repetition,
    },
    /// A login failed, or one of our endpoints refused.
    Failed {
        /// The connector's id, where one was involved.
        connector: Option<String>,
        /// What the visitor was told, and the words for the operator.
        failure: Failure,
        /// On the visitor's page and in the log line.
        reference: String,
    },
    /// A request without a session was turned away or sent to log in.
    Refused {
        /// The application's id.
        application: String,
        /// How it was refused: `login`, `api`, `websocket`, `form`.
        kind: &'static str,
        /// Why: `no_session`, `expired`, `revoked`, `foreign`, `unreadable`, `stale_revocations`.
        reason: &'static str,
    },
    /// A call came back or failed.
    CallFinished {
        /// Who was called.
        peer: Peer,
        /// What for.
        label: &'static str,
        /// `answered`, or why not.
        result: &'static str,
        /// How long it took.
        milliseconds: u64,
    },
    /// The optional profile could not be had; the login goes on without.
    ProfileMissing {
        /// The connector's id.
        connector: String,
        /// For the operator.
        detail: String,
    },
    /// WeChat, or somebody who would be taken for it, has pushed a message.
    Pushed {
        /// The connector's id.
        connector: String,
        /// What of: `verification`, `follow`, `scan`, `withdrawal`, `other`, or `unknown` where it was not read.
        kind: &'static str,
        /// What became of our part of it, such as `scanned`.
        result: &'static str,
    },
    /// A session goes over to a web view.
    HandedOver {
        /// The application's id.
        application: String,
        /// `issued` or `redeemed`.
        result: &'static str,
    },
    /// Something was learnt about an app's server token. Every worker here wants to know.
    ServerToken {
        /// The id of a connector with that app.
        connector: String,
        /// What.
        report: TokenReport,
    },
    /// How an app's server token stands has changed, for all workers here.
    ServerTokenNews {
        /// The id of a connector with that app.
        connector: String,
        /// How.
        news: TokenNews,
    },
    /// A person has logged out.
    SignedOut {
        /// To be refused at once by every worker here, also before the resolver's feed says so.
        ended: EndedSession,
        /// Whether the resolver knows, so that every other Envoy will.
        everywhere: bool,
    },
}

/// How an app's server token stands. Told once for each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenNews {
    /// There is one again.
    Available,
    /// WeChat gives none; one that is known goes on being used.
    Missing {
        /// Why, with words for the operator.
        failure: Failure,
    },
    /// WeChat refuses the one that it gave.
    Refused {
        /// In this way.
        errcode: i64,
    },
    /// WeChat went on giving the one that it refuses, so another one is forced.
    Forced,
    /// The same, but another one was forced not long ago, and did not help.
    Stuck,
}

/// A step of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanStep {
    /// A browser shows a code.
    Started,
    /// A phone has scanned it.
    Scanned,
    /// The person has agreed.
    Confirmed,
    /// The person has refused.
    Cancelled,
    /// The browser was told that it is over.
    Expired,
    /// The browser has collected the login.
    Collected,
}

impl ScanStep {
    fn label(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Scanned => "scanned",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Collected => "collected",
        }
    }
}

/// Why a login goes to WeChat for a second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// For the profile: nobody has the openid that `snsapi_base` gave.
    Escalated,
    /// WeChat had seen the code before, and said so in these words.
    Restarted(String),
}

impl Repetition {
    fn label(&self) -> &'static str {
        match self {
            Self::Escalated => "escalated",
            Self::Restarted(_) => "restarted",
        }
    }
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everyday.
    Info,
    /// Somebody should look if there are many.
    Warn,
    /// An operator has to act: nobody can log in until then.
    Error,
}

impl Event {
    /// The counter that it increases, in the form `name;label=value;…`: what Envoy's tag extraction in the shipped
    /// configuration turns into labels.
    pub fn counter(&self) -> String {
        match self {
            Self::LoginStarted { connector } => format!("wxgate_login_starts_total;connector={connector}"),
            Self::SignedIn { connector, new_user, .. } => {
                let outcome = if *new_user { "signed_in_new" } else { "signed_in" };
                format!("wxgate_logins_total;connector={connector};outcome={outcome}")
            }
            Self::LoginPending { connector, question } => {
                format!("wxgate_logins_total;connector={connector};outcome={question}")
            }
            Self::Scan { connector, step } => format!("wxgate_scans_total;connector={connector};result={}", step.label()),
            Self::AccountAction { action, result, .. } => {
                format!("wxgate_account_actions_total;action={action};result={result}")
            }
            Self::LoginRepeated { connector, repetition } => {
                format!("wxgate_logins_total;connector={connector};outcome={}", repetition.label())
            }
            Self::Failed { connector: Some(connector), failure, .. } => {
                format!("wxgate_logins_total;connector={connector};outcome={}", failure.error.code())
            }
            Self::Failed { connector: None, failure, .. } => format!("wxgate_refusals_total;reason={}", failure.error.code()),
            Self::Refused { reason, .. } => format!("wxgate_refusals_total;reason={reason}"),
            Self::CallFinished { peer, label, result, .. } => {
                format!("wxgate_calls_total;peer={};call={};result={result}", peer.label(), label.replace('.', "_"))
            }
            Self::ProfileMissing { connector, .. } => format!("wxgate_profiles_missing_total;connector={connector}"),
            Self::Pushed { connector, kind, result } => {
                format!("wxgate_pushes_total;connector={connector};kind={kind};result={result}")
            }
            Self::HandedOver { result, .. } => format!("wxgate_hand_overs_total;result={result}"),
            Self::ServerToken { connector, report } => {
                format!("wxgate_server_tokens_total;connector={connector};result={}", report.label())
            }
            Self::ServerTokenNews { connector, news } => {
                let result = match news {
                    TokenNews::Available => "available",
                    TokenNews::Missing { .. } => "missing",
                    TokenNews::Refused { .. } => "refused",
                    TokenNews::Forced => "forced",
                    TokenNews::Stuck => "stuck",
                };
                format!("wxgate_server_token_changes_total;connector={connector};result={result}")
            }
            Self::SignedOut { everywhere, .. } => {
                let result = if *everywhere { "everywhere" } else { "here" };
                format!("wxgate_logouts_total;result={result}")
            }
        }
    }

    /// The log line, if it deserves one.
    pub fn line(&self) -> Option<(Level, String)> {
        Some(match self {
            Self::LoginStarted { connector } => (Level::Info, format!("login started connector={connector}")),
            Self::SignedIn { connector, application, new_user } => {
                (Level::Info, format!("signed in connector={connector} application={application} new_user={new_user}"))
            }
            Self::LoginPending { connector, question } => {
                (Level::Info, format!("login waits for its person connector={connector} question={question}"))
            }
            Self::Scan { connector, step } => (Level::Info, format!("scan connector={connector} step={}", step.label())),
            Self::AccountAction { application, action, result } => {
                (Level::Info, format!("account application={application} action={action} result={result}"))
            }
            Self::LoginRepeated { connector, repetition: Repetition::Escalated } => {
                (Level::Info, format!("login repeated connector={connector} reason=escalated"))
            }
            Self::LoginRepeated { connector, repetition: Repetition::Restarted(detail) } => {
                (Level::Info, format!("login repeated connector={connector} reason=restarted detail={detail:?}"))
            }
            Self::Failed { connector, failure, reference } => (
                failure.error.level(),
                format!(
                    "failed error={} connector={} reference={reference} detail={:?}",
                    failure.error.code(),
                    connector.as_deref().unwrap_or("-"),
                    failure.detail
                ),
            ),
            Self::Refused { application, kind, reason } => {
                (Level::Info, format!("refused application={application} kind={kind} reason={reason}"))
            }
            Self::CallFinished { result: "answered", .. } => return None,
            Self::CallFinished { peer, label, result, milliseconds } => {
                (Level::Warn, format!("call failed peer={} call={label} result={result} after_ms={milliseconds}", peer.label()))
            }
            Self::ProfileMissing { connector, detail } => (Level::Warn, format!("profile missing connector={connector} detail={detail:?}")),
            Self::Pushed { kind: "other", .. } => return None,
            Self::Pushed { connector, kind, result } => (Level::Info, format!("push connector={connector} kind={kind} result={result}")),
            Self::HandedOver { application, result } => (Level::Info, format!("handed over application={application} result={result}")),
            Self::ServerToken { .. } => return None,
            Self::ServerTokenNews { connector, news } => {
                let (level, said) = match news {
                    TokenNews::Available => (Level::Info, "WeChat gives one again".to_owned()),
                    TokenNews::Missing { failure } => (failure.error.level(), failure.detail.clone()),
                    TokenNews::Refused { errcode } => (Level::Warn, format!("WeChat refuses it with errcode {errcode}")),
                    TokenNews::Forced => (Level::Warn, "WeChat refuses it and gives no other, so another one is forced".to_owned()),
                    TokenNews::Stuck => (
                        Level::Error,
                        "WeChat refuses it and gives no other, though one was forced not long ago: does the app have the permission that its \
                         methods need?"
                            .to_owned(),
                    ),
                };
                (level, format!("server token connector={connector} detail={said:?}"))
            }
            Self::SignedOut { everywhere, .. } => {
                let level = if *everywhere { Level::Info } else { Level::Warn };
                (level, format!("signed out everywhere={everywhere}"))
            }
        })
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        Self { error, detail: String::new() }
    }
}
