//! What has ended, and who hears of it.

use std::collections::{BTreeSet, HashSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use resolver_api::{RevocationFeed, RevokeSession, RevokedUser};
use serde_json::json;

use super::{Check, checks};
use crate::people::{With, fresh_name, fresh_session};
use crate::server::{Answer, Ending, Result, Server};

/// The most entries on one page.
const PAGE: usize = 500;
/// A feed that is longer never ends.
const MOST_PAGES: usize = 10_000;
/// How many requests are under way where many are made.
const AT_ONCE: usize = 16;
/// When the sessions of these checks would end by themselves: in an hour.
const LIFE: u64 = 3600;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = checks!["End a session":
        a_session_is_ended_also_twice_and_also_when_it_is_over,
        a_time_that_lies_too_far_ahead_is_refused,
    ];
    checks.extend(checks!["What has been revoked":
        a_revocation_is_on_the_next_page_after_every_cursor_before_it,
        an_absent_an_empty_and_an_unknown_cursor_ask_for_all,
        a_cursor_with_nothing_behind_it_stays_good,
        revocations_come_oldest_first,
        a_page_holds_500_entries_and_says_that_there_is_more,
        whoever_follows_the_feed_misses_nothing,
        signing_out_everywhere_ends_the_sessions_before_it_and_none_after,
    ]);
    checks
}

async fn a_session_is_ended_also_twice_and_also_when_it_is_over(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let session = fresh_session();
    for expires_at in [now + LIFE, now + LIFE, now + LIFE / 2, 1] {
        revoke(server, &session, expires_at).await?;
    }
    let all = follow(server, "").await?;
    let expires_at = all.sessions.iter().find(|(id, _)| *id == session).map(|(_, expires_at)| *expires_at);
    all.last.expect(expires_at.is_some_and(|at| at >= now + LIFE), format!("the session {session}, until {} at least", now + LIFE))
}

async fn a_time_that_lies_too_far_ahead_is_refused(server: &Server) -> Result<()> {
    let milliseconds = now(server).await?.saturating_mul(1000);
    let path = format!("/v1/sessions/{}/revoke", fresh_session());
    server.post(&path, &RevokeSession { expires_at: milliseconds }).await?.problem(400, "invalid-request")?;
    server.post(&path, &json!({})).await?.problem(400, "invalid-request")?;
    server.post("/v1/sessions/AAAA/revoke", &RevokeSession { expires_at: 1 }).await?.problem(400, "invalid-request").map(drop)
}

async fn a_revocation_is_on_the_next_page_after_every_cursor_before_it(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let mut cursors = vec![follow(server, "").await?.cursor];
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let session = fresh_session();
        revoke(server, &session, now + LIFE).await?;
        sessions.push(session);
        cursors.push(follow(server, cursors.last().map_or("", String::as_str)).await?.cursor);
    }
    for (older, cursor) in cursors.iter().enumerate() {
        let got = follow(server, cursor).await?;
        got.has_all(sessions.iter().skip(older))?;
    }
    Ok(())
}

async fn an_absent_an_empty_and_an_unknown_cursor_ask_for_all(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let session = fresh_session();
    revoke(server, &session, now + LIFE).await?;
    let known = follow(server, "").await?;
    known.has_all([&session])?;
    let absent = server.get("/v1/revocations").await?;
    let first = absent.json("a RevocationFeed")?;
    follow_on(server, (absent, first)).await?.has_all([&session])?;
    let mut foreign = known.cursor.clone();
    foreign.push('0');
    for cursor in ["garbage", "99999999999999999999", "é\n%", &foreign] {
        follow(server, cursor).await?.has_all([&session])?;
    }
    Ok(())
}

async fn a_cursor_with_nothing_behind_it_stays_good(server: &Server) -> Result<()> {
    let now = now(server).await?;
    revoke(server, &fresh_session(), now + LIFE).await?;
    let mut cursor = follow(server, "").await?.cursor;
    for _ in 0..3 {
        cursor = follow(server, &cursor).await?.cursor;
    }
    let session = fresh_session();
    revoke(server, &session, now + LIFE).await?;
    follow(server, &cursor).await?.has_all([&session])
}

async fn revocations_come_oldest_first(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let cursor = follow(server, "").await?.cursor;
    let mut revoked = Vec::new();
    for _ in 0..5 {
        let session = fresh_session();
        revoke(server, &session, now + LIFE).await?;
        revoked.push(session);
    }
    let got = follow(server, &cursor).await?;
    got.has_all(&revoked)?;
    let mut come: Vec<_> = got.sessions.iter().map(|(id, _)| id).filter(|id| revoked.contains(id)).collect();
    // One may come twice, at its old place as well as at a new one.
    let mut seen = HashSet::new();
    come.retain(|id| seen.insert(*id));
    got.last.expect(come.into_iter().eq(&revoked), format!("the sessions in the order in which they were revoked: {}", revoked.join(", ")))
}

