//! A login that waits for its person: what it asks, and how it changes with each answer. Pure, and stored as JSON.

use std::time::Duration;

use resolver_api::{Candidate, CodeSent, LoginRequest, PendingLogin, Proof, ProofMethod, Question, RefusalReason, SendCodeAnswer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::account::Account;
use crate::address::{self, Address};
use crate::clock::Moment;
use crate::ids::{self, IdempotencyKey, RandomToken, UserId};
use crate::login::Login;
use crate::policy::ConnectorPolicy;

/// How long a login waits for its person.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// How many wrong answers end it. The lock is on the pending login: nobody can lock another person's account.
pub const TRIES: u32 = 5;

/// How long a code is good.
pub const CODE_LIFETIME: Duration = Duration::from_secs(300);

/// How long after a code another one may be asked for.
pub const RESEND_AFTER: Duration = Duration::from_secs(60);

/// The most codes that one pending login sends.
pub const MOST_CODES: u32 = 5;

/// The most codes that an address is sent within an hour.
pub const MOST_CODES_AN_ADDRESS: u64 = 10;

/// How many wrong codes and passwords a WeChat person may give within an hour, whatever number of pending logins they begin: passwords would
/// be guessed five for each login. It is a limit of whoever guesses, and locks nobody's account.
pub const MOST_WRONG_ANSWERS: u64 = 20;

/// A login that waits for its person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The login as it was asked for. A proof counts for its identities, and for no others.
    pub login: LoginRequest,
    /// When it is over, in Unix seconds.
    pub expires_at: u64,
    /// How many wrong answers are left.
    pub tries_left: u32,
    /// What is asked.
    pub asked: Asked,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Asked {
    /// Which of your accounts?
    Choose {
        /// A candidate's id is its place here, from 1.
        accounts: Vec<UserId>,
    },
    /// Is there an account of yours already?
    Bind {
        /// The ways to prove it, in the operator's order.
        methods: Vec<ProofMethod>,
        /// Whether a new account may be made.
        may_create: bool,
        /// How many codes were sent.
        codes_sent: u32,
        /// The last of them.
        code: Option<Code>,
    },
}

/// A code that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What the person is told of it.
    pub sent: CodeSent,
    /// [`PendingToken::digest_of_code`], in hex.
    pub digest: String,
    /// The account that it proves; none where nobody, or more than one, has the address: then no code is right.
    pub account: Option<UserId>,
    /// [`PendingToken::digest_of_address`], in hex. Absent from what an older resolver has written, which did not ask for it.
    #[serde(default)]
    pub address: Option<String>,
}

/// A code that goes out, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// [`PendingToken::digest_of_code`].
    pub digest: String,
    /// [`PendingToken::digest_of_address`].
    pub address: String,
}

/// Names a pending login. Its person alone has it; stores know its id.
pub type PendingToken = RandomToken<Pending>;

/// What an answer has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// That its person means this one of the candidates.
    Chosen(UserId),
    /// That this account is theirs, in the given way.
    Owned(UserId, ProofMethod),
    /// That they want a new account.
    New,
}

/// How a pending login ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In this account, with every identity that nobody has. `is_choice`: another account has one of them, and keeps it.
    SignIn {
        /// The account.
        user: UserId,
        /// Whether it was chosen among several.
        is_choice: bool,
    },
    /// In a new account.
    Create,
    /// Without a session.
    Refuse(RefusalReason),
}

/// How a pending login ends, when its identities belong to `by_openid` and `by_unionid` by now: never by taking an identity from
/// somebody who has it.
pub fn end(proved: Proved, by_openid: Option<UserId>, by_unionid: Option<UserId>, policy: &ConnectorPolicy) -> End {
    let has_other = |user| [by_openid, by_unionid].into_iter().flatten().any(|holder| holder != user);
    let sign_in = |user, is_choice| End::SignIn { user, is_choice };
    match (proved, by_openid.or(by_unionid)) {
        (Proved::Chosen(user), _) if [by_openid, by_unionid].contains(&Some(user)) => sign_in(user, has_other(user)),
        (Proved::Owned(user, _), _) if !has_other(user) => sign_in(user, false),
        (Proved::New, None) if policy.may_create() => End::Create,
        (Proved::New, None) => End::Refuse(policy.refusal()),
        // It was made a moment ago, in another window.
        (Proved::New, Some(user)) if !has_other(user) => sign_in(user, false),
        _ => End::Refuse(RefusalReason::IdentityTaken),
    }
}

