//! A message server of the operator's own gets everything of WeChat's as it was sent.

use std::time::Duration;

use serde_json::json;
use wxgate_tests::hostile::application_routes;
use wxgate_tests::http::exchange;
use wxgate_tests::scan::{ACCOUNT, PUSH_KEY, PUSH_PATH, PUSH_TOKEN};
use wxgate_tests::visitor::split_url;
use wxgate_tests::wechat_sim::crypto::push as crypt;
use wxgate_tests::wechat_sim::{ActError, Delivery, Message, Push};
use wxgate_tests::{Builder, Fault, Http2, Stack, now};

use super::{changed, collect, event, scan, state, ticket};

/// A shop with a message server of its own, which is the application here: `/wxgate/push/` is routed to it.
fn with_message_server(builder: Builder) -> Builder {
    builder.official_account_qr(json!({"message_server": true})).open_path("/wxgate/push").envoy(|envoy| {
        let routes = application_routes(envoy);
        routes.insert(0, json!({"match": {"path_separated_prefix": "/wxgate/push"}, "route": {"cluster": "shop", "timeout": "5s"}}));
    })
}

#[tokio::test]
async fn with_a_message_server_every_message_arrives_there_as_it_was_sent() {
    let stack = with_message_server(Stack::builder()).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    stack.app.answer(PUSH_PATH, 200, &[("content-type", "text/plain")], "success");

    // A scan of ours: stored, and told.
    let ticket = ticket(&stack).await;
    let delivery = scan(&stack, &ticket, "xiaoming").await;
    assert_eq!((delivery.attempts.len(), delivery.is_accepted), (1, true), "{delivery:?}");
    arrived(&stack, &delivery);
    assert_eq!(collect(&stack, &ticket).await["unionid"], stack.wechat.unionid("xiaoming", "main"));

    // Everything else: texts, menus, people who leave.
    let sent = |delivery: Result<Option<Delivery>, ActError>| arrived(&stack, &delivery.unwrap().unwrap());
    sent(stack.wechat.write(ACCOUNT, "xiaoming", "你好 ]]> <b>&amp;").await);
    sent(stack.wechat.click(ACCOUNT, "xiaoming", "menu-1").await);
    sent(stack.wechat.unfollow(ACCOUNT, "xiaoming").await);
    sent(stack.wechat.follow(ACCOUNT, "xiaohong").await);

    // Its reply reaches the person.
    let (to, from) = (stack.wechat.openid("xiaohong", ACCOUNT), stack.wechat.original_id(ACCOUNT));
    let reply = format!(
        "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName><CreateTime>1</CreateTime>\
         <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您好]]></Content></xml>"
    );
    let encrypted = crypt::encrypt(PUSH_KEY, "aaaabbbbccccdddd", &reply, ACCOUNT).unwrap();
    let signature = crypt::signature(&[PUSH_TOKEN, "1", "n", &encrypted]);
    let envelope = format!(
        "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature><TimeStamp>1</TimeStamp><Nonce><![CDATA[n]]></Nonce></xml>"
    );
    stack.app.answer(PUSH_PATH, 200, &[("content-type", "text/xml")], &envelope);
    let delivery = stack.wechat.write(ACCOUNT, "xiaohong", "hello").await.unwrap().unwrap();
    assert_eq!(delivery.reply_text().as_deref(), Some("您好"), "{delivery:?}");

    // So does the verification of the address.
    let (timestamp, nonce) = (now().to_string(), "123456789");
    let signature = crypt::signature(&[PUSH_TOKEN, &timestamp, nonce]);
    let path = format!("{PUSH_PATH}?signature={signature}&echostr=4375120948345356249&timestamp={timestamp}&nonce={nonce}");
    stack.app.answer(PUSH_PATH, 200, &[], "4375120948345356249");
    let host = [("host".to_owned(), stack.authority().as_bytes().to_vec())];
    let answer = exchange(stack.envoys[0].address, "GET", &path, &host, b"").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "4375120948345356249"));
    assert_eq!((stack.app.last().method.as_str(), stack.app.last().path.as_str()), ("GET", path.as_str()));
    stack.finish().await;
}

/// The message server saw each attempt once, address and body byte for byte.
pub(super) fn arrived(stack: &Stack, delivery: &Delivery) {
    let seen = stack.app.seen();
    let last = &seen[seen.len() - delivery.attempts.len()..];
    for (attempt, seen) in delivery.attempts.iter().zip(last) {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", split_url(&attempt.request.url).1.as_str()));
        assert_eq!(String::from_utf8_lossy(&seen.body), attempt.request.body);
        assert_eq!(seen.header("content-type").as_deref(), Some(attempt.request.content_type));
        assert_eq!(seen.header("content-length").as_deref(), Some(attempt.request.body.len().to_string().as_str()));
    }
}

