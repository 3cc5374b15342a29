//! What a person reads who asked for a code.

use crate::address::Address;
use crate::clock::Moment;

/// A code for a person.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where to.
    pub to: Address,
    /// Six digits.
    pub code: Secret,
    /// In which language.
    pub language: Language,
    /// The application's id, so that the person knows what it is for.
    pub application: String,
    /// For how many seconds the code is good.
    pub expires_in: u64,
    /// When it was asked for.
    pub asked_at: Moment,
}

/// A text that is not printed by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

/// The languages in which messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Chinese, in simplified characters.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The language of a tag such as `zh-CN`; English for one that is not spoken here.
    pub fn of_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }

    /// The language's tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

impl Message {
    /// The subject of an e-mail. Without the code: subjects are shown on locked screens.
    pub(super) fn subject(&self) -> String {
        match self.language {
            Language::Chinese => format!("{} 验证码", self.application),
            Language::English => format!("Your code for {}", self.application),
        }
    }

    /// The message itself.
    pub(super) fn text(&self) -> String {
        let (Secret(code), application, minutes) = (&self.code, &self.application, self.expires_in / 60);
        match self.language {
            Language::Chinese => format!(
                "您的验证码是 {code}，{minutes} 分钟内有效，用于在 {application} 中把微信与您的账号关联。\
                 任何人都不会向您索要验证码，请勿告诉他人。如非本人操作，请忽略此消息。"
            ),
            Language::English => format!(
                "Your code is {code}. It is good for {minutes} minutes, and links your WeChat to your account at {application}. \
                 Nobody will ask you for it: tell it to no one. If you did not ask for it, ignore this message."
            ),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(language: Language) -> Message {
        Message {
            to: Address::phone("13800138000").unwrap(),
            code: Secret("123456".to_owned()),
            language,
            application: "shop".to_owned(),
            expires_in: 300,
            asked_at: Moment::from_unix(Duration::from_secs(1_800_000_000)),
        }
    }

    #[test]
    fn a_message_says_the_code_what_for_how_long_and_to_keep_it() {
        let chinese = message(Language::Chinese).text();
        for part in ["123456", "5 分钟", "shop", "请勿告诉他人"] {
            assert!(chinese.contains(part), "{chinese}");
        }
        let english = message(Language::English).text();
        for part in ["123456", "5 minutes", "shop", "Nobody will ask you for it"] {
            assert!(english.contains(part), "{english}");
        }
    }

    #[test]
    fn a_subject_does_not_hold_the_code() {
        assert_eq!(message(Language::English).subject(), "Your code for shop");
        assert!(!message(Language::Chinese).subject().contains("123456"));
    }

    #[test]
    fn a_message_cannot_be_printed_by_mistake() {
        let printed = format!("{:?}", message(Language::English));
        assert!(!printed.contains("123456") && !printed.contains("138"), "{printed}");
    }

    #[test]
    fn a_language_is_chinese_or_else_english() {
        for tag in ["zh-CN", "zh", "ZH-tw", "zh_Hans"] {
            assert_eq!(Language::of_tag(tag), Language::Chinese, "{tag}");
        }
        for tag in ["en", "", "de", "zhx", "é"] {
            assert_eq!(Language::of_tag(tag), Language::English, "{tag}");
        }
    }
}