impl Pending {
    /// A login whose identities belong to the accounts `candidates`.
    pub fn choose(login: &Login, candidates: Vec<UserId>, now: Moment) -> Self {
        Self::new(login, Asked::Choose { accounts: candidates }, now)
    }

    /// A login of somebody whom nobody knows, who may prove an account by `methods`, or make one.
    pub fn bind(login: &Login, methods: Vec<ProofMethod>, may_create: bool, now: Moment) -> Self {
        Self::new(login, Asked::Bind { methods, may_create, codes_sent: 0, code: None }, now)
    }

    fn new(login: &Login, asked: Asked, now: Moment) -> Self {
        let expires_at = now.seconds().saturating_add(LIFETIME.as_secs());
        Self { login: login.request().clone(), expires_at, tries_left: TRIES, asked }
    }

    /// Whether its time or its tries are used up.
    pub fn is_over(&self, now: Moment) -> bool {
        self.tries_left == 0 || now.seconds() >= self.expires_at
    }

    /// What its person is asked, where `candidates` are the accounts that are still there to choose.
    pub fn to_question(&self, candidates: Vec<Candidate>) -> PendingLogin {
        let LoginRequest { application, connector, profile, .. } = self.login.clone();
        let question = match &self.asked {
            Asked::Choose { .. } => Question::Choose { accounts: candidates },
            Asked::Bind { methods, may_create, code, .. } => {
                let code = code.as_ref().map(|code| code.sent.clone());
                Question::Bind { methods: methods.clone(), may_create: *may_create, code }
            }
        };
        PendingLogin { application, connector, profile, expires_at: self.expires_at, tries_left: self.tries_left, question }
    }

    /// The account that a candidate's id stands for.
    pub fn candidate(&self, id: &str) -> Option<UserId> {
        let Asked::Choose { accounts } = &self.asked else {
            return None;
        };
        accounts.iter().enumerate().find(|(place, _)| candidate_id(*place) == id).map(|(_, user)| *user)
    }

    /// Whether this way of proving an account is offered.
    pub fn offers(&self, method: ProofMethod) -> bool {
        matches!(&self.asked, Asked::Bind { methods, .. } if methods.contains(&method))
    }

    /// Whether a new account may be made.
    pub fn offers_creation(&self) -> bool {
        matches!(&self.asked, Asked::Bind { may_create: true, .. })
    }

    /// What the person was told of the code with this digest, if it was the last one, and whether an account has its address.
    pub fn find_code(&self, digest: &str) -> Option<(CodeSent, bool)> {
        match &self.asked {
            Asked::Bind { code: Some(code), .. } if code.digest == digest => Some((code.sent.clone(), code.account.is_some())),
            _ => None,
        }
    }

    /// Whose address the last code was sent to, if anybody's.
    pub fn code_for(&self) -> Option<UserId> {
        match &self.asked {
            Asked::Bind { code: Some(code), .. } => code.account,
            _ => None,
        }
    }

    /// Whether a code may be sent by this method now; if not, what to answer.
    pub fn check_send(&self, method: ProofMethod, now: Moment) -> Result<(), SendCodeAnswer> {
        let Asked::Bind { codes_sent, code, .. } = &self.asked else {
            return Err(SendCodeAnswer::NotOffered);
        };
        if method == ProofMethod::Password || !self.offers(method) {
            return Err(SendCodeAnswer::NotOffered);
        }
        if *codes_sent >= MOST_CODES {
            return Err(SendCodeAnswer::TooMany);
        }
        match code {
            Some(code) if now.seconds() < code.sent.resend_at => Err(SendCodeAnswer::TooSoon { resend_at: code.sent.resend_at }),
            _ => Ok(()),
        }
    }

