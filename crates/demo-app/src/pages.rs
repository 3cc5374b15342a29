//! The pages. Every value that comes from outside goes through [`escape`].

use serde_json::Value;

use crate::identity::{Identity, Refusal};

pub(crate) fn home(identity: Option<&Identity>) -> String {
    let content = match identity {
        Some(identity) => format!(
            "{avatar}<h1>Hello, {name}</h1>\
             <p class=lead>You are logged in. 你好，欢迎回来。</p>\
             <a class=button href=/account>Your account</a>\
             <a class='button plain' href=/wxgate/logout>Log out · 退出登录</a>",
            avatar = avatar(identity),
            name = escape(identity.name()),
        ),
        None => "<div class=sign>?</div><h1>Hello, stranger</h1>\
             <p class=lead>Everybody may read this page. Your account is for those who are logged in. 你好，请先登录。</p>\
             <a class=button href='/wxgate/login?return_to=%2Faccount'>Log in with WeChat · 微信登录</a>\
             <a class='button plain' href=/account>Try the account page without logging in</a>"
            .to_owned(),
    };
    page("Demo application", "", &content)
}

pub(crate) fn account(identity: &Identity) -> String {
    let claims: String = identity
        .claims
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(&plain(value))))
        .collect();
    // Header, claims and signature, told apart by colour.
    let token: String = identity.token.split('.').map(|part| format!("<span>{}</span>", escape(part))).collect::<Vec<_>>().join(".");
    let content = format!(
        "<header>{avatar}<div><h1>{name}</h1><p>Your account · 我的账户</p></div></header>\
         <h2>What the gate says about you</h2>\
         <p>Every claim below was verified: signature, issuer, audience and expiry. The application stores what is yours \
            under <code>sub</code>.</p>\
         <dl>{claims}</dl>\
         <h2>The header as it came</h2>\
         <pre>{token}</pre>\
         <nav><a href=/>Home</a><a href=/api/me>The same as JSON</a><a href=/wxgate/experience>What the gate would send</a>\
         <a href=/wxgate/logout>Log out · 退出登录</a></nav>",
        avatar = avatar(identity),
        name = escape(identity.name()),
    );
    page("Your account", " class=wide", &content)
}

pub(crate) fn refused(refusal: Refusal) -> String {
    let content = if refusal.is_ours() {
        "<div class='sign warn'>!</div><h1>One moment, please</h1>\
         <p class=lead>This application cannot reach the gate for its public keys, so it cannot tell who you are. Please try \
         again in a few seconds. 请稍后再试。</p>"
            .to_owned()
    } else {
        format!(
            "<div class='sign warn'>!</div><h1>No valid identity</h1>\
             <p class=lead>This page must be reachable only through the gate, which adds a signed identity header to every \
             request. With this request, <b>{}</b>. 请通过网关访问本页面。</p>\
             <p class=lead>If you came through the gate, its settings and those of this application do not fit: issuer, \
             audience, JWKS address, name of the header.</p>",
            escape(&refusal.to_string())
        )
    };
    page("No valid identity", "", &content)
}

pub(crate) fn not_found() -> String {
    page("Not found", "", "<div class=sign>404</div><h1>There is no such page</h1><a class='button plain' href=/>Home</a>")
}

fn page(title: &str, main: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>\
         <title>{title}</title><link rel=stylesheet href=/assets/style.css><main{main}>{content}</main></html>\n"
    )
}

/// The person's picture, over the first letter of the name for as long as it does not load.
fn avatar(identity: &Identity) -> String {
    let initial: String = identity.name().chars().take(1).collect();
    let picture = identity.text("picture").filter(|url| url.starts_with("https://"));
    let picture = picture.map(|url| format!("<img alt='' referrerpolicy=no-referrer src='{}'>", escape(url))).unwrap_or_default();
    format!("<div class=avatar>{}{picture}</div>", escape(&initial.to_uppercase()))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// For text, and for attributes in quotes of either kind.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // They would turn the text around that follows.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
