//! A login: the question, checked, and the decision about it. Pure: what the store knows is handed in.
//!
//! The decision, over who has the openid and who has the unionid (the first row that fits):
//!
//! | openid known as | unionid known as | decision |
//! |---|---|---|
//! | A | B | the person chooses |
//! | A | A, or none brought | A signs in |
//! | A | nobody | A signs in, and gets the unionid |
//! | nobody | any, `profile_available` | ask WeChat for more first |
//! | nobody | B | B signs in, and gets the openid |
//! | nobody | nobody | the connector's policy: a new account, or none |

use resolver_api::{LoginRequest, RefusalReason, WechatIdentity};
use sha2::{Digest, Sha256};

use crate::ids::{IdempotencyKey, UserId};
use crate::policy::{ConnectorPolicy, Registration};

/// A [`LoginRequest`] whose every field is in order.
#[derive(Clone, Debug)]
pub struct Login {
    key: IdempotencyKey,
    request: LoginRequest,
}

/// What [`decide`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign this user in, once `record` has been recorded with the account.
    SignIn {
        /// The account.
        user: UserId,
        /// The identity that the login brings and the account lacks.
        record: Option<IdentityKind>,
    },
    /// Make an account with every identity that the login brings, and sign it in.
    Create,
    /// The identities belong to different accounts.
    Choose,
    /// Change nothing: WeChat can tell more.
    AskForProfile,
    /// No session.
    Refuse(RefusalReason),
}

/// What WeChat calls a person by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// The person in one app.
    Openid,
    /// The person on one platform.
    Unionid,
}

/// Decides a login, where `by_openid` and `by_unionid` are the users who have the identities that it brings.
pub fn decide(login: &LoginRequest, by_openid: Option<UserId>, by_unionid: Option<UserId>, policy: &ConnectorPolicy) -> Decision {
    match (by_openid, by_unionid) {
        (Some(a), Some(b)) if a != b => Decision::Choose,
        (Some(user), Some(_)) => Decision::SignIn { user, record: None },
        (Some(user), None) => Decision::SignIn { user, record: login.unionid.as_ref().map(|_| IdentityKind::Unionid) },
        (None, _) if login.profile_available => Decision::AskForProfile,
        (None, Some(user)) => Decision::SignIn { user, record: Some(IdentityKind::Openid) },
        (None, None) => match policy.registration {
            Registration::Open => Decision::Create,
            Registration::Closed => Decision::Refuse(RefusalReason::RegistrationClosed),
        },
    }
}

impl Login {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// One sentence for each field that is wrong: its name, what is wrong, what was expected; never its value.
    pub fn parse(mut request: LoginRequest) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let key = IdempotencyKey::parse(&request.idempotency_key);
        if key.is_none() {
            problems.push(format!("idempotency_key: expected {}", IdempotencyKey::EXPECTED));
        }
        for (field, value) in [
            ("pool", &request.pool),
            ("application", &request.application),
            ("connector", &request.connector),
            ("platform", &request.platform),
            ("app_id", &request.app_id),
        ] {
            check_length(&mut problems, field, value, 64);
            if value.chars().any(char::is_control) {
                problems.push(format!("{field}: holds a control character; expected none"));
            }
        }
        check_length(&mut problems, "openid", &request.openid, 64);
        if let Some(unionid) = &request.unionid {
            check_length(&mut problems, "unionid", unionid, 64);
        }
        if let Some(profile) = &mut request.profile {
            // PostgreSQL's text holds no U+0000.
            if let Some(nickname) = &mut profile.nickname {
                nickname.retain(|character| character != '\0');
            }
            // WeChat says "" for a picture that a person does not have.
            profile.nickname.take_if(|text| text.is_empty());
            profile.picture.take_if(|text| text.is_empty());
            if let Some(nickname) = &profile.nickname {
                check_length(&mut problems, "profile.nickname", nickname, 256);
            }
            if let Some(picture) = &profile.picture {
                check_length(&mut problems, "profile.picture", picture, 1024);
                if !picture.starts_with("https://") || !picture.bytes().all(|byte| byte.is_ascii_graphic()) {
                    problems.push("profile.picture: expected an https address in visible ASCII".to_owned());
                }
            }
        }
        match key {
            Some(key) if problems.is_empty() => Ok(Self { key, request }),
            _ => Err(problems),
        }
    }

    /// The login's name.
    pub fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// The question.
    pub fn request(&self) -> &LoginRequest {
        &self.request
    }

    /// What WeChat calls the person, as the request says.
    pub fn wechat_identity(&self) -> WechatIdentity {
        let LoginRequest { app_id, openid, unionid, .. } = self.request.clone();
        WechatIdentity { app_id, openid, unionid }
    }

    /// Tells whether two requests with one key ask the same question.
    ///
    /// The profile does not count: it decides nothing, and may differ between two answers of WeChat.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let LoginRequest {
            idempotency_key: _,
            pool,
            application,
            connector,
            method,
            platform,
            app_id,
            openid,
            unionid,
            profile: _,
            profile_available,
            phone_number: _,
            link_to: _,
            client_address: _,
        } = &self.request;
        let method = format!("{method:?}");
        let mut hash = Sha256::new();
        for text in [pool, application, connector, &method, platform, app_id, openid] {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        // A unionid is never empty, so "" stands for none.
        let unionid = unionid.as_deref().unwrap_or_default();
        hash.update(unionid.len().to_be_bytes());
        hash.update(unionid);
        hash.update([u8::from(*profile_available)]);
        hash.finalize().into()
    }
}