    /// Notes that a code is on its way, in place of any before it, and what the person is told of it.
    pub fn code_sent(&mut self, method: ProofMethod, masked: String, issued: Issued, account: Option<UserId>, now: Moment) -> CodeSent {
        let sent = CodeSent {
            method,
            address: masked,
            expires_at: now.seconds().saturating_add(CODE_LIFETIME.as_secs()).min(self.expires_at),
            resend_at: now.seconds().saturating_add(RESEND_AFTER.as_secs()),
        };
        if let Asked::Bind { codes_sent, code, .. } = &mut self.asked {
            *codes_sent += 1;
            *code = Some(Code { sent: sent.clone(), digest: issued.digest, account, address: Some(issued.address) });
        }
        sent
    }

    /// What the code with this digest proves. The time it takes tells nothing.
    pub fn proved_by_code(&self, digest: &str, now: Moment) -> Option<Proved> {
        let Asked::Bind { code: Some(code), .. } = &self.asked else {
            return None;
        };
        let is_right: bool = code.digest.as_bytes().ct_eq(digest.as_bytes()).into();
        let account = code.account.filter(|_| is_right && now.seconds() < code.sent.expires_at);
        account.map(|account| Proved::Owned(account, code.sent.method))
    }

    /// Whether the last code went to the address with this digest.
    pub fn is_code_for(&self, address: &str) -> bool {
        match &self.asked {
            Asked::Bind { code: Some(code), .. } => code.address.as_ref().is_none_or(|known| known == address),
            _ => false,
        }
    }

    /// Counts a wrong answer, and tells how many are left.
    pub fn wrong_answer(&mut self) -> u32 {
        self.tries_left = self.tries_left.saturating_sub(1);
        self.tries_left
    }
}

/// The account at this place, as it is shown to somebody who may not be its person.
pub fn candidate(place: usize, account: &Account) -> Candidate {
    Candidate {
        id: candidate_id(place),
        name: account.name.value.as_deref().map(address::mask_name),
        phone_number: account.phone_number.as_ref().map(|phone| address::mask_phone(&phone.number)),
        email: account.email.as_ref().map(|email| address::mask_email(&email.address)),
        created_at: account.created_at,
        last_login_at: account.last_auth_time,
    }
}

fn candidate_id(place: usize) -> String {
    (place + 1).to_string()
}

impl PendingToken {
    /// What the pending login is stored under: SHA-256 of the token, in hex.
    pub fn id(&self) -> String {
        self.digest("wxgate pending login", "")
    }

    /// What the outcome of its end is stored under.
    pub fn outcome_key(&self) -> IdempotencyKey {
        IdempotencyKey::of_digest(&self.hash("wxgate finished login", ""))
    }

    /// What is kept of a code, in hex; another for each pending login.
    pub fn digest_of_code(&self, code: &str) -> String {
        self.digest("wxgate code", code)
    }

    /// What is kept of the address that a code went to, in hex; another for each pending login.
    pub fn digest_of_address(&self, address: &Address) -> String {
        self.digest("wxgate address", address.as_str())
    }

    /// Tells whether two answers are the same. Without the token it says nothing about a password.
    pub fn digest_of_proof(&self, proof: &Proof) -> [u8; 32] {
        let (kind, parts) = match proof {
            Proof::Choose { account } => ("choose", [account.as_str(), ""]),
            Proof::Create => ("create", ["", ""]),
            Proof::Code { code } => ("code", [code.as_str(), ""]),
            Proof::Password { account, password } => ("password", [account.as_str(), password.as_str()]),
        };
        let [first, second] = parts.map(|part| self.digest("wxgate proof", part));
        self.hash("wxgate proof", &[kind, &first, &second].concat())
    }

    fn digest(&self, purpose: &str, text: &str) -> String {
        ids::hex(&self.hash(purpose, text))
    }

