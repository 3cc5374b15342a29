//! The ways to log in, for the login page and "try it": a button for each, and in their place, where the script runs, tabs with the
//! codes themselves.
//!
//! Without the script everything is a link or a form. With it, those that the page can show are tabs after WAI-ARIA's pattern, and
//! their one panel says in a live region what happens. The script has no words of its own: it takes them from here.

use resolver_api::LoginMethod;

use super::CONTENT_SECURITY_POLICY;
use super::form::hidden;
use super::html::Html;
use super::icons;
use super::scan::{CANCELLED, CANCELLED_MORE, COMPARE, EXPIRED, EXPIRED_MORE, NEW_CODE, how_to};
use crate::error::{LoginError, Text};

/// Inline where there is a panel, and allowed by its hash.
pub(super) const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/login.js"));

/// One way to log in.
pub struct LoginOption<'a> {
    /// The connector's id.
    pub id: &'a str,
    /// Where the button leads: a path of the filter.
    pub href: String,
    /// The operator's name for it.
    pub display_name: &'a str,
    /// Decides the icon, and the line that says what will happen.
    pub method: LoginMethod,
    /// What the page itself can show of it.
    pub panel: Option<Panel>,
}

/// What a page itself can show of a way to log in.
pub enum Panel {
    /// WeChat's own page in a frame: a path of the filter that leads there.
    Frame(String),
    /// A code of ours, asked for by a POST to this path of the filter.
    Scan(String),
}

/// All ways to log in that a page offers.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// In the operator's order; those that can work in this browser.
    pub options: &'a [LoginOption<'a>],
    /// The connector whose tab is open; else it is the first.
    pub chosen: Option<&'a str>,
    /// Where the visitor is going.
    pub return_to: &'a str,
}

impl<'a> Ways<'a> {
    /// What a page with these may load and do; `None` for no more than any other. `open_origin` is where WeChat's pages are.
    pub fn policy(&self, open_origin: &str) -> Option<String> {
        let mut panels = self.panels().peekable();
        panels.peek()?;
        let mut policy = script_policy();
        if panels.any(|(_, panel)| matches!(panel, Panel::Frame(_))) {
            policy.push_str("; frame-src 'self' ");
            policy.push_str(open_origin);
        }
        Some(policy)
    }

    /// Whether the page shows a code itself.
    pub(super) fn has_panels(&self) -> bool {
        self.panels().next().is_some()
    }

