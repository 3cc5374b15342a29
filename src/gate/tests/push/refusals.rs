//! What is not WeChat's, or not readable.

use super::*;

#[test]
fn nobody_s_signature_is_nobody_s_message() {
    let good = now(&scan());
    let change = |from: &str, to: &str| Post { path: good.path.replace(from, to), ..good.clone() };
    let query = |path: &str| Post { path: path.into(), ..good.clone() };
    let other_body = Post { body: now(&message(&[("Event", "SCAN"), ("EventKey", "AAAAAAAAAAAAAAAAAAAAAA")])).body, ..good.clone() };
    let clear = Post { body: scan().into_bytes(), ..good.clone() };
    let upper = {
        let signature = signed(&[TOKEN, "1000000", "n1"]);
        Post { path: good.path.replace(&signature, &signature.to_uppercase()), ..good.clone() }
    };
    for (what, post) in [
        ("no query", query(PATH)),
        ("no signature", change("signature=", "x=")),
        ("no message signature", change("&msg_signature=", "&x=")),
        ("another nonce", change("nonce=n1", "nonce=n2")),
        ("another time", change("timestamp=1000000", "timestamp=1000001")),
        ("twice", query(&format!("{}&nonce=n1", good.path))),
        ("an empty one", query(&format!("{PATH}?signature=&timestamp=1000000&nonce=n1"))),
        ("in upper case", upper),
        ("another message", other_body),
        ("a plain message", clear),
        ("the signature of the address alone", Post { body: good.body.clone(), ..Post::plain("") }),
    ] {
        let mut world = confirming();
        let refused = reply(post.send(&mut world));
        assert_eq!((refused.status, code(&refused).as_str()), (403, "push_refused"), "{what}");
        assert!(world.calls.is_empty(), "{what} costs nobody anything");
        assert_eq!(results(&world), [("unknown", "unsigned")], "{what}");
    }
}

#[test]
fn other_requests_are_refused_before_anything_is_read() {
    let good = now(&scan());
    let client = || Browser::default().with("content-type", "text/xml");
    let status = |post: &Post, client: &Browser| {
        let mut world = confirming();
        let refused = reply(post.send_as(&mut world, client));
        assert!(world.calls.is_empty());
        (refused.status, code(&refused))
    };
    for method in ["PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(status(&Post { method, ..good.clone() }, &client()), (405, "method_not_allowed".into()), "{method}");
    }
    for encoding in ["gzip", "br", "x", "identity, gzip"] {
        assert_eq!(status(&good, &client().with("content-encoding", encoding)), (415, "unsupported_media_type".into()), "{encoding}");
    }
    for path in ["/wxgate/push/nobody", "/wxgate/push/pc", "/wxgate/push/", "/wxgate/push/follow/x"] {
        assert_eq!(
            status(&Post { path: good.path.replace(PATH, path), ..good.clone() }, &client()),
            (404, "unknown_connector".into()),
            "{path}"
        );
    }
    let mut world = confirming();
    for (failure, expected) in [(BodyFailure::TooLarge, 413), (BodyFailure::TooSlow, 408), (BodyFailure::Missing, 408)] {
        world.body = Err(failure);
        assert_eq!(reply(world.send(&client().request("POST", "shop.example.com", &good.path))).status, expected);
    }
    let mut world = confirming();
    assert!(!is_success(good.send_as(&mut world, &client().with("content-encoding", "identity"))), "identity is none");
}

#[test]
fn what_attacks_a_reader_is_no_message() {
    for message in ["<!DOCTYPE x SYSTEM \"http://canary/\"><xml></xml>", "<xml><a>&b;</a></xml>", "<xml>", "", "text"] {
        let mut world = confirming();
        let refused = reply(now(message).send(&mut world));
        assert_eq!((refused.status, code(&refused).as_str()), (400, "push_unreadable"), "{message}");
        let outside = Post { body: message.into(), ..now(&scan()) };
        let refused = reply(outside.send(&mut world));
        assert_eq!((refused.status, code(&refused).as_str()), (400, "malformed_body"), "{message}");
        assert!(world.calls.is_empty());
    }
    let mut world = confirming();
    let mut other_app = now(&scan());
    let encrypted = enciphered(KEY, &scan(), "wx0000000000000003");
    other_app.body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>").into();
    other_app.path = format!("{}{}", other_app.path.split("msg_signature=").next().unwrap(), {
        format!("msg_signature={}", signed(&[TOKEN, "1000000", "n1", &encrypted]))
    });
    assert_eq!(code(&reply(other_app.send(&mut world))), "push_unreadable");
}
