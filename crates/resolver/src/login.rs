//! A login: the question, checked, and the decision about it. Pure: what the store knows is handed in.
//!
//! The decision, over who has the openid and who has the unionid (the first row that fits). Whoever is disabled is refused instead of signed in.
//!
//! | openid known as | unionid known as | decision |
//! |---|---|---|
//! | A | B | whom the person chose before; else the one of them who is not disabled; else the person chooses |
//! | A | A, or none brought | A signs in |
//! | A | nobody | A signs in, and gets the unionid |
//! | nobody | any, `profile_available` | ask WeChat for more first |
//! | nobody | B | B signs in, and gets the openid |
//! | nobody | nobody | [`decide_first`]: the connector's policy |
//!
//! With `link_to` it is that user who signs in and gets what nobody has, or the login is refused.

use resolver_api::{LoginRequest, Profile, RefusalReason, WechatIdentity};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::address::Address;
use crate::ids::{IdempotencyKey, UserId};
use crate::policy::{Binding, ConnectorPolicy};

/// A [`LoginRequest`] whose every field is in order.
#[derive(Clone, Debug)]
pub struct Login {
    key: IdempotencyKey,
    link_to: Option<UserId>,
    request: LoginRequest,
}

/// What the store knows about a login.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Who has the openid.
    pub openid: Option<Owner>,
    /// Who has the unionid, where the login brings one.
    pub unionid: Option<Owner>,
    /// The user of [`LoginRequest::link_to`], where there is such a user in the pool.
    pub link_to: Option<Owner>,
    /// Whom the person chose before, with the same openid and unionid.
    pub chosen: Option<UserId>,
}

/// An account that has an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub user: UserId,
    /// Whether it may be logged in to.
    pub is_active: bool,
}

/// What [`decide`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign this user in, and record with the account what the login brings and nobody has.
    SignIn(UserId),
    /// The same, because the person asked for it.
    Link(UserId),
    /// The person chooses between these two.
    Choose([UserId; 2]),
    /// Nobody has these identities: [`decide_first`].
    FirstLogin,
    /// Change nothing: WeChat can tell more.
    AskForProfile,
    /// No session.
    Refuse(RefusalReason),
}

/// What [`decide_first`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstLogin {
    /// Make an account with every identity that the login brings, and sign it in.
    Create,
    /// Sign this user in, and record with the account what the login brings.
    Bind(UserId),
    /// The person proves an account by one of the policy's methods, or makes one.
    Ask {
        /// Whether they may make one.
        may_create: bool,
    },
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

/// Decides a login.
pub fn decide(login: &LoginRequest, facts: &Facts) -> Decision {
    if login.link_to.is_some() {
        return decide_link(login, facts);
    }
    let sign_in = |owner: Owner| {
        if owner.is_active { Decision::SignIn(owner.user) } else { Decision::Refuse(RefusalReason::UserDisabled) }
    };
    match (facts.openid, facts.unionid) {
        (Some(a), Some(b)) if a.user != b.user => match (a.is_active, b.is_active) {
            (true, true) => match facts.chosen.filter(|chosen| [a.user, b.user].contains(chosen)) {
                Some(chosen) => Decision::SignIn(chosen),
                None => Decision::Choose([a.user, b.user]),
            },
            (_, false) => sign_in(a),
            (false, true) => sign_in(b),
        },
        (Some(owner), _) => sign_in(owner),
        (None, _) if login.profile_available => Decision::AskForProfile,
        (None, Some(owner)) => sign_in(owner),
        (None, None) => Decision::FirstLogin,
    }
}

fn decide_link(login: &LoginRequest, facts: &Facts) -> Decision {
    let Some(Owner { user, is_active: true }) = facts.link_to else {
        return Decision::Refuse(RefusalReason::UserDisabled);
    };
    if [facts.openid, facts.unionid].into_iter().flatten().any(|owner| owner.user != user) {
        return Decision::Refuse(RefusalReason::IdentityTaken);
    }
    if facts.openid.is_none() && login.profile_available {
        return Decision::AskForProfile;
    }
    Decision::Link(user)
}

