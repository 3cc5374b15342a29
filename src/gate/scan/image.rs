//! The code itself, from our own origin.
//!
//! An official account's is drawn here. A mini program's is drawn by WeChat, for so many apps and minutes; so each worker
//! keeps the latest ones, and asks for one that it could not get no more than every few seconds.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::answers::{About, Answers, quiet};
use super::super::server_tokens;
use super::{begun, is_from_elsewhere, missing};
use crate::config::{Application, Connector, Method, MiniProgramPage};
use crate::connectors::{mini_program_qr, official_account_qr};
use crate::coroutine;
use crate::error::{Failure, LoginError};
use crate::http::Moment;
use crate::login::attempt::{Attempt, Scan};
use crate::step::{Reply, Step, Verdict};
use crate::wechat::codes::Picture;

/// `GET /scan/{connector}/image`.
pub(super) fn show(answers: Answers<'_>, application: &Rc<Application>, connector: Rc<Connector>, moment: Moment) -> Step {
    if is_from_elsewhere(answers.request) {
        return missing(answers);
    }
    let (attempt, scan) = match begun(&answers, application, &connector, moment) {
        Ok(begun) => begun,
        Err(_) => return missing(answers),
    };
    if moment.now() >= scan.expires_at {
        return answers.failure(LoginError::ScanOver.into());
    }
    match (&connector.method, &scan.text) {
        (Method::MiniProgramQr { page, .. }, _) => {
            let page = page.clone();
            drawn_by_wechat(answers, application, connector, &attempt, scan, page, moment)
        }
        (_, Some(text)) => match official_account_qr::picture(text) {
            Ok(picture) => quiet(reply(&picture)),
            Err(failure) => answers.failure(failure),
        },
        _ => missing(answers),
    }
}

fn drawn_by_wechat(
    answers: Answers<'_>,
    application: &Rc<Application>,
    connector: Rc<Connector>,
    attempt: &Attempt,
    scan: Scan,
    page: MiniProgramPage,
    moment: Moment,
) -> Step {
    let found = answers.gate.pictures.borrow_mut().find(&scan.ticket, moment.now());
    match found {
        Kept::Picture(picture) => return quiet(reply(&picture)),
        Kept::Asked => {
            return answers.failure(Failure::new(LoginError::WechatBusy, "this worker has asked for the same picture a moment ago"));
        }
        Kept::Nothing => {}
    }
    let visitor = answers.visitor(application);
    let return_to = attempt.return_to(&visitor.gate.config().path_prefix);
    coroutine::start(moment, |calls| async move {
        let gate = &visitor.gate;
        let call = |token: &str| mini_program_qr::picture_call(gate.config(), &page, &scan.ticket, token);
        let asked = server_tokens::send(&calls, gate, &connector, call).await;
        Verdict::Reply(match asked.and_then(mini_program_qr::read_picture) {
            Ok(picture) => {
                let picture = Rc::new(picture);
                gate.pictures.borrow_mut().keep(&scan.ticket, picture.clone());
                reply(&picture)
            }
            Err(failure) => visitor.failed(&calls, About { connector: Some(&connector), return_to: &return_to }, failure, vec![]),
        })
    })
}

/// `no-store` like all of our answers. A drawing is code to a browser that opens it by itself: it may do nothing.
fn reply(picture: &Picture) -> Reply {
    let headers = vec![
        ("content-type", picture.media_type.into()),
        ("cache-control", "no-store".into()),
        ("x-content-type-options", "nosniff".into()),
        ("cross-origin-resource-policy", "same-origin".into()),
        ("content-security-policy", "default-src 'none'; sandbox".into()),
    ];
    Reply { status: 200, headers, body: picture.bytes.clone() }
}

/// All pictures of a worker together have at most so many bytes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Tickets that are remembered, with their picture or without.
const MAX_TICKETS: usize = 256;

/// So long WeChat is not asked again for a picture that has not come.
const PAUSE_SECONDS: u64 = 5;

/// The latest pictures that WeChat has drawn for this worker. A cache: each may be gone at any time.
#[derive(Default)]
pub(in crate::gate) struct Pictures {
    /// The oldest first.
    kept: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    ticket: String,
    asked_at: u64,
    picture: Option<Rc<Picture>>,
}

enum Kept {
    Picture(Rc<Picture>),
    /// It was asked for a moment ago.
    Asked,
    /// Whoever is told so asks WeChat now.
    Nothing,
}

impl Pictures {
    fn find(&mut self, ticket: &str, now: u64) -> Kept {
        match self.kept.iter_mut().find(|entry| entry.ticket == ticket) {
            Some(Entry { picture: Some(picture), .. }) => return Kept::Picture(picture.clone()),
            Some(entry) if now.saturating_sub(entry.asked_at) < PAUSE_SECONDS => return Kept::Asked,
            Some(entry) => entry.asked_at = now,
            None => {
                self.kept.push_back(Entry { ticket: ticket.into(), asked_at: now, picture: None });
                self.bound();
            }
        }
        Kept::Nothing
    }

    fn keep(&mut self, ticket: &str, picture: Rc<Picture>) {
        let Some(entry) = self.kept.iter_mut().find(|entry| entry.ticket == ticket) else { return };
        self.bytes += picture.bytes.len();
        if let Some(before) = entry.picture.replace(picture) {
            self.bytes -= before.bytes.len();
        }
        self.bound();
    }

    fn bound(&mut self) {
        while self.bytes > MAX_BYTES || self.kept.len() > MAX_TICKETS {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.picture.map_or(0, |picture| picture.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(bytes: usize) -> Rc<Picture> {
        Rc::new(Picture { media_type: "image/jpeg", bytes: vec![0; bytes] })
    }

    fn is_kept(pictures: &mut Pictures, ticket: &str, now: u64) -> bool {
        matches!(pictures.find(ticket, now), Kept::Picture(_))
    }

    #[test]
    fn a_picture_is_asked_for_once_and_one_that_did_not_come_once_in_a_while() {
        let mut pictures = Pictures::default();
        assert!(matches!(pictures.find("a", 100), Kept::Nothing));
        assert!(matches!(pictures.find("a", 104), Kept::Asked));
        assert!(matches!(pictures.find("a", 105), Kept::Nothing));
        assert!(matches!(pictures.find("a", 109), Kept::Asked), "it was asked for again");
        pictures.keep("a", picture(10));
        assert!(is_kept(&mut pictures, "a", 1000));
        pictures.keep("never asked for", picture(10));
        assert!(matches!(pictures.find("never asked for", 0), Kept::Nothing));
    }

    #[test]
    fn the_oldest_go_first_and_the_sum_is_bounded() {
        let mut pictures = Pictures::default();
        for ticket in 0..40 {
            pictures.find(&ticket.to_string(), 0);
            pictures.keep(&ticket.to_string(), picture(100_000));
            pictures.keep(&ticket.to_string(), picture(100_000));
        }
        assert_eq!(pictures.bytes, 2_000_000);
        assert!(is_kept(&mut pictures, "39", 0) && is_kept(&mut pictures, "20", 0) && !is_kept(&mut pictures, "19", 0));
        for ticket in 100..1000 {
            pictures.find(&ticket.to_string(), 0);
        }
        assert_eq!((pictures.kept.len(), pictures.bytes), (MAX_TICKETS, 0));
    }
}
