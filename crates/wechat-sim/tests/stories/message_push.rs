//! How messages are pushed: signatures, the three modes, verification, repetitions, replies.

use std::time::Duration;

use serde_json::{Value, json};
use wechat_sim::crypto::push as crypt;
use wechat_sim::{Message, Push, PushError, PushRequest, Verdict};

use crate::push_server::{KEY, PushServer, TOKEN, element};
use crate::support::{ACCOUNT, PROGRAM, Story};

/// xiaoming follows the account, whose server this is, without anybody being told.
async fn following(push: impl FnOnce(&str) -> Push) -> (Story, PushServer) {
    let (story, server) = (Story::begin(), PushServer::start().await);
    story.sim.follow(ACCOUNT, "xiaoming").await.unwrap();
    story.sim.set_push(ACCOUNT, Some(push(&server.url))).unwrap();
    (story, server)
}

/// A passive reply in the clear.
fn reply(story: &Story, content: &str) -> String {
    let (to, from) = (story.sim.openid("xiaoming", ACCOUNT), story.sim.original_id(ACCOUNT));
    format!(
        "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
         <CreateTime>12345678</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content></xml>"
    )
}

fn encrypted(message: &str, appid: &str) -> String {
    let encrypted = crypt::encrypt(KEY, "aaaabbbbccccdddd", message, appid).unwrap();
    let signature = crypt::signature(&[TOKEN, "1409735669", "n", &encrypted]);
    format!(
        "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
         <TimeStamp>1409735669</TimeStamp><Nonce><![CDATA[n]]></Nonce></xml>"
    )
}

#[tokio::test]
async fn safe_mode_shows_nothing_but_who_gets_it() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY)).await;
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "你好]]>").await.unwrap().unwrap();
    assert!(delivery.is_accepted);
    assert_eq!(delivery.attempts[0].verdict, Verdict::Accepted);

    let received = server.last();
    assert_eq!((received.method.as_str(), received.headers["content-type"].to_str().unwrap()), ("POST", "text/xml"));
    assert_eq!(received.parameter("encrypt_type"), "aes");
    assert_eq!(received.parameter("openid"), story.sim.openid("xiaoming", ACCOUNT));
    assert!(received.is_signed(None));
    assert_eq!(received.element("ToUserName").unwrap(), story.sim.original_id(ACCOUNT));
    assert_eq!((received.element("FromUserName"), received.element("Content")), (None, None));
    let message = received.decrypted(ACCOUNT);
    assert_eq!(message, delivery.message);
    assert_eq!(element(&message, "Content").unwrap(), "你好]]>");
    assert_eq!(element(&message, "MsgType").unwrap(), "text");
    assert!(element(&message, "MsgId").unwrap().parse::<u64>().is_ok());
}

#[tokio::test]
async fn plain_mode_signs_no_body_and_compatible_mode_sends_both() {
    let (story, server) = following(|url| Push::plain(url, TOKEN)).await;
    story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap();
    let received = server.last();
    assert!(received.is_signed(None));
    assert_eq!((received.parameter("encrypt_type"), received.parameter("msg_signature")), ("", ""));
    assert_eq!((received.element("Content").as_deref(), received.element("Encrypt")), (Some("hello"), None));

    story.sim.set_push(ACCOUNT, Some(Push::compatible(&server.url, TOKEN, KEY))).unwrap();
    story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap();
    let received = server.last();
    assert_eq!(received.element("Content").unwrap(), "hello");
    assert_eq!(element(&received.decrypted(ACCOUNT), "Content").unwrap(), "hello");
}

