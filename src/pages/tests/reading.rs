//! How the tests read a page.

use super::*;

/// The tags of a document as (name, attributes), read the way a browser does for what we write: quoted values only.
pub(super) fn tags(document: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '/' && character != '!').unwrap();
        let (name, mut inside) = rest.split_at(end);
        assert!(!name.is_empty(), "a bare < at {:?}", &rest[..20.min(rest.len())]);
        let mut attributes = Vec::new();
        loop {
            inside = inside.trim_start();
            if let Some(after) = inside.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = inside.find(['=', ' ', '>']).unwrap();
            let (key, after) = inside.split_at(end);
            inside = after;
            let mut value = "";
            if let Some(after) = inside.strip_prefix("=\"") {
                (value, inside) = after.split_once('"').unwrap();
            }
            attributes.push((key.to_owned(), value.to_owned()));
        }
        tags.push((name.to_owned(), attributes));
        if let Some(end) = [("style", "</style>"), ("script", "</script>")].iter().find(|(tag, _)| *tag == name).map(|(_, end)| end) {
            rest = rest.split_once(end).unwrap().1;
        }
    }
    tags
}

/// The tags alone, without those that depend on the value: a picture or an initial, and as many parts as a token has.
pub(super) fn shape(document: &str) -> Vec<String> {
    let depends = |name: &str| matches!(name.trim_start_matches('/'), "img" | "span" | "svg" | "path" | "circle" | "rect");
    tags(document).into_iter().map(|(name, _)| name).filter(|name| !depends(name)).collect()
}

/// The tags that stand in one language alone, in views and in the captions of what stands once.
pub(super) fn shape_in(document: &str, language: Language) -> Vec<String> {
    let mut shape = Vec::new();
    let mut open: Vec<(String, bool)> = Vec::new();
    let body = document.split_once("<main").unwrap().1;
    for (name, attributes) in tags(&format!("<main{body}")) {
        let is_inside = open.iter().any(|(_, is_it)| *is_it);
        if let Some(ended) = name.strip_prefix('/') {
            if !matches!(ended, "body" | "html") {
                assert_eq!(open.pop().map(|(name, _)| name).as_deref(), Some(ended), "{document}");
            }
        } else if !matches!(name.as_str(), "img" | "input" | "path" | "circle" | "rect" | "script") {
            let lang = attributes.iter().find(|(key, _)| key == "lang");
            open.push((name.clone(), lang.is_some_and(|(_, tag)| tag == language.tag())));
        }
        if is_inside && !matches!(name.trim_start_matches('/'), "svg" | "path" | "circle" | "rect") {
            shape.push(name);
        }
    }
    shape
}

/// What is said in one language alone, one view after another.
pub(super) fn half(page: &str, language: Language) -> String {
    let opening = format!("<div lang=\"{}\">", language.tag());
    page.split(&opening).skip(1).map(|rest| rest.split("<div lang=").next().unwrap().split("</main>").next().unwrap()).collect()
}

/// The forms of one language's half, each with the fields that it sends when its only button, or this one, is pressed.
pub(super) fn forms(page: &str, language: Language) -> Vec<Vec<(String, String)>> {
    let mut forms = Vec::new();
    let half = half(page, language);
    for form in half.split("<form").skip(1).map(|rest| rest.split_once("</form>").unwrap().0) {
        let value = |attributes: &[(String, String)], key: &str| {
            attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut fields = Vec::new();
        for (tag, attributes) in tags(&format!("<form{form}")) {
            if matches!(tag.as_str(), "input" | "button") && !value(&attributes, "name").is_empty() {
                fields.push((value(&attributes, "name"), value(&attributes, "value")));
            }
        }
        forms.push(fields);
    }
    forms
}

pub(super) fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The values of an attribute, wherever it stands.
pub(super) fn values(page: &str, key: &str) -> Vec<String> {
    tags(page).into_iter().flat_map(|(_, attributes)| attributes).filter(|(name, _)| name == key).map(|(_, value)| value).collect()
}
