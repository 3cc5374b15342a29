//! Lists that are read page by page.
//!
//! A page ends at an id, and the next one begins after it: what is added or deleted in between moves nothing. Ids are
//! UUIDv7, so the order is that in which things were made.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most entries on one page.
pub const LARGEST_PAGE: usize = 200;

/// How many entries a page has unless the caller says.
const USUAL_PAGE: usize = 50;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOf {
    /// What the page before ended with.
    pub after: Option<Uuid>,
    /// The most entries.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// Oldest first.
    pub items: Vec<T>,
    /// Give this as `after` for the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl PageOf {
    /// Reads what a query says.
    ///
    /// # Errors
    ///
    /// What is wrong, and what was expected.
    pub fn parse(after: Option<&str>, limit: Option<&str>) -> Result<Self, String> {
        let after = match after.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(parse_cursor(text).ok_or("after in the query: expected the next of the page before")?),
        };
        let limit = match limit {
            None => USUAL_PAGE,
            Some(text) => match text.parse() {
                Ok(limit @ 1..=LARGEST_PAGE) => limit,
                _ => return Err(format!("limit in the query: expected a whole number from 1 to {LARGEST_PAGE}")),
            },
        };
        Ok(Self { after, limit })
    }

    /// Makes a page of up to `limit` + 1 entries that were found: the one too many says that there is more.
    pub fn of<T>(self, mut found: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| has_more).map(|last| URL_SAFE_NO_PAD.encode(id(last).as_bytes()));
        Page { items: found, next }
    }
}

fn parse_cursor(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_page_by_page_to_its_end() {
        let ids: Vec<_> = (1..=5).map(Uuid::from_u128).collect();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = PageOf::parse(after.as_deref(), Some("2")).unwrap();
            let found = ids.iter().copied().filter(|id| page.after.is_none_or(|after| *id > after)).take(page.limit + 1).collect();
            let Page { items, next } = page.of(found, |id| *id);
            seen.extend(items);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids);
    }

    #[test]
    fn what_no_page_said_is_refused() {
        for after in ["x", "AAAA", "é", "01a202d5-f36e-7a22-8e78-c33ff9921c9e"] {
            assert!(PageOf::parse(Some(after), None).unwrap_err().starts_with("after in the query"), "{after}");
        }
        for limit in ["0", "201", "-1", "", "many"] {
            assert!(PageOf::parse(None, Some(limit)).unwrap_err().starts_with("limit in the query"), "{limit}");
        }
        assert_eq!(PageOf::parse(Some(""), None), Ok(PageOf { after: None, limit: 50 }));
    }
}