#[tokio::test]
async fn json_is_pushed_where_the_console_says_so() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY).as_json()).await;
    server.will_answer(&[(200, r#"{"Encrypt": 1}"#), (200, "success")]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!(delivery.attempts.len(), 2);
    let received = server.last();
    assert_eq!(received.headers["content-type"], "application/json");
    let envelope: Value = serde_json::from_str(&received.body).unwrap();
    let inner = crypt::decrypt(KEY, envelope["Encrypt"].as_str().unwrap(), ACCOUNT).unwrap();
    let inner: Value = serde_json::from_str(&inner).unwrap();
    assert_eq!((&inner["Content"], &inner["MsgType"]), (&json!("hello"), &json!("text")));
    assert!(inner["CreateTime"].is_u64());
    assert_eq!(envelope.as_object().unwrap().len(), 2, "and in the clear only whose it is: {envelope}");
    assert!(envelope["ToUserName"].is_string());
}

#[tokio::test]
async fn a_server_is_verified_before_it_is_saved() {
    let (story, server) = (Story::begin(), PushServer::start().await);
    let push = || Push::safe(&server.url, TOKEN, KEY);
    story.sim.configure_push(ACCOUNT, push()).await.unwrap();
    let asked = server.last();
    assert_eq!((asked.method.as_str(), asked.body.as_str()), ("GET", ""));
    assert!(asked.parameter("echostr").bytes().all(|b| b.is_ascii_digit()));

    for (status, body) in [(200, "\"1234\""), (403, ""), (200, "<html>")] {
        server.will_answer(&[(status, body)]);
        let refused = story.sim.configure_push(ACCOUNT, push()).await;
        assert!(matches!(refused, Err(PushError::NotVerified(_))), "{refused:?}");
    }
    let another_token = Push { token: "another".to_owned(), ..push() };
    let put = async |push: &Push| {
        let body = serde_json::to_string(push).unwrap();
        story.control("PUT", &format!("/sim/apps/{ACCOUNT}/push"), &body).await
    };
    assert_eq!(put(&another_token).await.status, 422);
    assert_eq!(put(&push()).await.status, 200);
    assert_eq!(story.get("/sim/apps").await.json()[ACCOUNT]["push"]["token"], TOKEN, "what was verified is saved");
    assert_eq!(story.control("DELETE", &format!("/sim/apps/{ACCOUNT}/push"), "").await.status, 204);
    assert_eq!(story.sim.follow(ACCOUNT, "xiaoming").await, Ok(None), "nobody is told");
}

#[tokio::test]
async fn what_no_console_would_take_is_refused() {
    let story = Story::begin();
    let good = || Push::safe("http://127.0.0.1:1/push", TOKEN, KEY);
    for wrong in [
        Push { token: "ab".to_owned(), ..good() },
        Push { token: "a b c".to_owned(), ..good() },
        Push { encoding_aes_key: KEY[1..].to_owned(), ..good() },
        Push { url: "https://shop.example.com/".to_owned(), ..good() },
        Push { attempts: 0, ..good() },
    ] {
        assert!(story.sim.set_push(ACCOUNT, Some(wrong.clone())).is_err(), "{wrong:?}");
    }
    assert!(story.sim.set_push(ACCOUNT, Some(Push::plain("http://127.0.0.1:1/", TOKEN))).is_ok(), "plain mode needs no key");
}

#[tokio::test]
async fn a_message_is_sent_three_times_if_it_is_not_accepted() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY)).await;
    server.will_answer(&[(503, "success"), (200, "no such thing"), (404, "")]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!((delivery.is_accepted, delivery.attempts.len()), (false, 3));
    assert!(delivery.attempts.iter().all(|attempt| matches!(attempt.verdict, Verdict::Failed(_))), "{delivery:?}");
    let received = server.received();
    let ids: Vec<_> = received.iter().map(|one| element(&one.decrypted(ACCOUNT), "MsgId")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "it is the same message");
    assert_ne!(received[0].parameter("nonce"), received[1].parameter("nonce"), "signed anew");

    server.will_answer(&[(503, "")]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!((delivery.is_accepted, delivery.attempts.len()), (true, 2));
    assert_eq!(story.sim.deliveries().len(), 2);
    assert_eq!(story.get("/sim/deliveries").await.json()[1]["attempts"][0]["status"], 503);
}

#[tokio::test]
async fn nobody_waits_longer_than_wechat_does() {
    let story = Story::begin();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let push = Push::safe(&url, TOKEN, KEY).waiting(Duration::from_millis(30));
    story.sim.set_push(ACCOUNT, Some(push)).unwrap();
    let delivery = story.sim.follow(ACCOUNT, "xiaoming").await.unwrap().unwrap();
    let verdicts: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.verdict.clone()).collect();
    assert_eq!(verdicts, vec![Verdict::Failed("no answer in time".to_owned()); 3]);
    assert!(story.sim.is_following(ACCOUNT, "xiaoming"), "the person follows all the same");
}

