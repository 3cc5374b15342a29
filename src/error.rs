//! Everything that can go wrong with a login, and ONE table of what is then said to whom: [`LoginError::row`].

use crate::step::Level;

/// Why a visitor gets a page, or a program a JSON body, that is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// A protected resource was asked for by something that cannot be sent to a login page.
    LoginRequired,
    /// A form was sent after the session had ended; its content went nowhere.
    FormWithoutSession,
    /// The browser came back from WeChat with no cookie at all.
    CookiesNotKept,
    /// The browser came back from WeChat without the cookie of the login that it began, or with another one's; an app without
    /// a state of ours.
    AttemptMissing,
    /// The login took longer than ten minutes.
    AttemptExpired,
    /// The callback's parameters are not what WeChat sends.
    CallbackMalformed,
    /// The person tapped "refuse".
    Denied,
    /// WeChat does not know the code, or not any more.
    CodeRejected,
    /// WeChat asks to come back later.
    WechatBusy,
    /// WeChat could not be reached, or its answer makes no sense.
    WechatUnavailable,
    /// WeChat refuses our app id, secret, scope or address.
    WechatMisconfigured,
    /// WeChat has blocked or restricted this WeChat account.
    WechatUserBlocked,
    /// WeChat showed a snapshot of the page and gave a made-up identity.
    SnapshotUser,
    /// The resolver could not be reached, or is overloaded.
    ResolverUnavailable,
    /// The resolver refused our request, or its answer makes no sense.
    ResolverRejected,
    /// The login waited for its person's answer for too long, or for another browser's, or another login took its place.
    PendingOver,
    /// Nobody has this identity and no new account may be made.
    RegistrationClosed,
    /// The account is disabled.
    UserDisabled,
    /// Nobody has this identity, and only people whose account was found are let in.
    NoMatch,
    /// The identity that was to be linked belongs to somebody else.
    IdentityTaken,
    /// Another WeChat came back to be linked, and whoever asked for it is not logged in here any more.
    LinkInterrupted,
    /// A dangerous step needs a login of the last minutes.
    FreshLoginRequired,
    /// The resolver refuses for a reason of its own.
    PolicyRefused,
    /// This client, or all clients together, asked for too many codes to scan.
    TooManyScans,
    /// What was scanned took too long, was answered before, or never was.
    ScanOver,
    /// Somebody else has scanned the same code.
    ScanTaken,
    /// Another window of the same browser has collected the login.
    ScanUsed,
    /// No such connector, or not at this application.
    UnknownConnector,
    /// Nothing here below our own path prefix.
    NotFound,
    /// Our endpoint does not take this method.
    MethodNotAllowed,
    /// The app does not know the secret that it began the login with.
    VerifierMismatch,
    /// A phone number is needed to log in here, and none came.
    PhoneNumberRequired,
    /// WeChat does not vouch for the phone number that was sent: a code or data that is old, used, or not this person's.
    PhoneNumberRejected,
    /// An app's login by way of a mini program is over, or is not the caller's.
    LaunchOver,
    /// Somebody else has logged in to what an app began.
    LaunchTaken,
    /// One client began too many logins.
    TooManyLaunches,
    /// What takes a session over to a web view has been used, took too long, or is for somewhere else.
    HandOverOver,
    /// A session was to be taken over to a browser in which somebody else is logged in.
    AnotherSession,
    /// A body that is neither a form nor JSON.
    UnsupportedMediaType,
    /// A body that does not say what it has to, or says it twice.
    MalformedBody,
    /// A body that is longer than anything that we take.
    BodyTooLarge,
    /// A body that did not come.
    BodyMissing,
    /// A push that WeChat has not signed.
    PushRefused,
    /// A push that WeChat has signed, and that no key of ours opens, or that is no message.
    PushUnreadable,
    /// A state-changing request that does not come from our own pages.
    CrossSite,
    /// A host that no application names, or an alias asked for with a method that cannot be redirected.
    UnknownHost,
    /// A request that no application could be given: no path, no host.
    MalformedRequest,
    /// We failed ourselves.
    Internal,
}

/// What went wrong, with words for the operator. `detail` never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the visitor hears.
    pub error: LoginError,
    /// What the operator hears besides.
    pub detail: String,
}

impl Failure {
    /// A failure with words for the operator.
    pub fn new(error: LoginError, detail: impl Into<String>) -> Self {
        Self { error, detail: detail.into() }
    }
}

/// One sentence in both languages of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

/// How the visitor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOn {
    /// A button that begins a new login.
    LogIn,
    /// Nothing that a button could do.
    None,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The HTTP status.
    pub status: u16,
    /// In JSON bodies, on pages, in metrics and in log lines. Stable.
    pub code: &'static str,
    /// For the operator's log.
    pub level: Level,
    /// The page's heading.
    pub title: Text,
    /// What happened and what to do, in plain words.
    pub explanation: Text,
    /// The button.
    pub way_on: WayOn,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
}

