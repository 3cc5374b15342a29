//! A client that we did not write completes logins: wechatpy, from PyPI. Needs `python3` with `venv`; without it this
//! test fails rather than pass unseen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy.toml allows these in test functions; the helpers of this test are tests too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tokio::net::TcpListener;
use wechat_sim::{App, Person, Simulator};

const ACCOUNT: &str = "wx00000000000000b2";
const WEBSITE: &str = "wx00000000000000a1";
const REQUIREMENTS: &str = include_str!("wechatpy/requirements.txt");

#[tokio::test]
async fn wechatpy_logs_in_inside_wechat_and_on_a_website() {
    let sim = Simulator::builder().build();
    let account = App::official_account("account-secret").on_platform("main").redirecting_to("shop.example.com");
    let website = App::website("website-secret").on_platform("main").redirecting_to("shop.example.com");
    sim.put_app(ACCOUNT, account).unwrap();
    sim.put_app(WEBSITE, website).unwrap();
    sim.put_person("xiaohong", Person::new("小红🌸")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = sim.clone();
    tokio::spawn(async move { server.serve(listener).await });

    let result = tokio::task::spawn_blocking(move || {
        let output = Command::new(python().join("bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wechatpy/login.py"))
            .args([&origin, ACCOUNT, "account-secret", WEBSITE, "website-secret", "https://shop.example.com/callback", "xiaohong"])
            .env("NO_PROXY", "*")
            .output();
        serde_json::from_slice::<Value>(&succeed(output).stdout).unwrap()
    });
    let result = result.await.unwrap();

    for (login, appid) in [("official_account", ACCOUNT), ("website", WEBSITE)] {
        let login = &result[login];
        assert_eq!(login["tokens"]["openid"], sim.openid("xiaohong", appid));
        assert_eq!(login["tokens"]["unionid"], sim.unionid("xiaohong", "main"));
        assert_eq!(login["person"]["nickname"], "小红🌸");
        assert_eq!(login["person"]["unionid"], sim.unionid("xiaohong", "main"));
        assert_eq!(login["second_exchange"], 40163);
    }
}

/// A virtual environment with wechatpy, made once and again when the requirements change.
fn python() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wechatpy");
    let mark = place.join("requirements-installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
        return place;
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place).output());
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wechatpy/requirements.txt");
    succeed(Command::new(place.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(requirements).output());
    fs::write(mark, REQUIREMENTS).unwrap();
    place
}

fn succeed(output: std::io::Result<Output>) -> Output {
    let output = output.unwrap_or_else(|error| panic!("python3 with venv is needed (Debian: python3-venv): {error}"));
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}
