//! The agreement between the wxgate filter and a resolver: every type that crosses between them, and no logic.
//!
//! A resolver answers these requests, each with `Authorization: Bearer <token>`:
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/logins` | [`LoginRequest`] | 200 [`LoginOutcome`] |
//! | `GET /v1/logins/{idempotency_key}?wait_ms=N` | | 200 [`LoginOutcome`], or 404 when no login has that key after `N` ms (at most 1000) |
//! | `GET /v1/pending-logins/{pending}` | | 200 [`PendingLogin`], or 404 when it is over |
//! | `POST /v1/pending-logins/{pending}/code` | [`SendCode`] | 200 [`SendCodeAnswer`], or 404 when it is over |
//! | `POST /v1/pending-logins/{pending}/finish` | [`FinishLogin`] | 200 [`FinishAnswer`], 404 when it is over, or 409 when it was finished in another way |
//! | `GET /v1/users/{user_id}?pool={pool}` | | 200 [`AccountView`], or 404 |
//! | `POST /v1/users/{user_id}/identities/{id}/unlink` | [`AccountChange`] | 200 [`UnlinkAnswer`], or 404 |
//! | `POST /v1/users/{user_id}/revoke-sessions` | [`AccountChange`] | 204, or 404 |
//! | `POST /v1/sessions/{session_id}/revoke` | [`RevokeSession`] | 204, also when it was revoked before |
//! | `GET /v1/revocations?after={cursor}` | | 200 [`RevocationFeed`] |
//! | `/v1/tickets…` | | see [`tickets`] |
//! | `POST /v1/authorizations/withdraw` | [`tickets::WithdrawAuthorization`] | 204 |
//!
//! Every error is a [`Problem`] (RFC 9457) with `Content-Type: application/problem+json`. Times are Unix seconds.
//! Unknown fields are ignored by both sides, so either may be upgraded first.

pub mod tickets;

use serde::{Deserialize, Serialize};

/// One WeChat identity that has just been proved to the filter, with the question: which account is this?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginRequest {
    /// Names this one login: 64 lower-case hex digits. A second request with the same key gets the stored outcome of the first.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub idempotency_key: String,
    /// The user pool that the application belongs to; accounts of different pools never meet. 1 to 64 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub pool: String,
    /// The application's id in the filter's configuration, for policy and audit.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub application: String,
    /// The connector's id in the filter's configuration; the resolver's policies hang on it.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub connector: String,
    /// How the person logged in.
    pub method: LoginMethod,
    /// Names the WeChat Open Platform account. A unionid means nothing outside of it.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub platform: String,
    /// WeChat's appid: an openid means nothing outside of it.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub app_id: String,
    /// WeChat's id of the person in this app. Opaque, case-sensitive, 1 to 64 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub openid: String,
    /// WeChat's id of the person on this platform, where WeChat gave one. Absent, never empty, otherwise.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// What WeChat told of the person, where the scope allows it. Never used to find an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// True when WeChat gave no more than an openid and could give more if asked (scope `snsapi_base`).
    /// A resolver that does not know the openid then changes nothing and answers [`LoginOutcome::ProfileRequired`].
    #[serde(default)]
    pub profile_available: bool,
    /// A number that WeChat itself has just said is the person's own, in E.164, such as `+8613800138000`. Never one that
    /// the client sent.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^\+[1-9][0-9]{6,14}$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The person is logged in as this user, has just proved it again, and asks to link the identity to that account.
    /// The resolver then links it, or refuses with [`RefusalReason::IdentityTaken`]; it never signs in anybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_to: Option<String>,
    /// Where the person is, for the audit log: an IP address as Envoy saw it.
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// The seven ways of logging in with WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LoginMethod {
    /// PC scan: `qrconnect`, scope `snsapi_login`.
    WebsiteQr,
    /// Inside WeChat's own browser: `oauth2/authorize`.
    OfficialAccountWeb,
    /// A native app through WeChat's SDK.
    MobileApp,
    /// Inside a mini program: `wx.login`.
    MiniProgram,
    /// PC scan of a mini-program code.
    MiniProgramQr,
    /// A native app that pulls up a mini program.
    AppToMiniProgram,
    /// PC scan of an official account's code, by following it.
    OfficialAccountQr,
}

/// What WeChat told of the person. Self-asserted: good for display, never for finding an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// WeChat's nickname, as given: may hold emoji, may be shared by many people. At most 256 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// An `https` address below `qlogo.cn`, of at most 1024 characters. It dies when the person changes the picture.
    #[cfg_attr(feature = "openapi", schema(max_length = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// What became of a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum LoginOutcome {
    /// The person is this user; the filter may open a session.
    SignedIn {
        /// The account.
        user: User,
        /// The session's id (`sid`), chosen by the resolver so that a replay of the login gives the same one. 22 base64url characters.
        #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{22}$"))]
        session_id: String,
        /// When this login happened; later than the [`RevokedUser::not_before`] of every revocation before it.
        auth_time: u64,
        /// The identity that was signed in: what the request said, so that an answer meant for another request is
        /// noticed, and so that a replay tells it to a filter whose own exchange came too late.
        identity: WechatIdentity,
        /// True when this login made the account. Told once: false in a replay, so that whoever counts accounts counts each of them once.
        #[serde(default)]
        new_user: bool,
    },
    /// Nobody has this openid, and [`LoginRequest::profile_available`] was set: ask WeChat for the unionid first. Nothing was stored.
    ProfileRequired,
    /// The openid and the unionid belong to different accounts: the person has to choose.
    ChooseAccount {
        /// Names the pending login. Opaque, 22 to 64 base64url characters. The filter gives it to nobody but the browser
        /// or the app that logged in, and only sealed.
        pending: String,
        /// When the pending login is over.
        expires_at: u64,
    },
    /// Nobody has this identity, and the connector's policy lets the person prove an account that exists, or make one.
    BindAccount {
        /// As in [`LoginOutcome::ChooseAccount`].
        pending: String,
        /// When the pending login is over.
        expires_at: u64,
    },
    /// No session: policy, or a disabled account.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
}

/// WeChat's names for one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WechatIdentity {
    /// As in [`LoginRequest::app_id`].
    pub app_id: String,
    /// As in [`LoginRequest::openid`].
    pub openid: String,
    /// As in [`LoginRequest::unionid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
}

