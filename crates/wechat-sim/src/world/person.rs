//! People with WeChat on a phone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Somebody with WeChat on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As `sns/userinfo` gives it; may hold anything, emoji included.
    pub nickname: String,
    /// Left out: a made-up avatar. Empty: no avatar, as WeChat says it with `""`.
    #[serde(default)]
    pub headimgurl: Option<String>,
    /// Official-account pages open for this person as snapshot pages, with a virtual identity.
    #[serde(default)]
    pub snapshot: bool,
    /// Appids that this person is never asked about. A consent given on a page lapses after 30 days; these do not.
    #[serde(default)]
    pub consented: BTreeSet<String>,
    /// The phone number bound to this WeChat, which mini programs may ask for.
    #[serde(default)]
    pub phone_number: Option<PhoneNumber>,
    /// WeChat's security holds this person's codes back (40226).
    #[serde(default)]
    pub is_blocked: bool,
}

/// A phone number, as WeChat keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumber {
    /// Without `+`, for example `86`.
    pub country_code: String,
    /// Without the country code: WeChat's `purePhoneNumber`.
    pub number: String,
}

impl PhoneNumber {
    /// WeChat's `phoneNumber`: with the country code unless it is mainland China's.
    pub(crate) fn with_country(&self) -> String {
        match self.country_code.as_str() {
            "86" => self.number.clone(),
            code => format!("+{code}{}", self.number),
        }
    }
}

impl Person {
    /// A person with an avatar and no phone number who has consented to nothing yet.
    pub fn new(nickname: &str) -> Self {
        Self {
            nickname: nickname.to_owned(),
            headimgurl: None,
            snapshot: false,
            consented: BTreeSet::new(),
            phone_number: None,
            is_blocked: false,
        }
    }

    /// Binds a phone number, `("86", "13800138000")` for example.
    pub fn with_phone(self, country_code: &str, number: &str) -> Self {
        let phone_number = PhoneNumber { country_code: country_code.to_owned(), number: number.to_owned() };
        Self { phone_number: Some(phone_number), ..self }
    }

    /// Makes official-account pages open as snapshot pages for this person.
    pub fn only_snapshots(self) -> Self {
        Self { snapshot: true, ..self }
    }

    /// Makes `snsapi_userinfo` silent for this app.
    pub fn having_consented_to(mut self, appid: &str) -> Self {
        self.consented.insert(appid.to_owned());
        self
    }

    pub(crate) fn avatar(&self, openid: &str) -> String {
        match &self.headimgurl {
            Some(url) => url.clone(),
            None => format!("https://thirdwx.qlogo.cn/mmopen/vi_32/{openid}/132"),
        }
    }
}
