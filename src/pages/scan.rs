//! Scans without a script: the code on the computer, and the question on the phone.

use resolver_api::LoginMethod;

use super::form::{Look, form, hidden, submit};
use super::html::Html;
use super::language::Language;
use super::person::avatar;
use super::shell::{Sign, Title, Width, close, document, open};
use super::ways::{Begun, script, script_policy};
use super::when::lasting;
use crate::error::Text;

/// A scan that this browser has begun, as it stands. With the script it goes on by itself, as on the login page.
///
/// A new code is asked for by a form that posts `return_to` to [`Scan::start`].
pub struct Scan<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// Which kind of code it is.
    pub method: LoginMethod,
    /// How far it has come.
    pub state: ScanState<'a>,
    /// This page's own address, to look again.
    pub look_again: &'a str,
    /// Where a new code is asked for: a path of the filter. `None` where it is to link another WeChat, which begins at the account.
    pub start: Option<&'a str>,
    /// Where the visitor is going.
    pub return_to: &'a str,
    /// Where the other ways to log in are, or the account.
    pub login_href: &'a str,
}

/// How far a scan has come, as far as its browser has something to see.
#[derive(Clone, Copy)]
pub enum ScanState<'a> {
    /// Nobody has scanned it.
    Waiting {
        /// The code: a path of the filter.
        image: &'a str,
        /// Two digits.
        number: &'a str,
        /// So long it can be scanned.
        seconds_left: u64,
    },
    /// Somebody has, and has to confirm.
    Scanned {
        /// What WeChat told.
        name: Option<&'a str>,
        /// Shown when it is an `https` address below `qlogo.cn`.
        picture: Option<&'a str>,
        /// Two digits.
        number: &'a str,
    },
    /// That person has refused.
    Cancelled,
    /// It took too long.
    Expired,
}

impl Scan<'_> {
    /// What the page may load and do; `None` for no more than any other.
    pub fn policy(&self) -> Option<String> {
        matches!(self.state, ScanState::Waiting { .. }).then(script_policy)
    }
}

/// The code, or what became of it, with a link to look again and a button for a new one.
pub fn scan(page: &Scan<'_>) -> String {
    let mut html = open(page.language, Title { text: SCAN, application: Some(page.application) }, Width::Narrow);
    let again = |html: &mut Html| {
        html.raw("<a class=\"button\"").address("href", page.look_again).raw(">");
        html.say(Text { zh: "已在手机上确认", en: "I have confirmed on my phone" }).raw("</a>");
    };
    match page.state {
        ScanState::Waiting { image, number, seconds_left } => {
            html.both(&|html| {
                html.raw("<h1>");
                match page.start {
                    Some(_) => html.say(Text { zh: "登录 ", en: "Log in to " }).name(page.application),
                    None => html.say(Text { zh: "关联另一个微信", en: "Link another WeChat" }),
                };
                html.raw("</h1><p class=\"lead covered\">").say(how_to(page.method)).raw("</p>");
            });
            code(&mut html, image);
            html.both(&|html| {
                html.raw("<div class=\"covered\">");
                compare(html, number);
                again(html);
                html.raw("<p class=\"small\">").say(Text { zh: "此码还可使用 ", en: "This code works for another " });
                lasting(html, seconds_left);
                html.say(STOP).raw("</p></div>");
            });
            Begun { method: page.method, poll: page.look_again, image, number, seconds_left }.write(&mut html);
            html.both(&|html| another(html, page, Look::Plain));
        }
        ScanState::Scanned { name, picture, number } => {
            html.both(&|html| {
                html.raw("<div class=\"who\">");
                avatar(html, name, picture);
                html.raw("</div><h1>").say(SCANNED).raw("</h1><p class=\"lead\">");
                if let Some(name) = name {
                    html.raw("<b>").name(name).raw("</b>").say(Text { zh: "，", en: ": " });
                }
                html.say(Text { zh: "请在手机上确认登录。", en: "Please confirm on your phone." }).raw("</p>");
                compare(html, number);
                again(html);
                another(html, page, Look::Plain);
            });
        }
        ScanState::Cancelled | ScanState::Expired => {
            let (title, explanation) = match page.state {
                ScanState::Cancelled => (CANCELLED, CANCELLED_MORE),
                _ => (EXPIRED, EXPIRED_MORE),
            };
            html.both(&|html| {
                Sign::Attention.write(html);
                html.raw("<h1>").say(title).raw("</h1><p class=\"lead\">").say(explanation).raw("</p>");
                another(html, page, Look::Main);
            });
        }
    }
    html.both(&|html| {
        html.raw("<a class=\"button quiet\"").address("href", page.login_href).raw(">");
        html.say(match page.start {
            Some(_) => Text { zh: "其他登录方式", en: "Other ways to log in" },
            None => Text { zh: "返回我的账号", en: "Back to your account" },
        });
        html.raw("</a>");
    });
    if page.policy().is_some() {
        script(&mut html);
    }
    close(html)
}