impl LoginError {
    /// The stable name.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// How loud its log line is.
    pub fn level(self) -> Level {
        self.row().level
    }

    /// What is said of it, to whom.
    #[rustfmt::skip]
    pub fn row(self) -> Row {
        use Level::{Error, Info, Warn};
        use WayOn::{LogIn, None as Nothing};
        let row = |status, code, level, way_on, title: (&'static str, &'static str), explanation: (&'static str, &'static str)| Row {
            status, code, level, way_on,
            title: Text { zh: title.0, en: title.1 },
            explanation: Text { zh: explanation.0, en: explanation.1 },
            retry_after: match status { 503 => Some(5), _ => None },
        };
        match self {
            Self::LoginRequired => row(401, "login_required", Info, LogIn,
                ("请先登录", "Please log in"),
                ("访问此内容需要登录。", "This needs a signed-in session.")),
            Self::FormWithoutSession => row(401, "form_without_session", Info, LogIn,
                ("登录已失效", "Your session has ended"),
                ("您提交的内容没有发送。请重新登录，然后再提交一次。", "What you sent was not delivered. Log in again, then send it once more.")),
            Self::CookiesNotKept => row(400, "cookies_not_kept", Info, LogIn,
                ("浏览器没有保存 Cookie", "Your browser does not keep cookies"),
                ("登录需要 Cookie。请在浏览器设置中允许此网站使用 Cookie（无痕模式或插件可能会拦截），然后重试。",
                 "Logging in needs cookies. Allow them for this site in your browser's settings (private mode or an extension may block them), then try again.")),
            Self::AttemptMissing => row(400, "attempt_missing", Info, LogIn,
                ("请从头开始登录", "Please start logging in again"),
                ("这次登录不是在当前浏览器或应用中开始的，或者已经完成。请在同一处重新开始。",
                 "This login was not begun in this browser or app, or it is already finished. Start again, and stay in one place.")),
            Self::AttemptExpired => row(400, "attempt_expired", Info, LogIn,
                ("登录已超时", "The login took too long"),
                ("登录需要在十分钟内完成。请重新开始。", "A login has to be finished within ten minutes. Please start again.")),
            Self::CallbackMalformed => row(400, "callback_malformed", Info, LogIn,
                ("无法识别的登录请求", "We could not read this login"),
                ("链接不完整或被改动过。请重新登录。", "The link is incomplete or was changed. Please log in again.")),
            Self::Denied => row(403, "denied", Info, LogIn,
                ("您已取消登录", "You cancelled the login"),
                ("没有向本网站提供任何信息。需要时可以再次登录。", "Nothing was shared with this site. You can log in whenever you like.")),
            Self::CodeRejected => row(400, "code_rejected", Info, LogIn,
                ("微信登录凭证已失效", "WeChat's login code is no longer valid"),
                ("凭证只能使用一次，并且很快过期。请重新登录。", "Such a code works once and only for a short time. Please log in again.")),
            Self::WechatBusy => row(503, "wechat_busy", Warn, LogIn,
                ("微信服务繁忙", "WeChat is busy"),
                ("请稍等片刻再试。", "Please wait a moment and try again.")),
            Self::WechatUnavailable => row(503, "wechat_unavailable", Warn, LogIn,
                ("暂时无法连接微信", "WeChat cannot be reached right now"),
                ("这不是您的问题。请稍后再试。", "This is not your fault. Please try again in a moment.")),
            Self::WechatMisconfigured => row(500, "wechat_misconfigured", Error, Nothing,
                ("微信登录配置有误", "WeChat login is not set up correctly"),
                ("本网站的微信登录暂时不可用，请联系网站管理员，并提供下面的编号。",
                 "WeChat login does not work on this site at the moment. Please tell its operators, and give them the reference below.")),
            Self::WechatUserBlocked => row(403, "wechat_user_blocked", Info, Nothing,
                ("微信限制了此次登录", "WeChat has blocked this login"),
                ("该微信账号目前不能用于登录。请在微信中查看原因，或换一个微信号。",
                 "This WeChat account cannot log in at the moment. See WeChat for the reason, or use another account.")),
            Self::SnapshotUser => row(403, "snapshot_user", Info, LogIn,
                ("请使用完整服务", "Open the full page first"),
                ("微信目前显示的是网页快照，无法确认您的身份。请点击屏幕底部的“使用完整服务”，然后重新登录。",
                 "WeChat is showing a snapshot of this page and does not say who you are. Tap “使用完整服务” (use the full service) at the bottom of the screen, then log in again.")),
            Self::ResolverUnavailable => row(503, "accounts_unavailable", Warn, LogIn,
                ("暂时无法登录", "Logging in is not possible right now"),
                ("账号服务没有响应。请稍后再试。", "The account service does not answer. Please try again in a moment.")),
            Self::ResolverRejected => row(500, "accounts_rejected", Error, Nothing,
                ("登录服务出现问题", "Something is wrong with the login service"),
                ("请联系网站管理员，并提供下面的编号。", "Please tell the operators of this site, and give them the reference below.")),
            Self::PendingOver => row(410, "pending_over", Info, LogIn,
                ("这次登录已经结束", "This login is over"),
                ("等待的时间太长，或者您又开始了另一次登录。请重新登录。",
                 "It took too long, or you began another one in the meantime. Please log in again.")),
            Self::RegistrationClosed => row(403, "registration_closed", Info, Nothing,
                ("此微信尚未开通账号", "There is no account for this WeChat yet"),
                ("本网站目前不开放注册。如果您应当有账号，请联系网站管理员。",
                 "This site takes no new accounts. If you should have one, please ask its operators.")),
            Self::UserDisabled => row(403, "user_disabled", Info, Nothing,
                ("账号已停用", "This account is disabled"),
                ("如有疑问，请联系网站管理员。", "Please ask the operators of this site.")),
            Self::NoMatch => row(403, "no_match", Info, LogIn,
                ("没有找到您的账号", "We did not find your account"),
                ("本网站只允许已有账号的用户登录，而这个微信还没有关联到任何账号。请换一种方式登录，或联系网站管理员为您关联。",
                 "Only people who have an account can log in here, and this WeChat belongs to none yet. Log in another way, or ask the site's operators to connect it.")),
            Self::IdentityTaken => row(409, "identity_taken", Info, LogIn,
                ("这个微信已属于另一个账号", "This WeChat belongs to another account"),
                ("没有做任何改动。如果那个账号也是您的，请先用这个微信登录并解除关联，然后再试一次。",
                 "Nothing was changed. If that account is yours too, log in to it with this WeChat, unlink it there, and try again.")),
            Self::LinkInterrupted => row(409, "link_interrupted", Warn, LogIn,
                ("没有关联新的微信", "No other WeChat was linked"),
                ("开始关联之后，您在此浏览器中的登录发生了变化。请重新登录，然后再试一次。",
                 "Your login in this browser has changed since you began. Log in again, then try once more.")),
            Self::FreshLoginRequired => row(403, "fresh_login_required", Info, LogIn,
                ("请先重新登录", "Please log in again first"),
                ("为了保护您的账号，关联或解除关联微信之前，需要在最近十分钟内登录过。",
                 "To keep your account safe, linking or unlinking a WeChat needs a login within the last ten minutes.")),
            Self::PolicyRefused => row(403, "policy_refused", Info, Nothing,
                ("登录未被允许", "This login was not allowed"),
                ("如有疑问，请联系网站管理员，并提供下面的编号。", "Please ask the operators of this site, and give them the reference below.")),
            Self::TooManyScans => row(429, "too_many_scans", Warn, LogIn,
                ("二维码请求过于频繁", "Too many codes were asked for"),
                ("请稍等片刻再试，或换一种登录方式。", "Please wait a moment and try again, or log in another way.")),
            Self::ScanOver => row(410, "scan_over", Info, Nothing,
                ("此码已失效", "This code is no longer valid"),
                ("它已过期，或已经使用过。请在电脑上换一个新码，再扫一次。",
                 "It has expired or was used before. Ask for a new code on the computer, and scan again.")),
            Self::ScanTaken => row(409, "scan_taken", Info, Nothing,
                ("此码已被他人扫描", "Somebody else has scanned this code"),
                ("每个码只能由一个人扫描。请在电脑上换一个新码，再扫一次。",
                 "A code is for one person only. Ask for a new one on the computer, and scan again.")),
            Self::ScanUsed => row(409, "scan_used", Info, LogIn,
                ("这次登录已经完成", "This login is finished"),
                ("它已在此浏览器的另一个窗口中完成。请重新打开页面。",
                 "Another window of this browser has finished it. Open the page again.")),
            Self::UnknownConnector => row(404, "unknown_connector", Info, LogIn,
                ("没有这种登录方式", "There is no such way to log in"),
                ("请从登录页重新选择。", "Please choose again on the login page.")),
            Self::NotFound => row(404, "not_found", Info, Nothing,
                ("页面不存在", "There is nothing here"),
                ("请检查地址是否正确。", "Please check the address.")),
            Self::MethodNotAllowed => row(405, "method_not_allowed", Info, Nothing,
                ("不支持的请求方式", "This cannot be done this way"),
                ("请返回上一页重试。", "Please go back and try again.")),
            Self::VerifierMismatch => row(403, "verifier_mismatch", Warn, Nothing,
                ("登录不属于此应用", "This login is not this app's"),
                ("只有开始登录的应用才能完成登录。请重新登录。", "Only the app that began a login can finish it. Please log in again.")),
            Self::PhoneNumberRequired => row(400, "phone_number_required", Info, Nothing,
                ("需要您的手机号", "Your phone number is needed"),
                ("登录需要微信提供您的手机号。请允许后再试。", "Logging in here takes the phone number that WeChat has for you. Please allow it and try again.")),
            Self::PhoneNumberRejected => row(400, "phone_number_rejected", Info, Nothing,
                ("无法确认您的手机号", "Your phone number could not be confirmed"),
                ("手机号凭证已失效，或不属于当前微信。请重新登录，并再次授权手机号。",
                 "What WeChat gave for it is used, too old, or not of this WeChat. Log in again and allow the phone number once more.")),
            Self::LaunchOver => row(410, "launch_over", Info, Nothing,
                ("这次登录已经结束", "This login is over"),
                ("登录已超时、已完成，或不属于此应用。请在应用中重新开始。",
                 "It took too long, it is finished, or it is not this app's. Please start again in the app.")),
            Self::LaunchTaken => row(409, "launch_taken", Info, Nothing,
                ("另一个微信正在登录", "Another WeChat is logging in"),
                ("这次登录已由另一个微信确认。请在应用中重新开始。", "Somebody else has confirmed this login. Please start again in the app.")),
            Self::TooManyLaunches => row(429, "too_many_launches", Warn, Nothing,
                ("登录次数过多", "Too many logins"),
                ("请稍等片刻再试。", "Please wait a moment and try again.")),
            Self::HandOverOver => row(410, "hand_over_over", Info, LogIn,
                ("此链接已失效", "This link is no longer valid"),
                ("它只能使用一次，并且一分钟后失效。请返回小程序或应用重新打开，或在此登录。",
                 "It works once, and for one minute. Open it again from the mini program or the app, or log in here.")),
            Self::AnotherSession => row(409, "another_session", Warn, LogIn,
                ("此浏览器中登录着另一个账号", "Somebody else is logged in here"),
                ("没有做任何改动。如果要换成刚才的账号，请先在此退出登录，再从小程序或应用重新打开。",
                 "Nothing was changed. To use the account that you came with, log out here first, then open the page again from the mini program or the app.")),
            Self::UnsupportedMediaType => row(415, "unsupported_media_type", Info, Nothing,
                ("不支持的内容类型", "This kind of content is not understood"),
                ("请在本网站的页面上操作。", "Please use this site's own pages.")),
            Self::MalformedBody => row(400, "malformed_body", Info, Nothing,
                ("无法识别提交的内容", "We could not read what was sent"),
                ("请返回上一页，检查后再提交一次。", "Please go back, check what you entered, and send it again.")),
            Self::BodyTooLarge => row(413, "body_too_large", Info, Nothing,
                ("提交的内容太长", "What was sent is too long"),
                ("请返回上一页，缩短后再提交一次。", "Please go back and send less.")),
            Self::BodyMissing => row(408, "body_missing", Warn, Nothing,
                ("没有收到提交的内容", "What you sent did not arrive"),
                ("请检查网络，然后返回上一页再提交一次。", "Please check your connection, then go back and send it again.")),
            Self::PushRefused => row(403, "push_refused", Info, Nothing,
                ("消息推送未通过验证", "This message is not from WeChat"),
                ("签名不正确，消息没有被读取。", "Its signature is missing or wrong, so it was not read.")),
            Self::PushUnreadable => row(400, "push_unreadable", Error, Nothing,
                ("无法读取消息推送", "This message cannot be read"),
                ("请检查消息加解密密钥和 AppID 是否与微信后台一致。", "Check that the message keys and the AppID are those of WeChat's console.")),
            Self::CrossSite => row(403, "cross_site", Warn, Nothing,
                ("请求来自其他网站", "The request came from another site"),
                ("为了您的安全，此操作已被拒绝。请在本网站的页面上操作。", "It was refused for your safety. Please use this site's own pages.")),
            Self::UnknownHost => row(421, "unknown_host", Info, Nothing,
                ("此地址没有对应的网站", "There is no site at this address"),
                ("请检查域名是否正确。", "Please check the host name.")),
            Self::MalformedRequest => row(400, "malformed_request", Info, Nothing,
                ("无法识别的请求", "We could not read this request"),
                ("请检查地址是否正确。", "Please check the address.")),
            Self::Internal => row(500, "internal", Error, LogIn,
                ("登录服务出现问题", "Something is wrong with the login service"),
                ("请稍后再试。如果仍有问题，请联系网站管理员，并提供下面的编号。",
                 "Please try again in a moment. If it stays like this, tell the operators of this site, and give them the reference below.")),
        }
    }
}
