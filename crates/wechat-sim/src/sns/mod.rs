//! `api.weixin.qq.com/sns/*`: codes for tokens, tokens for people.
//!
//! Errors are HTTP 200 with `errcode`, successes have no `errcode`, and both are `text/plain` without a charset although
//! they are JSON in UTF-8 (recorded answers). Sources: WeChat docs, "Web authorization" and "Authorized interface
//! calling (UnionID)".

mod jscode2session;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use crate::answers::{Family, Nothing, Success, just_ok};
use crate::api_error::ApiError;
use crate::codes::{Grant, Scope};
use crate::params::Params;
use crate::quirks::Quirks;
use crate::simulator::{Simulator, Wechat};
use crate::tokens::{ACCESS_LIFE, TokenError, TokenPair};
use crate::world::{self, App, Person, World};

pub(crate) fn routes() -> Router<Simulator> {
    let only_get = || async |State(sim): State<Simulator>| Family::Sns.error(ApiError::RequireGet, sim.now());
    Router::new()
        .merge(jscode2session::routes())
        .route("/sns/oauth2/access_token", get(access_token).fallback(only_get()))
        .route("/sns/oauth2/refresh_token", get(refresh_token).fallback(only_get()))
        .route("/sns/userinfo", get(userinfo).fallback(only_get()))
        .route("/sns/auth", get(auth).fallback(only_get()))
}

async fn access_token(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Sns.get(&sim, query, exchange)
}

async fn refresh_token(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Sns.get(&sim, query, refresh)
}

async fn userinfo(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Sns.get(&sim, query, profile)
}

async fn auth(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Sns.get(&sim, query, check_token)
}

/// The order of these checks was seen from outside only in part; clients must not depend on it. The appid comes first,
/// and a wrong secret does not spend the code.
fn exchange(wechat: &mut Wechat, params: &Params) -> Result<TokenAnswer, ApiError> {
    let now = wechat.now();
    let (appid, app) = known_app(&wechat.world, params)?;
    let secret = params.filled("secret").ok_or(ApiError::AppSecretMissing)?;
    let code = params.filled("code").ok_or(ApiError::MissingCode)?;
    if params.raw("grant_type") != Some("authorization_code") {
        return Err(ApiError::InvalidGrantType);
    }
    let unspent = wechat.codes.find(code, appid, now).map_err(|error| error.at_login(&wechat.quirks))?;
    if secret != app.secret {
        return Err(ApiError::InvalidAppSecret);
    }
    if wechat.world.person(&unspent.grant().person).is_some_and(|person| person.is_blocked) {
        return Err(ApiError::CodeBlocked);
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
fn refresh(wechat: &mut Wechat, params: &Params) -> Result<TokenAnswer, ApiError> {
    let now = wechat.now();
    let (appid, _) = known_app(&wechat.world, params)?;
    let token = params.filled("refresh_token").ok_or(ApiError::MissingRefreshToken)?;
    if params.raw("grant_type") != Some("refresh_token") {
        return Err(ApiError::InvalidGrantType);
    }
    let (pair, grant) = wechat.tokens.renew(token, appid, now).map_err(|error| match error {
        TokenError::Unknown => ApiError::InvalidRefreshToken,
        TokenError::Expired => ApiError::RefreshTokenExpired,
    })?;
    let identity = Identity::of(&grant, &wechat.world);
    Ok(TokenAnswer::new(pair, identity.openid, grant.scope, &wechat.quirks))
}

fn profile(wechat: &mut Wechat, params: &Params) -> Result<ProfileAnswer, ApiError> {
    let grant = granted(wechat, params)?;
    if grant.scope == Scope::Base {
        return Err(ApiError::Unauthorized);
    }
    let person = wechat.world.person(&grant.person).ok_or(ApiError::SystemError)?;
    Ok(ProfileAnswer::new(person, &grant, Identity::of(&grant, &wechat.world)))
}

/// The one success of `sns/*` that does carry an `errcode`.
fn check_token(wechat: &mut Wechat, params: &Params) -> Result<Success<Nothing>, ApiError> {
    granted(wechat, params)?;
    Ok(just_ok())
}

fn known_app<'a>(world: &'a World, params: &'a Params) -> Result<(&'a str, &'a App), ApiError> {
    let appid = params.filled("appid").ok_or(ApiError::AppIdMissing)?;
    let app = world.app(appid).ok_or(ApiError::InvalidAppId)?;
    Ok((appid, app))
}

fn granted(wechat: &Wechat, params: &Params) -> Result<Grant, ApiError> {
    let token = params.filled("access_token").ok_or(ApiError::AccessTokenMissing)?;
    let openid = params.filled("openid").ok_or(ApiError::MissingOpenid)?;
    let grant = wechat.tokens.find(token, wechat.now()).map_err(|error| match error {
        TokenError::Unknown => ApiError::InvalidCredential,
        TokenError::Expired => ApiError::AccessTokenExpired,
    })?;
    if openid != Identity::of(grant, &wechat.world).openid {
        return Err(ApiError::InvalidOpenid);
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
