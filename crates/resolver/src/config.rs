//! What an operator says, by flags and the environment, and what is made of it.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::admin::{Admins, AdminsError};
use crate::delivery::DeliveryArgs;
use crate::policy::{Binding, ConnectorPolicy, OnNoMatch, Registration};
use crate::state::{Limits, TicketLimits};
use crate::tokens::{TokenError, Tokens};

/// The environment variable that holds tokens. There is no flag for them: every user of a machine can read its command lines.
pub const TOKENS_VARIABLE: &str = "WXGATE_RESOLVER_TOKENS";

/// The environment variable that holds administrators' tokens.
pub const ADMIN_TOKENS_VARIABLE: &str = "WXGATE_RESOLVER_ADMIN_TOKENS";

/// Answers the wxgate filter: which account does a WeChat identity belong to?
///
/// Callers need a token: at least 32 random characters, given in the environment variable WXGATE_RESOLVER_TOKENS (several
/// with commas between) or in the file --token-file (one a line). All of them are accepted, so that callers can be moved from an old one
/// to a new one.
///
/// Administrators have tokens of their own, as NAME:TOKEN, in WXGATE_RESOLVER_ADMIN_TOKENS or in the file --admin-token-file; the
/// audit log tells their names. Without any, the admin API is off.
#[derive(Debug, Parser)]
#[command(name = "wxgate-resolver", version)]
pub struct Args {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "WXGATE_RESOLVER_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8300")]
    pub listen: SocketAddr,

    /// Where the data is: sqlite:PATH, where the file is made if there is none, or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, env = "WXGATE_RESOLVER_DATABASE", hide_env_values = true, value_name = "URL", default_value = "sqlite:wxgate.db")]
    #[arg(value_parser = DatabaseParser)]
    pub database: Database,

    /// A file with tokens, one a line
    #[arg(long, env = "WXGATE_RESOLVER_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// A file with administrators' tokens, one NAME:TOKEN a line
    #[arg(long, env = "WXGATE_RESOLVER_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Whether a person whom nobody knows may get an account. Like the two that follow, for every connector that has no policy of its own
    #[arg(long, env = "WXGATE_RESOLVER_REGISTRATION", value_name = "POLICY", default_value = "open")]
    pub registration: Registration,

    /// How a person whom nobody knows finds an account that exists: not at all, by a phone number from WeChat, or by being asked
    #[arg(long, env = "WXGATE_RESOLVER_BINDING", value_name = "POLICY", default_value = "none")]
    pub binding: Binding,

    /// What happens when no account was found
    #[arg(long, env = "WXGATE_RESOLVER_ON_NO_MATCH", value_name = "POLICY", default_value = "create")]
    pub on_no_match: OnNoMatch,

    /// How codes go out
    #[command(flatten)]
    pub delivery: DeliveryArgs,

    /// The longest session.absolute_seconds of any filter: the revocation of a user is kept for so long
    #[arg(long, env = "WXGATE_RESOLVER_LONGEST_SESSION_SECONDS", value_name = "SECONDS", default_value_t = 31_536_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=315_360_000))]
    pub longest_session_seconds: u64,

    /// The most requests that are worked on at once; the next one gets 503
    #[arg(long, env = "WXGATE_RESOLVER_IN_FLIGHT", value_name = "NUMBER", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,

    /// The most tickets that one client address makes in a minute; those that hand over a session are counted apart
    #[arg(long, env = "WXGATE_RESOLVER_TICKETS_PER_CLIENT", value_name = "NUMBER", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub tickets_per_client: u32,

    /// The most tickets that all clients together make in a minute; those that hand over a session are counted apart
    #[arg(long, env = "WXGATE_RESOLVER_TICKETS_PER_MINUTE", value_name = "NUMBER", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub tickets_per_minute: u32,

    /// The most requests that wait for a ticket at once; the next one is answered at once
    #[arg(long, env = "WXGATE_RESOLVER_WAITS", value_name = "NUMBER", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub waits: u32,

    /// How the log is written, to standard error
    #[arg(long, env = "WXGATE_RESOLVER_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or a filter such as info,wxgate_resolver=debug
    #[arg(long, env = "WXGATE_RESOLVER_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the data is. Debug does not show a password.
#[derive(Clone)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<PgConnectOptions>),
}

/// Why the configuration cannot be used. Never holds a token.
#[derive(Debug)]
pub enum ConfigError {
    /// The file of tokens could not be read.
    TokenFile(PathBuf, std::io::Error),
    /// The tokens are not good enough.
    Tokens(TokenError),
    /// The administrators' tokens are not good enough.
    Admins(AdminsError),
}

impl Args {
    /// The tokens of the variable's value, in the order that they stand there, then those of the file.
    pub fn tokens(&self, variable: Option<&str>) -> Result<Tokens, ConfigError> {
        let file = self.token_file.as_deref().map(read).transpose()?;
        Tokens::new(entries(variable, file.as_deref())).map_err(ConfigError::Tokens)
    }

