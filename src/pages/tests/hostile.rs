//! Whatever stands in a name, an address or an identifier, a page stays as it is.

use super::*;

/// What people put into names, addresses and identifiers.
pub(super) const HOSTILE: &[&str] = &[
    "\"><svg onload=alert(1)>",
    "'><img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></title></pre><script>alert(1)</script>",
    "<!--",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "//evil.example/x",
    "/\\evil.example/x",
    "{{7*7}}${7*7}",
    "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;",
    "&lt;script&gt;",
    "\" autofocus onfocus=alert(1) x=\"",
    "' style='background:url(//evil.example)",
    "` onmouseover=alert(1) `",
    "\u{2028}alert(1)\u{2029}",
    "\0<\0script>",
    "\u{1b}[31m\r\nSet-Cookie: a=b",
    "\u{202e}txet desrever",
    "https://a.qlogo.cn/\"onerror=alert(1)//",
    "https://shop.example.com/?a='\"<>&b",
];

/// Every attribute that we write, outside of pictures.
const ATTRIBUTES: &[&str] = &[
    "html",
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "type",
    "id",
    "autocomplete",
    "checked",
    "for",
    "class",
    "method",
    "action",
    "aria-hidden",
    "alt",
    "referrerpolicy",
    "src",
    "value",
    "inputmode",
    "maxlength",
    "required",
    "autofocus",
    "autocapitalize",
    "autocorrect",
    "spellcheck",
    "open",
    "disabled",
    "role",
    "aria-invalid",
    "aria-describedby",
    "aria-labelledby",
    "width",
    "height",
    "hidden",
    "tabindex",
    "aria-controls",
    "aria-selected",
    "data-return-to",
    "data-poll",
    "data-image",
    "data-number",
    "data-left",
    "data-scan",
    "data-frame",
    "data-tab",
    "data-on",
    "data-say",
];

#[test]
fn no_string_from_outside_changes_a_page() {
    let ordinary = filled_with("shop");
    for value in HOSTILE {
        for ((name, expected), (_, page)) in ordinary.iter().zip(filled_with(value)) {
            assert_eq!(shape(&page), shape(expected), "{name} with {value:?}");
            for (tag, attributes) in tags(&page) {
                let is_picture = matches!(tag.as_str(), "svg" | "path" | "circle" | "rect");
                for (key, address) in attributes {
                    assert!(is_picture || ATTRIBUTES.contains(&key.as_str()), "{name} with {value:?}: {tag} {key}");
                    let is_plain = address.starts_with("https://")
                        || address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
                    assert!(tag == "link" || is_plain || !matches!(key.as_str(), "href" | "action" | "src"), "{name}: {key}={address:?}");
                }
            }
        }
    }
}

#[test]
fn what_people_are_called_is_shown_as_it_is() {
    let page = logout(&Logout { language: Language::En, application: "R&D <beta>", name: Some("O'Neil"), action: "/a", stay_href: "/" });
    assert!(page.contains("<bdi>R&amp;D &lt;beta&gt;</bdi>") && page.contains("<bdi>O&#39;Neil</bdi>"));
}