/// The picture stands once in a page, or browsers would ask for it twice.
fn code(html: &mut Html, image: &str) {
    html.raw("<div class=\"qr covered\"><img width=\"240\" height=\"240\" alt=\"二维码 · QR code\" aria-labelledby=\"code-name\"")
        .address("src", image);
    html.raw("><span class=\"unseen\" id=\"code-name\">")
        .say_both(Text { zh: "用微信扫描的二维码", en: "Code to scan with WeChat" });
    html.raw("</span></div>");
}

fn compare(html: &mut Html, number: &str) {
    html.raw("<p class=\"number\"><span>").say(COMPARE).raw("</span><b>").text(number).raw("</b></p>");
}

fn another(html: &mut Html, page: &Scan<'_>, look: Look) {
    let Some(start) = page.start else { return };
    html.raw("<form method=\"post\"").address("action", start).raw(">");
    hidden(html, "return_to", page.return_to);
    submit(html, look, NEW_CODE);
    html.raw("</form>");
}

/// Also for the panels of the login page.
pub(super) fn how_to(method: LoginMethod) -> Text {
    match method {
        LoginMethod::OfficialAccountQr => {
            Text { zh: "请用微信“扫一扫”，并关注公众号。", en: "Scan with WeChat and follow the official account." }
        }
        _ => Text { zh: "请用微信“扫一扫”，然后在手机上确认。", en: "Scan with WeChat, then confirm on your phone." },
    }
}

pub(super) const COMPARE: Text = Text { zh: "手机上应显示相同的数字", en: "Your phone shows the same number" };
pub(super) const SCANNED: Text = Text { zh: "已扫码", en: "Scanned" };
pub(super) const CANCELLED: Text = Text { zh: "已在手机上取消", en: "Cancelled on the phone" };
pub(super) const CANCELLED_MORE: Text =
    Text { zh: "没有登录。需要时可以再扫一次。", en: "Nobody was logged in. You can scan again whenever you like." };
pub(super) const EXPIRED: Text = Text { zh: "此码已过期", en: "This code has expired" };
pub(super) const EXPIRED_MORE: Text =
    Text { zh: "为了安全，每个码只在短时间内有效。", en: "To keep you safe, a code works only for a short time." };
pub(super) const NEW_CODE: Text = Text { zh: "换一个新码", en: "Show a new code" };
const SCAN: Text = Text { zh: "微信扫码登录", en: "Scan to log in" };
const STOP: Text = Text { zh: "。", en: "." };

/// The question in WeChat, after a scan: shall a computer be logged in?
///
/// The form posts `application/x-www-form-urlencoded` to [`ConfirmScan::action`], with `language` (a [`Language::tag`]), `confirm`, and
/// `action`: `confirm` or `cancel`.
pub struct ConfirmScan<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The name of the application that the computer would be logged in to.
    pub application: &'a str,
    /// Its origin.
    pub origin: &'a str,
    /// What kind of client asks, such as `Chrome, Windows`.
    pub client: Option<&'a str>,
    /// From where it asks.
    pub client_address: Option<&'a str>,
    /// Two digits, to compare.
    pub number: &'a str,
    /// Where the form posts to: a path of the filter.
    pub action: &'a str,
    /// The sealed token that the form sends along.
    pub confirm: &'a str,
}

