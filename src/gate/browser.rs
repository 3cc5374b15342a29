//! Which browser is asking: for offering what works in it, never as a proof (a User-Agent is whatever its sender says).

use resolver_api::LoginMethod;

/// A kind of browser, as far as login methods differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Browser {
    /// A web view inside a mini program.
    MiniProgram,
    /// WeChat's own browser, on a phone or in the desktop client.
    WeChat,
    /// WeCom: it says MicroMessenger too, and can do none of it.
    WeCom,
    /// An ordinary browser on a phone.
    Phone,
    /// An ordinary browser on a screen that a phone can look at: a computer's, or a tablet's.
    Desktop,
}

impl Browser {
    /// The order matters: WeCom's User-Agent holds WeChat's name, and a mini program's holds everything.
    pub(super) fn of(user_agent: &[u8]) -> Self {
        let has = |needle: &[u8]| user_agent.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
        if has(b"wxwork") {
            Self::WeCom
        } else if has(b"miniProgram") {
            Self::MiniProgram
        } else if has(b"MicroMessenger/") {
            Self::WeChat
        } else if has(b"iPhone") || has(b"Mobile") && !has(b"iPad") {
            Self::Phone
        } else {
            Self::Desktop
        }
    }

    /// Whether a method does what it says in this browser.
    pub(super) fn can(self, method: LoginMethod) -> bool {
        match method {
            LoginMethod::OfficialAccountWeb => matches!(self, Self::WeChat | Self::MiniProgram),
            // Nobody can scan the screen of the very phone that is to scan it.
            LoginMethod::WebsiteQr | LoginMethod::MiniProgramQr | LoginMethod::OfficialAccountQr => {
                matches!(self, Self::Desktop | Self::WeCom)
            }
            LoginMethod::MobileApp | LoginMethod::MiniProgram | LoginMethod::AppToMiniProgram => false,
        }
    }

    /// Whether the only method that fits may be started without asking. Not where it is likely to need a second
    /// device that may not be at hand, or a business domain that may not be registered.
    pub(super) fn may_go_straight(self) -> bool {
        matches!(self, Self::WeChat | Self::Desktop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_user_agents_are_told_apart() {
        let samples = [
            (
                Browser::WeChat,
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI Language/zh_CN",
            ),
            (
                Browser::MiniProgram,
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.31(0x18001f2f) NetType/WIFI Language/zh_CN miniProgram/wx73247c7819d61796",
            ),
            (
                Browser::MiniProgram,
                "Mozilla/5.0 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF",
            ),
            (
                Browser::WeChat,
                "Mozilla/5.0 (Phone; OpenHarmony 5.1) AppleWebKit/537.36 ArkWeb/4.1.6.1 Mobile MicroMessenger/8.0.10.41(0xf3100a29) Weixin NetType/4G Language/zh_CN",
            ),
            (
                Browser::WeChat,
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/132.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf2541022) XWEB/16467 Flue",
            ),
            (
                Browser::WeChat,
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/107.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.10(0x13080a10) XWEB/1227 Flue",
            ),
            (
                Browser::WeCom,
                "Mozilla/5.0 Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh ColorScheme/Light wwmver/3.26.13.714",
            ),
            (
                Browser::WeCom,
                "Mozilla/5.0 (Windows NT 10.0) Chrome/107.0.5304.110 Safari/537.36 Language/zh wxwork/4.1.10 (MicroMessenger/6.2) WindowsWechat  MailPlugin_Electron WeMail embeddisk",
            ),
            (Browser::WeChat, "wechatdevtools/1.06.2412050 MicroMessenger/8.0.5 Language/zh_CN webview/"),
            (
                Browser::Phone,
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
            ),
            (Browser::Desktop, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"),
            (
                Browser::Desktop,
                "Mozilla/5.0 (Linux; Android 15; SM-X910) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
            ),
            (
                Browser::Desktop,
                "Mozilla/5.0 (iPad; CPU OS 18_2_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1",
            ),
            (Browser::Desktop, "\u{fffd}"),
            (Browser::Desktop, ""),
        ];
        for (browser, user_agent) in samples {
            assert_eq!(Browser::of(user_agent.as_bytes()), browser, "{user_agent}");
        }
    }
}
