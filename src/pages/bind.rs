//! "Do you already have an account?"

use resolver_api::{CodeSent, ProofMethod};

use super::choose::cancel;
use super::form::{Field, Kind, Look, form, hidden, submit};
use super::html::Html;
use super::icons;
use super::language::Language;
use super::notice::Notice;
use super::person::avatar;
use super::shell::{Title, Width, document, notice};
use super::when::lasting;
use crate::error::Text;

/// Nobody has this WeChat identity: the person proves an account that exists, or makes one.
///
/// Every form posts `application/x-www-form-urlencoded` to [`Bind::action`], with `language` (a [`Language::tag`]) and `action`:
///
/// | `action` | further fields |
/// |---|---|
/// | `send_code` | `method` (`phone_code` or `email_code`), `address`; the button for another code sends the same |
/// | `code` | `code` |
/// | `password` | `account`, `password` |
/// | `create`, `cancel` | none |
pub struct Bind<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// What WeChat calls the person.
    pub nickname: Option<&'a str>,
    /// Shown when it is an `https` address below `qlogo.cn`.
    pub picture: Option<&'a str>,
    /// The ways to prove an account, in the operator's order.
    pub methods: &'a [ProofMethod],
    /// Whether a new account may be made.
    pub may_create: bool,
    /// The code that was sent last: its form comes first. With [`Bind::typed`] of the same method there is a button for another one.
    pub code: Option<&'a CodeSent>,
    /// How many wrong answers are left.
    pub tries_left: u32,
    /// What became of the last answer.
    pub notice: Option<Notice>,
    /// What was typed into the form that was posted last, also when a code was sent; never a password or a code.
    pub typed: Option<Typed<'a>>,
    /// Where all forms post to: a path of the filter.
    pub action: &'a str,
    /// The time in Unix seconds, for "in 40 seconds".
    pub now: u64,
}

/// What stands in a form again.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// The form, which is open then.
    pub method: ProofMethod,
    /// The phone number, the e-mail address, or the account's name.
    pub value: &'a str,
}

/// One form for each way. No word differs between an address that an account has and one that nobody has.
pub fn bind(page: &Bind<'_>) -> String {
    let title = Title { text: Text { zh: "关联账号", en: "Connect your account" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        html.raw("<div class=\"who\">");
        avatar(html, page.nickname, page.picture);
        html.raw("</div><h1>").say(page.question()).raw("</h1><p class=\"lead\" role=\"status\">");
        match page.good_code() {
            Some((code, good_for)) => on_its_way(html, code, good_for),
            None => introduction(html, page),
        }
        html.raw("</p>");
        match (page.notice, page.good_code()) {
            // The lead says it already.
            (Some(Notice::CodeSent), Some(_)) => {}
            (Some(notice), _) => notice.write(html),
            (None, None) if page.code.is_some() => notice(html, EXPIRED),
            (None, _) => {}
        }
        if let Some((code, _)) = page.good_code() {
            code_form(html, page, code);
        }
        ways(html, page);
        if page.may_create {
            create(html, page);
        }
        if page.tries_left < FEW_TRIES && !matches!(page.notice, Some(Notice::WrongProof { .. })) {
            html.raw("<p class=\"small\">").say(Text { zh: "还可以答错 ", en: "" }).count(
                page.tries_left.into(),
                Text { zh: " 次，之后需要重新登录。", en: " wrong answer is left before this login starts over." },
                Text { zh: " 次，之后需要重新登录。", en: " wrong answers are left before this login starts over." },
            );
            html.raw("</p>");
        }
        cancel(html, page.action);
    })
}

/// From here on the page says how many are left. Whoever has just begun has no use for the number.
const FEW_TRIES: u32 = 4;

impl<'a> Bind<'a> {
    fn question(&self) -> Text {
        match (self.good_code(), self.methods) {
            (Some(_), _) => Text { zh: "输入验证码", en: "Enter the code" },
            (None, []) => Text { zh: "创建账号", en: "Create your account" },
            (None, _) => Text { zh: "您已经有账号了吗？", en: "Do you already have an account?" },
        }
    }

    /// The code, and for how many seconds it is good: one that has expired is asked for anew.
    fn good_code(&self) -> Option<(&'a CodeSent, u64)> {
        let code = self.code?;
        let good_for = code.expires_at.checked_sub(self.now).filter(|seconds| *seconds > 0)?;
        Some((code, good_for))
    }

    fn has_sent(&self, method: ProofMethod) -> bool {
        self.good_code().is_some_and(|(code, _)| code.method == method)
    }

