//! JSON lines: one object a line, with the fields of [`NewUser`](crate::admin::user::NewUser).

use super::{LONGEST_ROW, Row, check};
use crate::admin::fields::FieldProblem;
use crate::json;

/// A file of JSON lines, read piece by piece.
#[derive(Default)]
pub struct JsonLines {
    /// The begin of a line whose end has not arrived yet; no more of it than a line may have, and one byte.
    begun: Vec<u8>,
    lines: u64,
}

impl JsonLines {
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Vec<Row> {
        let mut rows = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.keep(line);
            rows.extend(self.end_line());
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
        rows
    }

    pub(super) fn finish(&mut self) -> Vec<Row> {
        self.end_line().into_iter().collect()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (LONGEST_ROW + 1).saturating_sub(self.begun.len());
        self.begun.extend(bytes.iter().take(room));
    }

    /// The row of the line that has ended; none for a blank one.
    fn end_line(&mut self) -> Option<Row> {
        self.lines += 1;
        let text = std::mem::take(&mut self.begun);
        let text = if self.lines == 1 { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text) } else { &text };
        if text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let user = if text.len() > LONGEST_ROW {
            Err(vec![FieldProblem::new("body", format!("at most {LONGEST_ROW} bytes a line"))])
        } else {
            json::parse(text).map_err(|problem| vec![FieldProblem::of_json(problem)]).and_then(|user| check(&user))
        };
        Some(Row { line: self.lines, user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_user_and_a_wrong_one_spoils_no_other() {
        let long = format!("{{\"external_id\": \"{}\"}}", "x".repeat(LONGEST_ROW));
        let text = format!(
            "\u{feff}{{\"external_id\": \"1\", \"name\": \"小明😀\"}}\r\n\n{{\"name\": \"nobody\"}}\nCANARY\n{long}\n{{\"external_id\": \"2\", \"name\": 5}}\n{{\"external_id\": \"3\"}}"
        );
        let mut lines = JsonLines::default();
        let mut rows = lines.push(text.as_bytes());
        rows.extend(lines.finish());
        let told: Vec<_> = rows
            .iter()
            .map(|row| match &row.user {
                Ok(draft) => format!("{} is {}", row.line, draft.external_id.as_deref().unwrap()),
                Err(problems) => format!("{} {}", row.line, problems[0]),
            })
            .collect();
        assert_eq!(
            told,
            [
                "1 is 1",
                "3 external_id: expected a name that no other row has",
                "4 body: expected valid JSON",
                "5 body: expected at most 65536 bytes a line",
                "6 name: expected a string",
                "7 is 3",
            ]
        );
    }
}
