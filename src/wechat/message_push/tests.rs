use proptest::prelude::*;
use resolver_api::tickets::Withdrawal;
use serde_json::json;

use super::crypt::tests::vector;
use super::*;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const TICKET: &str = "Zm9vYmFyYmF6cXV4MTIzNA";

fn push(mode: PushMode, token: &str, keys: &[&str]) -> Push {
    Push { token: Secret::new(token), keys: keys.iter().map(|key| Secret::new(*key)).collect(), mode, has_message_server: false }
}

fn address(timestamp: &str, nonce: &str, signature: &str, message_signature: &str) -> Address {
    let path = format!("/wxgate/push/oa?signature={signature}&timestamp={timestamp}&nonce={nonce}&openid=o1&encrypt_type=aes");
    let path = if message_signature.is_empty() { path } else { format!("{path}&msg_signature={message_signature}") };
    Address::read(path.as_bytes()).unwrap()
}

/// For stories at the gate: a message under a key.
pub(crate) fn enciphered(key: &str, message: &str, app_id: &str) -> String {
    Key::parse(key).unwrap().encrypt([7; 16], message.as_bytes(), app_id).unwrap()
}

/// For stories at the gate: what an encrypted reply says, which has to be signed.
pub(crate) fn deciphered(token: &Secret, key: &str, reply: &[u8], app_id: &str) -> String {
    let (outer, _) = Fields::parse(reply).unwrap();
    let part = |name| outer.find(name).unwrap();
    assert_eq!(part("MsgSignature"), signed(&[token.expose(), part("TimeStamp"), part("Nonce"), part("Encrypt")]));
    String::from_utf8(Key::parse(key).unwrap().decrypt(part("Encrypt").as_bytes(), app_id).unwrap()).unwrap()
}

