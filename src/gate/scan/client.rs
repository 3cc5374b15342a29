//! What a browser is called on the phone of whoever scans its code. Only names from this file are ever shown there,
//! nothing that the browser says of itself: the words stand beside the question whether to let it in.

/// By what tells them apart: the first that is found counts, since most of them name others too.
const BROWSERS: [(&str, &str); 9] = [
    ("MicroMessenger/", "WeChat"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("QQBrowser/", "QQ Browser"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("OpenHarmony", "HarmonyOS"),
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// Such as `Chrome, Windows`.
pub(super) fn label(user_agent: &[u8]) -> Option<String> {
    let find = |names: &[(&str, &'static str)]| {
        let stands = |mark: &str| user_agent.windows(mark.len()).any(|window| window == mark.as_bytes());
        names.iter().find(|(mark, _)| stands(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser}, {system}")),
        (one, other) => one.or(other).map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_browsers_have_names_that_people_know() {
        let samples = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                "Chrome, Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge, Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
                "Safari, macOS",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "Firefox, Linux"),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                "Chrome, ChromeOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
                "Chrome, Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
                "Chrome, iPhone",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13)",
                "WeChat, Windows",
            ),
            ("curl/8.5.0 (Linux)", "Linux"),
        ];
        for (user_agent, name) in samples {
            assert_eq!(label(user_agent.as_bytes()).as_deref(), Some(name), "{user_agent}");
        }
        for nothing in ["", "curl/8.5.0", "您的银行, please confirm"] {
            assert_eq!(label(nothing.as_bytes()), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_the_browser_says_is_repeated(user_agent in proptest::collection::vec(any::<u8>(), 0..200)) {
            let words: Vec<_> = BROWSERS.iter().chain(&SYSTEMS).map(|(_, name)| *name).collect();
            let known = |label: String| label.len() <= 64 && label.split(", ").all(|word| words.contains(&word));
            prop_assert!(label(&user_agent).is_none_or(known));
        }
    }
}
