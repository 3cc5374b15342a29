//! `api.weixin.qq.com/sns/*`: codes for tokens, tokens for people.
//!
//! Errors are HTTP 200 with `errcode`, successes have no `errcode`, and both are `text/plain` without a charset although
//! they are JSON in UTF-8 (recorded answers). Sources: WeChat docs, "Web authorization" and "Authorized interface
//! calling (UnionID)".

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::codes::{CodeError, Grant, Scope};
use crate::params::Params;
use crate::random;
use crate::simulator::{Quirks, Simulator, Wechat};
use crate::tokens::{ACCESS_LIFE, TokenError, TokenPair};
use crate::world::{self, App, Person, World};

pub(crate) fn routes() -> Router<Simulator> {
    let only_get = || async |State(sim): State<Simulator>| error_body(SnsError::RequireGet, sim.now());
    Router::new()
        .route("/sns/oauth2/access_token", get(access_token).fallback(only_get()))
        .route("/sns/oauth2/refresh_token", get(refresh_token).fallback(only_get()))
        .route("/sns/userinfo", get(userinfo).fallback(only_get()))
        .route("/sns/auth", get(auth).fallback(only_get()))
}

async fn access_token(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    answer(&sim, query, exchange)
}

async fn refresh_token(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    answer(&sim, query, refresh)
}

async fn userinfo(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    answer(&sim, query, profile)
}

async fn auth(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    answer(&sim, query, check_token)
}

/// The order of these checks was seen from outside only in part; clients must not depend on it. The appid comes first,
/// and a wrong secret does not spend the code.
fn exchange(wechat: &mut Wechat, params: &Params) -> Result<TokenAnswer, SnsError> {
    let now = wechat.now();
    let (appid, app) = known_app(&wechat.world, params)?;
    let secret = params.filled("secret").ok_or(SnsError::AppSecretMissing)?;
    let code = params.filled("code").ok_or(SnsError::MissingCode)?;
    if params.raw("grant_type") != Some("authorization_code") {
        return Err(SnsError::InvalidGrantType);
    }
    let unspent = wechat.codes.find(code, appid, now).map_err(|error| match error {
        CodeError::Used => SnsError::CodeUsed,
        CodeError::Expired if wechat.quirks.expired_code_is_42003 => SnsError::CodeExpired,
        CodeError::Expired | CodeError::Unknown => SnsError::InvalidCode,
    })?;
    if secret != app.secret {
        return Err(SnsError::InvalidAppSecret);
    }
    let grant = unspent.spend();
    let identity = Identity::of(&grant, &wechat.world);
    let pair = wechat.tokens.issue(grant.clone(), now);
    Ok(TokenAnswer {
        unionid: identity.unionid,
        is_snapshotuser: grant.is_snapshot.then_some(1),
        ..TokenAnswer::new(pair, identity.openid, grant.scope, &wechat.quirks)
    })
}

/// Needs no secret (WeChat docs, "Web authorization", step 3).
fn refresh(wechat: &mut Wechat, params: &Params) -> Result<TokenAnswer, SnsError> {
    let now = wechat.now();
    let (appid, _) = known_app(&wechat.world, params)?;
    let token = params.filled("refresh_token").ok_or(SnsError::MissingRefreshToken)?;
    if params.raw("grant_type") != Some("refresh_token") {
        return Err(SnsError::InvalidGrantType);
    }
    let (pair, grant) = wechat.tokens.renew(token, appid, now).map_err(|error| match error {
        TokenError::Unknown => SnsError::InvalidRefreshToken,
        TokenError::Expired => SnsError::RefreshTokenExpired,
    })?;
    let identity = Identity::of(&grant, &wechat.world);
    Ok(TokenAnswer::new(pair, identity.openid, grant.scope, &wechat.quirks))
}

fn profile(wechat: &mut Wechat, params: &Params) -> Result<ProfileAnswer, SnsError> {
    let grant = granted(wechat, params)?;
    if grant.scope == Scope::Base {
        return Err(SnsError::Unauthorized);
    }
    let person = wechat.world.person(&grant.person).ok_or(SnsError::SystemError)?;
    Ok(ProfileAnswer::new(person, &grant, Identity::of(&grant, &wechat.world)))
}

/// The one success of `sns/*` that does carry an `errcode`.
fn check_token(wechat: &mut Wechat, params: &Params) -> Result<ErrorAnswer, SnsError> {
    granted(wechat, params)?;
    Ok(ErrorAnswer { errcode: 0, errmsg: "ok".to_owned() })
}

fn known_app<'a>(world: &'a World, params: &'a Params) -> Result<(&'a str, &'a App), SnsError> {
    let appid = params.filled("appid").ok_or(SnsError::AppIdMissing)?;
    let app = world.app(appid).ok_or(SnsError::InvalidAppId)?;
    Ok((appid, app))
}

fn granted(wechat: &Wechat, params: &Params) -> Result<Grant, SnsError> {
    let token = params.filled("access_token").ok_or(SnsError::AccessTokenMissing)?;
    let openid = params.filled("openid").ok_or(SnsError::MissingOpenid)?;
    let grant = wechat.tokens.find(token, wechat.now()).map_err(|error| match error {
        TokenError::Unknown => SnsError::InvalidCredential,
        TokenError::Expired => SnsError::AccessTokenExpired,
    })?;
    if openid != Identity::of(grant, &wechat.world).openid {
        return Err(SnsError::InvalidOpenid);
    }
    Ok(grant.clone())
}

/// Who a grant says somebody is.
struct Identity {
    openid: String,
    unionid: Option<String>,
}