/// A signature of WeChat's.
pub(crate) fn signed(parts: &[&str]) -> String {
    crypt::signature(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
}

/// A sample of Tencent's as it would come: address and body.
fn sample(name: &str, as_json: bool) -> (Address, String) {
    let part = |part: &str| vector(&format!("{name}.{part}"));
    let encrypted = part("encrypt");
    let body = match as_json {
        true => json!({"ToUserName": "gh_97417a04a28d", "Encrypt": encrypted}).to_string(),
        false => format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"),
    };
    (address(&part("timestamp"), &part("nonce"), &part("signature"), &part("msg_signature")), body)
}

/// A message in safe mode, from somebody who knows token and key.
fn sealed(message: &str) -> Result<Message, Unopened> {
    let (push, now) = (push(PushMode::Safe, "pamtest", &[KEY]), 1_000_000);
    let encrypted = Key::parse(KEY).unwrap().encrypt([7; 16], message.as_bytes(), "wx1").unwrap();
    let reply = envelope(Format::Xml, &push.token, &encrypted, now, "n");
    let (fields, _) = Fields::parse(reply.as_bytes()).unwrap();
    let signature = crypt::signature(&[b"pamtest", b"1000000", b"n"]);
    Message::open(&push, "wx1", &address("1000000", "n", &signature, fields.find("MsgSignature").unwrap()), reply.as_bytes())
}

fn xml(fields: &[(&str, &str)]) -> String {
    Format::Xml.write(&fields.iter().map(|(name, value)| (*name, Part::Text(value))).collect::<Vec<_>>())
}

fn event(fields: &[(&str, &str)]) -> Event {
    let common = [("ToUserName", "gh_1"), ("FromUserName", "o1"), ("CreateTime", "123"), ("MsgType", "event")];
    sealed(&xml(&[&common, fields].concat())).ok().unwrap().event()
}

#[test]
fn tencents_samples_are_opened_in_xml_and_json() {
    for (name, as_json) in [("V3", false), ("V4", false), ("V5", true)] {
        let part = |part: &str| vector(&format!("{name}.{part}"));
        let (address, body) = sample(name, as_json);
        let push = push(PushMode::Safe, &part("token"), &[&part("encodingAESKey")]);
        assert!(address.is_signed(&push.token), "{name}");
        let opened = Message::open(&push, &part("appid"), &address, body.as_bytes());
        if name == "V3" {
            // It is a text, no message.
            assert!(matches!(opened, Err(Unopened::Unreadable { is_signed: true, .. })));
            continue;
        }
        let message = opened.ok().unwrap();
        assert_eq!(message.event(), Event::Other, "{name}");
        let expected = if as_json { "o9AgO5Kd5ggOC-bXrbNODIiE3bGY" } else { "oyORnuP8q7ou2gfYjqLzSIWZf0rs" };
        assert_eq!(message.fields.find("FromUserName"), Some(expected));
        assert_eq!(message.fields.find("CreateTime").map(str::len), Some(10));
    }
}

#[test]
fn an_address_is_signed_as_the_document_says() {
    for name in ["V5.verify", "V5.plainmode"] {
        let part = |part: &str| vector(&format!("{name}.{part}"));
        let address = address(&part("timestamp"), &part("nonce"), &part("signature"), "");
        assert!(address.is_signed(&Secret::new(vector("V5.token"))), "{name}");
        assert!(!address.is_signed(&Secret::new("AAAAB")), "{name}");
    }
    assert_eq!(echo(b"/p?echostr=4375120948345356249").as_deref(), Some(&b"4375120948345356249"[..]));
    for bad in ["/p", "/p?echostr=", "/p?echostr=a%0d%0ab", "/p?echostr=a%20b", "/p?echostr=%ff", "/p?echostr=1&echostr=2"] {
        assert_eq!(echo(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(echo(format!("/p?echostr={}", "1".repeat(257)).as_bytes()), None);
}

#[test]
fn an_address_has_each_part_once_or_is_none() {
    let signature = vector("V5.verify.signature");
    let good = format!("/p?signature={signature}&timestamp=1714036504&nonce=1514711492");
    let token = Secret::new(vector("V5.token"));
    assert!(Address::read(good.as_bytes()).is_some_and(|address| address.is_signed(&token)));
    for bad in [
        good.replace("signature=", "sign="),
        good.replace("timestamp=", "time="),
        good.replace("nonce=", "n="),
        good.replace("1714036504", ""),
        good.replace("1714036504", "-1"),
        good.replace("1714036504", "0x1"),
        good.replace("1514711492", ""),
        good.replace(&signature, ""),
        good.replace("1514711492", &"1".repeat(65)),
        format!("{good}&nonce=1514711492"),
        format!("{good}&signature={signature}"),
        format!("{good}&timestamp=1"),
        format!("{good}&msg_signature="),
        format!("{good}&msg_signature=1&msg_signature=2"),
    ] {
        assert!(Address::read(bad.as_bytes()).is_none(), "{bad}");
    }
    for changed in
        [good.replace(&signature, &signature.to_uppercase()), good.replace("1714036504", "1714036505"), good.replace("711492", "711493")]
    {
        assert!(!Address::read(changed.as_bytes()).unwrap().is_signed(&token), "{changed}");
    }
}

#[test]
fn ten_minutes_to_either_side_are_recent() {
    let at = |timestamp: &str| address(timestamp, "n", "s", "");
    for (timestamp, is_recent) in [
        ("1000000", true),
        ("999400", true),
        ("999399", false),
        ("1000600", true),
        ("1000601", false),
        ("0", false),
        ("99999999999999999999", false),
    ] {
        assert_eq!(at(timestamp).is_recent(1_000_000), is_recent, "{timestamp}");
    }
}

#[test]
fn nothing_counts_that_the_message_s_signature_does_not_cover() {
    let (address, body) = sample("V4", false);
    let push = push(PushMode::Safe, "spamtest", &[KEY]);
    let app_id = vector("V4.appid");
    let open = |address: &Address, body: &str| Message::open(&push, &app_id, address, body.as_bytes()).map(|_| ());
    assert_eq!(open(&address, &body), Ok(()));
    let changed = body.replace("hyzAe4Oz", "hyzAe4Oa");
    let clear = xml(&[("FromUserName", "o1"), ("MsgType", "event"), ("Event", "SCAN"), ("EventKey", TICKET)]);
    for body in [changed.as_str(), &clear, "<xml></xml>", "<xml><Encrypt></Encrypt></xml>", "{\"Encrypt\":1}"] {
        assert_eq!(open(&address, body), Err(Unopened::Unsigned), "{body}");
    }
    let unsigned = super::Address { message_signature: Vec::new(), ..sample("V4", false).0 };
    let later = super::Address { timestamp: b"1409735670".to_vec(), ..sample("V4", false).0 };
    let clears = super::Address { message_signature: vector("V4.signature").into_bytes(), ..sample("V4", false).0 };
    for address in [unsigned, later, clears] {
        assert_eq!(open(&address, &body), Err(Unopened::Unsigned));
    }
    for body in ["", "<!DOCTYPE x><xml></xml>", "x", &body.replace("</xml>", "")] {
        assert!(matches!(open(&address, body), Err(Unopened::Unreadable { is_signed: false, .. })), "{body}");
    }
}

#[test]
fn a_message_for_another_app_or_under_another_key_is_unreadable() {
    let (address, body) = sample("V4", false);
    let other = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
    let open =
        |keys: &[&str], app_id: &str| Message::open(&push(PushMode::Safe, "spamtest", keys), app_id, &address, body.as_bytes()).map(|_| ());
    assert_eq!(open(&[KEY], "wx2c2769f8efd9abc2"), Ok(()));
    assert_eq!(open(&[other, KEY], "wx2c2769f8efd9abc2"), Ok(()), "the key before the current one");
    for (keys, app_id) in [(&[other][..], "wx2c2769f8efd9abc2"), (&[KEY], "wx2c2769f8efd9abc3"), (&[], "wx2c2769f8efd9abc2")] {
        assert!(matches!(open(keys, app_id), Err(Unopened::Unreadable { is_signed: true, .. })), "{app_id}");
    }
}

#[test]
fn of_a_compatible_message_only_the_encrypted_half_is_read() {
    let (address, body) = sample("V4", false);
    let clear = format!(
        "<FromUserName><![CDATA[victim]]></FromUserName><MsgType>event</MsgType><Event>SCAN</Event><EventKey>{TICKET}</EventKey><Encrypt>"
    );
    let body = body.replace("<Encrypt>", &clear);
    let message =
        Message::open(&push(PushMode::Compatible, "spamtest", &[KEY]), "wx2c2769f8efd9abc2", &address, body.as_bytes()).ok().unwrap();
    assert_eq!(message.fields.find("FromUserName"), Some("oyORnuP8q7ou2gfYjqLzSIWZf0rs"));
    assert_eq!(message.event(), Event::Other);
}

#[test]
fn a_plain_message_is_read_as_it_stands() {
    let body = xml(&[("FromUserName", "o1"), ("MsgType", "event"), ("Event", "SCAN"), ("EventKey", TICKET)]);
    let open = |body: &str| Message::open(&push(PushMode::Plain, "pamtest", &[]), "wx1", &address("1", "n", "s", ""), body.as_bytes());
    let expected = Event::Scanned { openid: "o1".into(), ticket: TICKET.into(), is_new: false };
    assert_eq!(open(&body).ok().unwrap().event(), expected);
    assert!(matches!(open("<html>"), Err(Unopened::Unreadable { is_signed: true, .. })));
}

#[test]
fn a_scan_is_a_scan_of_a_ticket_with_the_prefix_of_a_new_follower_once() {
    let scanned = |is_new| Event::Scanned { openid: "o1".into(), ticket: TICKET.into(), is_new };
    let (prefixed, twice) = (format!("qrscene_{TICKET}"), format!("qrscene_qrscene_{TICKET}"));
    assert_eq!(event(&[("Event", "subscribe"), ("EventKey", &prefixed), ("Ticket", "gQH")]), scanned(true));
    assert_eq!(event(&[("Event", "SCAN"), ("EventKey", TICKET), ("Ticket", "gQH")]), scanned(false));
    let others: [&[(&str, &str)]; 12] = [
        &[("Event", "subscribe"), ("EventKey", TICKET)],
        &[("Event", "subscribe"), ("EventKey", &twice)],
        &[("Event", "subscribe"), ("EventKey", "")],
        &[("Event", "subscribe")],
        &[("Event", "SCAN"), ("EventKey", &prefixed)],
        &[("Event", "SCAN"), ("EventKey", "123")],
        &[("Event", "SCAN"), ("EventKey", "../../v1/logins?x=aaaaa")],
        &[("Event", "unsubscribe"), ("EventKey", TICKET)],
        &[("Event", "LOCATION"), ("EventKey", TICKET)],
        &[("Event", "subscribe_msg_popup_event"), ("EventKey", &prefixed)],
        &[("EventKey", TICKET)],
        &[],
    ];
    for fields in others {
        assert_eq!(event(fields), Event::Other, "{fields:?}");
    }
    for (from, kind) in [("", "event"), ("o 1", "event"), (&"o".repeat(65), "event"), ("o1", "text"), ("o1", "")] {
        let message = xml(&[("FromUserName", from), ("MsgType", kind), ("Event", "SCAN"), ("EventKey", TICKET), ("Content", TICKET)]);
        assert_eq!(sealed(&message).ok().unwrap().event(), Event::Other, "{message}");
    }
    let json = json!({"FromUserName": "o1", "CreateTime": 1, "MsgType": "event", "Event": "SCAN", "EventKey": TICKET}).to_string();
    assert_eq!(sealed(&json).ok().unwrap().event(), scanned(false));
}

#[test]
fn a_withdrawal_names_the_person_and_the_app_itself() {
    let withdrawn = |unionid: Option<&str>, reason| Event::Withdrawn {
        app_id: "wx13974bf780d3dc89".into(),
        openid: "owAqB1nqaOYYWl0Ng484G2z5NIwU".into(),
        unionid: unionid.map(Into::into),
        reason,
        at: 123,
    };
    let (app, person) = (("AppID", "wx13974bf780d3dc89"), ("OpenID", "owAqB1nqaOYYWl0Ng484G2z5NIwU"));
    let (revoked, cancelled) = (("Event", "user_authorization_revoke"), ("Event", "user_authorization_cancellation"));
    assert_eq!(event(&[revoked, person, app, ("RevokeInfo", "1")]), withdrawn(None, Withdrawal::Revoked));
    assert_eq!(event(&[cancelled, person, app, ("UnionID", "u1")]), withdrawn(Some("u1"), Withdrawal::Cancelled));
    for fields in
        [&[revoked, person][..], &[revoked, app], &[revoked, app, ("OpenID", "")], &[("Event", "user_info_modified"), person, app]]
    {
        assert_eq!(event(fields), Event::Other, "{fields:?}");
    }
}

#[test]
fn a_reply_is_written_as_the_message_was_and_under_the_key_that_opened_it() {
    let message = sealed(&xml(&[("ToUserName", "gh_1"), ("FromUserName", "o1"), ("MsgType", "text")])).ok().unwrap();
    let push = push(PushMode::Safe, "pamtest", &["another", KEY]);
    let (kind, reply) = message.reply(&push, "wx1", "欢迎 ]]> <b>", 1_000_000, &mut Entropy::new([1; 32])).unwrap();
    assert_eq!(kind, "text/xml; charset=utf-8");
    let (outer, _) = Fields::parse(reply.as_bytes()).unwrap();
    let part = |name| outer.find(name).unwrap().as_bytes();
    let expected = crypt::signature(&[b"pamtest", part("TimeStamp"), part("Nonce"), part("Encrypt")]);
    assert_eq!(outer.find("MsgSignature"), Some(expected.as_str()));
    let inner = Key::parse(KEY).unwrap().decrypt(part("Encrypt"), "wx1").unwrap();
    let (inner, _) = Fields::parse(&inner).unwrap();
    let said = ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"].map(|name| inner.find(name).unwrap());
    assert_eq!(said, ["o1", "gh_1", "1000000", "text", "欢迎 ]]> <b>"]);

    let message = sealed(&json!({"ToUserName": "gh_1", "FromUserName": "o1", "MsgType": "text"}).to_string()).ok().unwrap();
    let (kind, reply) = message.reply(&push, "wx1", "hi", 1_000_000, &mut Entropy::new([1; 32])).unwrap();
    let outer: serde_json::Value = serde_json::from_str(&reply).unwrap();
    assert_eq!((kind, &outer["TimeStamp"]), ("application/json", &json!(1_000_000)));
    assert!(outer["Nonce"].is_string());
    let inner = Key::parse(KEY).unwrap().decrypt(outer["Encrypt"].as_str().unwrap().as_bytes(), "wx1").unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&inner).unwrap()["Content"], "hi");

    for (to, from) in [("", "o1"), ("gh_1", ""), ("gh_1", "<x>"), ("]]>", "o1")] {
        let message = sealed(&xml(&[("ToUserName", to), ("FromUserName", from)])).ok().unwrap();
        assert_eq!(message.reply(&push, "wx1", "hi", 1, &mut Entropy::new([1; 32])), None, "{to} {from}");
    }
}

/// V5's reply is in the JSON of the document.
#[test]
fn an_envelope_is_that_of_the_document() {
    let part = |part: &str| vector(&format!("V5.reply_{part}"));
    let token = Secret::new(vector("V5.token"));
    let json = envelope(Format::Json, &token, &part("encrypt"), part("timestamp").parse().unwrap(), &part("nonce"));
    let expected =
        json!({"Encrypt": part("encrypt"), "MsgSignature": part("msg_signature"), "TimeStamp": 1_713_424_427, "Nonce": part("nonce")});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), expected);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(path in proptest::collection::vec(any::<u8>(), 0..60), body in proptest::collection::vec(any::<u8>(), 0..200), mode in 0..3) {
        let _ = (echo(&path), Address::read(&[b"/p?signature=1&timestamp=1&nonce=", &path[..]].concat()));
        let mode = [PushMode::Safe, PushMode::Compatible, PushMode::Plain][mode as usize];
        let opened = Message::open(&push(mode, "pamtest", &[KEY]), "wx1", &address("1", "n", "s", "m"), &body);
        if let Ok(message) = opened {
            let _ = (message.event(), message.reply(&push(mode, "pamtest", &[KEY]), "wx1", "x", 1, &mut Entropy::new([1; 32])));
        }
        if let Ok(message) = sealed(&String::from_utf8_lossy(&body)) {
            let _ = message.event();
        }
    }
}