/// Decides the login of somebody whom nobody knows. The policy is what it comes to here ([`Terms::narrow`](crate::policy::Terms::narrow)): where nothing is
/// left to ask, nobody is asked. `matches` are the accounts whose person has proved to have the phone number that WeChat delivered.
pub fn decide_first(policy: &ConnectorPolicy, matches: &[UserId]) -> FirstLogin {
    match (policy.binding, matches) {
        (Binding::Field, [user]) => FirstLogin::Bind(*user),
        (Binding::Ask, _) if !policy.methods.is_empty() => FirstLogin::Ask { may_create: policy.may_create() },
        _ if policy.may_create() => FirstLogin::Create,
        _ => FirstLogin::Refuse(policy.refusal()),
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
            check_name(&mut problems, field, value);
        }
        check_length(&mut problems, "openid", &request.openid, 64);
        if let Some(unionid) = &request.unionid {
            check_length(&mut problems, "unionid", unionid, 64);
        }
        if let Some(profile) = &mut request.profile {
            check_profile(&mut problems, "profile", profile);
        }
        if let Some(number) = &request.phone_number {
            check_phone_number(&mut problems, "phone_number", number);
        }
        let link_to = request.link_to.as_deref().map(Uuid::try_parse).transpose();
        if link_to.is_err() {
            problems.push("link_to: expected a user's id".to_owned());
        }
        if let Some(address) = &request.client_address {
            check_length(&mut problems, "client_address", address, 64);
            if address.chars().any(char::is_control) {
                problems.push("client_address: holds a control character; expected none".to_owned());
            }
        }
        match (key, link_to) {
            (Some(key), Ok(link_to)) if problems.is_empty() => Ok(Self { key, link_to, request }),
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

    /// The user who asks to link the identity.
    pub fn link_to(&self) -> Option<UserId> {
        self.link_to
    }

    /// What WeChat calls the person, as the request says.
    pub fn wechat_identity(&self) -> WechatIdentity {
        let LoginRequest { app_id, openid, unionid, .. } = self.request.clone();
        WechatIdentity { app_id, openid, unionid }
    }

    /// Tells whether two requests with one key ask the same question.
    ///
    /// The profile does not count: it decides nothing, and may differ between two answers of WeChat. Nor does where the person is.
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
            phone_number,
            link_to,
            client_address: _,
        } = &self.request;
        let method = format!("{method:?}");
        let mut hash = Sha256::new();
        for text in [pool, application, connector, &method, platform, app_id, openid] {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        // None of them is ever empty, so "" stands for none.
        for text in [unionid, phone_number, link_to] {
            let text = text.as_deref().unwrap_or_default();
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        hash.update([u8::from(*profile_available)]);
        hash.finalize().into()
    }
}

/// A name of the operator's or of WeChat's.
pub(crate) fn check_name(problems: &mut Vec<String>, field: &str, value: &str) {
    check_length(problems, field, value, 64);
    if value.chars().any(char::is_control) {
        problems.push(format!("{field}: holds a control character; expected none"));
    }
}

/// Makes of `""` and U+0000 what is meant by them, and checks the rest.
pub(crate) fn check_profile(problems: &mut Vec<String>, field: &str, profile: &mut Profile) {
    // PostgreSQL's text holds no U+0000.
    if let Some(nickname) = &mut profile.nickname {
        nickname.retain(|character| character != '\0');
    }
    // WeChat says "" for a picture that a person does not have.
    profile.nickname.take_if(|text| text.is_empty());
    profile.picture.take_if(|text| text.is_empty());
    if let Some(nickname) = &profile.nickname {
        check_length(problems, &format!("{field}.nickname"), nickname, 256);
    }
    if let Some(picture) = &profile.picture {
        check_length(problems, &format!("{field}.picture"), picture, 1024);
        if !picture.starts_with("https://") || !picture.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.push(format!("{field}.picture: expected an https address in visible ASCII"));
        }
    }
}

pub(crate) fn check_phone_number(problems: &mut Vec<String>, field: &str, number: &str) {
    // Our own spelling, and no other.
    if Address::phone(number).is_none_or(|address| address.as_str() != number) {
        problems.push(format!("{field}: expected E.164, such as +8613800138000"));
    }
}