    /// What was typed into this form, if it was the last.
    fn typed_into(&self, method: ProofMethod) -> Option<&'a str> {
        self.typed.filter(|typed| typed.method == method).map(|typed| typed.value)
    }

    /// Open is the form that was posted last, unless it is the code's turn; at first, the operator's first way.
    fn is_open(&self, method: ProofMethod) -> bool {
        match self.typed {
            Some(typed) => typed.method == method && !self.has_sent(method),
            None => self.good_code().is_none() && self.methods.first() == Some(&method),
        }
    }

    /// The code's own button is the way on, where there is one.
    fn look(&self) -> Look {
        if self.good_code().is_some() { Look::Plain } else { Look::Main }
    }

    /// A wrong proof was a code, unless it was a password.
    fn is_wrong(&self, method: Option<ProofMethod>) -> bool {
        let was_password = self.typed_into(ProofMethod::Password).is_some();
        match (self.notice, method) {
            (Some(Notice::WrongProof { .. }), Some(method)) => method == ProofMethod::Password && was_password,
            (Some(Notice::WrongProof { .. }), None) => !was_password,
            (Some(Notice::InvalidAddress), Some(method)) => self.typed_into(method).is_some(),
            _ => false,
        }
    }
}

fn introduction(html: &mut Html, page: &Bind<'_>) {
    match page.nickname {
        Some(nickname) => html.say(Text { zh: "微信 ", en: "Your WeChat " }).raw("<b>").name(nickname).raw("</b>"),
        None => html.say(Text { zh: "您的微信", en: "Your WeChat" }),
    };
    html.say(Text { zh: " 是第一次登录 ", en: " is new to " }).name(page.application).say(Text { zh: "。", en: "." });
    if !page.methods.is_empty() {
        html.say(Text {
            zh: "如果已有账号，请先验证，以后用微信就能直接登录。",
            en: " Show that an account is yours, and from then on WeChat is enough to log in.",
        });
    }
}

fn on_its_way(html: &mut Html, code: &CodeSent, good_for: u64) {
    html.say(Text { zh: "如果有账号使用 ", en: "If an account has " }).raw("<b>").name(&code.address).raw("</b>");
    html.say(match code.method {
        ProofMethod::EmailCode => {
            Text { zh: "，6 位验证码已发往该邮箱", en: ", a six-digit code is on its way to that address" }
        }
        _ => Text { zh: "，6 位验证码已发往该手机", en: ", a six-digit code is on its way to that number" },
    });
    html.say(Text { zh: "，", en: ". It is good for " });
    lasting(html, good_for);
    html.say(Text { zh: "内有效。", en: "." });
}

fn code_form(html: &mut Html, page: &Bind<'_>, code: &CodeSent) {
    form(html, page.action, "code", |html| {
        Field {
            label: Text { zh: "验证码", en: "Code" },
            hint: None,
            kind: Kind::Code,
            name: "code",
            value: "",
            is_wrong: page.is_wrong(None),
        }
        .write(html);
        submit(html, Look::Main, CONTINUE);
    });
    if let Some(address) = page.typed_into(code.method) {
        again(html, page, code, address);
    }
}

/// The button for another code shows when it may be used: a style sheet can wait, in steps of ten seconds. Browsers that cannot show it
/// at once, and the resolver keeps the limit anyway.
fn again(html: &mut Html, page: &Bind<'_>, code: &CodeSent, address: &str) {
    let wait = code.resend_at.saturating_sub(page.now);
    html.raw(match wait {
        0 => "<div class=\"again\">",
        1..=10 => "<div class=\"again wait10\">",
        11..=20 => "<div class=\"again wait20\">",
        21..=30 => "<div class=\"again wait30\">",
        31..=40 => "<div class=\"again wait40\">",
        41..=50 => "<div class=\"again wait50\">",
        _ => "<div class=\"again wait60\">",
    });
    if wait > 0 {
        html.raw("<p>").say(Text { zh: "没有收到？", en: "Nothing arrived? You can have another one sent in " });
        lasting(html, wait);
        html.say(Text { zh: "后可以重新发送。", en: "." }).raw("</p>");
    }
    form(html, page.action, "send_code", |html| {
        hidden(html, "method", tag(code.method));
        hidden(html, "address", address);
        submit(html, Look::Quiet, Text { zh: "重新发送验证码", en: "Send another code" });
    });
    html.raw("</div>");
}