    /// The administrators, likewise; none of them may have one of `filters`.
    pub fn admins(&self, variable: Option<&str>, filters: &Tokens) -> Result<Admins, ConfigError> {
        let file = self.admin_token_file.as_deref().map(read).transpose()?;
        Admins::new(entries(variable, file.as_deref()), filters).map_err(ConfigError::Admins)
    }

    /// The policy of a connector that has none of its own.
    pub fn default_policy(&self) -> ConnectorPolicy {
        let Self { registration, binding, on_no_match, .. } = *self;
        ConnectorPolicy { registration, binding, on_no_match, ..ConnectorPolicy::default() }
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        Limits {
            in_flight: self.in_flight.into(),
            longest_session: Duration::from_secs(self.longest_session_seconds),
            tickets: TicketLimits {
                a_minute_of_a_client: self.tickets_per_client,
                a_minute: self.tickets_per_minute,
                waits: usize::try_from(self.waits).unwrap_or(usize::MAX),
            },
            ..Limits::default()
        }
    }
}

/// What stands between commas in a variable, and on the lines of a file.
fn entries<'a>(variable: Option<&'a str>, file: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let of_variable = variable.into_iter().filter(|value| !value.is_empty()).flat_map(|value| value.split(','));
    let of_file = file.into_iter().flat_map(str::lines).filter(|line| !line.trim().is_empty());
    of_variable.chain(of_file).map(str::trim)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::TokenFile(path.to_owned(), error))
}

/// Reads `--database`. Of a value that it refuses, clap by itself would repeat the whole, which may hold a password.
#[derive(Clone)]
struct DatabaseParser;

impl TypedValueParser for DatabaseParser {
    type Value = Database;

