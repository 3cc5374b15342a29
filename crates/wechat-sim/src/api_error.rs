//! What `api.weixin.qq.com` refuses, with WeChat's own numbers and words. The one table of them.

use std::borrow::Cow;
use std::net::IpAddr;

/// Why WeChat does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiError {
    SystemError,
    /// A user's token at `sns/*`.
    InvalidCredential,
    /// An app's own token: superseded, made up, or of the wrong kind.
    InvalidServerToken,
    InvalidGrantType,
    InvalidOpenid,
    InvalidAppId,
    MalformedServerToken,
    InvalidCode,
    InvalidRefreshToken,
    InvalidActionName,
    InvalidActionInfo,
    InvalidArgs,
    InvalidAppSecret,
    InvalidSceneCharacters,
    CodeUsed,
    IpNotWhitelisted(IpAddr),
    InvalidPath,
    InvalidSceneLength,
    InvalidQuery,
    CodeBlocked,
    AccessTokenMissing,
    AppIdMissing,
    MissingRefreshToken,
    AppSecretMissing,
    MissingCode,
    MissingOpenid,
    InvalidPage,
    AccessTokenExpired,
    RefreshTokenExpired,
    CodeExpired,
    RequireGet,
    RequirePost,
    EmptyBody,
    DailyQuota,
    MinuteQuota,
    MalformedBody,
    Unauthorized,
    ClearQuotaUsedUp,
    InvalidLifetime,
    NoSessionKey,
    InvalidSignatureMethod,
    InvalidSessionSignature,
}

impl ApiError {
    pub(crate) fn number_and_words(self) -> (i64, Cow<'static, str>) {
        let (number, words) = match self {
            Self::SystemError => (-1, "system error"),
            Self::InvalidCredential => (40001, "invalid credential, access_token is invalid or not latest"),
            Self::InvalidServerToken => (
                40001,
                "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, \
                 more details at https://mmbizurl.cn/s/JtxxFh33r",
            ),
            Self::InvalidGrantType => (40002, "invalid grant_type"),
            Self::InvalidOpenid => (40003, "invalid openid"),
            Self::InvalidAppId => (40013, "invalid appid"),
            Self::MalformedServerToken => (40014, "invalid access_token"),
            Self::InvalidCode => (40029, "invalid code"),
            Self::InvalidRefreshToken => (40030, "invalid refresh_token"),
            Self::InvalidActionName => (40052, "invalid action name"),
            Self::InvalidActionInfo => (40053, "invalid action info"),
            Self::InvalidArgs => (40097, "invalid args"),
            Self::InvalidAppSecret => (40125, "invalid appsecret"),
            Self::InvalidSceneCharacters => (40129, "invalid scene"),
            Self::CodeUsed => (40163, "code been used"),
            Self::IpNotWhitelisted(ip) => return (40164, Cow::Owned(not_whitelisted(ip))),
            Self::InvalidPath => (40165, "invalid weapp pagepath"),
            Self::InvalidSceneLength => (40169, "invalid length for scene, or the data is not json string"),
            Self::InvalidQuery => (40212, "invalid query"),
            Self::CodeBlocked => (40226, "code blocked"),
            Self::AccessTokenMissing => (41001, "access_token missing"),
            Self::AppIdMissing => (41002, "appid missing"),
            Self::MissingRefreshToken => (41003, "missing refresh_token"),
            Self::AppSecretMissing => (41004, "appsecret missing"),
            Self::MissingCode => (41008, "missing code"),
            Self::MissingOpenid => (41009, "missing openid"),
            Self::InvalidPage => (41030, "invalid page"),
            Self::AccessTokenExpired => (42001, "access_token expired"),
            Self::RefreshTokenExpired => (42002, "refresh_token expired"),
            Self::CodeExpired => (42003, "oauth code expired"),
            Self::RequireGet => (43001, "require GET method"),
            Self::RequirePost => (43002, "require POST method"),
            Self::EmptyBody => (44002, "empty post data"),
            Self::DailyQuota => (45009, "reach max api daily quota limit"),
            Self::MinuteQuota => (45011, "api minute-quota reach limit must slower retry next minute"),
            Self::MalformedBody => (47001, "data format error"),
            Self::Unauthorized => (48001, "api unauthorized"),
            Self::ClearQuotaUsedUp => (48006, "forbid to clear quota because of reaching the limit"),
            Self::InvalidLifetime => (85401, "time limit between 1min and 1year"),
            Self::NoSessionKey => (87007, "session_key is not existd or expired"),
            Self::InvalidSignatureMethod => (87008, "invalid sig_method"),
            Self::InvalidSessionSignature => (87009, "invalid signature"),
        };
        (number, Cow::Borrowed(words))
    }
}

/// The words of a recorded 40164, which tell an operator the address to add.
fn not_whitelisted(ip: IpAddr) -> String {
    let mapped = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    format!("invalid ip {ip} ipv6 {mapped}, not in whitelist")
}