fn ways(html: &mut Html, page: &Bind<'_>) {
    if page.methods.is_empty() {
        return;
    }
    if page.good_code().is_some() {
        html.raw("<h2>").say(Text { zh: "换一种方式", en: "Another way" }).raw("</h2>");
    }
    html.raw("<ul class=\"options\">");
    for method in page.methods {
        // Of details with the same name one is open at a time.
        html.raw("<li><details").id("name", "way").raw(if page.is_open(*method) { " open>" } else { ">" });
        let (icon, name, what_happens) = looks(*method, page.has_sent(*method));
        html.raw("<summary class=\"row\"><span class=\"icon\">").raw(icon).raw("</span><span><b>").say(name).raw("</b><small>");
        html.say(what_happens).raw("</small></span>").raw(icons::ONWARD).raw("</summary>");
        match method {
            ProofMethod::PhoneCode | ProofMethod::EmailCode => address_form(html, page, *method),
            ProofMethod::Password => password_form(html, page),
        }
        html.raw("</details></li>");
    }
    html.raw("</ul>");
}

fn looks(method: ProofMethod, is_again: bool) -> (&'static str, Text, Text) {
    match method {
        ProofMethod::PhoneCode if is_again => (
            icons::PHONE,
            Text { zh: "换一个手机号", en: "Another phone number" },
            Text { zh: "重新接收短信验证码", en: "Receive a new code there" },
        ),
        ProofMethod::EmailCode if is_again => (
            icons::MAIL,
            Text { zh: "换一个邮箱", en: "Another e-mail address" },
            Text { zh: "重新接收邮件验证码", en: "Receive a new code there" },
        ),
        ProofMethod::PhoneCode => (
            icons::PHONE,
            Text { zh: "手机验证码", en: "By phone" },
            Text { zh: "用账号绑定的手机号验证", en: "Receive a code by text message" },
        ),
        ProofMethod::EmailCode => {
            (icons::MAIL, Text { zh: "邮箱验证码", en: "By e-mail" }, Text { zh: "用账号绑定的邮箱验证", en: "Receive a code by e-mail" })
        }
        ProofMethod::Password => (
            icons::KEY,
            Text { zh: "账号密码", en: "By password" },
            Text { zh: "用原来的账号和密码验证", en: "That of the account you have" },
        ),
    }
}

fn address_form(html: &mut Html, page: &Bind<'_>, method: ProofMethod) {
    form(html, page.action, "send_code", |html| {
        hidden(html, "method", tag(method));
        let phone = Field {
            label: Text { zh: "手机号", en: "Phone number" },
            hint: Some(Text {
                zh: "中国大陆以外的号码请加国家代码，例如 +852", en: "Outside mainland China, begin with +, such as +852"
            }),
            kind: Kind::Phone,
            name: "address",
            // The number that a code was just sent to is not the one to type here.
            value: page.typed_into(method).filter(|_| !page.has_sent(method)).unwrap_or_default(),
            is_wrong: page.is_wrong(Some(method)),
        };
        match method {
            ProofMethod::EmailCode => Field { label: Text { zh: "邮箱", en: "E-mail address" }, hint: None, kind: Kind::Email, ..phone },
            _ => phone,
        }
        .write(html);
        submit(html, page.look(), Text { zh: "发送验证码", en: "Send code" });
    });
}

fn password_form(html: &mut Html, page: &Bind<'_>) {
    form(html, page.action, "password", |html| {
        let is_wrong = page.is_wrong(Some(ProofMethod::Password));
        let account = Field {
            label: Text { zh: "用户名、手机号或邮箱", en: "Username, phone number or e-mail address" },
            hint: None,
            kind: Kind::Username,
            name: "account",
            value: page.typed_into(ProofMethod::Password).unwrap_or_default(),
            is_wrong,
        };
        account.write(html);
        Field { label: Text { zh: "密码", en: "Password" }, kind: Kind::Password, name: "password", value: "", ..account }.write(html);
        submit(html, page.look(), CONTINUE);
    });
}

fn create(html: &mut Html, page: &Bind<'_>) {
    if !page.methods.is_empty() {
        html.raw("<h2 class=\"or\">").say(Text { zh: "还没有账号？", en: "No account yet?" }).raw("</h2>");
    }
    form(html, page.action, "create", |html| {
        let look = if page.methods.is_empty() { Look::Main } else { Look::Plain };
        submit(html, look, Text { zh: "用微信创建新账号", en: "Create a new account" });
    });
}

/// As the resolver's agreement spells it.
fn tag(method: ProofMethod) -> &'static str {
    match method {
        ProofMethod::PhoneCode => "phone_code",
        ProofMethod::EmailCode => "email_code",
        ProofMethod::Password => "password",
    }
}

const EXPIRED: Text = Text { zh: "验证码已过期，请重新获取。", en: "The code has expired. Please ask for a new one." };
const CONTINUE: Text = Text { zh: "验证并关联", en: "Continue" };