async fn a_page_holds_500_entries_and_says_that_there_is_more(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let cursor = follow(server, "").await?.cursor;
    let sessions: Vec<_> = (0..=PAGE).map(|_| fresh_session()).collect();
    let revocations = stream::iter(&sessions).map(|session| revoke(server, session, now + LIFE));
    revocations.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let (answer, first) = server.feed(&cursor).await?;
    answer.expect(first.more, "more: true, for there are more than 500 entries behind this cursor")?;
    follow(server, &cursor).await?.has_all(&sessions)
}

async fn whoever_follows_the_feed_misses_nothing(server: &Server) -> Result<()> {
    let now = now(server).await?;
    let mut cursor = follow(server, "").await?.cursor;
    let sessions: Vec<_> = (0..160).map(|_| fresh_session()).collect();
    let mut revocations = stream::iter(&sessions).map(|session| revoke(server, session, now + LIFE)).buffer_unordered(4);
    let mut followed = BTreeSet::new();
    // Four revoke all the time, while one asks for what is new after each of their answers.
    while let Some(done) = revocations.next().await {
        done?;
        let (_, page) = server.feed(&cursor).await?;
        followed.extend(page.sessions.into_iter().map(|session| session.session_id));
        cursor = page.cursor;
    }
    let rest = follow(server, &cursor).await?;
    followed.extend(rest.sessions.iter().map(|(id, _)| id.clone()));
    let missed = sessions.iter().find(|session| !followed.contains(*session));
    missed.map_or(Ok(()), |session| Err(rest.last.instead_of(format!("the session {session}, on this page or on one before it"))))
}

async fn signing_out_everywhere_ends_the_sessions_before_it_and_none_after(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, before) = server.sign_in(&request).await?;
    let cursor = follow(server, "").await?.cursor;
    let path = format!("/v1/users/{}/revoke-sessions", before.user.id);
    let done = server.post(&path, &super::accounts::change(server)).await?;
    if done.status() == 404 {
        return Err(Ending::NotOffered("the resolver has no /v1/users/{user_id}/revoke-sessions".to_owned()));
    }
    done.done()?;
    let (_, after) = server.sign_in(&request.again()).await?;
    let got = follow(server, &cursor).await?;
    let entry = got.users.iter().find(|entry| entry.user_id == before.user.id);
    let entry = entry.ok_or_else(|| got.last.instead_of(format!("the user {}", before.user.id)))?;
    let has_ended = |auth_time| auth_time <= entry.not_before;
    got.last
        .expect(has_ended(before.auth_time), format!("a not_before from {} on, the auth_time of an older session", before.auth_time))?;
    got.last.expect(!has_ended(after.auth_time), format!("a not_before below {}, the auth_time of a newer session", after.auth_time))?;
    got.last.expect(entry.expires_at > after.auth_time, "an expires_at in the future")
}

/// The resolver's time.
async fn now(server: &Server) -> Result<u64> {
    Ok(server.sign_in(&server.target.pc(&fresh_name())).await?.1.auth_time)
}

async fn revoke(server: &Server, session: &str, expires_at: u64) -> Result<()> {
    server.post(&format!("/v1/sessions/{session}/revoke"), &RevokeSession { expires_at }).await?.done()
}

/// The pages behind a cursor, read to their end.
pub(super) struct Followed {
    cursor: String,
    /// Ids with their `expires_at`.
    sessions: Vec<(String, u64)>,
    pub(super) users: Vec<RevokedUser>,
    /// The last page.
    last: Answer,
}

impl Followed {
    fn has_all<'a>(&self, sessions: impl IntoIterator<Item = &'a String>) -> Result<()> {
        let missed = sessions.into_iter().find(|session| !self.sessions.iter().any(|(id, _)| id == *session));
        missed.map_or(Ok(()), |session| Err(self.last.instead_of(format!("the session {session}, on this page or on one before it"))))
    }
}

pub(super) async fn follow(server: &Server, after: &str) -> Result<Followed> {
    follow_on(server, server.feed(after).await?).await
}

async fn follow_on(server: &Server, (mut last, mut page): (Answer, RevocationFeed)) -> Result<Followed> {
    let (mut sessions, mut users) = (Vec::new(), Vec::new());
    for _ in 0..MOST_PAGES {
        last.expect(page.sessions.len() + page.users.len() <= PAGE, "at most 500 entries on a page")?;
        sessions.extend(page.sessions.into_iter().map(|session| (session.session_id, session.expires_at)));
        users.extend(page.users);
        if !page.more {
            return Ok(Followed { cursor: page.cursor, sessions, users, last });
        }
        (last, page) = server.feed(&page.cursor).await?;
    }
    Err(last.instead_of(format!("more: false within {MOST_PAGES} pages")))
}