impl Identity {
    /// `snsapi_base` never tells a unionid; the other scopes do while the app is bound, which is looked up now, because a
    /// binding may come and go after the code was issued (WeChat docs, "UnionID mechanism").
    fn of(grant: &Grant, world: &World) -> Self {
        let platform = world.app(&grant.appid).and_then(|app| app.platform.as_deref());
        let platform = platform.filter(|_| grant.scope != Scope::Base);
        if grant.is_snapshot {
            Self {
                openid: world::virtual_openid(&grant.person, &grant.appid),
                unionid: platform.map(|platform| world::virtual_unionid(&grant.person, platform)),
            }
        } else {
            Self {
                openid: world::openid(&grant.person, &grant.appid),
                unionid: platform.map(|platform| world::unionid(&grant.person, platform)),
            }
        }
    }
}

#[derive(Serialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
    refresh_token: String,
    openid: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_snapshotuser: Option<u8>,
}

impl TokenAnswer {
    fn new(pair: TokenPair, openid: String, scope: Scope, quirks: &Quirks) -> Self {
        let comma = if quirks.trailing_scope_comma { "," } else { "" };
        Self {
            access_token: pair.access_token,
            expires_in: ACCESS_LIFE,
            refresh_token: pair.refresh_token,
            openid,
            scope: format!("{}{comma}", scope.as_str()),
            unionid: None,
            is_snapshotuser: None,
        }
    }
}

/// Sex and regions have said nothing since 2021-10-20.
#[derive(Serialize)]
struct ProfileAnswer {
    openid: String,
    nickname: String,
    sex: u8,
    language: &'static str,
    city: &'static str,
    province: &'static str,
    country: &'static str,
    headimgurl: String,
    privilege: [&'static str; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
}

impl ProfileAnswer {
    fn new(person: &Person, grant: &Grant, identity: Identity) -> Self {
        let (nickname, headimgurl) = if grant.is_snapshot {
            ("微信用户".to_owned(), "https://thirdwx.qlogo.cn/mmopen/vi_32/virtual/132".to_owned())
        } else {
            (person.nickname.clone(), person.avatar(&identity.openid))
        };
        Self {
            openid: identity.openid,
            nickname,
            sex: 0,
            language: "",
            city: "",
            province: "",
            country: "",
            headimgurl,
            privilege: [],
            unionid: identity.unionid,
        }
    }
}

#[derive(Serialize)]
struct ErrorAnswer {
    errcode: i64,
    errmsg: String,
}

/// What `sns/*` refuses, with WeChat's own numbers and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SnsError {
    SystemError,
    InvalidCredential,
    InvalidGrantType,
    InvalidOpenid,
    InvalidAppId,
    InvalidCode,
    InvalidRefreshToken,
    InvalidAppSecret,
    CodeUsed,
    AccessTokenMissing,
    AppIdMissing,
    MissingRefreshToken,
    AppSecretMissing,
    MissingCode,
    MissingOpenid,
    AccessTokenExpired,
    RefreshTokenExpired,
    CodeExpired,
    RequireGet,
    Unauthorized,
}

impl SnsError {
    fn number_and_words(self) -> (i64, &'static str) {
        match self {
            Self::SystemError => (-1, "system error"),
            Self::InvalidCredential => (40001, "invalid credential, access_token is invalid or not latest"),
            Self::InvalidGrantType => (40002, "invalid grant_type"),
            Self::InvalidOpenid => (40003, "invalid openid"),
            Self::InvalidAppId => (40013, "invalid appid"),
            Self::InvalidCode => (40029, "invalid code"),
            Self::InvalidRefreshToken => (40030, "invalid refresh_token"),
            Self::InvalidAppSecret => (40125, "invalid appsecret"),
            Self::CodeUsed => (40163, "code been used"),
            Self::AccessTokenMissing => (41001, "access_token missing"),
            Self::AppIdMissing => (41002, "appid missing"),
            Self::MissingRefreshToken => (41003, "missing refresh_token"),
            Self::AppSecretMissing => (41004, "appsecret missing"),
            Self::MissingCode => (41008, "missing code"),
            Self::MissingOpenid => (41009, "missing openid"),
            Self::AccessTokenExpired => (42001, "access_token expired"),
            Self::RefreshTokenExpired => (42002, "refresh_token expired"),
            Self::CodeExpired => (42003, "oauth code expired"),
            Self::RequireGet => (43001, "require GET method"),
            Self::Unauthorized => (48001, "api unauthorized"),
        }
    }
}

fn answer<T: Serialize>(
    sim: &Simulator,
    query: Option<String>,
    operation: impl FnOnce(&mut Wechat, &Params) -> Result<T, SnsError>,
) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    match sim.with(|wechat| operation(wechat, &params)) {
        Ok(body) => json_as_text(&body),
        Err(error) => error_body(error, sim.now()),
    }
}

fn error_body(error: SnsError, now: u64) -> Response {
    let (errcode, errmsg) = error.number_and_words();
    errcode_body(errcode, errmsg, now)
}

/// An error as `sns/*` words it, also for faults. `sns/*` puts a comma before the rid where other paths put a space, and
/// the first group of a rid is the time in hex (recorded answers).
pub(crate) fn errcode_body(errcode: i64, errmsg: &str, now: u64) -> Response {
    let rid = format!("{now:08x}-{}-{}", random::lower_hex(8), random::lower_hex(8));
    json_as_text(&ErrorAnswer { errcode, errmsg: format!("{errmsg}, rid: {rid}") })
}

/// WeChat escapes slashes, which only ever stand inside strings here.
fn json_as_text(body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default().replace('/', "\\/");
    ([(CONTENT_TYPE, "text/plain")], text).into_response()
}