    fn parse_ref(&self, command: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<Database, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "is no UTF-8".to_owned()).and_then(str::parse);
        parsed.map_err(|reason| {
            let message = format!("the value of --database, or of WXGATE_RESOLVER_DATABASE: {reason}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// What may stand after the `?` of a PostgreSQL URL.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
];

/// A server, and how to connect to it. No reason for a refusal quotes the URL: it may hold a password.
fn postgres(url: &str) -> Result<PgConnectOptions, String> {
    const EXPECTED: &str = "is no postgres://USER:PASSWORD@HOST/DATABASE, with ?sslmode=verify-full or the like after it; \
        in a password, write %25 for %, %40 for @, %2F for /, %3F for ?, %23 for #";
    let options: PgConnectOptions = url.parse().map_err(|_| EXPECTED)?;
    let parts = Url::parse(url).map_err(|_| EXPECTED)?;
    // The end of a password, which would be taken for a part of the database's name, and be told as such.
    if parts.path().contains('@') || parts.fragment().is_some() {
        return Err(EXPECTED.to_owned());
    }
    // sqlx leaves out what it does not know, so a slip in "sslmode" would leave the server unverified. And of a file of authorities it
    // makes use only where it is told to verify.
    for (name, value) in parts.query_pairs() {
        if !PARAMETERS.contains(&&*name) {
            return Err(format!("has a parameter that is none of {}", PARAMETERS.join(", ")));
        }
        if name == "sslrootcert" {
            if !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
                return Err("names an sslrootcert, by which the server is verified with sslmode=verify-full or verify-ca only".to_owned());
            }
            let file = std::fs::read_to_string(&*value).map_err(|error| format!("names an sslrootcert that cannot be read: {error}"))?;
            if !file.contains("-----BEGIN CERTIFICATE-----") {
                return Err("names an sslrootcert that holds no certificate; expected PEM".to_owned());
            }
        }
    }
    Ok(options)
}

impl std::str::FromStr for Database {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Box::new(postgres(url)?)));
        }
        let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.starts_with(':') && !path.contains('?') => Ok(Self::Sqlite(PathBuf::from(path))),
            // The URL of another kind of database may hold a password.
            _ => Err("expected sqlite:PATH, such as sqlite:/var/lib/wxgate/wxgate.db, or postgres://HOST/DATABASE".to_owned()),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => out.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(options) => {
                write!(out, "Postgres({} at {}:{})", options.get_database().unwrap_or_default(), options.get_host(), options.get_port())
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenFile(path, error) => write!(out, "the token file {} cannot be read: {error}", path.display()),
            Self::Tokens(error) => write!(out, "{TOKENS_VARIABLE} and --token-file: {error}"),
            Self::Admins(error) => write!(out, "{ADMIN_TOKENS_VARIABLE} and --admin-token-file: {error}"),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";
    const TWO: &str = "0c9b8a7f6e5d4c3b2a190817263544f3";
    const THREE: &str = "4f1d5b7a9c3e20866e8f0a1b2c3d4e5f";

    fn args(flags: &[&str]) -> Args {
        Args::parse_from(["wxgate-resolver"].iter().chain(flags))
    }

    #[test]
    fn tokens_come_from_the_environment_and_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens");
        std::fs::write(&file, format!("{TWO}\n\n  {THREE}\r\n")).unwrap();
        let args = args(&["--token-file", file.to_str().unwrap()]);

        let tokens = args.tokens(Some(ONE)).unwrap();
        for token in [ONE, TWO, THREE] {
            assert!(tokens.accept(token.as_bytes()));
        }
        assert!(!args.tokens(None).unwrap().accept(ONE.as_bytes()));
        assert!(args.tokens(Some(&format!("{ONE}, {TWO}"))).unwrap().accept(TWO.as_bytes()));
    }

    #[test]
    fn administrators_have_tokens_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("admins");
        std::fs::write(&file, format!("bob:{THREE}\n")).unwrap();
        let args = args(&["--admin-token-file", file.to_str().unwrap()]);
        let filters = args.tokens(Some(ONE)).unwrap();
        let admins = args.admins(Some(&format!("alice:{TWO}")), &filters).unwrap();
        assert_eq!((admins.find(TWO.as_bytes()), admins.find(THREE.as_bytes())), (Some("alice"), Some("bob")));
        let message = |variable: &str| args.admins(Some(variable), &filters).unwrap_err().to_string();
        assert!(message(&format!("alice:{ONE}")).contains("token 1 is one of the filters'"));
        assert!(message("CANARY").starts_with("WXGATE_RESOLVER_ADMIN_TOKENS and --admin-token-file: entry 1"));
        assert!(!message("CANARY").contains("CANARY"));
    }

    #[test]
    fn without_a_good_token_the_resolver_does_not_start() {
        let message = |variable: Option<&str>| args(&[]).tokens(variable).unwrap_err().to_string();
        assert!(message(None).contains("there is no token"));
        assert!(message(Some("")).contains("there is no token"));
        assert!(message(Some(&format!("{ONE},"))).contains("token 2 is shorter than 32 characters"));
        assert!(message(Some("CANARY")).starts_with("WXGATE_RESOLVER_TOKENS and --token-file: token 1"));
        assert!(!message(Some("CANARY")).contains("CANARY"));
        let missing = args(&["--token-file", "/does/not/exist"]).tokens(Some(ONE)).unwrap_err();
        assert!(missing.to_string().starts_with("the token file /does/not/exist cannot be read"));
    }

    #[test]
    fn a_database_is_a_path_or_a_server_whose_password_is_never_shown() {
        let parse = |url: &str| url.parse::<Database>();
        for (url, path) in [
            ("sqlite:wxgate.db", "wxgate.db"),
            ("sqlite://wxgate.db", "wxgate.db"),
            ("sqlite:///var/wxgate.db", "/var/wxgate.db"),
            ("sqlite:/var/wxgate.db", "/var/wxgate.db"),
        ] {
            let database = parse(url).unwrap();
            assert!(matches!(&database, Database::Sqlite(got) if got == Path::new(path)), "{url}");
        }
        let database = parse("postgres://me:CANARY@db.internal:5433/wxgate?sslmode=verify-full").unwrap();
        assert_eq!(format!("{database:?}"), "Postgres(wxgate at db.internal:5433)");
        for url in
            ["", "wxgate.db", "sqlite:", "sqlite::memory:", "sqlite:a.db?mode=ro", "mysql://me:CANARY@db/x", "postgres://me:CANARY@db:x/y"]
        {
            assert!(!parse(url).unwrap_err().contains("CANARY"), "{url}");
        }
    }

    #[test]
    fn a_server_that_is_to_be_verified_is_not_left_unverified_by_a_slip() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, other) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
        std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\n").unwrap();
        std::fs::write(&other, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let (certificate, other) = (certificate.display(), other.display());
        let parse = |query: &str| format!("postgres://me@db/wxgate?{query}").parse::<Database>();
        parse(&format!("sslmode=verify-full&sslrootcert={certificate}")).unwrap();
        parse(&format!("sslrootcert={certificate}&sslmode=verify-ca&statement-cache-capacity=0")).unwrap();
        for (query, expected) in [
            ("ssl_mode=verify-full".to_owned(), "has a parameter that is none of application_name, "),
            ("SSLMODE=verify-full".to_owned(), "has a parameter that is none of"),
            ("sslmode=verify_full".to_owned(), "?sslmode=verify-full or the like"),
            (format!("sslmode=require&sslrootcert={certificate}"), "sslmode=verify-full or verify-ca only"),
            (format!("sslrootcert={certificate}"), "sslmode=verify-full or verify-ca only"),
            ("sslmode=verify-full&sslrootcert=/does/not/exist".to_owned(), "an sslrootcert that cannot be read: No such file"),
            (format!("sslmode=verify-full&sslrootcert={other}"), "an sslrootcert that holds no certificate"),
        ] {
            let reason = parse(&query).unwrap_err();
            assert!(reason.contains(expected), "{query}: {reason}");
        }
    }

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