/// Says which site asks, and from where, and takes the person's answer.
pub fn confirm_scan(page: &ConfirmScan<'_>) -> String {
    let title = Title { text: Text { zh: "确认登录", en: "Confirm the login" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        Sign::WeChat.write(html);
        html.raw("<h1>").say(Text { zh: "在电脑上登录 ", en: "Log in to " }).name(page.application);
        html.say(Text { zh: "？", en: " on the computer?" }).raw("</h1>");
        html.raw("<p class=\"number\"><span>");
        html.say(Text { zh: "请核对：电脑上应显示", en: "Compare: the computer shows" }).raw("</span><b>").text(page.number);
        html.raw("</b></p><dl class=\"facts\">");
        fact(html, Text { zh: "网站", en: "Site" }, page.origin);
        if let Some(client) = page.client {
            fact(html, Text { zh: "浏览器", en: "Browser" }, client);
        }
        if let Some(address) = page.client_address {
            fact(html, Text { zh: "网络地址", en: "Network address" }, address);
        }
        html.raw("</dl><p class=\"notice\">");
        html.say(Text {
            zh: "如果不是您本人在登录，或者数字不一致，请取消：否则别人会以您的身份登录。",
            en: "If it is not you who logs in, or the numbers differ, cancel: somebody else would be logged in as you.",
        });
        html.raw("</p>");
        for (step, look, label) in
            [("confirm", Look::Main, Text { zh: "确认登录", en: "Log in" }), ("cancel", Look::Plain, Text { zh: "取消", en: "Cancel" })]
        {
            form(html, page.action, step, |html| {
                hidden(html, "confirm", page.confirm);
                submit(html, look, label);
            });
        }
    })
}

fn fact(html: &mut Html, label: Text, value: &str) {
    html.raw("<div><dt>").say(label).raw("</dt><dd>").name(value).raw("</dd></div>");
}

/// What became of the answer that a person gave in WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanAnswered {
    /// The computer goes on.
    Confirmed,
    /// Nobody is logged in.
    Cancelled,
    /// It took too long, or it was decided before.
    Over,
    /// Somebody else has scanned this code.
    Taken,
}

/// Says so. Nothing leads on from here: the login goes on at the computer.
pub fn scan_answered(language: Language, application: Option<&str>, answered: ScanAnswered) -> String {
    let (sign, title, lead): (fn() -> Sign, Text, Text) = match answered {
        ScanAnswered::Confirmed => (
            || Sign::Done,
            Text { zh: "已确认登录", en: "You have confirmed" },
            Text { zh: "请回到电脑上继续。此页可以关闭。", en: "Go back to your computer. You can close this page." },
        ),
        ScanAnswered::Cancelled => (
            || Sign::Leave,
            Text { zh: "已取消登录", en: "You have cancelled" },
            Text { zh: "电脑上没有登录。此页可以关闭。", en: "The computer was not logged in. You can close this page." },
        ),
        ScanAnswered::Over => (
            || Sign::Attention,
            EXPIRED,
            Text {
                zh: "这次登录已经结束。请在电脑上换一个新码，再扫一次。",
                en: "This login is over. Ask for a new code on the computer, and scan again.",
            },
        ),
        ScanAnswered::Taken => (
            || Sign::Attention,
            Text { zh: "此码已被他人扫描", en: "Somebody else has scanned this code" },
            Text {
                zh: "每个码只能由一个人扫描。请在电脑上换一个新码，再扫一次。",
                en: "A code is for one person only. Ask for a new one on the computer, and scan again.",
            },
        ),
    };
    document(language, Title { text: title, application }, Width::Narrow, |html| {
        sign().write(html);
        html.raw("<h1>").say(title).raw("</h1><p class=\"lead\">").say(lead).raw("</p>");
    })
}