pub(crate) fn check_length(problems: &mut Vec<String>, field: &str, value: &str, longest: usize) {
    let length = value.chars().count();
    if length == 0 {
        problems.push(format!("{field}: is empty; expected 1 to {longest} characters"));
    } else if length > longest {
        problems.push(format!("{field}: has {length} characters; expected 1 to {longest}"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::policy::{OnNoMatch, Registration};
    use resolver_api::LoginMethod;

    const A: UserId = Uuid::from_u128(0xa);
    const B: UserId = Uuid::from_u128(0xb);
    const C: UserId = Uuid::from_u128(0xc);

    /// A login on the PC that brings both identities, and nothing else of its person.
    pub(crate) fn request() -> LoginRequest {
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

    const fn active(user: UserId) -> Option<Owner> {
        Some(Owner { user, is_active: true })
    }

    const fn disabled(user: UserId) -> Option<Owner> {
        Some(Owner { user, is_active: false })
    }

    #[test]
    fn the_decision_table() {
        use Decision::{AskForProfile, Choose, FirstLogin, SignIn};

        let full = request();
        let base_scope = LoginRequest { profile_available: true, unionid: None, ..request() };
        let refused = Decision::Refuse(RefusalReason::UserDisabled);
        let table = [
            (&full, active(A), None, SignIn(A)),
            (&full, None, active(B), SignIn(B)),
            (&full, active(A), active(A), SignIn(A)),
            (&full, active(A), active(B), Choose([A, B])),
            (&full, None, None, FirstLogin),
            // WeChat can tell more: only an openid that is known needs no more.
            (&base_scope, None, None, AskForProfile),
            (&base_scope, active(A), None, SignIn(A)),
            (&base_scope, disabled(A), None, refused.clone()),
            // Whoever is disabled is refused, and no question to anybody else.
            (&full, disabled(A), None, refused.clone()),
            (&full, None, disabled(B), refused.clone()),
            (&full, disabled(A), disabled(A), refused.clone()),
            (&full, disabled(A), active(B), SignIn(B)),
            (&full, active(A), disabled(B), SignIn(A)),
            (&full, disabled(A), disabled(B), refused),
        ];
        for (login, openid, unionid, expected) in table {
            let facts = Facts { openid, unionid, ..Facts::default() };
            assert_eq!(decide(login, &facts), expected, "{facts:?} {login:?}");
        }
    }

    #[test]
    fn a_choice_counts_while_both_accounts_are_there_to_choose() {
        let decide = |openid, unionid, chosen| decide(&request(), &Facts { openid, unionid, chosen: Some(chosen), link_to: None });
        assert_eq!(decide(active(A), active(B), A), Decision::SignIn(A));
        assert_eq!(decide(active(A), active(B), B), Decision::SignIn(B));
        assert_eq!(decide(active(A), active(B), C), Decision::Choose([A, B]), "the identity has moved since");
        assert_eq!(decide(active(A), disabled(B), B), Decision::SignIn(A));
        assert_eq!(decide(disabled(A), disabled(B), B), Decision::Refuse(RefusalReason::UserDisabled));
    }

    #[test]
    fn linking_signs_in_nobody_but_who_asked_for_it() {
        let login = LoginRequest { link_to: Some(A.to_string()), ..request() };
        let base_scope = LoginRequest { profile_available: true, unionid: None, ..login.clone() };
        let taken = Decision::Refuse(RefusalReason::IdentityTaken);
        let refused = Decision::Refuse(RefusalReason::UserDisabled);
        let table = [
            (&login, active(A), None, None, Decision::Link(A)),
            (&login, active(A), active(A), None, Decision::Link(A)),
            (&login, active(A), None, active(A), Decision::Link(A)),
            (&login, active(A), active(B), None, taken.clone()),
            (&login, active(A), None, active(B), taken.clone()),
            (&login, active(A), active(A), active(B), taken.clone()),
            (&login, active(A), disabled(B), None, taken.clone()),
            (&base_scope, active(A), None, None, Decision::AskForProfile),
            (&base_scope, active(A), active(A), None, Decision::Link(A)),
            (&base_scope, active(A), active(B), None, taken),
            (&login, disabled(A), None, None, refused.clone()),
            (&login, None, active(B), None, refused),
        ];
        for (login, link_to, openid, unionid, expected) in table {
            let facts = Facts { openid, unionid, link_to, chosen: Some(B) };
            assert_eq!(decide(login, &facts), expected, "{facts:?} {login:?}");
        }
    }

    #[test]
    fn the_policy_decides_first_logins() {
        use Binding::{Ask, Field};
        use FirstLogin::{Bind, Create, Refuse};
        use OnNoMatch::Create as Make;
        use Registration::{Closed, Open};

        let closed = || Refuse(RefusalReason::RegistrationClosed);
        let no_match = || Refuse(RefusalReason::NoMatch);
        let (nobody, one, many) = (&[][..], &[A][..], &[A, B][..]);
        let table = [
            (Open, Binding::None, Make, one, Create),
            (Closed, Binding::None, Make, one, closed()),
            (Open, Binding::None, OnNoMatch::Refuse, one, no_match()),
            (Closed, Binding::None, OnNoMatch::Refuse, one, closed()),
            (Open, Field, Make, one, Bind(A)),
            (Open, Field, Make, nobody, Create),
            (Open, Field, Make, many, Create),
            (Closed, Field, OnNoMatch::Refuse, one, Bind(A)),
            (Closed, Field, Make, nobody, closed()),
            (Open, Field, OnNoMatch::Refuse, many, no_match()),
            (Open, Ask, Make, nobody, FirstLogin::Ask { may_create: true }),
            (Closed, Ask, Make, nobody, FirstLogin::Ask { may_create: false }),
            (Open, Ask, OnNoMatch::Refuse, nobody, FirstLogin::Ask { may_create: false }),
        ];
        for (registration, binding, on_no_match, matches, expected) in table {
            let policy = ConnectorPolicy { registration, binding, on_no_match, ..ConnectorPolicy::default() };
            assert_eq!(decide_first(&policy, matches), expected, "{policy:?} {matches:?}");
        }
        // Where there is nothing to offer, nobody is asked.
        let nothing = ConnectorPolicy { binding: Ask, methods: Vec::new(), ..ConnectorPolicy::default() };
        assert_eq!(decide_first(&nothing, nobody), Create);
        assert_eq!(decide_first(&ConnectorPolicy { on_no_match: OnNoMatch::Refuse, ..nothing }, nobody), no_match());
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
        assert_eq!(digest(LoginRequest { client_address: Some("192.0.2.1".into()), ..request() }), same);
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
            LoginRequest { phone_number: Some("+8613800138000".into()), ..request() },
            LoginRequest { link_to: Some(A.to_string()), ..request() },
            LoginRequest { platform: "mainw".into(), app_id: "x0000000000000001".into(), ..request() },
        ];
        for other in others {
            assert_ne!(digest(other.clone()), same, "{other:?}");
        }
    }
}
