//! TLS to PostgreSQL, and no start without it: a server of the story's own, whose certificate is one of an authority of the story's own.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use wxgate_resolver::config::TOKENS_VARIABLE;

use crate::program::{Running, fails, log_in_at, program_on, url_of};
use crate::support::{TOKEN, pc, postgres_database, signed_in};

const PASSWORD: &str = "PASSWORD-CANARY";

/// The only name in the server's certificate.
const NAME: &str = "localhost";

/// Generous: other stories are at work on the same machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A PostgreSQL that lets nobody in over TCP but with TLS and the password, ended with the story.
struct Server {
    process: Child,
    port: u16,
    /// For the story itself, who is a superuser, over a Unix socket.
    options: PgConnectOptions,
    dir: TempDir,
}

impl Server {
    /// With the programs, and as the user, of the server that the other stories share.
    async fn start() -> Self {
        let mut shared = PgConnection::connect_with(&postgres_database("UTF8").await).await.unwrap();
        let programs = sqlx::query_scalar::<_, String>("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
        let programs = PathBuf::from(programs.fetch_one(&mut shared).await.unwrap());
        let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut shared).await.unwrap();
        let user = fs::metadata(data).expect("the server that WXGATE_POSTGRES_URL names is on this machine");
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir("/").env_clear().uid(user.uid()).gid(user.gid());
            command
        };

        let dir = tempfile::tempdir().unwrap();
        // What the server's user makes in it is for that user alone.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let data = dir.path().join("data");
        let made = program("initdb").args(["--username=wxgate", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(data.join("pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let (issuer, certificate) = authority("the authority");
        fs::write(dir.path().join("authority.pem"), certificate).unwrap();
        fs::write(dir.path().join("other.pem"), authority("another authority").1).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(data.join("server.crt"), certificate.pem()).unwrap();
        let secret = data.join("server.key");
        fs::write(&secret, key.serialize_pem()).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&secret, Some(user.uid()), Some(user.gid())).unwrap();

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = program("postgres");
        server.args(["-c", "ssl=on", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p", &port.to_string(), "-k"]).arg(dir.path());
        server.arg("-D").arg(&data).stderr(File::create(dir.path().join("log")).unwrap());
        let process = server.spawn().unwrap();
        let options = PgConnectOptions::new_without_pgpass().socket(dir.path()).port(port).username("wxgate").database("postgres");
        let mut server = Self { process, port, options: options.disable_statement_logging(), dir };
        let mut connection = server.connection().await;
        for statement in [
            format!("CREATE ROLE resolver LOGIN PASSWORD '{PASSWORD}'"),
            "CREATE DATABASE wxgate OWNER resolver TEMPLATE template0 ENCODING 'UTF8'".to_owned(),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        server
    }

    /// As soon as the server takes one.
    async fn connection(&mut self) -> PgConnection {
        let end = Instant::now() + START_LIMIT;
        loop {
            match PgConnection::connect_with(&self.options).await {
                Ok(connection) => return connection,
                Err(error) => {
                    let has_ended = self.process.try_wait().unwrap().is_some();
                    let log = || fs::read_to_string(self.dir.path().join("log")).unwrap();
                    assert!(!has_ended && Instant::now() < end, "PostgreSQL does not start: {error}\n{}", log());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// What an operator gives the resolver.
    fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://resolver:{PASSWORD}@{host}:{}/wxgate{query}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children end, and what it shares with them is given back; a kill would leave that.
        let _ = Command::new("kill").args(["-s", "QUIT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), certificate)
}

/// Why the program does not open this database. Its address is taken, so it ends also where it does.
fn refusal(url: &str) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(program_on(url).env(TOKENS_VARIABLE, TOKEN).args(["--listen", &address]))
}

#[tokio::test]
async fn the_resolver_logs_people_in_over_tls_and_does_not_start_where_it_cannot_trust_the_server() {
    let mut server = Server::start().await;
    let verified = format!("?sslmode=verify-full&sslrootcert={}", server.file("authority.pem"));
    let encrypted = "SELECT COUNT(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'resolver'";
    let mut users = Vec::new();
    // Without a word about it, TLS is used because it is offered.
    for query in [&*verified, ""] {
        let running = Running::start_with(&mut program_on(&server.url(NAME, query)), tempfile::tempdir().unwrap());
        let (_, outcome) = log_in_at(reqwest::Client::new(), running.origin.clone(), pc("o-1")).await.unwrap();
        users.push(signed_in(outcome).user);
        let is_encrypted: bool = sqlx::query_scalar(encrypted).fetch_one(&mut server.connection().await).await.unwrap();
        assert!(is_encrypted, "{query}");
        let (_, log) = running.stop("TERM");
        assert!(!log.contains("CANARY"), "{log}");
    }
    assert_eq!(users[0], users[1]);

    let of_another_authority = format!("?sslmode=verify-full&sslrootcert={}", server.file("other.pem"));
    let of_no_authority =
        "; expected a certificate for the host that the URL names, signed by an authority of this machine or of sslrootcert";
    let not_plain = "whether only with TLS (sslmode in the URL)";
    for (host, query, problem, advice) in [
        (NAME, &*of_another_authority, "UnknownIssuer", of_no_authority),
        (NAME, "?sslmode=verify-full", "UnknownIssuer", of_no_authority),
        ("127.0.0.1", &verified, "certificate not valid for name \"127.0.0.1\"; certificate is only valid for", of_no_authority),
        (NAME, "?sslmode=disable", "no encryption", not_plain),
    ] {
        let message = refusal(&server.url(host, query));
        let named = format!("the database wxgate at {host}:{} cannot be opened: ", server.port);
        assert!([&*named, problem, advice].iter().all(|part| message.contains(part)), "{query}: {message}");
        assert!(!message.contains("CANARY"), "{message}");
    }
}

/// Where the server has no TLS, whoever asks for it is not connected without.
#[tokio::test]
async fn the_resolver_does_not_start_without_the_tls_that_it_was_told_to_use() {
    let options = postgres_database("UTF8").await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", url_of(&options));
        let message = refusal(&url);
        assert!(message.contains("server does not support TLS"), "{mode}: {message}");
    }
}

/// A URL holds a password, also where it is wrong; an environment outlives the change that made it wrong.
#[test]
fn a_url_that_cannot_be_used_is_not_repeated() {
    let help = program_on("sqlite:wxgate.db").env("WXGATE_RESOLVER_DATABASE", "postgres://me:CANARY@db/wxgate").arg("--help").output();
    assert!(!String::from_utf8(help.unwrap().stdout).unwrap().contains("CANARY"));
    for (url, expected) in [
        ("postgres://me:CANARY@db/wxgate?ssl_mode=verify-full", "has a parameter that is none of application_name"),
        ("postgres://me:CANARY@db:port/wxgate", "is no postgres://"),
        ("postgres://me:p@1/CANARY@db/wxgate", "in a password, write %25 for %, %40 for @"),
        ("postgres://me:1#CANARY@db/wxgate", "in a password, write"),
        ("postgres://me:1?CANARY@db/wxgate", "has a parameter that is none of"),
        ("mysql://me:CANARY@db/wxgate", "expected sqlite:PATH"),
    ] {
        let refused = program_on(url).env(TOKENS_VARIABLE, TOKEN).output().unwrap();
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{message}");
        assert!(message.contains("--database") && message.contains(expected) && !message.contains("CANARY"), "{message}");
    }
}
