//! What a native client reads of an account and of a question: the agreement's own words. Written by hand, since serde_json's way
//! from a type to a value costs the module 5 kB here.

use resolver_api::{AccountView, Candidate, CodeSent, LinkedIdentity, PendingLogin, Profile, ProofMethod, Question, User};
use serde_json::Value;

use crate::json::object;

pub(super) fn account(view: &AccountView) -> Value {
    object!({
        "user": user(&view.user),
        "email": view.email.as_deref(),
        "created_at": view.created_at,
        "identities": view.identities.iter().map(identity).collect::<Vec<_>>(),
    })
}

fn user(user: &User) -> Value {
    object!({
        "id": user.id.as_str(),
        "name": user.name.as_deref(),
        "picture": user.picture.as_deref(),
        "phone_number": user.phone_number.as_deref(),
        "phone_number_verified": user.phone_number_verified,
    })
}

fn identity(identity: &LinkedIdentity) -> Value {
    object!({
        "id": identity.id.as_str(),
        "nickname": identity.nickname.as_deref(),
        "connectors": identity.connectors.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>(),
        "linked_at": identity.linked_at,
        "last_login_at": identity.last_login_at,
    })
}

pub(super) fn pending_login(login: &PendingLogin) -> Value {
    object!({
        "application": login.application.as_str(),
        "connector": login.connector.as_str(),
        "profile": login.profile.as_ref().map(profile),
        "expires_at": login.expires_at,
        "tries_left": login.tries_left,
        "question": question(&login.question),
    })
}

fn profile(profile: &Profile) -> Value {
    object!({"nickname": profile.nickname.as_deref(), "picture": profile.picture.as_deref()})
}

fn question(question: &Question) -> Value {
    match question {
        Question::Choose { accounts } => {
            object!({"kind": "choose", "accounts": accounts.iter().map(candidate).collect::<Vec<_>>()})
        }
        Question::Bind { methods, may_create, code } => object!({
            "kind": "bind",
            "methods": methods.iter().map(|method| Value::from(name(*method))).collect::<Vec<_>>(),
            "may_create": *may_create,
            "code": code.as_ref().map(code_sent),
        }),
    }
}

fn candidate(account: &Candidate) -> Value {
    object!({
        "id": account.id.as_str(),
        "name": account.name.as_deref(),
        "phone_number": account.phone_number.as_deref(),
        "email": account.email.as_deref(),
        "created_at": account.created_at,
        "last_login_at": account.last_login_at,
    })
}

fn code_sent(code: &CodeSent) -> Value {
    object!({
        "method": name(code.method),
        "address": code.address.as_str(),
        "expires_at": code.expires_at,
        "resend_at": code.resend_at,
    })
}

fn name(method: ProofMethod) -> &'static str {
    match method {
        ProofMethod::PhoneCode => "phone_code",
        ProofMethod::EmailCode => "email_code",
        ProofMethod::Password => "password",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_say_what_the_agreement_says() {
        let same = |ours: Value, theirs: Result<Value, serde_json::Error>| assert_eq!(ours, theirs.unwrap());
        let bare = LinkedIdentity { id: "i".into(), nickname: None, connectors: vec![], linked_at: 1, last_login_at: 2 };
        let full = LinkedIdentity { nickname: Some("小明".into()), connectors: vec!["pc".into(), "mini".into()], ..bare.clone() };
        let known = User {
            id: "u".into(),
            name: Some("n".into()),
            picture: Some("p".into()),
            phone_number: Some("+1".into()),
            phone_number_verified: Some(false),
        };
        let view = AccountView { user: known, email: Some("a@b".into()), created_at: 3, identities: vec![bare, full] };
        same(account(&view), serde_json::to_value(&view));
        let view = AccountView { user: User { id: "u".into(), ..User::default() }, email: None, ..view };
        same(account(&view), serde_json::to_value(&view));

        let methods = vec![ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password];
        let code = CodeSent { method: ProofMethod::EmailCode, address: "x***@y".into(), expires_at: 1, resend_at: 2 };
        let named = Candidate {
            name: Some("n".into()),
            phone_number: Some("+1".into()),
            email: Some("e".into()),
            created_at: 1,
            last_login_at: 2,
            ..Candidate::default()
        };
        let questions = [
            Question::Choose { accounts: vec![Candidate::default(), named] },
            Question::Bind { methods, may_create: true, code: Some(code) },
            Question::Bind { methods: vec![], may_create: false, code: None },
        ];
        for question in questions {
            for told in [None, Some(Profile { nickname: Some("n".into()), picture: Some("p".into()) }), Some(Profile::default())] {
                let login = PendingLogin {
                    application: "shop".into(),
                    connector: "pc".into(),
                    profile: told,
                    expires_at: 9,
                    tries_left: 3,
                    question: question.clone(),
                };
                same(pending_login(&login), serde_json::to_value(&login));
            }
        }
    }
}