fn check_length(problems: &mut Vec<String>, field: &str, value: &str, longest: usize) {
    let length = value.chars().count();
    if length == 0 {
        problems.push(format!("{field}: is empty; expected 1 to {longest} characters"));
    } else if length > longest {
        problems.push(format!("{field}: has {length} characters; expected 1 to {longest}"));
    }
}

#[cfg(test)]
mod tests {
    use resolver_api::{LoginMethod, Profile};
    use uuid::Uuid;

    use super::*;

    const A: UserId = Uuid::from_u128(0xa);
    const B: UserId = Uuid::from_u128(0xb);

    fn request() -> LoginRequest {
        LoginRequest {
            idempotency_key: "ab".repeat(32),
            pool: "default".into(),
            application: "shop".into(),
            connector: "pc".into(),
            method: LoginMethod::WebsiteQr,
            platform: "main".into(),
            app_id: "wx0000000000000001".into(),
            openid: "openid-1".into(),
            unionid: Some("unionid-1".into()),
            profile: None,
            profile_available: false,
            phone_number: None,
            link_to: None,
            client_address: None,
        }
    }

    #[test]
    fn the_decision_table() {
        let full = request();
        let without_unionid = LoginRequest { unionid: None, ..request() };
        let base_scope = LoginRequest { profile_available: true, ..without_unionid.clone() };
        let open = &ConnectorPolicy::default();
        let closed = &ConnectorPolicy { registration: Registration::Closed, ..open.clone() };
        let sign_in = |user, record| Decision::SignIn { user, record };
        let table = [
            (&without_unionid, Some(A), None, open, sign_in(A, None)),
            (&full, Some(A), None, open, sign_in(A, Some(IdentityKind::Unionid))),
            (&full, None, Some(B), open, sign_in(B, Some(IdentityKind::Openid))),
            (&full, Some(A), Some(A), open, sign_in(A, None)),
            (&full, Some(A), Some(B), open, Decision::Choose),
            (&full, None, None, open, Decision::Create),
            (&without_unionid, None, None, open, Decision::Create),
            // A closed registration keeps nobody out who has an account.
            (&full, None, None, closed, Decision::Refuse(RefusalReason::RegistrationClosed)),
            (&full, Some(A), None, closed, sign_in(A, Some(IdentityKind::Unionid))),
            (&full, None, Some(B), closed, sign_in(B, Some(IdentityKind::Openid))),
            // WeChat can tell more: only an openid that is known needs no more.
            (&base_scope, None, None, open, Decision::AskForProfile),
            (&base_scope, None, None, closed, Decision::AskForProfile),
            (&base_scope, Some(A), None, open, sign_in(A, None)),
        ];
        for (login, by_openid, by_unionid, policy, expected) in table {
            let decision = decide(login, by_openid, by_unionid, policy);
            assert_eq!(decision, expected, "{by_openid:?} {by_unionid:?} {policy:?} {login:?}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_and_none_is_repeated() {
        let request = LoginRequest {
            idempotency_key: "CANARY".into(),
            pool: String::new(),
            application: "CANARY\n".into(),
            connector: "CANARY".repeat(11),
            openid: String::new(),
            unionid: Some(String::new()),
            profile: Some(Profile { nickname: Some("CANARY".repeat(50)), picture: Some("http://thirdwx.qlogo.cn/CANARY".into()) }),
            ..request()
        };
        let problems = Login::parse(request).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(
            fields,
            ["idempotency_key", "pool", "application", "connector", "openid", "unionid", "profile.nickname", "profile.picture"]
        );
        assert!(!problems.concat().contains("CANARY"), "{problems:?}");
    }

    #[test]
    fn an_openid_of_64_characters_of_any_kind_is_in_order() {
        for character in ['a', '\'', '\0', '😀'] {
            let openid = character.to_string().repeat(64);
            assert!(Login::parse(LoginRequest { openid, ..request() }).is_ok());
        }
    }

    #[test]
    fn an_empty_nickname_or_picture_is_none() {
        let profile = Some(Profile { nickname: Some(String::new()), picture: Some(String::new()) });
        let login = Login::parse(LoginRequest { profile, ..request() }).unwrap();
        assert_eq!(login.request().profile, Some(Profile::default()));
    }

    #[test]
    fn the_digest_tells_questions_apart_but_not_profiles() {
        let digest = |request| Login::parse(request).unwrap().digest();
        let same = digest(request());
        let profile = Some(Profile { nickname: Some("晓明".into()), picture: None });
        assert_eq!(digest(LoginRequest { profile, ..request() }), same);
        let others = [
            LoginRequest { pool: "other".into(), ..request() },
            LoginRequest { application: "other".into(), ..request() },
            LoginRequest { connector: "other".into(), ..request() },
            LoginRequest { method: LoginMethod::MobileApp, ..request() },
            LoginRequest { platform: "other".into(), ..request() },
            LoginRequest { app_id: "other".into(), ..request() },
            LoginRequest { openid: "other".into(), ..request() },
            LoginRequest { unionid: Some("other".into()), ..request() },
            LoginRequest { unionid: None, ..request() },
            LoginRequest { profile_available: true, ..request() },
            LoginRequest { platform: "mainw".into(), app_id: "x0000000000000001".into(), ..request() },
        ];
        for other in others {
            assert_ne!(digest(other.clone()), same, "{other:?}");
        }
    }
}
