//! The picture of a person, or their initial.

use super::html::Html;
use super::icons;

/// Stands beside the name, so it has nothing to say to a screen reader.
pub(super) fn avatar(html: &mut Html, name: Option<&str>, picture: Option<&str>) {
    html.raw("<span class=\"avatar\" aria-hidden=\"true\">");
    match name.and_then(|name| name.trim().chars().next()) {
        Some(initial) => html.text(initial.encode_utf8(&mut [0; 4])),
        None => html.raw(icons::PERSON),
    };
    // Over the initial, which stays in view when WeChat no longer has the picture: with an empty `alt` and no height it is not drawn then.
    if let Some(picture) = picture.filter(|picture| is_wechat_picture(picture)) {
        html.raw("<img alt=\"\" referrerpolicy=\"no-referrer\"").address("src", picture).raw(">");
    }
    html.raw("</span>");
}

/// `https://thirdwx.qlogo.cn/…`: what the policy allows, and nothing that merely looks like it.
fn is_wechat_picture(address: &str) -> bool {
    let Some((host, _)) = address.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_host = host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    is_host && host.strip_suffix(".qlogo.cn").is_some_and(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_wechat_picture;

    #[test]
    fn only_wechats_pictures_are_shown() {
        assert!(is_wechat_picture("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132"));
        assert!(is_wechat_picture("https://wx.qlogo.cn/mmhead/abc/0"));
        let refused = [
            "",
            "http://thirdwx.qlogo.cn/a",
            "https://qlogo.cn/a",
            "https://.qlogo.cn/a",
            "https://evilqlogo.cn/a",
            "https://a.qlogo.cn.evil.example/a",
            "https://a.qlogo.cn",
            "https://a.qlogo.cn:8443/a",
            "https://user@a.qlogo.cn/a",
            "https://evil.example/.qlogo.cn/a",
            "https://evil.example?.qlogo.cn/a",
            "https://evil.example\\.qlogo.cn/a",
            "data:image/svg+xml,<svg onload=alert(1)>",
            "javascript:alert(1)",
        ];
        for address in refused {
            assert!(!is_wechat_picture(address), "{address}");
        }
    }
}
