//! A mini program: one code, and with it a phone number where the person gives it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};

use super::*;

#[test]
fn a_mini_program_logs_in_with_one_click_and_what_it_says_of_itself_is_ignored() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let said = json!({"code": "CODE1", "openid": "o-victim", "unionid": "u-victim", "session_key": "k", "is_snapshotuser": "1",
                      "phone_number": "+8613900139000", "profile": "x"});
    let session = post(&mut world, "/wxgate/code/mini", &said);
    assert_eq!(session.status, 200);
    assert!(body(&session)["token"].as_str().unwrap().starts_with("wxg1."));
    assert_eq!(world.labels(), ["sns.jscode2session", "logins.create"]);
    let mut login = sent(&world, "logins.create");
    login.as_object_mut().unwrap().remove("idempotency_key");
    assert_eq!(
        login,
        json!({"pool": "default", "application": "shop", "connector": "mini", "method": "mini_program", "platform": "main", "app_id": MINI,
               "openid": "o1", "unionid": "u1", "profile_available": false, "client_address": "203.0.113.7"})
    );
}

#[test]
fn a_phone_code_brings_the_number_of_that_very_person_as_e_164() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    assert_eq!(post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1", "phone_code": "PHONE1"})).status, 200);
    assert_eq!(world.labels(), ["sns.jscode2session", "cgi.stable_token", "wxa.phone_number", "logins.create"]);
    assert_eq!(sent(&world, "wxa.phone_number"), json!({"code": "PHONE1", "openid": "o1"}));
    assert_eq!(sent(&world, "logins.create")["phone_number"], "+8613800138000");
}

#[test]
fn who_brings_a_number_that_wechat_does_not_vouch_for_is_not_logged_in_at_all() {
    let answers = [
        (refusal(40029), 400, "phone_number_rejected"),
        (refusal(40003), 400, "phone_number_rejected"),
        (refusal(40013), 400, "phone_number_rejected"),
        (phone("13800138000", APP), 503, "wechat_unavailable"),
        (phone("+86 138 0013 8000", MINI), 503, "wechat_unavailable"),
        (refusal(45011), 503, "wechat_busy"),
        (refusal(48001), 500, "wechat_misconfigured"),
        (Err(CallFailure::Reset), 503, "wechat_unavailable"),
    ];
    for (answer, status, expected) in answers {
        let mut world = world();
        world.accounts.insert("wxa.phone_number", answer);
        let refused = post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1", "phone_code": "PHONE1"}));
        assert_eq!((refused.status, code(&refused).as_str()), (status, expected));
        assert_eq!(world.labels().last(), Some(&"wxa.phone_number"));
    }
    let mut world = world();
    let data = json!({"code": "CODE1", "encrypted_data": "YWJj", "iv": "YWJj"});
    assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &data)), "phone_number_rejected");
    assert_eq!(world.labels(), ["sns.jscode2session"]);
}

/// What `wx.getPhoneNumber` of a mini program has brought, under this session key.
fn open_data(session_key: &str, app_id: &str, timestamp: u64) -> Value {
    let info = json!({"phoneNumber": "13900139000", "purePhoneNumber": "13900139000", "countryCode": "86",
                      "openId": "o-victim", "unionId": "u-victim", "watermark": {"timestamp": timestamp, "appid": app_id}});
    let mut plaintext = info.to_string().into_bytes();
    let pad = 16 - plaintext.len() % 16;
    plaintext.extend(vec![u8::try_from(pad).unwrap(); pad]);
    let mut blocks: Vec<_> = plaintext.chunks_exact(16).map(|chunk| <[u8; 16]>::try_from(chunk).unwrap().into()).collect();
    let key = <[u8; 16]>::try_from(STANDARD.decode(session_key).unwrap()).unwrap();
    cbc::Encryptor::<aes::Aes128>::new(&key.into(), &[9; 16].into()).encrypt_blocks(&mut blocks);
    json!({"code": "CODE1", "encrypted_data": STANDARD.encode(blocks.concat()), "iv": STANDARD.encode([9; 16])})
}