    fn panels(&self) -> impl Iterator<Item = (&'a LoginOption<'a>, &'a Panel)> + use<'a> {
        self.options.iter().filter_map(|option| Some((option, option.panel.as_ref()?)))
    }

    /// The panel, the buttons, and the script.
    pub(super) fn write(&self, html: &mut Html) {
        if self.has_panels() {
            self.panel(html);
        }
        if !self.options.is_empty() {
            html.both(&|html| self.buttons(html));
        }
    }

    /// Comes last in a page.
    pub(super) fn script(&self, html: &mut Html) {
        if self.has_panels() {
            script(html);
        }
    }

    /// The buttons, once in each language.
    pub(super) fn buttons(&self, html: &mut Html) {
        let is_covered = self.options.iter().all(|option| option.panel.is_some());
        html.raw(if is_covered { "<ul class=\"options covered\">" } else { "<ul class=\"options\">" });
        for option in self.options {
            html.raw(if option.panel.is_some() { "<li class=\"covered\">" } else { "<li>" });
            match &option.panel {
                Some(Panel::Scan(start)) => {
                    html.raw("<form method=\"post\"").address("action", start).raw(">");
                    hidden(html, "return_to", self.return_to);
                    html.raw("<button class=\"row\">");
                    inside(html, option);
                    html.raw("</button></form>");
                }
                _ => {
                    html.raw("<a class=\"row\"").address("href", &option.href).raw(">");
                    inside(html, option);
                    html.raw("</a>");
                }
            }
            html.raw("</li>");
        }
        html.raw("</ul>");
    }

    /// Stands once in a page, whatever the language: a frame must not be loaded twice, nor a code be asked for twice.
    fn panel(&self, html: &mut Html) {
        let is_alone = self.panels().nth(1).is_none();
        let chosen = self.panels().position(|(option, _)| Some(option.id) == self.chosen).unwrap_or(0);
        html.raw("<div id=\"ways\" hidden").attribute("data-return-to", self.return_to).raw("><span class=\"unseen\" id=\"ways-name\">");
        html.say_both(Text { zh: "登录方式", en: "Ways to log in" }).raw("</span>");
        html.raw(if is_alone { "<div hidden>" } else { "<div class=\"tabs\" role=\"tablist\" aria-labelledby=\"ways-name\">" });
        for (place, (option, panel)) in self.panels().enumerate() {
            html.raw("<button type=\"button\" role=\"tab\" aria-controls=\"panel\"").attribute("id", &format!("tab-{place}"));
            html.raw(if place == chosen { " aria-selected=\"true\"" } else { " aria-selected=\"false\"" });
            match panel {
                Panel::Frame(address) => html.address("data-frame", address),
                Panel::Scan(address) => html.address("data-scan", address),
            };
            html.raw(">").name(option.display_name).raw("</button>");
        }
        html.raw("</div><div id=\"panel\"");
        html.raw(match is_alone {
            true => " tabindex=\"-1\">",
            false => " role=\"tabpanel\" tabindex=\"0\" aria-labelledby=\"tab-0\">",
        });
        for (place, (option, _)) in self.panels().enumerate() {
            html.raw("<p class=\"lead\"").attribute("data-tab", &place.to_string()).raw(">").say_both(how_to(option.method)).raw("</p>");
        }
        stage(html);
        for (place, (option, panel)) in self.panels().enumerate() {
            if let Panel::Frame(_) = panel {
                html.raw("<a class=\"button quiet\"").attribute("data-tab", &place.to_string()).address("href", &option.href).raw(">");
                html.say_both(Text { zh: "在微信的页面中扫码", en: "Scan on WeChat’s own page" }).raw("</a>");
            }
        }
        words(html);
    }
}

/// A scan that the page was loaded with.
pub(super) struct Begun<'a> {
    pub(super) method: LoginMethod,
    pub(super) poll: &'a str,
    pub(super) image: &'a str,
    pub(super) number: &'a str,
    pub(super) seconds_left: u64,
}

impl Begun<'_> {
    /// The panel alone, where the script goes on with it. It begins no other.
    pub(super) fn write(&self, html: &mut Html) {
        html.raw("<div id=\"ways\" hidden><div hidden><button type=\"button\" role=\"tab\"").address("data-poll", self.poll);
        html.address("data-image", self.image).attribute("data-number", self.number);
        html.attribute("data-left", &self.seconds_left.to_string()).raw("></button></div><div id=\"panel\"><p class=\"lead\">");
        html.say_both(how_to(self.method)).raw("</p>");
        stage(html);
        words(html);
    }
}

pub(super) fn script(html: &mut Html) {
    html.raw("<script>").raw(SCRIPT).raw("</script>");
}

/// The policy of a page with the script.
pub(super) fn script_policy() -> String {
    format!("{CONTENT_SECURITY_POLICY}; script-src '{}'; connect-src 'self'", env!("WXGATE_SCRIPT_HASH"))
}

