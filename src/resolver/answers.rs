//! Reads the resolver's answers, field by field. serde's derive would do the same with 10 kB of code for each type that
//! is told apart by a tag; the tests hold every type here against what the agreement writes.

use resolver_api::tickets::{CreateTicketAnswer, RedeemAnswer, ScanAnswer, Ticket, TicketIdentity, TicketPurpose, TicketState};
use resolver_api::{
    AccountView, Candidate, CodeSent, FinishAnswer, LinkedIdentity, LoginOutcome, PendingLogin, Profile, ProofMethod, Question,
    RefusalReason, RevocationFeed, RevokedSession, RevokedUser, SendCodeAnswer, UnlinkAnswer, User, WechatIdentity,
};
use serde_json::Value;

/// Names the first field that is missing or of another kind.
pub(super) type Misfit = &'static str;

type Read<T> = Result<T, Misfit>;

pub(super) fn login_outcome(json: &Value) -> Read<LoginOutcome> {
    Ok(match tag(json, "outcome") {
        "signed_in" => LoginOutcome::SignedIn {
            user: user(json)?,
            session_id: text(json, "session_id")?,
            auth_time: number(json, "auth_time")?,
            identity: wechat_identity(member(json, "identity"))?,
            new_user: or_default(json, "new_user", flag)?,
        },
        "profile_required" => LoginOutcome::ProfileRequired,
        "choose_account" => LoginOutcome::ChooseAccount { pending: text(json, "pending")?, expires_at: number(json, "expires_at")? },
        "bind_account" => LoginOutcome::BindAccount { pending: text(json, "pending")?, expires_at: number(json, "expires_at")? },
        "refused" => LoginOutcome::Refused { reason: refusal(&text(json, "reason")?) },
        _ => return Err("outcome"),
    })
}

pub(super) fn pending_login(json: &Value) -> Read<PendingLogin> {
    Ok(PendingLogin {
        application: text(json, "application")?,
        connector: text(json, "connector")?,
        profile: optional(json, "profile", profile)?,
        expires_at: number(json, "expires_at")?,
        tries_left: count(json, "tries_left")?,
        question: question(member(json, "question"))?,
    })
}

pub(super) fn send_code(json: &Value) -> Read<SendCodeAnswer> {
    Ok(match tag(json, "answer") {
        "sent" => SendCodeAnswer::Sent { code: code_sent(json, "code")? },
        "too_soon" => SendCodeAnswer::TooSoon { resend_at: number(json, "resend_at")? },
        "too_many" => SendCodeAnswer::TooMany,
        "invalid_address" => SendCodeAnswer::InvalidAddress,
        "not_offered" => SendCodeAnswer::NotOffered,
        _ => return Err("answer"),
    })
}

pub(super) fn finish(json: &Value) -> Read<FinishAnswer> {
    Ok(match tag(json, "answer") {
        "finished" => FinishAnswer::Finished { outcome: login_outcome(member(json, "outcome"))? },
        "wrong" => FinishAnswer::Wrong { tries_left: count(json, "tries_left")? },
        "not_offered" => FinishAnswer::NotOffered,
        _ => return Err("answer"),
    })
}

pub(super) fn account(json: &Value) -> Read<AccountView> {
    Ok(AccountView {
        user: user(json)?,
        email: maybe_text(json, "email")?,
        created_at: number(json, "created_at")?,
        identities: list(json, "identities", |identity| {
            Ok(LinkedIdentity {
                id: text(identity, "id")?,
                nickname: maybe_text(identity, "nickname")?,
                connectors: list(identity, "connectors", |id| id.as_str().map(str::to_owned).ok_or("connectors"))?,
                linked_at: number(identity, "linked_at")?,
                last_login_at: number(identity, "last_login_at")?,
            })
        })?,
    })
}

pub(super) fn unlink(json: &Value) -> Read<UnlinkAnswer> {
    match tag(json, "answer") {
        "unlinked" => Ok(UnlinkAnswer::Unlinked),
        "last_way_in" => Ok(UnlinkAnswer::LastWayIn),
        _ => Err("answer"),
    }
}

