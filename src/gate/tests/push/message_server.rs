//! The operator's own message server behind us.

use super::*;

#[test]
fn with_a_message_server_everything_of_wechat_s_goes_on_once_our_part_is_done() {
    let old = Post::sealed(&scan(), KEY, 1);
    let text = message(&[("MsgType", "text"), ("Content", "hi")]);
    let unknown_key = Post::sealed(&scan(), "DCBEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr", 1_000_000);
    for (what, post, called, result) in [
        ("a scan", now(&scan()), &["cgi.stable_token", "cgi.user_info", "tickets.confirm"][..], ("scan", "confirmed")),
        ("a text", now(&text), &[], ("other", "ignored")),
        ("an old one", old, &[], ("scan", "stale")),
        ("a verification", Post::verification("1"), &[], ("verification", "forwarded")),
        ("one under a key that only they know", unknown_key, &[], ("unknown", "unreadable")),
    ] {
        let mut world = with_message_server();
        let client = Browser::default()
            .with("content-type", "text/xml")
            .with("x-wxgate-identity", "forged")
            .with("x_user_id", "forged")
            .with("authorization", "Bearer wxg1.x.y")
            .with("cookie", "__Host-wxgate_session=x; theirs=1");
        let forward = forwarded(post.send_as(&mut world, &client));
        assert_eq!(forward.remove, ["x-wxgate-identity", "x_user_id"], "{what}");
        assert!(forward.identity.is_none() && forward.renewed_cookie.is_none());
        assert!(forward.remove_authorization, "{what}");
        assert_eq!(forward.cookie, CookieEdit::Replace(b"theirs=1".to_vec()));
        assert_eq!((world.labels(), results(&world)), (called.to_vec(), vec![result]), "{what}");
    }
}

#[test]
fn what_is_not_wechat_s_reaches_no_message_server() {
    let good = now(&scan());
    let forged = Post { body: now(&message(&[("Event", "SCAN"), ("EventKey", "x")])).body, ..good.clone() };
    let clear = Post { body: scan().into_bytes(), ..good.clone() };
    let no_xml = Post { body: b"<!DOCTYPE x><xml></xml>".to_vec(), ..good.clone() };
    let unsigned = Post { path: PATH.into(), ..good.clone() };
    let probe = Post { path: format!("{PATH}?echostr=1"), method: "GET", ..good.clone() };
    for (post, status) in [(forged, 403), (clear, 403), (no_xml, 400), (unsigned, 403), (probe, 403), (Post { method: "PUT", ..good }, 405)]
    {
        let mut world = with_message_server();
        assert_eq!(reply(post.send(&mut world)).status, status);
    }
}
