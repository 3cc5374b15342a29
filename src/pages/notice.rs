//! What became of the last answer to a pending login, in words.

use super::html::Html;
use super::shell::outcome;
use super::when::lasting;
use crate::error::Text;

/// What became of the last answer to a pending login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The code or the password is wrong, or nobody has that account: the words do not tell which.
    WrongProof {
        /// How many wrong answers are left; 1 or more, for at 0 the login is over.
        tries_left: u32,
    },
    /// A code was sent a moment ago.
    TooSoon {
        /// When another one may be asked for.
        seconds: u64,
    },
    /// No more codes for now.
    TooMany,
    /// That is no phone number, or no e-mail address.
    InvalidAddress,
    /// The policy does not offer this.
    NotOffered,
    /// A code is on its way, if an account has that address.
    CodeSent,
}

impl Notice {
    pub(super) fn write(self, html: &mut Html) {
        outcome(html, self == Self::CodeSent, |html| match self {
            Self::WrongProof { tries_left } => {
                html.say(Text {
                    zh: "验证没有通过：请检查所填内容。还可以尝试 ",
                    en: "That did not work. Please check what you entered. You have ",
                });
                html.count(tries_left.into(), Text { zh: " 次。", en: " try left." }, Text { zh: " 次。", en: " tries left." });
            }
            Self::TooSoon { seconds } => {
                html.say(Text {
                    zh: "刚刚已发送过验证码，请在 ", en: "A code was sent a moment ago. You can ask for another one in "
                });
                lasting(html, seconds.max(1));
                html.say(Text { zh: "后再试。", en: "." });
            }
            Self::TooMany => {
                html.say(Text {
                    zh: "验证码发送次数过多，请稍后再试，或换一种方式。",
                    en: "Too many codes were asked for. Please try again later, or use another way.",
                });
            }
            Self::InvalidAddress => {
                html.say(Text {
                    zh: "地址格式不正确，请检查后重新填写。",
                    en: "This address is not complete. Please check it and try again.",
                });
            }
            Self::NotOffered => {
                html.say(Text {
                    zh: "这里不支持这种方式，请换一种。", en: "This is not offered here. Please use another way."
                });
            }
            Self::CodeSent => {
                html.say(Text {
                    zh: "如果该地址属于某个账号，验证码已发出。",
                    en: "If an account has this address, a code is on its way.",
                });
            }
        });
    }
}
