//! A person's own account: who am I, by which WeChat may I log in, and the way out of every device.

use resolver_api::{AccountChange, AccountView, UnlinkAnswer};

use super::super::answers::{insert, json, page, set_policy, with_flag};
use super::super::fields::required;
use super::super::login::{fitting, to_wechat};
use super::super::logout::goodbye;
use super::super::scan::Start;
use super::super::standing::Token;
use super::{Visit, views};
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::Fields;
use crate::json::object;
use crate::login::attempt::{self, Attempt, Link};
use crate::login::return_to::ReturnTo;
use crate::pages::{self, AccountNotice, LinkableConnector};
use crate::resolver;
use crate::session::Known;
use crate::step::{EndedSession, Event, Reply};

/// A login that is older than this proves too little for a change of the ways in.
const FRESH_SECONDS: u64 = 600;

/// For so long the page says that an identity was linked.
const NEWS_SECONDS: u64 = 60;

/// A person who is logged in.
pub(super) struct Own<'a> {
    pub(super) visit: &'a Visit,
    pub(super) calls: &'a Calls,
    pub(super) known: &'a Known,
    pub(super) token: Token,
}

impl Own<'_> {
    pub(super) async fn show(&self) -> Result<Reply, Failure> {
        self.shown(None).await
    }

    pub(super) async fn change(&self, action: &str, fields: &Fields) -> Result<Reply, Failure> {
        match action {
            "link" => self.link(required(fields, "connector", 32)?).await,
            "unlink" => self.unlink(required(fields, "identity", 64)?).await,
            "sign_out_everywhere" => self.sign_out_everywhere().await,
            // Also an answer to a question that was answered a moment ago: a second click has nothing left to do.
            _ => self.show().await,
        }
    }

    async fn shown(&self, notice: Option<AccountNotice>) -> Result<Reply, Failure> {
        let visitor = &self.visit.visitor;
        let (service, session) = (&visitor.gate.config().resolver, &self.known.session);
        let result = resolver::ask(self.calls, resolver::account(service, &session.subject, &session.pool)).await;
        // The feed will say that it is gone; until then the session looks good.
        let view = resolver::read_account(result)?.ok_or(LoginError::UserDisabled)?;
        let status = match notice {
            Some(AccountNotice::LogInAgain) => 403,
            Some(AccountNotice::LastWayIn) => 422,
            _ => 200,
        };
        if visitor.is_for_a_person {
            let mut reply = page(status, self.page(&view, notice), vec![]);
            // Linking goes on to WeChat.
            set_policy(&mut reply, &pages::policy_with_forms_to(&visitor.gate.config().wechat.open_origin));
            return Ok(reply);
        }
        let mut body = object!({"account": views::account(&view), "is_fresh": self.is_fresh()});
        if notice == Some(AccountNotice::LastWayIn) {
            insert(&mut body, "error", "last_way_in");
        }
        Ok(json(status, &body, vec![]))
    }

    fn page(&self, view: &AccountView, notice: Option<AccountNotice>) -> String {
        let visitor = &self.visit.visitor;
        let (application, prefix, now) = (&visitor.application, &visitor.gate.config().path_prefix, self.calls.now());
        let names: Vec<_> = application.connectors.iter().map(|c| (c.id.as_str(), c.display_name.as_str())).collect();
        let linkable = fitting(application, self.visit.browser).into_iter();
        let linkable: Vec<_> =
            linkable.map(|c| LinkableConnector { id: &c.id, display_name: &c.display_name, method: c.method.login_method() }).collect();
        // The first one is no news: the account was made with it. It may have been made within the same second.
        let newest = view.identities.iter().map(|identity| identity.linked_at).max().filter(|_| view.identities.len() > 1);
        let linked = newest.filter(|at| now.saturating_sub(*at) < NEWS_SECONDS).map(|_| AccountNotice::Linked);
        let mut login_href = format!("{prefix}/login");
        ReturnTo::account(prefix).append_to(&mut login_href);
        pages::account(&pages::Account {
            language: visitor.language,
            application: &application.display_name,
            name: view.user.name.as_deref(),
            picture: view.user.picture.as_deref(),
            phone_number: view.user.phone_number.as_deref(),
            email: view.email.as_deref(),
            identities: &view.identities,
            connector_names: &names,
            linkable: &linkable,
            is_fresh: self.is_fresh(),
            login_href: &with_flag(login_href, "anew"),
            action: &format!("{prefix}/account"),
            logout_action: &format!("{prefix}/logout"),
            notice: notice.or(linked),
            now,
        })
    }

    /// To WeChat, to come back with another identity. Whose account it is for is sealed into the attempt.
    async fn link(&self, connector: &str) -> Result<Reply, Failure> {
        if let Some(refused) = self.refused_as_stale("link").await {
            return refused;
        }
        let visitor = &self.visit.visitor;
        let connector = visitor.application.connector(connector.as_bytes()).ok_or(LoginError::UnknownConnector)?;
        if self.token == Token::Bearer {
            return Err(Failure::new(LoginError::UnknownConnector, "this method needs a browser with our cookies"));
        }
        let (config, now, mut entropy) = (visitor.gate.config(), self.calls.now(), self.calls.entropy());
        let link = Link { subject: self.known.session.subject.clone(), session: self.known.session.id.clone() };
        let return_to = ReturnTo::account(&config.path_prefix);
        if connector.method.is_scan() {
            self.visit.note(self.calls, "link", "started");
            let start = Start { visitor, headers: &self.visit.headers, connector, return_to: &return_to, link: Some(link) };
            return Ok(start.reply(self.calls).await);
        }
        let attempt = Attempt::begin(&visitor.application, connector, &return_to, now, &mut entropy).linking(link);
        let cookies = attempt::make_room(&self.visit.headers, &config.session.keys, now);
        self.visit.note(self.calls, "link", "started");
        self.calls.note(Event::LoginStarted { connector: connector.id.clone() });
        to_wechat(config, &visitor.application, connector, &attempt, &mut entropy, cookies)
    }

    async fn unlink(&self, identity: &str) -> Result<Reply, Failure> {
        if let Some(refused) = self.refused_as_stale("unlink").await {
            return refused;
        }
        let (service, subject) = (&self.visit.visitor.gate.config().resolver, &self.known.session.subject);
        let result = self.calls.send(resolver::unlink(service, subject, identity, &self.as_change())).await;
        match resolver::read_unlink(result)? {
            Some(UnlinkAnswer::Unlinked) => {
                self.visit.note(self.calls, "unlink", "done");
                Ok(self.signed_out())
            }
            Some(UnlinkAnswer::LastWayIn) => {
                self.visit.note(self.calls, "unlink", "last_way_in");
                self.shown(Some(AccountNotice::LastWayIn)).await
            }
            None => {
                self.visit.note(self.calls, "unlink", "not_found");
                self.show().await
            }
        }
    }

    async fn sign_out_everywhere(&self) -> Result<Reply, Failure> {
        let (service, subject) = (&self.visit.visitor.gate.config().resolver, &self.known.session.subject);
        let change = self.as_change();
        let result = resolver::ask(self.calls, resolver::revoke_sessions(service, subject, &change)).await;
        resolver::read_revoked(result)?;
        self.visit.note(self.calls, "sign_out_everywhere", "done");
        Ok(self.signed_out())
    }

    /// All sessions of the account have ended: this one here at once, the others with the resolver's feed.
    fn signed_out(&self) -> Reply {
        let ended = EndedSession { session_id: self.known.session.id.clone(), expires_at: self.known.session.ends_at };
        self.visit.visitor.gate.end_session(&ended, self.calls.now());
        self.calls.note(Event::SignedOut { ended, everywhere: true });
        goodbye(&self.visit.visitor, true)
    }

    fn is_fresh(&self) -> bool {
        self.calls.now().saturating_sub(self.known.session.auth_time) < FRESH_SECONDS
    }

    /// What is said instead where the login is too old. A session that somebody found open must not become theirs.
    async fn refused_as_stale(&self, action: &'static str) -> Option<Result<Reply, Failure>> {
        if self.is_fresh() {
            return None;
        }
        self.visit.note(self.calls, action, "not_fresh");
        Some(match self.visit.visitor.is_for_a_person {
            true => self.shown(Some(AccountNotice::LogInAgain)).await,
            false => Err(LoginError::FreshLoginRequired.into()),
        })
    }

    fn as_change(&self) -> AccountChange {
        let Visit { visitor, .. } = self.visit;
        AccountChange {
            pool: self.known.session.pool.clone(),
            application: visitor.application.id.clone(),
            client_address: visitor.address.clone(),
        }
    }
}
