//! CSV with a header row (RFC 4180), as spreadsheets write it.

use csv_core::ReadRecordResult;

use super::{LONGEST_ROW, Row, check};
use crate::admin::fields::FieldProblem;
use crate::admin::identity::NewIdentity;
use crate::admin::user::NewUser;

/// What a column may be called.
const COLUMNS: [&str; 12] = [
    "external_id",
    "name",
    "username",
    "phone_number",
    "phone_number_verified",
    "email",
    "email_verified",
    "password_hash",
    "platform",
    "app_id",
    "openid",
    "unionid",
];

/// The most fields of a row that are read; the rest is too many anyway.
const MOST_FIELDS: usize = 32;

/// A CSV file, read piece by piece.
pub struct CsvRows {
    core: csv_core::Reader,
    /// The fields of the row that is being read, one after the other.
    text: Vec<u8>,
    text_len: usize,
    /// Where each of them ends.
    ends: [usize; MOST_FIELDS],
    ends_len: usize,
    /// Whether the row has more than is kept of it.
    is_too_long: bool,
    is_within_row: bool,
    /// How many lines have ended, and the line on which the row begins.
    lines: u64,
    line: u64,
    header: Option<Vec<&'static str>>,
}

impl Default for CsvRows {
    fn default() -> Self {
        Self {
            core: csv_core::Reader::new(),
            text: vec![0; LONGEST_ROW],
            text_len: 0,
            ends: [0; MOST_FIELDS],
            ends_len: 0,
            is_too_long: false,
            is_within_row: false,
            lines: 0,
            line: 1,
            header: None,
        }
    }
}

impl CsvRows {
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Row>, FieldProblem> {
        let mut rows = Vec::new();
        loop {
            if !self.is_within_row {
                let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                bytes = self.pass(bytes, blank);
                self.line = self.lines + 1;
            }
            // To the parser, no bytes are the end of the file.
            if bytes.is_empty() {
                return Ok(rows);
            }
            self.is_within_row = true;
            let (result, read) = self.read(bytes);
            bytes = self.pass(bytes, read);
            if result == ReadRecordResult::Record {
                rows.extend(self.end_row()?);
            }
        }
    }

    pub(super) fn finish(&mut self) -> Result<Vec<Row>, FieldProblem> {
        let mut rows = Vec::new();
        while self.is_within_row {
            match self.read(&[]).0 {
                ReadRecordResult::Record => rows.extend(self.end_row()?),
                ReadRecordResult::End => break,
                _ => {}
            }
        }
        match self.header {
            Some(_) => Ok(rows),
            None => Err(FieldProblem::new("body", "a header row")),
        }
    }

    fn pass<'a>(&mut self, bytes: &'a [u8], count: usize) -> &'a [u8] {
        let (passed, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
        self.lines += u64::try_from(passed.iter().filter(|byte| **byte == b'\n').count()).unwrap_or_default();
        rest
    }

    /// Reads on in the row, and tells how many bytes that took.
    fn read(&mut self, bytes: &[u8]) -> (ReadRecordResult, usize) {
        let text = self.text.get_mut(self.text_len..).unwrap_or_default();
        let ends = self.ends.get_mut(self.ends_len..).unwrap_or_default();
        let (result, read, written, ended) = self.core.read_record(bytes, text, ends);
        self.text_len += written;
        self.ends_len += ended;
        if matches!(result, ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull) {
            // The rest has to be read to find its end, but not to be kept.
            self.is_too_long = true;
            (self.text_len, self.ends_len) = (0, 0);
        }
        (result, read)
    }

    fn end_row(&mut self) -> Result<Option<Row>, FieldProblem> {
        let (text_len, ends_len) = (self.text_len, self.ends_len);
        let is_too_long = self.is_too_long;
        (self.text_len, self.ends_len, self.is_too_long, self.is_within_row) = (0, 0, false, false);

        let text = self.text.get(..text_len).unwrap_or_default();
        let mut start = 0;
        let fields: Option<Vec<&str>> = self
            .ends
            .iter()
            .take(ends_len)
            .map(|end| {
                let field = text.get(start..*end)?;
                start = *end;
                str::from_utf8(field).ok()
            })
            .collect();
        let line = self.line;
        let Some(header) = &self.header else {
            self.header = Some(read_header(&fields.filter(|_| !is_too_long).unwrap_or_default())?);
            return Ok(None);
        };
        let user = match fields {
            _ if is_too_long => Err(vec![FieldProblem::new("body", format!("at most {LONGEST_ROW} bytes and {MOST_FIELDS} fields a row"))]),
            None => Err(vec![FieldProblem::new("body", "text in UTF-8")]),
            Some(fields) if fields.len() != header.len() => {
                Err(vec![FieldProblem::new("body", format!("{} fields, as the header row has", header.len()))])
            }
            Some(fields) => read_user(header.iter().copied().zip(fields)).and_then(|user| check(&user)),
        };
        Ok(Some(Row { line, user }))
    }
}