#[tokio::test]
async fn a_push_goes_to_one_machine_of_several_and_names_the_host() {
    let server = PushServer::start().await;
    let address = server.url["http://".len()..].split('/').next().unwrap().parse().unwrap();
    let push = Push::safe("http://shop.example.com:8080/wxgate/push/oa?x=1", TOKEN, KEY).through(address);
    let story = Story::begin();
    story.sim.configure_push(ACCOUNT, push).await.unwrap();
    story.sim.follow(ACCOUNT, "xiaoming").await.unwrap();
    for received in server.received() {
        assert_eq!(received.headers["host"], "shop.example.com:8080");
        assert_eq!(received.parameter("x"), "1");
    }
    assert_eq!(server.received().len(), 2, "the verification and the event");
}

#[tokio::test]
async fn a_test_may_seal_what_wechat_never_would() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY)).await;
    let (to, from) = (story.sim.original_id(ACCOUNT), story.sim.openid("xiaoming", ACCOUNT));
    let twice = Message::event(&to, &from, 1, "subscribe").with("EventKey", "qrscene_qrscene_x");
    let request = story.sim.seal_push(ACCOUNT, &twice).unwrap();
    assert!(server.received().is_empty(), "nothing is sent");
    let encrypted = element(&request.body, "Encrypt").unwrap();
    assert!(crypt::decrypt(KEY, &encrypted, ACCOUNT).unwrap().contains("qrscene_qrscene_x"));
    let of_another = PushRequest::seal(&Push::plain(&server.url, "another"), PROGRAM, &twice, 1_700_000_000).unwrap();
    assert!(of_another.url.contains("timestamp=1700000000") && of_another.body.contains("qrscene_qrscene_x"));
}

#[tokio::test]
async fn duplicates_come_on_demand_verbatim_or_signed_anew() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY).duplicating(2)).await;
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!((delivery.is_accepted, delivery.attempts.len(), server.received().len()), (true, 3, 3));
    let verbatim = Push { repeats_verbatim: true, ..Push::safe(&server.url, TOKEN, KEY).duplicating(1) };
    story.sim.set_push(ACCOUNT, Some(verbatim)).unwrap();
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!(delivery.attempts[0].request, delivery.attempts[1].request);
}

#[tokio::test]
async fn a_passive_reply_reaches_the_person() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY)).await;
    let welcome = reply(&story, "欢迎 <b>");
    server.will_answer(&[(200, &encrypted(&welcome, ACCOUNT))]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!(delivery.attempts[0].verdict, Verdict::RepliedEncrypted);
    assert_eq!(delivery.reply.as_deref(), Some(welcome.as_str()));

    story.sim.set_push(ACCOUNT, Some(Push::plain(&server.url, TOKEN))).unwrap();
    server.will_answer(&[(200, &welcome)]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!((&delivery.attempts[0].verdict, delivery.reply), (&Verdict::Replied, Some(welcome)));
    server.will_answer(&[(200, "")]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert_eq!(delivery.attempts[0].verdict, Verdict::Accepted, "an empty body is as good as success");
}

#[tokio::test]
async fn a_reply_that_is_none_is_not_accepted() {
    let (story, server) = following(|url| Push::safe(url, TOKEN, KEY)).await;
    let good = reply(&story, "hi");
    let signed_wrong = encrypted(&good, ACCOUNT).replace("<TimeStamp>1409735669", "<TimeStamp>1409735670");
    let wrong = [
        good.clone(),
        signed_wrong,
        encrypted(&good, PROGRAM),
        encrypted(&good.replace("<CreateTime>12345678", "<CreateTime>now"), ACCOUNT),
        encrypted(&good.replace("[text]", "[words]"), ACCOUNT),
        encrypted(&reply(&story, ""), ACCOUNT),
        encrypted(&good.replace("ToUserName", "X").replace("FromUserName", "ToUserName"), ACCOUNT),
        encrypted("<html></html>", ACCOUNT),
        "success\n".to_owned(),
    ];
    for body in &wrong {
        server.will_answer(&[(200, body)]);
        let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
        assert!(matches!(delivery.attempts[0].verdict, Verdict::Failed(_)), "{body}");
    }
    story.sim.set_push(ACCOUNT, Some(Push::plain(&server.url, TOKEN))).unwrap();
    server.will_answer(&[(200, &encrypted(&good, ACCOUNT))]);
    let delivery = story.sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap().unwrap();
    assert!(matches!(delivery.attempts[0].verdict, Verdict::Failed(_)), "nothing is encrypted in plain mode");
}