pub(super) fn revocations(json: &Value) -> Read<RevocationFeed> {
    Ok(RevocationFeed {
        cursor: text(json, "cursor")?,
        sessions: or_default(json, "sessions", |json, name| list(json, name, revoked_session))?,
        users: or_default(json, "users", |json, name| list(json, name, revoked_user))?,
        more: or_default(json, "more", flag)?,
    })
}

pub(super) fn create_ticket(json: &Value) -> Read<CreateTicketAnswer> {
    Ok(match tag(json, "answer") {
        "created" => CreateTicketAnswer::Created { ticket: text(json, "ticket")?, expires_at: number(json, "expires_at")? },
        "too_many" => CreateTicketAnswer::TooMany { retry_at: number(json, "retry_at")? },
        _ => return Err("answer"),
    })
}

pub(super) fn ticket(json: &Value) -> Read<Ticket> {
    Ok(Ticket {
        purpose: match tag(json, "purpose") {
            "scan" => TicketPurpose::Scan,
            "launch" => TicketPurpose::Launch,
            "hand_over" => TicketPurpose::HandOver,
            _ => return Err("purpose"),
        },
        application: text(json, "application")?,
        connector: text(json, "connector")?,
        app_id: text(json, "app_id")?,
        state: ticket_state(json)?,
        number: maybe_text(json, "number")?,
        client: maybe_text(json, "client")?,
        client_address: maybe_text(json, "client_address")?,
        created_at: number(json, "created_at")?,
        expires_at: number(json, "expires_at")?,
        profile: optional(json, "profile", profile)?,
        retry_after: optional(json, "retry_after", count)?,
    })
}

pub(super) fn scan(json: &Value) -> Read<ScanAnswer> {
    Ok(match tag(json, "answer") {
        "done" => ScanAnswer::Done { ticket: Box::new(ticket(member(json, "ticket"))?) },
        "taken" => ScanAnswer::Taken,
        "settled" => ScanAnswer::Settled,
        _ => return Err("answer"),
    })
}

pub(super) fn redeem(json: &Value) -> Read<RedeemAnswer> {
    Ok(match tag(json, "answer") {
        "redeemed" => RedeemAnswer::Redeemed { identity: optional(json, "identity", ticket_identity)? },
        "not_confirmed" => RedeemAnswer::NotConfirmed { state: ticket_state(json)? },
        "used" => RedeemAnswer::Used,
        _ => return Err("answer"),
    })
}

fn ticket_state(json: &Value) -> Read<TicketState> {
    Ok(match tag(json, "state") {
        "waiting" => TicketState::Waiting,
        "scanned" => TicketState::Scanned,
        "confirmed" => TicketState::Confirmed,
        "cancelled" => TicketState::Cancelled,
        "redeemed" => TicketState::Redeemed,
        _ => return Err("state"),
    })
}

fn ticket_identity(json: &Value, name: Misfit) -> Read<TicketIdentity> {
    let json = member(json, name);
    Ok(TicketIdentity {
        app_id: text(json, "app_id")?,
        openid: text(json, "openid")?,
        unionid: maybe_text(json, "unionid")?,
        profile: optional(json, "profile", profile)?,
        phone_number: maybe_text(json, "phone_number")?,
    })
}

fn revoked_session(json: &Value) -> Read<RevokedSession> {
    Ok(RevokedSession { session_id: text(json, "session_id")?, expires_at: number(json, "expires_at")? })
}

fn revoked_user(json: &Value) -> Read<RevokedUser> {
    Ok(RevokedUser { user_id: text(json, "user_id")?, not_before: number(json, "not_before")?, expires_at: number(json, "expires_at")? })
}

fn question(json: &Value) -> Read<Question> {
    match tag(json, "kind") {
        "choose" => Ok(Question::Choose {
            accounts: list(json, "accounts", |account| {
                Ok(Candidate {
                    id: text(account, "id")?,
                    name: maybe_text(account, "name")?,
                    phone_number: maybe_text(account, "phone_number")?,
                    email: maybe_text(account, "email")?,
                    created_at: number(account, "created_at")?,
                    last_login_at: or_default(account, "last_login_at", number)?,
                })
            })?,
        }),
        "bind" => Ok(Question::Bind {
            methods: list(json, "methods", proof_method)?,
            may_create: flag(json, "may_create")?,
            code: optional(json, "code", code_sent)?,
        }),
        _ => Err("kind"),
    }
}