    fn hash(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [purpose, self.as_str(), text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::login::tests::request;
    use crate::policy::Registration;

    const A: UserId = Uuid::from_u128(0xa);
    const B: UserId = Uuid::from_u128(0xb);

    fn at(seconds: u64) -> Moment {
        Moment::from_unix(Duration::from_secs(1_800_000_000 + seconds))
    }

    fn login() -> Login {
        Login::parse(request()).unwrap()
    }

    fn bind() -> Pending {
        Pending::bind(&login(), vec![ProofMethod::PhoneCode], false, at(0))
    }

    fn send(pending: &mut Pending, code: &str, account: Option<UserId>, now: Moment) -> CodeSent {
        let digest = token().digest_of_code(code);
        let issued = Issued { digest, address: token().digest_of_address(&Address::Phone("+8613800138000".into())) };
        pending.code_sent(ProofMethod::PhoneCode, "+86138****8000".into(), issued, account, now)
    }

    fn proved(account: UserId) -> Option<Proved> {
        Some(Proved::Owned(account, ProofMethod::PhoneCode))
    }

    fn token() -> PendingToken {
        PendingToken::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap()
    }

    #[test]
    fn it_is_over_after_ten_minutes_or_five_wrong_answers() {
        let mut pending = bind();
        assert!(!pending.is_over(at(599)));
        assert!(pending.is_over(at(600)));
        assert_eq!([(); 6].map(|()| pending.wrong_answer()), [4, 3, 2, 1, 0, 0]);
        assert!(pending.is_over(at(0)));
    }

    #[test]
    fn a_candidate_is_named_by_its_place_and_by_nothing_else() {
        let pending = Pending::choose(&login(), vec![A, B], at(0));
        assert_eq!((pending.candidate("1"), pending.candidate("2")), (Some(A), Some(B)));
        for wrong in ["", "0", "3", "+1", "01", " 1", &A.to_string()] {
            assert_eq!(pending.candidate(wrong), None, "{wrong}");
        }
        assert_eq!(bind().candidate("1"), None);
    }

    #[test]
    fn a_code_is_sent_only_where_it_is_offered_and_not_too_often() {
        let choose = Pending::choose(&login(), vec![A, B], at(0));
        assert_eq!(choose.check_send(ProofMethod::PhoneCode, at(0)), Err(SendCodeAnswer::NotOffered));
        let mut pending = bind();
        for method in [ProofMethod::EmailCode, ProofMethod::Password] {
            assert_eq!(pending.check_send(method, at(0)), Err(SendCodeAnswer::NotOffered));
        }
        for sent in 0..5 {
            let now = at(sent * 60);
            assert_eq!(pending.check_send(ProofMethod::PhoneCode, now), Ok(()));
            let sent = send(&mut pending, "000000", None, now);
            let too_soon = SendCodeAnswer::TooSoon { resend_at: now.seconds() + 60 };
            assert_eq!(sent.resend_at, now.seconds() + 60);
            if pending.check_send(ProofMethod::PhoneCode, now) != Err(SendCodeAnswer::TooMany) {
                assert_eq!(pending.check_send(ProofMethod::PhoneCode, now), Err(too_soon));
            }
        }
        assert_eq!(pending.check_send(ProofMethod::PhoneCode, at(599)), Err(SendCodeAnswer::TooMany));
    }

    #[test]
    fn a_code_proves_its_account_for_five_minutes_until_the_next_one() {
        let mut pending = bind();
        let digest = |code: &str| token().digest_of_code(code);
        assert_eq!(pending.proved_by_code(&digest("123456"), at(0)), None, "none was sent");
        send(&mut pending, "123456", Some(A), at(0));
        assert_eq!(pending.proved_by_code(&digest("123456"), at(299)), proved(A));
        assert_eq!(pending.proved_by_code(&digest("123456"), at(300)), None);
        assert_eq!(pending.proved_by_code(&digest("123457"), at(0)), None);
        let other = PendingToken::parse("BAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(pending.proved_by_code(&other.digest_of_code("123456"), at(0)), None);

        send(&mut pending, "654321", Some(B), at(60));
        assert_eq!(pending.proved_by_code(&digest("123456"), at(61)), None);
        assert_eq!(pending.proved_by_code(&digest("654321"), at(61)), proved(B));
    }

    #[test]
    fn nobody_loses_an_identity_by_somebody_elses_answer() {
        let (chosen, owned) = (Proved::Chosen(A), Proved::Owned(A, ProofMethod::Password));
        let sign_in = |user| End::SignIn { user, is_choice: false };
        let taken = End::Refuse(RefusalReason::IdentityTaken);
        let open = ConnectorPolicy::default();
        let table = [
            // As it was when it was asked.
            (chosen, Some(A), Some(B), End::SignIn { user: A, is_choice: true }),
            (chosen, Some(B), Some(A), End::SignIn { user: A, is_choice: true }),
            (owned, None, None, sign_in(A)),
            (Proved::New, None, None, End::Create),
            // The other account has lost its identity, or was merged into this one.
            (chosen, Some(A), None, sign_in(A)),
            (chosen, None, Some(A), sign_in(A)),
            (chosen, Some(A), Some(A), sign_in(A)),
            // The account has lost its own.
            (chosen, Some(B), Some(B), taken),
            (chosen, None, Some(B), taken),
            (chosen, None, None, taken),
            // Somebody has the identity by now.
            (owned, Some(A), None, sign_in(A)),
            (owned, Some(A), Some(A), sign_in(A)),
            (owned, Some(B), None, taken),
            (owned, None, Some(B), taken),
            (owned, Some(A), Some(B), taken),
            (Proved::New, Some(B), None, sign_in(B)),
            (Proved::New, None, Some(B), sign_in(B)),
            (Proved::New, Some(B), Some(B), sign_in(B)),
            (Proved::New, Some(A), Some(B), taken),
        ];
        for (proved, by_openid, by_unionid, expected) in table {
            assert_eq!(end(proved, by_openid, by_unionid, &open), expected, "{proved:?} {by_openid:?} {by_unionid:?}");
        }
        let closed = ConnectorPolicy { registration: Registration::Closed, ..open };
        assert_eq!(end(Proved::New, None, None, &closed), End::Refuse(RefusalReason::RegistrationClosed));
    }

    #[test]
    fn no_code_is_right_for_an_address_that_nobody_has() {
        let mut pending = bind();
        send(&mut pending, "123456", None, at(0));
        assert_eq!(pending.proved_by_code(&token().digest_of_code("123456"), at(1)), None);
    }

    #[test]
    fn what_is_stored_reads_again_and_holds_neither_token_nor_code() {
        let mut pending = bind();
        send(&mut pending, "123456", Some(A), at(0));
        let json = serde_json::to_string(&pending).unwrap();
        assert_eq!(serde_json::from_str::<Pending>(&json).unwrap(), pending);
        assert!(!json.contains("123456") && !json.contains(token().as_str()));
    }

    #[test]
    fn answers_are_the_same_when_all_of_them_is_and_so_is_the_pending_login() {
        let password = |account: &str, password: &str| Proof::Password { account: account.into(), password: password.into() };
        let answers = [
            Proof::Create,
            Proof::Choose { account: "1".into() },
            Proof::Choose { account: "2".into() },
            Proof::Code { code: "1".into() },
            password("1", ""),
            password("a", "b"),
            password("ab", ""),
            password("", "ab"),
        ];
        for (place, one) in answers.iter().enumerate() {
            assert_ne!(token().digest_of_proof(one), PendingToken::random().unwrap().digest_of_proof(one));
            for (other_place, other) in answers.iter().enumerate() {
                assert_eq!(token().digest_of_proof(one) == token().digest_of_proof(other), place == other_place, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_token_has_different_names_for_different_purposes() {
        let token = PendingToken::random().unwrap();
        assert_ne!(token.id(), token.outcome_key().as_str());
        assert_eq!(token.id().len(), 64);
        assert_eq!(IdempotencyKey::parse(token.outcome_key().as_str()), Some(token.outcome_key()));
    }
}
