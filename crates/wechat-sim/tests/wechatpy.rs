//! Clients and servers that we did not write: wechatpy, from PyPI, logs in, receives pushes and answers them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy.toml allows these in test functions; the helpers of this test are tests too")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wechat_sim::{App, Person, Simulator};

const ACCOUNT: &str = "wx00000000000000b2";
const WEBSITE: &str = "wx00000000000000a1";
const PROGRAM: &str = "wx00000000000000e5";

#[tokio::test]
async fn wechatpy_logs_in_inside_wechat_and_on_a_website() {
    let sim = Simulator::builder().build();
    let account = App::official_account("account-secret").on_platform("main").redirecting_to("shop.example.com");
    let website = App::website("website-secret").on_platform("main").redirecting_to("shop.example.com");
    sim.put_app(ACCOUNT, account).unwrap();
    sim.put_app(WEBSITE, website).unwrap();
    sim.put_person("xiaohong", Person::new("小红🌸")).unwrap();
    let arguments = [ACCOUNT, "account-secret", WEBSITE, "website-secret", "https://shop.example.com/callback", "xiaohong"];
    let result = run(&sim, "login.py", &arguments).await;

    for (login, appid) in [("official_account", ACCOUNT), ("website", WEBSITE)] {
        let login = &result[login];
        assert_eq!(login["tokens"]["openid"], sim.openid("xiaohong", appid));
        assert_eq!(login["tokens"]["unionid"], sim.unionid("xiaohong", "main"));
        assert_eq!(login["person"]["nickname"], "小红🌸");
        assert_eq!(login["person"]["unionid"], sim.unionid("xiaohong", "main"));
        assert_eq!(login["second_exchange"], 40163);
    }
}

#[tokio::test]
async fn wechatpy_reads_pushes_answers_them_and_serves_a_mini_program() {
    let sim = Simulator::builder().build();
    sim.put_app(ACCOUNT, App::official_account("account-secret").on_platform("main")).unwrap();
    sim.put_app(PROGRAM, App::mini_program("program-secret").on_platform("main")).unwrap();
    sim.put_person("xiaohong", Person::new("小红🌸")).unwrap();
    let result = run(&sim, "servers.py", &[ACCOUNT, "account-secret", PROGRAM, "program-secret", "xiaohong"]).await;

    let openid = sim.openid("xiaohong", ACCOUNT);
    let kinds: Vec<_> = (0..3).map(|at| &result["messages"][at]["type"]).collect();
    assert_eq!(kinds, ["SubscribeScanEvent", "ScanEvent", "TextMessage"]);
    let first = &result["messages"][0];
    assert_eq!((first["scene"].as_str(), &first["ticket"]), (Some("login_1"), &result["ticket"]));
    assert_eq!((first["source"].as_str(), first["openid"].as_str()), (Some(openid.as_str()), Some(openid.as_str())));
    assert_eq!(first["target"], sim.original_id(ACCOUNT));
    assert_eq!(result["messages"][2]["content"], "你好");
    for delivery in result["deliveries"].as_array().unwrap() {
        assert_eq!(delivery["attempts"][0]["verdict"], "replied_encrypted", "{delivery}");
        assert!(delivery["reply"].as_str().unwrap().contains("欢迎"), "{delivery}");
    }
    assert_eq!((&result["follower"]["subscribe"], &result["follower"]["unionid"]), (&json!(1), &json!(sim.unionid("xiaohong", "main"))));
    assert_eq!(result["session"]["openid"], sim.openid("xiaohong", PROGRAM));
    assert_eq!(result["profile"]["openId"], sim.openid("xiaohong", PROGRAM));
    assert_eq!((&result["is_picture"], &result["refused"]), (&json!(true), &json!(41030)));
}

/// What a script of `tests/wechatpy` prints, given the simulator's origin and these arguments.
async fn run(sim: &Simulator, script: &str, arguments: &[&str]) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = sim.clone();
    tokio::spawn(async move { server.serve(listener).await });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wechatpy").join(script);
    let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let result = tokio::task::spawn_blocking(move || {
        let output = python_venv::output(Command::new(python()).arg(script).arg(origin).args(arguments).env("NO_PROXY", "*"));
        serde_json::from_slice(&output.stdout).unwrap()
    });
    result.await.unwrap()
}

/// With wechatpy.
fn python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wechatpy/requirements.txt");
    python_venv::python(&requirements, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("wechatpy"))
}