fn profile(json: &Value, name: Misfit) -> Read<Profile> {
    let profile = object(json, name)?;
    Ok(Profile { nickname: maybe_text(profile, "nickname")?, picture: maybe_text(profile, "picture")? })
}

fn code_sent(json: &Value, name: Misfit) -> Read<CodeSent> {
    let json = object(json, name)?;
    Ok(CodeSent {
        method: proof_method(member(json, "method"))?,
        address: text(json, "address")?,
        expires_at: number(json, "expires_at")?,
        resend_at: number(json, "resend_at")?,
    })
}

fn proof_method(json: &Value) -> Read<ProofMethod> {
    match json.as_str() {
        Some("phone_code") => Ok(ProofMethod::PhoneCode),
        Some("email_code") => Ok(ProofMethod::EmailCode),
        Some("password") => Ok(ProofMethod::Password),
        _ => Err("method"),
    }
}

fn refusal(reason: &str) -> RefusalReason {
    match reason {
        "registration_closed" => RefusalReason::RegistrationClosed,
        "user_disabled" => RefusalReason::UserDisabled,
        "no_match" => RefusalReason::NoMatch,
        "identity_taken" => RefusalReason::IdentityTaken,
        _ => RefusalReason::Policy,
    }
}

fn user(json: &Value) -> Read<User> {
    let user = member(json, "user");
    Ok(User {
        id: text(user, "id")?,
        name: maybe_text(user, "name")?,
        picture: maybe_text(user, "picture")?,
        phone_number: maybe_text(user, "phone_number")?,
        phone_number_verified: optional(user, "phone_number_verified", flag)?,
    })
}

fn wechat_identity(json: &Value) -> Read<WechatIdentity> {
    Ok(WechatIdentity { app_id: text(json, "app_id")?, openid: text(json, "openid")?, unionid: maybe_text(json, "unionid")? })
}

fn object(json: &Value, name: Misfit) -> Read<&Value> {
    json.get(name).filter(|found| found.is_object()).ok_or(name)
}

/// Null where it is not there.
fn member<'a>(json: &'a Value, name: &str) -> &'a Value {
    json.get(name).unwrap_or(&Value::Null)
}

fn tag<'a>(json: &'a Value, name: &str) -> &'a str {
    member(json, name).as_str().unwrap_or_default()
}

fn text(json: &Value, name: Misfit) -> Read<String> {
    maybe_text(json, name)?.ok_or(name)
}

fn maybe_text(json: &Value, name: Misfit) -> Read<Option<String>> {
    match member(json, name) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(name),
    }
}

fn number(json: &Value, name: Misfit) -> Read<u64> {
    member(json, name).as_u64().ok_or(name)
}

fn count(json: &Value, name: Misfit) -> Read<u32> {
    u32::try_from(number(json, name)?).map_err(|_| name)
}

fn flag(json: &Value, name: Misfit) -> Read<bool> {
    member(json, name).as_bool().ok_or(name)
}

fn list<T>(json: &Value, name: Misfit, read: fn(&Value) -> Read<T>) -> Read<Vec<T>> {
    member(json, name).as_array().ok_or(name)?.iter().map(read).collect()
}

/// What may be null or left out.
fn optional<T>(json: &Value, name: Misfit, read: fn(&Value, Misfit) -> Read<T>) -> Read<Option<T>> {
    if member(json, name).is_null() { Ok(None) } else { read(json, name).map(Some) }
}

