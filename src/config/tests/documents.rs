//! The configurations in the documents: every one of them is taken, and what they say of the defaults is so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{compiled, env, listed, sample};
use crate::config::compile;

/// Every block of JSON in the pages of a folder, with its page's name.
fn examples(folder: &str) -> Vec<(String, Value)> {
    let pages = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(folder)).unwrap();
    let mut found = Vec::new();
    for page in pages.map(|entry| entry.unwrap().path()).filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let name = page.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let example = serde_json::from_str(block).unwrap_or_else(|error| panic!("{name}: {error} in {block}"));
            found.push((name.clone(), example));
        }
    }
    found
}

fn documented_env(name: &str) -> Option<String> {
    match name {
        _ if name.contains("PUSH_TOKEN") => Some("q7Zk2mXw".into()),
        _ if name.contains("PUSH_KEY") => Some("kR2vX8mQ4tZ7wB1nY6cJ9pL3sD5fG0hA2eU8iO4xV7M".into()),
        other => env(other),
    }
}

/// The sample with what the example says in its place; `None` for what is no configuration, but a message of the API.
fn configuration(example: &Value) -> Option<Value> {
    let mut config = sample();
    let members = example.as_object()?;
    if members.contains_key("type") && members.contains_key("app_id") {
        config["applications"][0]["connectors"] = json!([example["id"]]);
        config["connectors"] = json!([example]);
    } else if members.contains_key("connectors") && members.contains_key("applications") {
        config.as_object_mut()?.extend(members.clone());
    } else if members.contains_key("verification_files") {
        config["applications"][0].as_object_mut()?.extend(members.clone());
    } else {
        return None;
    }
    Some(config)
}

#[test]
fn every_configuration_in_the_documents_is_taken_and_each_page_of_a_method_shows_its_own() {
    let examples = [examples("connectors"), examples("guides")].concat();
    for (page, example) in &examples {
        let Some(config) = configuration(example) else { continue };
        if let Err(problems) = compile(config.to_string().as_bytes(), &documented_env) {
            panic!("{page}: {}in {example:#}", listed(&problems));
        }
    }
    for method in [
        "app_to_mini_program",
        "mini_program",
        "mini_program_qr",
        "mobile_app",
        "official_account_qr",
        "official_account_web",
        "website_qr",
    ] {
        assert!(examples.iter().any(|(page, example)| page == method && example["type"] == method), "{method} is not shown on its page");
    }
}

/// A whole configuration stands for itself; a section stands in the place of the sample's.
#[test]
fn the_examples_of_the_documentation_compile() {
    let page = include_str!("../../../docs/configuration.md");
    let examples = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let compiled = examples.map(|example| {
        let mut example: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error} in {example}"));
        if example.get("applications").is_none() {
            let mut config = sample();
            config.as_object_mut().unwrap().extend(example.as_object().unwrap().clone());
            example = config;
        }
        compiled(&example)
    });
    assert_eq!(compiled.count(), 4);
}

/// What the page says of the defaults is so.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let page = include_str!("../../../docs/configuration.md");
    for (key, default) in [
        ("path_prefix", "\"/wxgate\""),
        ("api_authority", "\"api.weixin.qq.com\""),
        ("open_origin", "\"https://open.weixin.qq.com\""),
        ("header", "\"x-wxgate-identity\""),
        ("ttl_seconds", "120"),
        ("absolute_seconds", "2592000"),
        ("poll_seconds", "5"),
        ("pool", "\"default\""),
    ] {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap_or_else(|| panic!("no row for {key}"));
        assert!(row.contains(&format!("| `{default}`")), "{row}");
    }
}
