//! Many requests at once: what is not worth a call costs none, and whoever is logged in works on.

use std::time::{Duration, Instant};

use wxgate_tests::{Stack, Wire};

/// So many connections, each of which asks again as soon as it has its answer.
const FLOODERS: usize = 16;

/// Random letters and digits.
fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes.iter().map(|byte| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[usize::from(byte % 62)])).collect()
}

/// Sends these requests over few connections as fast as they are answered: gives the statuses.
async fn flood(stack: &Stack, requests: Vec<Vec<u8>>) -> Vec<u16> {
    let address = stack.envoys[0].address;
    let mut tasks = Vec::new();
    for part in requests.chunks(requests.len().div_ceil(FLOODERS)) {
        let part = part.to_vec();
        tasks.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            let mut wire = Wire::connect(address).await;
            for request in part {
                wire.send(&request).await;
                let answer = wire.answer().await.expect("an answer");
                statuses.push(answer.status);
                // Envoy closes after a 400, and takes its time.
                if answer.header("connection") == Some("close") {
                    wire = Wire::connect(address).await;
                }
            }
            statuses
        }));
    }
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.extend(task.await.expect("a flooder ends"));
    }
    statuses
}

/// RLX-02, RLX-03: callbacks that belong to no login, and cookies that hold no session.
#[tokio::test]
async fn a_flood_of_callbacks_and_garbage_costs_no_call_and_disturbs_nobody() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let attempt = stack.visitor();
    let url = attempt.start("pc", "/orders").await;
    let callback = attempt.allow(&url, "xiaohong");
    let (calls_to_wechat, calls) = (stack.wechat.journal().len(), stack.count("wxgate_calls_total.*(access_token|logins)").await);

    let garbage = random(4000);
    let own: Vec<_> = attempt.attempts().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut requests = Vec::new();
    for number in 0..2000 {
        let (code, state) = (random(32), random(32));
        let lines = match number % 4 {
            // Another one's state, with and without a cookie that could be for it.
            0 => vec![],
            1 => vec![format!("cookie: __Host-wxgate_attempt_{}=wxg1.AAAAAA.{}", &state[..8], random(300))],
            // A browser that has begun a login, with a state that is not the one.
            2 => vec![format!("cookie: {}", own.join("; "))],
            _ => vec![format!("cookie: __Host-wxgate_session={garbage}")],
        };
        let path = if number % 4 == 3 { "/account".into() } else { format!("/wxgate/callback/pc?code={code}&state={state}") };
        requests.push(stack.head("GET", path, &lines));
    }
    let started = Instant::now();
    let at_work = async {
        let (mut done, mut slowest) = (0, Duration::ZERO);
        while started.elapsed() < Duration::from_secs(2) || done < 50 {
            let asked = Instant::now();
            visitor.api("/account").await.assert_status(200);
            slowest = slowest.max(asked.elapsed());
            done += 1;
        }
        (done, slowest)
    };
    let (statuses, (done, slowest)) = tokio::join!(flood(&stack, requests), at_work);

    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert!(slowest < Duration::from_secs(5), "the slowest of {done} requests took {slowest:?}");
    assert_eq!(statuses.len(), 2000);
    assert!(statuses.iter().all(|status| matches!(status, 400 | 401 | 403)), "{statuses:?}");
    assert_eq!(stack.wechat.journal().len(), calls_to_wechat, "WeChat was not asked");
    assert_eq!(stack.count("wxgate_calls_total.*(access_token|logins)").await, calls, "and neither was the resolver");
    // The login that was under way still ends well.
    attempt.navigate(&callback).await.assert_goes_to("/orders");
    stack.finish().await;
}

/// RLX-01: logins that are begun and never ended cost nobody anything.
#[tokio::test]
async fn a_flood_of_starts_keeps_nothing_anywhere() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let requests = (0..1000).map(|_| stack.head("GET", "/wxgate/start/pc?return_to=/x", &["accept: text/html"])).collect();
    let statuses = flood(&stack, requests).await;
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(stack.wechat.journal().len(), 0);
    assert_eq!(stack.accounts().await, 0);
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    stack.finish().await;
}

/// RLX-02: one valid login, and its callback again and again: one exchange.
#[tokio::test]
async fn a_callback_that_is_loaded_many_times_at_once_makes_one_account_and_few_calls() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let visitor = stack.visitor();
    let url = visitor.start("pc", "/orders").await;
    let (_, path) = wxgate_tests::visitor::split_url(&visitor.allow(&url, "xiaoming"));
    let cookies: Vec<_> = visitor.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = stack.head("GET", path, &["accept: text/html".to_owned(), format!("cookie: {}", cookies.join("; "))]);
    let statuses = flood(&stack, vec![request; 32]).await;
    assert!(statuses.iter().all(|status| matches!(status, 303 | 400 | 403 | 503)), "{statuses:?}");
    assert!(statuses.contains(&303));
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

/// The shipped configuration's limit: for our endpoints and each client address, and for nothing else.
#[tokio::test]
async fn the_shipped_rate_limit_stops_a_flood_and_leaves_the_application_alone() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let callback = || stack.head("GET", format!("/wxgate/callback/pc?code={}&state={}", random(32), random(32)), &["accept: */*"]);
    let statuses = flood(&stack, (0..400).map(|_| callback()).collect()).await;
    let limited = statuses.iter().filter(|status| **status == 429).count();
    assert!(limited > 150, "{limited} of {} were limited", statuses.len());
    let refused = async || Some(visitor.get("/wxgate/login").await).filter(|answer| answer.status == 429);
    let refused = wxgate_tests::eventually(Duration::from_secs(10), "over the limit", refused).await;
    assert_eq!(refused.header("retry-after"), Some("1"), "{refused}");
    for _ in 0..50 {
        visitor.api("/account").await.assert_status(200);
    }
    // It is over as soon as the flood is.
    wxgate_tests::eventually(Duration::from_secs(10), "the limit ends", async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (visitor.get("/wxgate/login").await.status != 429).then_some(())
    })
    .await;
    // The last look at every worker needs some of it, too.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stack.finish().await;
}
