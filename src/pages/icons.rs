//! The pictures in the pages: inline SVG in the colour of the text around, for decoration only, so hidden from screen readers.

use resolver_api::LoginMethod;

/// Drawn in lines on a field of 24 by 24.
macro_rules! line_icon {
    ($shapes:literal) => {
        concat!(
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\" ",
            "stroke-linecap=\"round\" stroke-linejoin=\"round\">",
            $shapes,
            "</svg>"
        )
    };
}

/// In the browser's tab. Inline, because a request for `/favicon.ico` would go to the protected application.
pub(super) const FAVICON: &str = concat!(
    "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E",
    "%3Crect width='24' height='24' rx='6' fill='%2307c160'/%3E%3Cpath d='m6 12.5 4 4 8-9' fill='none' stroke='%23fff' ",
    "stroke-width='2.6' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E\">"
);

/// Two people talking.
pub(super) const CHAT: &str = concat!(
    "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\" fill=\"currentColor\"><path fill-rule=\"evenodd\" d=\"",
    "M9.3 4C4.7 4 1.5 6.9 1.5 10.3c0 2 1.1 3.7 2.8 4.9l-.7 2.2 2.6-1.3c.9.2 1.7.4 2.6.4",
    "a5.6 5.6 0 0 1-.2-1.5c0-3.4 3.2-6 7.1-6h.7C15.8 6.1 12.9 4 9.3 4z",
    "M6.7 7.3a1 1 0 1 1 0 2 1 1 0 0 1 0-2zm5.2 0a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
    "M22.5 14.9c0-2.8-2.8-5.1-6.2-5.1s-6.2 2.3-6.2 5.1 2.8 5.1 6.2 5.1c.8 0 1.5-.1 2.2-.3l2 1.1-.5-1.8c1.5-1 2.5-2.4 2.5-4.1z",
    "M14.2 12.5a.85.85 0 1 1 0 1.7.85.85 0 0 1 0-1.7zm4.2 0a.85.85 0 1 1 0 1.7.85.85 0 0 1 0-1.7z\"/></svg>"
);

/// It worked.
pub(super) const TICK: &str = line_icon!("<path d=\"m5.5 12.5 4.3 4.3L18.5 7.8\"/>");
/// Out of the door.
pub(super) const LEAVE: &str = line_icon!("<path d=\"M10 4.5H6.5A1.5 1.5 0 0 0 5 6v12a1.5 1.5 0 0 0 1.5 1.5H10M15 8l4 4-4 4M10 12h9\"/>");
/// Something to read.
pub(super) const ATTENTION: &str = line_icon!("<path d=\"M12 6v7.5M12 17.8v.1\"/>");
/// Somebody without name or picture.
pub(super) const PERSON: &str =
    line_icon!("<circle cx=\"12\" cy=\"8.5\" r=\"3.8\"/><path d=\"M4.8 20c.6-3.8 3.5-6 7.2-6s6.6 2.2 7.2 6\"/>");
/// Electronic mail.
pub(super) const MAIL: &str = line_icon!("<rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2\"/><path d=\"m3.5 7.5 8.5 6 8.5-6\"/>");
/// A password.
pub(super) const KEY: &str = line_icon!("<circle cx=\"8\" cy=\"15.5\" r=\"4\"/><path d=\"m11 12.5 8-8M15.5 8l3 3M18.5 5l1.5 1.5\"/>");
/// A phone.
pub(super) const PHONE: &str = line_icon!("<rect x=\"6.5\" y=\"2.5\" width=\"11\" height=\"19\" rx=\"2.5\"/><path d=\"M11 18.3h2\"/>");
/// Leads on.
pub(super) const ONWARD: &str = line_icon!("<path d=\"m9.5 6 6 6-6 6\"/>");

/// What the person will handle: a code to scan, their own WeChat, a phone, or a mini program.
pub(super) fn of_method(method: LoginMethod) -> &'static str {
    match method {
        LoginMethod::WebsiteQr | LoginMethod::OfficialAccountQr => CODE,
        LoginMethod::OfficialAccountWeb => CHAT,
        LoginMethod::MobileApp => PHONE,
        LoginMethod::MiniProgram | LoginMethod::MiniProgramQr | LoginMethod::AppToMiniProgram => MINI_PROGRAM,
    }
}

const CODE: &str = line_icon!(
    "<path d=\"M4 5a1 1 0 0 1 1-1h4a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zm10 0a1 1 0 0 1 1-1h4a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-4a1 1 0 0 1-1-1zM4 15a1 1 0 0 1 1-1h4a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM7 7h.01M17 7h.01M7 17h.01M14 14h2.5v2.5M20 14v.01M20 17.5V20h-2.5M14 20v.01\"/>"
);
const MINI_PROGRAM: &str = line_icon!(
    "<circle cx=\"12\" cy=\"12\" r=\"9.2\"/><path d=\"M8.6 13.4a1.9 1.9 0 1 0 1.9 2.1c.2-1 .9-1.7 1.1-2.9.2-1.5-.3-3.9 1.9-4.6a1.9 1.9 0 1 1 1.8 2.7\"/>"
);
