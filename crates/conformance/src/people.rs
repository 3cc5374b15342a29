//! People whom nobody has seen before, and how they log in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver_api::{LoginMethod, LoginRequest, Profile};

use crate::Target;

/// The apps that people log in by.
const ON_THE_PC: &str = "wx00000000c0f00001";
const IN_WECHAT: &str = "wx00000000c0f00002";

/// An openid, a unionid or any other name that was never used before: 27 characters.
pub(crate) fn fresh_name() -> String {
    URL_SAFE_NO_PAD.encode(random::<20>())
}

/// An idempotency key that no other login has.
pub(crate) fn fresh_key() -> String {
    random::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A session that nobody has.
pub(crate) fn fresh_session() -> String {
    URL_SAFE_NO_PAD.encode(random::<16>())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without random bytes there are no people, and nothing can be checked")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

impl Target {
    /// A login on the PC of the person with this openid, and nothing else about them.
    pub(crate) fn pc(&self, openid: &str) -> LoginRequest {
        LoginRequest {
            idempotency_key: fresh_key(),
            pool: self.pool.clone(),
            application: self.application.clone(),
            connector: self.connector.clone(),
            method: LoginMethod::WebsiteQr,
            platform: self.platform.clone(),
            app_id: ON_THE_PC.into(),
            openid: openid.into(),
            unionid: None,
            profile: None,
            profile_available: false,
            phone_number: None,
            link_to: None,
            client_address: None,
        }
    }

    /// The same within WeChat, where the openid is another one.
    pub(crate) fn in_wechat(&self, openid: &str) -> LoginRequest {
        LoginRequest { method: LoginMethod::OfficialAccountWeb, app_id: IN_WECHAT.into(), ..self.pc(openid) }
    }
}

/// What more WeChat tells of the person.
pub(crate) trait With {
    fn unionid(self, unionid: &str) -> Self;
    fn nickname(self, nickname: &str) -> Self;
    /// The same person, once more.
    fn again(&self) -> Self;
}

impl With for LoginRequest {
    fn unionid(self, unionid: &str) -> Self {
        Self { unionid: Some(unionid.into()), ..self }
    }

    fn nickname(self, nickname: &str) -> Self {
        Self { profile: Some(Profile { nickname: Some(nickname.into()), picture: None }), ..self }
    }

    fn again(&self) -> Self {
        Self { idempotency_key: fresh_key(), ..self.clone() }
    }
}
