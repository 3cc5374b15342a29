//! Which language a page opens in.

/// The languages of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    ZhCn,
    /// English.
    En,
}

impl Language {
    /// Reads an `Accept-Language` header (RFC 9110 12.5.4): the better quality wins, at a tie the one named first.
    ///
    /// Chinese where the header is absent or names neither language: who logs in with WeChat most likely reads Chinese, and some of
    /// WeChat's own web views send no such header. Every Chinese counts as Chinese. What is not well formed is passed over.
    pub fn negotiate(accept_language: Option<&[u8]>) -> Self {
        let mut chinese = None;
        let mut english = None;
        let mut any = None;
        for (place, range) in accept_language.unwrap_or_default().split(|byte| *byte == b',').enumerate() {
            let Some((tag, quality)) = parse(range) else { continue };
            let asked = match primary(tag) {
                tag if tag.eq_ignore_ascii_case(b"zh") => &mut chinese,
                tag if tag.eq_ignore_ascii_case(b"en") => &mut english,
                b"*" => &mut any,
                _ => continue,
            };
            let wish = Wish { quality, earliness: usize::MAX - place };
            *asked = (*asked).max(Some(wish));
        }
        let refuses_chinese = chinese.is_some_and(|wish| wish.quality == 0) && english.is_none();
        let chinese = chinese.or(any).filter(Wish::is_wanted);
        let english = english.or(any).filter(Wish::is_wanted);
        if refuses_chinese || english > chinese { Self::En } else { Self::ZhCn }
    }

    /// Reads a [`Language::tag`], as the pages' forms send it.
    pub fn from_tag(tag: &[u8]) -> Option<Self> {
        [Self::ZhCn, Self::En].into_iter().find(|language| language.tag().as_bytes() == tag)
    }

    /// The language of a [`Language::tag`].
    pub fn of_tag(tag: &str) -> Option<Self> {
        [Self::ZhCn, Self::En].into_iter().find(|language| language.tag() == tag)
    }

    /// As in the `lang` attribute: `zh-CN` or `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }
}

/// Ordered by quality, then by place in the header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// In thousandths.
    quality: u16,
    earliness: usize,
}

impl Wish {
    fn is_wanted(&self) -> bool {
        self.quality > 0
    }
}

/// `zh-CN;q=0.8` as (`zh-CN`, 800).
fn parse(range: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let tag = parts.next()?;
    match parts.next() {
        None => Some((tag, 1000)),
        Some(parameter) => {
            let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
            Some((tag, thousandths(value)?))
        }
    }
}

fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut quality = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (digit, worth) in fraction.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return None;
        }
        quality += u16::from(digit - b'0') * worth;
    }
    (quality <= 1000).then_some(quality)
}

fn primary(tag: &[u8]) -> &[u8] {
    tag.split(|byte| *byte == b'-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Language::{self, En, ZhCn};

    #[test]
    fn the_better_quality_wins() {
        let table: &[(&[u8], Language)] = &[
            (b"zh-CN,zh;q=0.9,en;q=0.8", ZhCn),
            (b"en-US,en;q=0.9,zh-CN;q=0.8", En),
            (b"zh;q=0.5, en;q=0.501", En),
            (b"en;q=0.5, zh;q=0.8", ZhCn),
            (b"en", En),
            (b"EN-gb", En),
            (b"zh-Hant-TW", ZhCn),
            (b"en,zh", En),
            (b"zh,en", ZhCn),
            (b"fr-FR, fr;q=0.9, en;q=0.1", En),
            (b"fr, *;q=0.5", ZhCn),
            (b"en;q=0.3, *;q=0.5", ZhCn),
            (b"zh;q=0.3, *;q=0.5", En),
            (b"zh;q=0, *", En),
            (b"zh;q=0", En),
            (b"zh;q=0, en;q=0", ZhCn),
            (b"en;q=0, zh;q=0.1", ZhCn),
            (b"en;q=0, fr", ZhCn),
            (b"zh;q=0.1, zh-CN;q=0.9, en;q=0.5", ZhCn),
            (b" en ; q=1.000 , zh ; q=0.999", En),
        ];
        for (header, expected) in table {
            assert_eq!(Language::negotiate(Some(header)), *expected, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn chinese_where_the_header_does_not_decide() {
        assert_eq!(Language::negotiate(None), ZhCn);
        let undecided: &[&[u8]] =
            &[b"", b",,;", b"fr", b"ja,ko;q=0.5", b"*", b"english", b"\xff\xfe", b"en;q=2", b"en;q=1.5", b"en;q=0.1234"];
        for header in undecided {
            assert_eq!(Language::negotiate(Some(header)), ZhCn, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_malformed_is_passed_over() {
        assert_eq!(Language::negotiate(Some(b"zh;q=x,\xff\xff;q=1,en;q=0.2")), En);
        assert_eq!(Language::negotiate(Some(b"zh;level=1, en;q=0.2")), En);
        assert_eq!(Language::negotiate(Some(&b"en,".repeat(20_000))), En);
    }
}