/// What may be left out, and has a usual value.
fn or_default<T: Default>(json: &Value, name: Misfit, read: fn(&Value, Misfit) -> Read<T>) -> Read<T> {
    if json.get(name).is_none() { Ok(T::default()) } else { read(json, name) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    /// What the agreement writes reads back, and what it does not take is not taken here: each field in turn is left
    /// out, made null, and made something else.
    fn agrees<T: Serialize + DeserializeOwned + PartialEq + Debug>(read: fn(&Value) -> Read<T>, samples: &[T]) {
        for sample in samples {
            let written = serde_json::to_value(sample).unwrap();
            assert_eq!(read(&written).as_ref(), Ok(sample));
            for changed in changes(&written) {
                assert_eq!(read(&changed).ok(), serde_json::from_value(changed.clone()).ok(), "{changed}");
            }
        }
    }

    fn changes(json: &Value) -> Vec<Value> {
        let mut all = vec![];
        match json {
            Value::Object(members) => {
                for (name, value) in members {
                    let with = |value: Value| {
                        let mut members = members.clone();
                        members.insert(name.clone(), value);
                        Value::Object(members)
                    };
                    let mut without = members.clone();
                    without.remove(name);
                    all.push(Value::Object(without));
                    all.extend([Value::Null, json!({}), json!(-1), json!("odd"), json!(u64::MAX)].map(with));
                    all.extend(changes(value).into_iter().map(with));
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let changed = changes(item).into_iter().map(|item| {
                        let mut items = items.clone();
                        items[at] = item;
                        Value::Array(items)
                    });
                    all.extend(changed);
                }
            }
            _ => {}
        }
        all
    }

    #[test]
    fn tickets_read_as_the_agreement_writes_them() {
        let states = [TicketState::Waiting, TicketState::Scanned, TicketState::Confirmed, TicketState::Cancelled, TicketState::Redeemed];
        let purposes = [TicketPurpose::Scan, TicketPurpose::Launch, TicketPurpose::HandOver];
        let profile = Profile { nickname: Some("小明".into()), picture: Some("https://x/".into()) };
        let bare = |state, purpose| Ticket {
            purpose,
            application: "shop".into(),
            connector: "scan".into(),
            app_id: "wx0000000000000004".into(),
            state,
            number: None,
            client: None,
            client_address: None,
            created_at: 1,
            expires_at: 2,
            profile: None,
            retry_after: None,
        };
        let full = Ticket {
            number: Some("42".into()),
            client: Some("Chrome, Windows".into()),
            client_address: Some("203.0.113.7".into()),
            profile: Some(profile.clone()),
            retry_after: Some(3),
            ..bare(TicketState::Scanned, TicketPurpose::Scan)
        };
        let mut tickets = vec![full.clone()];
        tickets.extend(states.map(|state| bare(state, TicketPurpose::Scan)));
        tickets.extend(purposes.map(|purpose| bare(TicketState::Waiting, purpose)));
        agrees(ticket, &tickets);
        agrees(
            create_ticket,
            &[
                CreateTicketAnswer::Created { ticket: "q2nqv0hYdVOkdlkY0m2m3g".into(), expires_at: 3 },
                CreateTicketAnswer::TooMany { retry_at: 4 },
            ],
        );
        agrees(scan, &[ScanAnswer::Done { ticket: Box::new(full) }, ScanAnswer::Taken, ScanAnswer::Settled]);
        let identity = TicketIdentity {
            app_id: "wx0000000000000004".into(),
            openid: "o1".into(),
            unionid: Some("u1".into()),
            profile: Some(profile),
            phone_number: Some("+8613800138000".into()),
        };
        let mut redeemed =
            vec![RedeemAnswer::Redeemed { identity: Some(identity) }, RedeemAnswer::Redeemed { identity: None }, RedeemAnswer::Used];
        redeemed.extend(states.map(|state| RedeemAnswer::NotConfirmed { state }));
        agrees(redeem, &redeemed);
    }

    fn full_user() -> User {
        User {
            id: "u1".into(),
            name: Some("小明".into()),
            picture: Some("https://x/".into()),
            phone_number: Some("+8613800138000".into()),
            phone_number_verified: Some(true),
        }
    }

    fn code() -> CodeSent {
        CodeSent { method: ProofMethod::EmailCode, address: "x***@example.com".into(), expires_at: 1, resend_at: 2 }
    }

    fn outcomes() -> Vec<LoginOutcome> {
        let signed_in = |user, unionid, new_user| LoginOutcome::SignedIn {
            user,
            session_id: "s".into(),
            auth_time: 7,
            identity: WechatIdentity { app_id: "wx1".into(), openid: "o1".into(), unionid },
            new_user,
        };
        let mut outcomes = vec![
            signed_in(full_user(), Some("u1".into()), true),
            signed_in(User { id: "u2".into(), ..User::default() }, None, false),
            LoginOutcome::ProfileRequired,
            LoginOutcome::ChooseAccount { pending: "p".into(), expires_at: 1 },
            LoginOutcome::BindAccount { pending: "p".into(), expires_at: 1 },
        ];
        use RefusalReason::{IdentityTaken, NoMatch, Policy, RegistrationClosed, UserDisabled};
        outcomes.extend([RegistrationClosed, UserDisabled, NoMatch, IdentityTaken, Policy].map(|reason| LoginOutcome::Refused { reason }));
        outcomes
    }

    #[test]
    fn every_answer_is_read_as_the_agreement_writes_it() {
        agrees(login_outcome, &outcomes());
        let candidates = vec![
            Candidate {
                id: "c".into(),
                name: Some("晓*".into()),
                phone_number: Some("+86".into()),
                email: Some("x".into()),
                created_at: 1,
                last_login_at: 2,
            },
            Candidate { id: "d".into(), ..Candidate::default() },
        ];
        let methods = vec![ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password];
        let profile = Profile { nickname: Some("小明".into()), picture: Some("https://x/".into()) };
        let pending = |profile, question| PendingLogin {
            application: "shop".into(),
            connector: "pc".into(),
            profile,
            expires_at: 9,
            tries_left: 5,
            question,
        };
        agrees(
            pending_login,
            &[
                pending(Some(profile), Question::Choose { accounts: candidates }),
                pending(None, Question::Bind { methods, may_create: true, code: Some(code()) }),
                pending(Some(Profile::default()), Question::Bind { methods: vec![], may_create: false, code: None }),
            ],
        );
        use SendCodeAnswer::{InvalidAddress, NotOffered, Sent, TooMany, TooSoon};
        agrees(send_code, &[Sent { code: code() }, TooSoon { resend_at: 3 }, TooMany, InvalidAddress, NotOffered]);
        let mut finishes: Vec<_> = outcomes().into_iter().map(|outcome| FinishAnswer::Finished { outcome }).collect();
        finishes.extend([FinishAnswer::Wrong { tries_left: 4 }, FinishAnswer::NotOffered]);
        agrees(finish, &finishes);
        let identity = LinkedIdentity {
            id: "i".into(),
            nickname: Some("小明".into()),
            connectors: vec!["pc".into(), "in-wechat".into()],
            linked_at: 1,
            last_login_at: 2,
        };
        let view = AccountView { user: full_user(), email: Some("x@example.com".into()), created_at: 3, identities: vec![identity] };
        agrees(account, &[view]);
        agrees(unlink, &[UnlinkAnswer::Unlinked, UnlinkAnswer::LastWayIn]);
        let feed = RevocationFeed {
            cursor: "c".into(),
            sessions: vec![RevokedSession { session_id: "s".into(), expires_at: 1 }],
            users: vec![RevokedUser { user_id: "u".into(), not_before: 1, expires_at: 2 }],
            more: true,
        };
        agrees(revocations, &[feed, RevocationFeed::default()]);
    }

    #[test]
    fn a_newer_resolver_may_say_more_and_refuse_for_reasons_of_its_own() {
        let answer = json!({"outcome": "refused", "reason": "moon_phase", "news": {"any": [1]}});
        assert_eq!(login_outcome(&answer), Ok(LoginOutcome::Refused { reason: RefusalReason::Policy }));
        assert_eq!(login_outcome(&json!({"outcome": "perhaps"})), Err("outcome"));
        assert_eq!(login_outcome(&json!({"outcome": "choose_account", "pending": "p"})), Err("expires_at"));
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
            if let Ok(json) = serde_json::from_str::<Value>(&text) {
                let _ = (login_outcome(&json), pending_login(&json), send_code(&json), finish(&json), account(&json), unlink(&json));
            }
        }
    }
}
