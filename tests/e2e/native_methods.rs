//! What holds by each of the three methods of apps and mini programs: whatever the login ends with, however many collect it at once, and
//! whoever is restarted meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use wxgate_tests::wechat_sim::{App, Person, SdkAnswer, SendAuth};
use wxgate_tests::{Answer, Stack, now};

use crate::native::{APP, Client, LastRequest, METHODS, MINI, builder, verifier};

const NUMBER: &str = "+8613800138000";

#[tokio::test]
async fn a_login_that_waits_for_its_person_is_answered_in_json() {
    const PASSWORD: &str = "correct horse battery staple";
    let stack = builder().without_rate_limit().start().await;
    let client = Client::of(&stack);
    let user = json!({"username": "xiaoming.w", "phone_number": NUMBER, "phone_number_verified": true, "password": PASSWORD});
    let known = stack.resolver.create_user(user).await;
    let ask = json!({"binding": "ask", "methods": ["phone_code", "password"], "registration": "open"});
    for connector in METHODS {
        stack.resolver.set_policy(connector, ask.clone()).await;
        for how in ["password", "phone_code", "create"] {
            let person = format!("{connector}-{how}");
            stack.wechat.put_person(&person, Person::new(&person)).unwrap();

            let waiting = client.login(connector, &person).await;

            waiting.assert_status(409);
            let told = waiting.json();
            assert_eq!(told["error"], "bind_account");
            assert_eq!(told["account_url"], format!("{}/wxgate/account", stack.origin));
            assert!(told["expires_at"].as_u64().unwrap() > now() && told.get("token").is_none(), "{told}");
            let question = client.account(&waiting, "show", &[]).await;
            question.assert_status(200);
            assert_eq!(question.json()["login"]["question"]["methods"], json!(["phone_code", "password"]));
            let session = match how {
                "password" => {
                    let wrong =
                        client.account(&waiting, "password", &[("account", "xiaoming.w"), ("password", "correct horse battery")]).await;
                    assert_eq!((wrong.status, &wrong.json()["error"]), (422, &json!("wrong_proof")));
                    client.account(&waiting, "password", &[("account", "xiaoming.w"), ("password", PASSWORD)]).await
                }
                "phone_code" => {
                    client.account(&waiting, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await.assert_status(200);
                    let letter = stack.resolver.outbox.letter_to(NUMBER).await;
                    client.account(&waiting, "code", &[("code", &letter.code)]).await
                }
                _ => client.account(&waiting, "create", &[]).await,
            };
            let sub = client.sub(&session).await;
            assert_eq!(sub == known, how != "create", "{person}");
            assert_eq!(client.who(&session).await.text("connector"), connector);
            assert_eq!(client.sub(&client.login(connector, &person).await).await, sub, "the question does not return");
            let another = if how == "create" { "password" } else { "create" };
            let late = client.account(&waiting, another, &[("account", "xiaoming.w"), ("password", PASSWORD)]).await;
            late.assert_failure(410, "pending_over");
        }
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (4, 3));
    stack.finish().await;
}

#[tokio::test]
async fn whoever_has_two_accounts_chooses_one_in_json() {
    let stack = builder().without_rate_limit().start().await;
    let client = Client::of(&stack);
    for (connector, app) in [("app", APP), ("mini", MINI), ("launch", MINI)] {
        let person = &format!("{connector}-person");
        stack.wechat.put_person(person, Person::new(person)).unwrap();
        // The app was outside of the platform, and has now joined it. Until then no other app may open its mini program.
        stack.wechat.unbind_app(app).unwrap();
        let by_openid = client.sub(&client.login(if connector == "launch" { "mini" } else { connector }, person).await).await;
        let browser = stack.visitor();
        browser.login("pc", person).await.assert_status(200);
        let by_unionid = browser.whoami().await.sub().to_owned();
        assert_ne!(by_openid, by_unionid);
        stack.wechat.bind_app(app, "main").unwrap();

        let waiting = client.login(connector, person).await;

        assert_eq!((waiting.status, &waiting.json()["error"]), (409, &json!("choose_account")));
        let question = client.account(&waiting, "show", &[]).await.json();
        let accounts = question["login"]["question"]["accounts"].as_array().unwrap().clone();
        assert_eq!(accounts.len(), 2);
        assert!(!question.to_string().contains(&by_openid) && !question.to_string().contains(&by_unionid), "{question}");
        client.account(&waiting, "choose", &[("account", "nobody")]).await;
        let session = client.account(&waiting, "choose", &[("account", accounts[0]["id"].as_str().unwrap())]).await;
        let chosen = client.sub(&session).await;
        assert!([&by_openid, &by_unionid].contains(&&chosen));
        assert_eq!(client.sub(&client.login(connector, person).await).await, chosen, "the question does not return");
    }
    stack.finish().await;
}

/// A policy that asks whoever comes for the first time.
fn ask() -> Value {
    json!({"binding": "ask", "methods": ["password"], "registration": "open"})
}

#[tokio::test]
async fn whoever_cancels_or_takes_too_long_is_nobody_and_is_asked_again() {
    let stack = builder().without_rate_limit().start().await;
    let client = Client::of(&stack);
    for connector in METHODS {
        stack.resolver.set_policy(connector, ask()).await;
        let waiting = client.login(connector, "xiaoming").await;
        assert_eq!((waiting.status, &waiting.json()["error"]), (409, &json!("bind_account")));
        let cancelled = client.account(&waiting, "cancel", &[]).await;
        assert_eq!((cancelled.assert_status(200).json().get("token"), stack.accounts().await), (None, 0));

        let waiting = client.login(connector, "xiaoming").await;
        assert_eq!((waiting.status, &waiting.json()["error"]), (409, &json!("bind_account")), "the question returns");
        stack.resolver.set_clock_ahead(601);
        for action in ["show", "create"] {
            client.account(&waiting, action, &[]).await.assert_failure(410, "pending_over");
        }
        stack.resolver.set_clock_ahead(0);
    }
    assert_eq!(stack.accounts().await, 0);
    stack.finish().await;
}

#[tokio::test]
async fn whoever_may_not_log_in_is_told_why_and_has_no_session() {
    let stack = builder().without_rate_limit().start().await;
    let client = Client::of(&stack);
    let sub = client.sub(&client.mini_login("xiaohong").await).await;
    stack.resolver.disable_user(&sub).await;
    for connector in METHODS {
        stack.resolver.set_policy(connector, json!({"registration": "closed"})).await;
        for (person, error) in [("xiaoming", "registration_closed"), ("xiaohong", "user_disabled")] {
            let last = client.last_request(connector, person).await;
            for _ in 0..2 {
                let refused = client.end(&last).await;
                // A code of WeChat's is spent by then; what a mini program has handed back says the same again.
                let error = if refused.json()["error"] == "code_rejected" && connector != "launch" { "code_rejected" } else { error };
                refused.assert_failure(if error == "code_rejected" { 400 } else { 403 }, error);
                assert!(refused.json()["message"].as_str().is_some_and(|text| text.len() > 20) && refused.json().get("token").is_none());
            }
        }
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_code_of_another_app_names_nobody_here() {
    const OTHER: [&str; 2] = ["wx00000000000000f3", "wx00000000000000f4"];
    let stack = builder().start().await;
    let client = Client::of(&stack);
    stack.wechat.put_app(OTHER[0], App::mobile(&"f3".repeat(16)).on_platform("main")).unwrap();
    stack.wechat.put_app(OTHER[1], App::mini_program(&"f4".repeat(16)).on_platform("main")).unwrap();
    for connector in METHODS {
        let foreign = match connector {
            "app" => {
                let request = SendAuth { scope: "snsapi_userinfo".into(), state: "theirs".into() };
                stack.wechat.send_auth(OTHER[0], &request, "xiaoming", SdkAnswer::Allow).unwrap().code.unwrap()
            }
            _ => stack.wechat.wx_login(OTHER[1], "xiaoming").unwrap(),
        };
        let answer = if connector == "launch" {
            client.post("/wxgate/code/launch", &json!({"ticket": client.launch().await.ticket, "code": foreign})).await
        } else {
            let LastRequest { path, mut body } = client.last_request(connector, "xiaoming").await;
            body["code"] = foreign.into();
            client.post(&path, &body).await
        };
        answer.assert_failure(400, "code_rejected");
    }
    assert_eq!(stack.accounts().await, 0);
    stack.finish().await;
}

/// Fifty send the same, by turns to each Envoy.
async fn fifty(stack: &Stack, last: &LastRequest) -> Vec<Answer> {
    let mut posts = JoinSet::new();
    for index in 0..50 {
        let (LastRequest { path, body }, envoy) = (last.clone(), stack.envoys[index % stack.envoys.len()].address);
        let visitor = stack.visitor().without_cookies().via(envoy);
        posts.spawn(async move { visitor.post_from_app(&path, &body).await });
    }
    let answers = posts.join_all().await;
    for answer in &answers {
        stack.add_secret(answer.json()["token"].as_str().unwrap_or_default());
    }
    answers
}

/// On four workers of each of two Envoys.
#[tokio::test]
async fn of_fifty_who_collect_at_once_nobody_has_a_session_of_their_own() {
    let stack = builder().envoys(2).concurrency(4).without_rate_limit().start().await;
    let client = Client::of(&stack);
    for connector in METHODS {
        let last = client.last_request(connector, "xiaoming").await;
        let mut sessions = BTreeSet::new();
        for answer in fifty(&stack, &last).await {
            match answer.status {
                200 => drop(sessions.insert(client.who(&answer).await.text("sid").to_owned())),
                // WeChat's code is spent, and whoever has spent it was not ready within the second that we wait.
                _ => drop(answer.assert_failure(400, "code_rejected")),
            }
        }
        assert_eq!(sessions.len(), 1, "{connector}");
        let again = client.via(1).end(&last).await;
        assert!(sessions.contains(client.who(&again).await.text("sid")), "{connector}: whose answer was lost asks again");
    }

    // A mini program that has no name for its login has one try.
    let last = LastRequest { path: "/wxgate/code/mini".into(), body: json!({"code": client.wx_login("xiaoming")}) };
    let (collected, refused): (Vec<_>, Vec<_>) = fifty(&stack, &last).await.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((collected.len(), refused.len()), (1, 49));
    for answer in refused {
        answer.assert_failure(400, "code_rejected");
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 1));
    stack.finish().await;
}

#[tokio::test]
async fn a_resolver_that_is_restarted_in_the_middle_loses_no_login() {
    let mut stack = builder().without_rate_limit().start().await;
    for connector in METHODS {
        stack.resolver.set_policy(connector, ask()).await;
    }
    for (number, connector) in METHODS.into_iter().enumerate() {
        let person = format!("{connector}-person");
        stack.wechat.put_person(&person, Person::new(&person)).unwrap();
        let last = Client::of(&stack).last_request(connector, &person).await;
        restart(&mut stack).await;
        let waiting = Client::of(&stack).end(&last).await;
        assert_eq!((waiting.status, &waiting.json()["error"]), (409, &json!("bind_account")), "{connector}");

        stack.resolver.stop().await;
        for action in ["show", "create"] {
            Client::of(&stack).account(&waiting, action, &[]).await.assert_failure(503, "accounts_unavailable");
        }
        stack.resolver.start().await;
        let session = Client::of(&stack).account(&waiting, "create", &[]).await;
        let sub = Client::of(&stack).sub(&session).await;
        restart(&mut stack).await;
        assert_eq!(Client::of(&stack).sub(&Client::of(&stack).login(connector, &person).await).await, sub);
        assert_eq!(stack.accounts().await, 1 + u64::try_from(number).unwrap());
    }
    stack.finish().await;
}

async fn restart(stack: &mut Stack) {
    stack.resolver.stop().await;
    stack.resolver.start().await;
}

/// QRL-09, for apps.
#[tokio::test]
async fn a_client_that_launches_too_often_is_told_when_to_come_back() {
    let stack = builder().without_rate_limit().start().await;
    let client = Client::of(&stack);
    let begin = async |client: &Client<'_>| client.post("/wxgate/start/launch", &json!({"challenge": verifier().1})).await;
    let mut begun = 0;
    // Of one client thirty a minute, and meanwhile one each two seconds.
    let refused = loop {
        let answer = begin(&client).await;
        if answer.status != 200 {
            break answer;
        }
        begun += 1;
        assert!(begun < 100, "there is no limit");
    };
    refused.assert_failure(429, "too_many_launches");
    // Both ends of it are told in whole seconds.
    assert!((1..=3).contains(&refused.header("retry-after").unwrap().parse::<u64>().unwrap()), "{refused}");
    assert!(begun >= 30, "{begun}");
    begin(&client.calling_from("127.0.0.9")).await.assert_status(200);
    client.mini_login("xiaoming").await.assert_status(200);
    stack.finish().await;
}