/// Why a resolver refuses a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Nobody has this identity and the connector's registration is closed.
    RegistrationClosed,
    /// The account is disabled.
    UserDisabled,
    /// Nobody has this identity, and the connector's policy lets in only people whose account was found.
    NoMatch,
    /// [`LoginRequest::link_to`]: the identity belongs to somebody else already.
    IdentityTaken,
    /// Any other reason, also one that a newer resolver knows and this filter does not.
    #[serde(other)]
    Policy,
}

/// An account, as applications may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Stable for life and never given to anybody else; the `sub` of the identity header. 1 to 64 visible ASCII characters.
    pub id: String,
    /// A name for display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An `https` address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// E.164, such as `+8613800138000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the person has proved to have that number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
}

/// A login that waits for its person: what it is about, and what may be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingLogin {
    /// As in the [`LoginRequest`] that led here; the filter checks that it is its own.
    pub application: String,
    /// As in the [`LoginRequest`] that led here.
    pub connector: String,
    /// What WeChat told of the person, so that they see whom they are about to bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// When it is over.
    pub expires_at: u64,
    /// How many wrong answers are left before it is over.
    pub tries_left: u32,
    /// What is asked.
    pub question: Question,
}

/// What a pending login asks its person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Question {
    /// Which of your accounts?
    Choose {
        /// Two or more.
        accounts: Vec<Candidate>,
    },
    /// Is there an account of yours already?
    Bind {
        /// The ways to prove it, in the operator's order.
        methods: Vec<ProofMethod>,
        /// Whether a new account may be made.
        may_create: bool,
        /// The code that was sent last, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CodeSent>,
    },
}

/// An account to choose. What it shows is masked: enough for its owner to know it, too little for anybody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// Names the account within this pending login; not its `sub`.
    pub id: String,
    /// Such as `晓*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Such as `+86138****8000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Such as `x***@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the account was made.
    pub created_at: u64,
    /// When somebody last logged in to it; 0 for never.
    #[serde(default)]
    pub last_login_at: u64,
}

/// A way to prove an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProofMethod {
    /// A code sent to the account's verified phone number.
    PhoneCode,
    /// A code sent to the account's verified e-mail address.
    EmailCode,
    /// The account's password, with its username, phone number or e-mail address.
    Password,
}

/// A code that was asked for. It looks the same whether the address is known or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodeSent {
    /// [`ProofMethod::PhoneCode`] or [`ProofMethod::EmailCode`].
    pub method: ProofMethod,
    /// Where to, as the person typed it, masked.
    pub address: String,
    /// Until when the code is good.
    pub expires_at: u64,
    /// When another one may be asked for.
    pub resend_at: u64,
}