fn read_header(fields: &[&str]) -> Result<Vec<&'static str>, FieldProblem> {
    let mut header = Vec::new();
    for field in fields {
        let name = field.trim_start_matches('\u{feff}').trim();
        let column = COLUMNS.into_iter().find(|column| *column == name && !header.contains(column));
        header.push(column.ok_or_else(|| FieldProblem::new("header", format!("each at most once: {}", COLUMNS.join(", "))))?);
    }
    if header.contains(&"external_id") { Ok(header) } else { Err(FieldProblem::new("header", "the column external_id")) }
}

fn read_user<'a>(fields: impl Iterator<Item = (&'static str, &'a str)>) -> Result<NewUser, Vec<FieldProblem>> {
    let mut user = NewUser::default();
    let mut identity = NewIdentity::default();
    let mut problems = Vec::new();
    for (column, text) in fields.filter(|(_, text)| !text.is_empty()) {
        let value = Some(text.to_owned());
        match column {
            "external_id" => user.external_id = value,
            "name" => user.name = value,
            "username" => user.username = value,
            "phone_number" => user.phone_number = value,
            "phone_number_verified" => user.phone_number_verified = read_bool(column, text, &mut problems),
            "email" => user.email = value,
            "email_verified" => user.email_verified = read_bool(column, text, &mut problems),
            "password_hash" => user.password_hash = value,
            "platform" => identity.platform = text.to_owned(),
            "app_id" => identity.app_id = value,
            "openid" => identity.openid = value,
            _ => identity.unionid = value,
        }
    }
    if identity != NewIdentity::default() {
        user.identities.push(identity);
    }
    if problems.is_empty() { Ok(user) } else { Err(problems) }
}

/// In any case: spreadsheets write `TRUE`.
fn read_bool(column: &str, text: &str, problems: &mut Vec<FieldProblem>) -> bool {
    let is_true = text.eq_ignore_ascii_case("true");
    if !is_true && !text.eq_ignore_ascii_case("false") {
        problems.push(FieldProblem::new(column, "true or false"));
    }
    is_true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Row>, FieldProblem> {
        let mut rows = CsvRows::default();
        let mut read = rows.push(text)?;
        read.extend(rows.finish()?);
        Ok(read)
    }

    fn told(text: &[u8]) -> Vec<String> {
        let tell = |row: Row| match row.user {
            Ok(draft) => format!("{} is {}", row.line, draft.external_id.unwrap()),
            Err(problems) => format!("{} {}", row.line, problems[0]),
        };
        read(text).unwrap().into_iter().map(tell).collect()
    }

    #[test]
    fn a_spreadsheets_file_is_read() {
        let text = "\u{feff}external_id,name,phone_number,phone_number_verified,platform,unionid\r\n\
            1,\"Wang, \"\"小明\"\"\r\n😀 x\",13800138000,TRUE,main,u-1\r\n\
            \r\n\
            2,,,,,\r\n\
            3,x";
        assert_eq!(
            told(text.as_bytes()),
            [
                "2 name: expected 1 to 256 characters, none of them a control character",
                "5 is 2",
                "6 body: expected 6 fields, as the header row has"
            ]
        );
        let rows = read(text.replace("\r\n😀", "😀").as_bytes()).unwrap();
        let draft = rows[0].user.as_ref().ok().unwrap();
        assert_eq!(draft.name.as_deref(), Some("Wang, \"小明\"😀 x"));
        assert_eq!((draft.phone_number.as_deref(), draft.is_phone_number_verified), (Some("+8613800138000"), true));
        assert_eq!(draft.identities[0].unionid.as_deref(), Some("u-1"));
    }

    #[test]
    fn a_wrong_row_spoils_no_other() {
        let mut text = b"external_id,name,email_verified,openid\n1,\xff,,\n2,".to_vec();
        text.extend("x".repeat(LONGEST_ROW).bytes());
        text.extend(b",,\n3,,perhaps,\n4,,,o-1\n5\0,,,\n6,,,\n");
        text.extend("7".repeat(40).replace('7', "7,").bytes());
        text.extend(b"\n8,,,");
        assert_eq!(
            told(&text),
            [
                "2 body: expected text in UTF-8",
                "3 body: expected at most 65536 bytes and 32 fields a row",
                "4 email_verified: expected true or false",
                "5 identities[0].platform: expected 1 to 64 characters, none of them a control character",
                "6 external_id: expected 1 to 128 characters, none of them a control character",
                "7 is 6",
                "8 body: expected at most 65536 bytes and 32 fields a row",
                "9 is 8",
            ]
        );
    }

    #[test]
    fn a_file_without_a_right_header_is_refused_whole() {
        for (text, expected) in [
            (&b""[..], "body: expected a header row"),
            (b"\r\n\n", "body: expected a header row"),
            (b"name\nx\n", "header: expected the column external_id"),
            (b"external_id,CANARY\n", "header: expected each at most once: external_id, name, "),
            (b"external_id,external_id\n", "header: expected each at most once"),
            (b"external_id,\xff\n", "header: expected the column external_id"),
        ] {
            let problem = read(text).err().unwrap().to_string();
            assert!(problem.starts_with(expected) && !problem.contains("CANARY"), "{problem}");
        }
        assert!(told(b"external_id").is_empty());
    }
}
