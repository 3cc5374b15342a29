//! The agreement between the wxgate filter and a resolver: every type that crosses between them, and no logic.
//!
//! A resolver answers these requests, each with `Authorization: Bearer <token>`:
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/logins` | [`LoginRequest`] | 200 [`LoginOutcome`] |
//! | `GET /v1/logins/{idempotency_key}?wait_ms=N` | | 200 [`LoginOutcome`], or 404 when no login has that key after `N` ms (at most 1000) |
//! | `POST /v1/sessions/{session_id}/revoke` | [`RevokeSession`] | 204, also when it was revoked before |
//! | `GET /v1/revocations?after={cursor}` | | 200 [`RevocationFeed`] |
//!
//! Every error is a [`Problem`] (RFC 9457) with `Content-Type: application/problem+json`. Times are Unix seconds.
//! Unknown fields are ignored by both sides, so either may be upgraded first.

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
        /// True when this login made the account.
        #[serde(default)]
        new_user: bool,
    },
    /// Nobody has this openid, and [`LoginRequest::profile_available`] was set: ask WeChat for the unionid first. Nothing was stored.
    ProfileRequired,
    /// The openid and the unionid belong to different accounts: the person has to choose.
    ChooseAccount {
        /// Names the pending choice. Opaque.
        pending: String,
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
