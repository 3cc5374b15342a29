//! The ids that WeChat gives to people and apps. Here they depend on nothing but names, so a test can say them beforehand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The openid of a person for an app: 28 characters, the first an `o`. The same pair always has the same one.
pub(crate) fn openid(person: &str, appid: &str) -> String {
    id("openid", person, appid)
}

/// The unionid of a person for an Open Platform account, in the same form as an openid.
pub(crate) fn unionid(person: &str, platform: &str) -> String {
    id("unionid", person, platform)
}

/// The openid that a snapshot page hands out in place of the person's own.
pub(crate) fn virtual_openid(person: &str, appid: &str) -> String {
    id("virtual openid", person, appid)
}

/// The unionid that a snapshot page hands out in place of the person's own.
pub(crate) fn virtual_unionid(person: &str, platform: &str) -> String {
    id("virtual unionid", person, platform)
}

/// The original id (原始 ID) of an official account or mini program: `gh_` and 12 lower-case hex digits.
pub(crate) fn original_id(appid: &str) -> String {
    let digest = Sha256::digest(format!("original id\n{appid}"));
    let hex = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
    format!("gh_{}", hex.collect::<String>())
}

fn id(what: &str, person: &str, scope: &str) -> String {
    let digest = Sha256::digest(format!("{what}\n{person}\n{scope}"));
    let text = URL_SAFE_NO_PAD.encode(digest);
    std::iter::once('o').chain(text.chars().take(27)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_wechats_and_never_change() {
        let id = openid("xiaoming", "wx0000000000000001");
        assert_eq!(id.len(), 28);
        assert!(id.starts_with('o'));
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(id, openid("xiaoming", "wx0000000000000001"));
        assert_ne!(id, openid("xiaoming", "wx0000000000000002"));
        assert_ne!(id, unionid("xiaoming", "wx0000000000000001"));
        assert_ne!(id, virtual_openid("xiaoming", "wx0000000000000001"));
    }
}
