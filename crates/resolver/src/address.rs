//! Phone numbers and e-mail addresses: one spelling for each, so that they can be compared, and masks for showing them.

use resolver_api::ProofMethod;

/// Where a person can be reached, in the one spelling that is stored and compared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// E.164, such as `+8613800138000`.
    Phone(String),
    /// ASCII, in lower case.
    Email(String),
}

impl Address {
    /// Reads an address of the kind that the method sends to; `None` for what is none, and for a method that sends nothing.
    pub fn parse(method: ProofMethod, text: &str) -> Option<Self> {
        match method {
            ProofMethod::PhoneCode => Self::phone(text),
            ProofMethod::EmailCode => Self::email(text),
            ProofMethod::Password => None,
        }
    }

    /// Reads a phone number. A bare number is one of mainland China; spaces, dashes and parentheses are dropped.
    pub fn phone(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|character| !matches!(character, ' ' | '-' | '(' | ')')).collect();
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(international) = digits.strip_prefix('+') {
            let is_e164 = (7..=15).contains(&international.len()) && is_number(international) && !international.starts_with('0');
            return is_e164.then_some(Self::Phone(digits));
        }
        let is_mainland = digits.len() == 11 && is_number(&digits) && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..]);
        is_mainland.then(|| Self::Phone(format!("+86{digits}")))
    }

    /// Reads an e-mail address. ASCII only: letters of other scripts look like it, and are somebody else's.
    pub fn email(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let (local, domain) = text.split_once('@')?;
        let is_dotted = |text: &str| text.split('.').all(|label| !label.is_empty());
        let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte);
        let is_label = |label: &str| {
            let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let bytes = label.as_bytes();
            is_edge(bytes.first()) && is_edge(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        };
        let is_email = text.len() <= 254
            && local.len() <= 64
            && local.bytes().all(is_local)
            && is_dotted(local)
            && domain.split('.').all(|label| label.len() <= 63 && is_label(label));
        is_email.then(|| Self::Email(text.to_ascii_lowercase()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(text) | Self::Email(text) => text,
        }
    }

    /// Enough of it for its owner to know it, too little for anybody else.
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(number) => mask_phone(number),
            Self::Email(address) => mask_email(address),
        }
    }
}

/// Such as `+86138****8000`.
pub fn mask_phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let (shown_first, shown_last) = ((digits.len() * 2 / 5).min(5), (digits.len() / 3).min(4));
    let first: String = digits.iter().take(shown_first).collect();
    let last: String = digits.iter().skip(digits.len() - shown_last).collect();
    format!("+{first}****{last}")
}

/// Such as `x***@example.com`.
pub fn mask_email(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    format!("{}***@{domain}", first_of(local, 2))
}

/// Such as `晓*`.
pub fn mask_name(name: &str) -> String {
    format!("{}*", first_of(name, 2))
}

/// The first character of a text that has at least so many. Signs that change how the rest is written are passed over.
fn first_of(text: &str, least: usize) -> String {
    let is_long_enough = text.chars().count() >= least;
    text.chars().find(|character| character.is_alphanumeric()).filter(|_| is_long_enough).map(String::from).unwrap_or_default()
}

impl std::fmt::Debug for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Phone(_) => "Phone",
            Self::Email(_) => "Email",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn phone(text: &str) -> Option<String> {
        Address::phone(text).map(|address| address.as_str().to_owned())
    }

    fn email(text: &str) -> Option<String> {
        Address::email(text).map(|address| address.as_str().to_owned())
    }

    #[test]
    fn one_number_has_one_spelling() {
        for text in ["13800138000", "+8613800138000", "+86 138 0013 8000", "138-0013-8000", "(138) 00138000", " +86-13800138000 "] {
            assert_eq!(phone(text).as_deref(), Some("+8613800138000"), "{text}");
        }
        assert_eq!(phone("+1 (212) 555-0100").as_deref(), Some("+12125550100"));
        assert_eq!(phone("+85251234567").as_deref(), Some("+85251234567"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "138",
            "1380013800",
            "138001380000",
            "23800138000",
            "12125550100",
            "008613800138000",
            "+0138001380",
            "+123456",
            "+1234567890123456",
            "１３８００１３８０００",
            "+86１３８００１３８０００",
            "13800138000;13900139000",
            "13800138000\n",
            "1380013800o",
            "++8613800138000",
            "+86+13800138000",
            "\u{202e}13800138000",
        ] {
            assert_eq!(phone(text), None, "{text}");
        }
    }

    #[test]
    fn one_email_address_has_one_spelling() {
        assert_eq!(email("A@X.com").as_deref(), Some("a@x.com"));
        assert_eq!(email(" xiao.ming+shop@example.com ").as_deref(), Some("xiao.ming+shop@example.com"));
        assert_eq!(email(&format!("{}@x.cn", "a".repeat(64))).map(|text| text.len()), Some(69));
    }

    #[test]
    fn what_is_no_email_address_is_refused() {
        let long = format!("a@{}com", "example.".repeat(32));
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@x.com",
            "a@x.com@evil.com",
            "ａ@x.com",
            "a@х.com",
            "a b@x.com",
            "a@x.com,b@x.com",
            "a@x.com\r\nbcc: b@x.com",
            "\"a\"@x.com",
            "a@[127.0.0.1]",
            "a@-x.com",
            "a@x..com",
            "a@x.com.",
            ".a@x.com",
            "a..b@x.com",
            "<a@x.com>",
            "a@x.com\0",
            &long,
        ] {
            assert_eq!(email(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_mask_shows_an_owner_which_it_is_and_nobody_else() {
        assert_eq!(mask_phone("+8613800138000"), "+86138****8000");
        assert_eq!(mask_phone("+1234567"), "+12****67");
        assert_eq!(mask_email("xiaoming@example.com"), "x***@example.com");
        assert_eq!(mask_email("x@example.com"), "***@example.com");
        assert_eq!(mask_name("晓明"), "晓*");
        assert_eq!(mask_name("晓"), "*");
        assert_eq!(mask_name("\u{202e}Ming"), "M*");
        assert_eq!(mask_name("😀😀"), "*");
        assert_eq!(mask_name(""), "*");
    }

    #[test]
    fn an_address_cannot_be_printed_by_mistake() {
        assert_eq!(format!("{:?}", Address::phone("13800138000")), "Some(Phone)");
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in "\\PC*") {
            for address in [Address::phone(&text), Address::email(&text)].into_iter().flatten() {
                let again = match &address {
                    Address::Phone(text) => Address::phone(text),
                    Address::Email(text) => Address::email(text),
                };
                prop_assert_eq!(again.as_ref().map(Address::as_str), Some(address.as_str()));
            }
        }

        #[test]
        fn a_masked_number_hides_at_least_three_digits(digits in "[1-9][0-9]{6,14}") {
            let shown = mask_phone(&format!("+{digits}")).chars().filter(char::is_ascii_digit).count();
            prop_assert!(shown + 3 <= digits.len());
        }

        #[test]
        fn any_text_can_be_masked(text in any::<String>()) {
            for masked in [mask_phone(&text), mask_email(&text), mask_name(&text)] {
                prop_assert!(masked.contains('*'));
            }
        }
    }
}