/// Asks for a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendCode {
    /// [`ProofMethod::PhoneCode`] or [`ProofMethod::EmailCode`].
    pub method: ProofMethod,
    /// A phone number or an e-mail address, as the person typed it; at most 254 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 254))]
    pub address: String,
    /// The language for the message: `zh-CN` or `en`.
    pub language: String,
    /// As in [`LoginRequest::client_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// What became of asking for a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum SendCodeAnswer {
    /// A code is on its way, if an account has that address.
    Sent {
        /// The same for every address.
        code: CodeSent,
    },
    /// A code was sent a moment ago.
    TooSoon {
        /// When another one may be asked for.
        resend_at: u64,
    },
    /// No more codes for this login, or for this address for now.
    TooMany,
    /// That is no phone number, or no e-mail address.
    InvalidAddress,
    /// The policy does not offer this way.
    NotOffered,
}

/// The person's answer to a pending login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinishLogin {
    /// The answer.
    pub proof: Proof,
    /// As in [`LoginRequest::client_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// What a pending login may be answered with. Debug shows no secret, because a filter or a resolver may log it by mistake.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Proof {
    /// This account of mine.
    Choose {
        /// A [`Candidate::id`].
        account: String,
    },
    /// A new account.
    Create,
    /// The code that was sent.
    Code {
        /// Six digits.
        code: String,
    },
    /// The password of an account.
    Password {
        /// Its username, phone number or e-mail address; at most 254 characters.
        account: String,
        /// At most 256 characters.
        password: String,
    },
}

/// What became of an answer to a pending login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "on 64 bits: it is made once a login, and a box would be in everybody's way")]
pub enum FinishAnswer {
    /// The login is over. The same answer again gets the same outcome, for as long as outcomes are kept.
    Finished {
        /// [`LoginOutcome::SignedIn`] or [`LoginOutcome::Refused`].
        outcome: LoginOutcome,
    },
    /// The code or the password is wrong, or nobody has that account: no answer tells which.
    Wrong {
        /// 0: the login is over, and has to be begun again.
        tries_left: u32,
    },
    /// The login does not offer this.
    NotOffered,
}

/// A person's own account, as they may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountView {
    /// The account.
    pub user: User,
    /// An address that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When it was made.
    pub created_at: u64,
    /// The WeChat people who may log in to it.
    pub identities: Vec<LinkedIdentity>,
}

/// One WeChat person who may log in to an account: a unionid with all openids that came with it, or an openid alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkedIdentity {
    /// Names it within the account.
    pub id: String,
    /// WeChat's nickname at the last login that told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// The connectors by which it has logged in.
    pub connectors: Vec<String>,
    /// When it was linked.
    pub linked_at: u64,
    /// When it last logged in.
    pub last_login_at: u64,
}

/// Who changes an account, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountChange {
    /// The pool of the application in which the person is logged in; an account of another pool is not found.
    pub pool: String,
    /// The application in which they are.
    pub application: String,
    /// As in [`LoginRequest::client_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// What became of unlinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum UnlinkAnswer {
    /// It may no longer log in to this account. Every session of the account has ended.
    Unlinked,
    /// It is the last way in, and stays.
    LastWayIn,
}

/// Ends one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeSession {
    /// When the session would have ended by itself: the revocation is kept until then.
    pub expires_at: u64,
}

/// What has been revoked since a cursor, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevocationFeed {
    /// Give this as `after` next time. Opaque; the empty string asks for all that is still in force, and so does a cursor
    /// that the resolver did not give or no longer knows: entries may come again, and none is left out.
    pub cursor: String,
    /// Sessions that have ended.
    #[serde(default)]
    pub sessions: Vec<RevokedSession>,
    /// Users whose older sessions have all ended.
    #[serde(default)]
    pub users: Vec<RevokedUser>,
    /// True when there is more behind this cursor: ask again at once.
    #[serde(default)]
    pub more: bool,
}

/// One session that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokedSession {
    /// The session's `sid`.
    pub session_id: String,
    /// The entry may be forgotten after this.
    pub expires_at: u64,
}

/// "Sign out everywhere", or an account that was disabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokedUser {
    /// The user's `sub`.
    pub user_id: String,
    /// Every session with an `auth_time` up to and including this second has ended.
    pub not_before: u64,
    /// The entry may be forgotten after this.
    pub expires_at: u64,
}

/// An error, after RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI reference that names the kind of problem, such as `/problems/invalid-request`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same for every occurrence.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What was wrong this time, where, and what was expected. Holds no secret and no personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Choose { .. } => "Choose",
            Self::Create => "Create",
            Self::Code { .. } => "Code",
            Self::Password { .. } => "Password",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_refusal_reason_is_read_as_policy() {
        let outcome: LoginOutcome = serde_json::from_str(r#"{"outcome":"refused","reason":"moon_phase"}"#).unwrap();
        assert_eq!(outcome, LoginOutcome::Refused { reason: RefusalReason::Policy });
    }

    #[test]
    fn an_outcome_that_nobody_knows_is_an_error() {
        assert!(serde_json::from_str::<LoginOutcome>(r#"{"outcome":"perhaps"}"#).is_err());
    }
}
