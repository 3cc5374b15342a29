//! A configuration that is wrong: refused at start, by `--mode validate`, and when it is pushed, each time with the
//! place of what is wrong, and never with a gate that stands open.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::{Stack, eventually, tool};

const PLACE: &str = "$.applications[0].rules[0].access";

fn spoil(filter: &mut Value) {
    filter["applications"][0]["rules"][0]["access"] = "open".into();
}

#[tokio::test]
async fn an_envoy_does_not_start_with_it() {
    let said = Stack::builder().config(spoil).start_refused().await;
    assert!(said.contains(PLACE), "{said}");
}

#[tokio::test]
async fn envoy_validates_it_without_starting() {
    // What an operator would check is what a stack has been started with, spoilt.
    let seen = Arc::new(Mutex::new(Value::Null));
    let keep = Arc::clone(&seen);
    let stack = Stack::builder().envoy(move |envoy| *keep.lock().unwrap() = envoy.clone()).start().await;
    let validate = |envoy: &Value| {
        let file = stack.directory().join("validated.json");
        std::fs::write(&file, envoy.to_string()).unwrap();
        let mut command = Command::new(tool("WXGATE_ENVOY"));
        let output = command.args(["--mode", "validate", "-c"]).arg(&file).envs(stack.keys.env()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut envoy = seen.lock().unwrap().clone();
    let (is_good, said) = validate(&envoy);
    assert!(is_good, "{said}");
    let bad = spoilt(&filter_of(&envoy));
    replace_filter(&mut envoy, &bad);
    let (is_good, said) = validate(&envoy);
    assert!(!is_good && said.contains(PLACE), "{said}");
    stack.finish().await;
}

#[tokio::test]
async fn a_push_of_it_is_rejected_and_the_last_good_one_goes_on_serving() {
    let pushed = tempfile::tempdir().unwrap();
    let file = pushed.path().join("listeners.json");
    let listener = Arc::new(Mutex::new(Value::Null));
    let (keep, place) = (Arc::clone(&listener), file.clone());
    let by_lds = move |envoy: &mut Value| {
        let listeners = envoy["static_resources"].as_object_mut().unwrap().remove("listeners").unwrap();
        envoy["node"] = json!({"id": "test", "cluster": "test"});
        envoy["dynamic_resources"] = json!({"lds_config": {"path_config_source": {"path": place}}});
        *keep.lock().unwrap() = listeners[0].clone();
        push(&place, &listeners[0]);
    };
    let stack = Stack::builder().envoy(by_lds).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);

    let mut bad = listener.lock().unwrap().clone();
    let spoilt = spoilt(&filter_of(&bad));
    replace_filter(&mut bad, &spoilt);
    push(&file, &bad);

    let rejected = async || stack.envoys[0].stats("lds.update_rejected").await.values().any(|count| *count > 0).then_some(());
    eventually(Duration::from_secs(20), "the push is rejected", rejected).await;
    assert!(stack.log().contains(PLACE), "the log says what was wrong");
    assert!(visitor.is_logged_in().await);
    assert_eq!(stack.visitor().api("/orders").await.status, 401, "and the gate is as it was");
    // Envoy calls the refusal critical; nothing else may be wrong.
    let broken = stack.finish_broken().await;
    assert!(broken.iter().all(|line| line.contains("[critical]") && line.ends_with("failed to load")), "{broken:#?}");
}

/// Writes a listener as Envoy watches for it: in one step, by a rename.
fn push(file: &Path, listener: &Value) {
    let mut listener = listener.clone();
    listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, json!({"resources": [listener]}).to_string()).unwrap();
    std::fs::rename(unfinished, file).unwrap();
}

fn spoilt(filter: &str) -> String {
    let mut filter: Value = serde_json::from_str(filter).unwrap();
    spoil(&mut filter);
    filter.to_string()
}

/// The filter's own configuration, wherever it stands in Envoy's: the only text value that is one.
fn filter_of(envoy: &Value) -> String {
    strings(envoy).into_iter().find(|text| is_filter(text)).expect("a filter configuration")
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => vec![],
    }
}

fn replace_filter(value: &mut Value, with: &str) {
    match value {
        Value::String(text) if is_filter(text) => *text = with.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_filter(item, with)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_filter(member, with)),
        _ => {}
    }
}

fn is_filter(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains("\"applications\"")
}