/// What the panel shows, as the script switches it.
fn stage(html: &mut Html) {
    html.raw("<div class=\"qr\" data-on=\"loading waiting scanned done cancelled expired forgotten failed busy\">");
    html.raw("<img id=\"code\" width=\"240\" height=\"240\" alt=\"\" aria-labelledby=\"qr\" data-on=\"waiting\">");
    html.raw("<span class=\"unseen\" id=\"qr\" data-on=\"waiting\">");
    html.say_both(Text { zh: "用微信扫描的二维码", en: "Code to scan with WeChat" });
    html.raw("</span><span class=\"wheel\" data-on=\"loading\"></span>");
    html.raw("<span class=\"avatar\" aria-hidden=\"true\" data-on=\"scanned\"><span id=\"initial\"></span>").raw(icons::PERSON);
    html.raw("<img id=\"picture\" alt=\"\" referrerpolicy=\"no-referrer\" hidden></span>");
    html.raw("<span class=\"sign good\" data-on=\"done\">").raw(icons::TICK);
    html.raw("</span><span class=\"sign warn\" data-on=\"cancelled expired forgotten failed busy\">").raw(icons::ATTENTION);
    html.raw("</span></div><div class=\"frame\" id=\"frame\" data-on=\"frame\"></div>");
    html.raw("<p class=\"number\" data-on=\"loading waiting scanned\"><span>");
    html.say_both(COMPARE).raw("</span><b id=\"number\"></b></p><p class=\"status\" role=\"status\"><b><bdi id=\"name\"></bdi></b>");
    html.raw("<span id=\"said\"></span></p><p class=\"left\" data-on=\"loading waiting scanned\">");
    html.say_both(Text { zh: "剩余 ", en: "Time left " }).raw("<span id=\"left\" role=\"timer\"></span></p>");
    html.raw("<button type=\"button\" class=\"button plain\" id=\"again\" data-on=\"scanned cancelled expired forgotten failed busy\">");
    html.say_both(NEW_CODE).raw("</button>");
}

/// Ends the panel, with all that the script may say.
fn words(html: &mut Html) {
    html.raw("</div><div id=\"words\" hidden>");
    let cookies = LoginError::CookiesNotKept.row();
    for (state, title, words) in [
        ("loading", None, Text { zh: "正在生成…", en: "One moment…" }),
        ("waiting", None, Text { zh: "等待扫码", en: "Waiting for your scan" }),
        ("scanned", None, Text { zh: "已扫码，请在手机上确认登录", en: "Scanned. Please confirm on your phone" }),
        ("done", None, Text { zh: "已确认，正在登录…", en: "Confirmed. Logging you in…" }),
        ("cancelled", Some(CANCELLED), CANCELLED_MORE),
        ("expired", Some(EXPIRED), EXPIRED_MORE),
        ("forgotten", Some(cookies.title), cookies.explanation),
        ("failed", None, Text { zh: "暂时无法显示二维码，请再试一次", en: "The code cannot be shown right now. Please try again" }),
        ("busy", None, Text { zh: "请求太频繁，请稍候再试", en: "Too many codes were asked for. Please wait a moment" }),
        ("offline", None, Text { zh: "网络不稳定，正在重试…", en: "The connection is bad. Trying again…" }),
    ] {
        html.raw("<p").attribute("data-say", state).raw(">");
        if let Some(title) = title {
            html.raw("<b>").say_both(title).raw("</b>");
        }
        html.say_both(words).raw("</p>");
    }
    html.raw("</div></div>");
}

fn inside(html: &mut Html, option: &LoginOption<'_>) {
    html.raw("<span class=\"icon\">").raw(icons::of_method(option.method)).raw("</span><span><b>").name(option.display_name);
    html.raw("</b><small>").say(what_happens(option.method)).raw("</small></span>").raw(icons::ONWARD);
}

/// Also for linking another WeChat.
pub(super) fn what_happens(method: LoginMethod) -> Text {
    match method {
        LoginMethod::WebsiteQr => Text { zh: "用微信扫一扫登录", en: "Scan a code with WeChat" },
        LoginMethod::OfficialAccountWeb => Text { zh: "使用当前的微信账号继续", en: "Continue with your WeChat account" },
        LoginMethod::MobileApp => Text { zh: "打开手机上的微信确认登录", en: "Confirm in the WeChat app on this phone" },
        LoginMethod::MiniProgram => Text { zh: "在微信小程序里一键登录", en: "One tap inside the WeChat mini program" },
        LoginMethod::MiniProgramQr => Text { zh: "扫小程序码，在手机上确认", en: "Scan the mini program code" },
        LoginMethod::AppToMiniProgram => Text { zh: "前往微信小程序确认登录", en: "Confirm in a WeChat mini program" },
        LoginMethod::OfficialAccountQr => Text { zh: "微信扫码关注公众号登录", en: "Scan and follow the official account" },
    }
}