/// MPD-02.
#[test]
fn encrypted_data_brings_a_number_and_nobody_s_openid() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let good = open_data(SESSION_KEY, MINI, world.now);
    let mut for_an_app = good.clone();
    for_an_app["ticket"] = TICKET.into();
    assert_eq!(post(&mut world, "/wxgate/code/mini", &good).status, 200);
    assert_eq!(post(&mut world, "/wxgate/code/launch", &for_an_app).status, 200);
    for said in [sent(&world, "logins.create"), sent(&world, "tickets.confirm")["identity"].clone()] {
        assert_eq!(
            (&said["openid"], &said["unionid"], &said["phone_number"]),
            (&json!("o1"), &json!("u1"), &json!("+8613900139000")),
            "who it is, the code says"
        );
    }
    assert!(!world.labels().contains(&"wxa.phone_number"), "nobody is asked for it");

    let before = world.labels().iter().filter(|label| **label == "logins.create").count();
    for odd in [
        open_data(SESSION_KEY, APP, world.now),
        open_data(SESSION_KEY, MINI, world.now - 301),
        open_data("AAAAAAAAAAAAAAAAAAAAAA==", MINI, world.now),
    ] {
        assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &odd)), "phone_number_rejected");
    }
    assert_eq!(world.labels().iter().filter(|label| **label == "logins.create").count(), before);
}

#[test]
fn a_code_without_a_nonce_is_a_login_of_its_own_each_time() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let mut keys = std::collections::HashSet::new();
    for _ in 0..2 {
        assert_eq!(post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"})).status, 200);
        keys.insert(sent(&world, "logins.create")["idempotency_key"].to_string());
    }
    assert_eq!(keys.len(), 2, "a code, which others may have seen, names no login");
}

#[test]
fn the_operator_decides_whether_a_number_is_taken() {
    let with = |policy: &'static str| world_with(move |json| json["connectors"][4]["phone_number"] = policy.into());
    let ask = |world: &mut World, more: Value| {
        world.login = vec![known_to(MINI)];
        let mut sent = json!({"code": "CODE1"});
        more.as_object().unwrap().iter().for_each(|(name, value)| sent[name] = value.clone());
        let reply = post(world, "/wxgate/code/mini", &sent);
        if reply.status == 200 { "in".to_owned() } else { code(&reply) }
    };
    let mut off = with("off");
    assert_eq!(ask(&mut off, json!({"phone_code": "PHONE1"})), "in");
    assert_eq!(off.labels(), ["sns.jscode2session", "logins.create"], "nobody asks for it");
    let mut required = with("required");
    assert_eq!(ask(&mut required, json!({})), "phone_number_required");
    assert!(required.calls.is_empty(), "and no code is spent");
    assert_eq!(ask(&mut required, json!({"phone_code": "PHONE1"})), "in");
    let mut optional = world();
    for odd in [
        json!({"phone_code": "a", "encrypted_data": "b", "iv": "c"}),
        json!({"encrypted_data": "b"}),
        json!({"iv": "c"}),
        json!({"phone_code": ""}),
        json!({"phone_code": "a".repeat(513)}),
        json!({"encrypted_data": "a".repeat(4097), "iv": "c"}),
    ] {
        assert_eq!(ask(&mut optional, odd.clone()), "malformed_body", "{odd}");
    }
    assert!(optional.calls.is_empty());
}

#[test]
fn a_spent_code_of_a_mini_program_logs_in_again_with_the_nonce_alone() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let said = json!({"code": "CODE1", "nonce": NONCE});
    assert_eq!(post(&mut world, "/wxgate/code/mini", &said).status, 200);
    let key = sent(&world, "logins.create")["idempotency_key"].as_str().unwrap().to_owned();
    world.accounts.insert("sns.jscode2session", refusal(40163));
    world.outcome = known_to(MINI);
    assert_eq!(post(&mut world, "/wxgate/code/mini", &said).status, 200);
    assert!(world.calls.last().unwrap().1.contains(&key));

    let before = world.calls.len();
    assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"}))), "code_rejected");
    assert_eq!(world.labels()[before..], ["sns.jscode2session"], "without a nonce nobody is asked");
    post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1", "nonce": format!("{NONCE}x")}));
    assert!(!world.calls.last().unwrap().1.contains(&key), "another nonce is another login");
    for odd in ["short", "", "has space in its 22 characters", &"a".repeat(129)] {
        assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1", "nonce": odd}))), "malformed_body");
    }
}