/// In pieces, without a length, with trailers, over HTTP/2, while calls are made and where none are.
#[tokio::test]
async fn a_body_goes_on_byte_for_byte_however_it_comes() {
    let stack = with_message_server(Stack::builder().without_rate_limit()).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    stack.app.answer(PUSH_PATH, 200, &[], "success");
    stack.wechat.set_push(ACCOUNT, None).unwrap();
    stack.wechat.follow(ACCOUNT, "xiaoming").await.unwrap();
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let text = Message::text(&stack.wechat.original_id(ACCOUNT), &stack.wechat.openid("xiaoming", ACCOUNT), now(), &"长".repeat(2500));
    for shape in [
        "length",
        "length in pieces",
        "chunked",
        "chunked in pieces",
        "chunked with trailers",
        "http/2",
        "http/2 in pieces",
        "http/2 with trailers",
    ] {
        let ticket = ticket(&stack).await;
        for message in [event(&stack, "xiaoming", "SCAN", &ticket), text.clone()] {
            let request = stack.wechat.seal_push(ACCOUNT, &message).unwrap();
            let (body, target) = (request.body.as_bytes(), split_url(&request.url).1);
            let (first, rest) = body.split_at(body.len() / 3);
            let lines = |more: &[&str]| {
                let lines: Vec<_> = ["content-type: text/xml", "x-wxgate-identity: forged", "cookie: __Host-wxgate_session=x; a=1"]
                    .into_iter()
                    .chain(more.iter().copied())
                    .collect();
                stack.head("POST", &target, &lines)
            };
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let length = format!("content-length: {}", body.len());
            let status = match shape {
                "length" => stack.raw(&[&lines(&[&length]), body].concat()).await.status(),
                "length in pieces" => in_pieces(&stack, &[&lines(&[&length]), first, rest]).await,
                "chunked" => stack.raw(&[&lines(&["transfer-encoding: chunked"]), &chunk(body)[..], b"0\r\n\r\n"].concat()).await.status(),
                "chunked in pieces" => {
                    in_pieces(&stack, &[&lines(&["transfer-encoding: chunked"]), &chunk(first), &chunk(rest), b"0\r\n\r\n"]).await
                }
                "chunked with trailers" => {
                    let head = lines(&["transfer-encoding: chunked", "te: trailers"]);
                    in_pieces(&stack, &[&head, &chunk(first), &chunk(rest), b"0\r\nx-after: 1\r\n\r\n"]).await
                }
                _ => {
                    let fields = stack.fields(
                        "POST",
                        target.as_bytes(),
                        &[(b"content-type", b"text/xml"), (b"x-wxgate-identity", b"forged"), (b"cookie", b"a=1")],
                    );
                    let mut wire = Http2::connect(stack.envoys[0].address).await;
                    let stream = wire.headers(&fields, false).await;
                    if shape == "http/2" {
                        wire.data(stream, body, true).await;
                    } else {
                        wire.data(stream, first, false).await;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        wire.data(stream, rest, shape == "http/2 in pieces").await;
                    }
                    if shape == "http/2 with trailers" {
                        wire.trailers(stream, &[(b"x-after", b"1")]).await;
                    }
                    wire.answer(stream).await.status().unwrap_or_default()
                }
            };
            assert_eq!(status, 200, "{shape}: {}", message.name());
            let seen = stack.app.last();
            assert_eq!((&seen.path, seen.body == body), (&target, true), "{shape}: {}", message.name());
            assert_eq!((seen.header("x-wxgate-identity"), seen.header("cookie").as_deref()), (None, Some("a=1")), "{shape}");
        }
        assert_eq!(state(&stack, &ticket).await, "confirmed", "{shape}");
    }
    stack.finish().await;
}

async fn in_pieces(stack: &Stack, pieces: &[&[u8]]) -> u16 {
    let mut wire = stack.wire().await;
    for piece in pieces {
        wire.send(piece).await;
        // So that they come as several packets; nothing depends on it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wire.answer_to("POST").await.map_or(0, |answer| answer.status)
}

#[tokio::test]
async fn a_message_server_hears_of_nothing_that_was_not_stored_and_of_the_repetition() {
    let stack = with_message_server(Stack::builder()).start().await;
    stack.wechat.set_push(ACCOUNT, Some(Push { attempts: 1, ..stack.console() })).unwrap();
    stack.app.answer(PUSH_PATH, 200, &[], "success");
    let ticket = ticket(&stack).await;
    stack.resolver_wire.set_on("/v1/tickets", Fault::Reset).await;
    let refused = scan(&stack, &ticket, "xiaoming").await;
    assert_eq!((refused.attempts[0].status, stack.app.count()), (Some(503), 0));
    stack.resolver_wire.set(Fault::None).await;
    let again = scan(&stack, &ticket, "xiaoming").await;
    assert!(again.is_accepted, "{again:?}");
    arrived(&stack, &again);
    assert_eq!((stack.app.count(), state(&stack, &ticket).await.as_str()), (1, "confirmed"));
    // Whoever is not WeChat does not get through to it.
    for request in [
        changed(&again.attempts[0].request, "nonce=", "nonce=1"),
        changed(&again.attempts[0].request, "<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA"),
    ] {
        stack.send_push(0, &request).await.assert_failure(403, "push_refused");
    }
    assert_eq!(stack.app.count(), 1);
    stack.finish().await;
}
