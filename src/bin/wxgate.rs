//! `wxgate`, the filter's companion for the command line: makes keys, checks a configuration, and explains what a
//! request would meet. It is built from the same core as the filter, so what it says is what the filter does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::Value;
use wxgate::config::{self, Application, Config, Problem};
use wxgate::gate::Gate;
use wxgate::http::{Headers, Moment, Request};
use wxgate::identity::{self, SigningKey};
use wxgate::rules::{Access, plain_path};
use wxgate::step::{CookieEdit, Event, Forward, Outcome, Reply, Step, Verdict};

/// WeChat login at the edge: makes keys, checks configurations, explains decisions.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key.
    #[command(subcommand)]
    Keygen(Keygen),
    /// Check a configuration: prints every problem with its place, and exits with 1 if there is any.
    Check(Check),
    /// Say what a request would meet: which application, which rule, what answer.
    Explain(Explain),
}

#[derive(Subcommand)]
enum Keygen {
    /// A session key: 32 random bytes in base64url.
    Session,
    /// A signing key for the identity header: a PKCS#8 PEM private key.
    Signing {
        /// How the header is signed.
        #[arg(long, value_enum, ignore_case = true, default_value_t = Algorithm::Es256)]
        alg: Algorithm,
        /// Print it on one line, with \n for line breaks, as environment files need it.
        #[arg(long)]
        env: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    /// ECDSA on P-256; every JWT library knows it.
    #[value(name = "ES256")]
    Es256,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
}

#[derive(Args)]
struct Check {
    /// The filter's configuration as JSON; `-` reads it from standard input.
    config: PathBuf,
    /// A file of NAME=VALUE lines. It counts before the environment.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Put strong throw-away values in the place of all variables, to check a configuration where its secrets are not.
    #[arg(long, conflicts_with = "env_file")]
    ignore_env: bool,
}

#[derive(Args)]
struct Explain {
    /// Such as GET.
    method: String,
    /// Such as https://shop.example.com/account. It is taken as written: nothing is normalised.
    url: String,
    /// The filter's configuration as JSON; `-` reads it from standard input. Its variables are not needed.
    #[arg(long)]
    config: PathBuf,
    /// A header of the request, such as 'Accept: text/html'. May be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

fn main() -> ExitCode {
    let world = World { read: &read, variable: &|name| std::env::var(name).ok() };
    match run(Arguments::parse().command, &world) {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Err(Stop::Refused(problems)) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            eprintln!("the configuration is refused: {}", counted(problems.len(), "problem"));
            if problems.iter().any(|problem| problem.path.ends_with(".env")) {
                eprintln!("where the secrets are not at hand, --ignore-env checks all the rest");
            }
            ExitCode::FAILURE
        }
        Err(Stop::Failed(why)) => {
            eprintln!("wxgate: {why}");
            ExitCode::from(2)
        }
    }
}

/// Why there is no answer.
enum Stop {
    /// The configuration is wrong.
    Refused(Vec<Problem>),
    /// It could not even be looked at.
    Failed(String),
}

/// All that is not in the arguments.
struct World<'a> {
    read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl World<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Stop> {
        (self.read)(path).map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path == Path::new("-") { io::stdin().read_to_end(&mut text).map(|_| text) } else { fs::read(path) }
}

fn run(command: Command, world: &World) -> Result<String, Stop> {
    match command {
        Command::Keygen(Keygen::Session) => Ok(format!("{}\n", random_key()?)),
        Command::Keygen(Keygen::Signing { alg, env }) => {
            let pem = signing_key(alg)?;
            Ok(if env { format!("{}\n", pem.trim_end().replace('\n', "\\n")) } else { pem })
        }
        Command::Check(check) => {
            let text = world.read(&check.config)?;
            let config = if check.ignore_env {
                compile_without_secrets(&text)?
            } else {
                let variables = check.env_file.as_deref().map_or(Ok(HashMap::new()), |path| env_file(path, world))?;
                compile(&text, &|name| variables.get(name).cloned().or_else(|| (world.variable)(name)))?
            };
            let connectors = list(&serde_json::from_slice(&text).unwrap_or_default(), "/connectors").len();
            let (connectors, applications) = (counted(connectors, "connector"), counted(config.applications.len(), "application"));
            Ok(format!("configuration is good: {connectors}, {applications}\n"))
        }
        Command::Explain(explain) => {
            let text = world.read(&explain.config)?;
            let gate = Rc::new(Gate::new(compile_without_secrets(&text)?));
            let document = serde_json::from_slice(&text).unwrap_or_default();
            Ok(describe(&gate, &document, &Asked::parse(&explain)?))
        }
    }
}

fn random_key() -> Result<String, Stop> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

fn signing_key(algorithm: Algorithm) -> Result<String, Stop> {
    let algorithm = match algorithm {
        Algorithm::Es256 => identity::Algorithm::Es256,
        Algorithm::EdDsa => identity::Algorithm::EdDsa,
    };
    loop {
        if let Some(pem) = SigningKey::new_pem(algorithm, &random()?) {
            return Ok(pem);
        }
    }
}

fn random() -> Result<[u8; 32], Stop> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Stop::Failed(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// `NAME=VALUE` lines as container tools read them: comments, `export`, and quotes around a value are allowed.
fn env_file(path: &Path, world: &World) -> Result<HashMap<String, String>, Stop> {
    let text = String::from_utf8(world.read(path)?).map_err(|_| Stop::Failed(format!("{}: not UTF-8", path.display())))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let read = lines.map(|(index, line)| {
        // The line itself is not shown: it may hold a secret.
        let wrong = || Stop::Failed(format!("{}, line {}: expected NAME=VALUE", path.display(), index + 1));
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=').ok_or_else(wrong)?;
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        Ok((name.trim().to_owned(), unquoted.unwrap_or(value).to_owned()))
    });
    read.collect()
}

fn compile(text: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Stop> {
    config::compile(text, env).map_err(Stop::Refused)
}

/// Compiles with a throw-away value for every variable. What a variable is for shows in the configuration: signing
/// keys need a PEM, connectors of one app need the same secret, and everything else takes a random key.
fn compile_without_secrets(text: &[u8]) -> Result<Config, Stop> {
    let document: Value = serde_json::from_slice(text).unwrap_or_default();
    let text_at = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut values = HashMap::new();
    for key in list(&document, "/identity/keys") {
        let algorithm = if text_at(key, "/alg").as_deref() == Some("EdDSA") { Algorithm::EdDsa } else { Algorithm::Es256 };
        if let Some(name) = text_at(key, "/private_key/env") {
            values.insert(name, signing_key(algorithm)?);
        }
    }
    let app_secret = random_key()?;
    let names = list(&document, "/connectors").iter().filter_map(|connector| text_at(connector, "/app_secret/env"));
    values.extend(names.map(|name| (name, app_secret.clone())));
    let values = RefCell::new(values);
    compile(text, &|name| {
        let mut values = values.borrow_mut();
        if !values.contains_key(name) {
            values.insert(name.to_owned(), random_key().ok()?);
        }
        values.get(name).cloned()
    })
}

fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The request of `explain`.
struct Asked<'a> {
    method: &'a str,
    authority: &'a str,
    scheme: &'a str,
    path: &'a str,
    headers: Vec<(String, &'a str)>,
}

impl<'a> Asked<'a> {
    fn parse(explain: &'a Explain) -> Result<Self, Stop> {
        let expected = || Stop::Failed("expected an address such as https://shop.example.com/account".into());
        let (scheme, rest) = explain.url.split_once("://").ok_or_else(expected)?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at).ok_or_else(expected)?;
        if authority.is_empty() || !(path.is_empty() || path.starts_with('/')) {
            return Err(expected());
        }
        let headers = explain.headers.iter().map(|header| {
            let (name, value) =
                header.split_once(':').ok_or_else(|| Stop::Failed("expected a header such as 'Accept: text/html'".into()))?;
            Ok((name.trim().to_ascii_lowercase(), value.trim()))
        });
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { method: &explain.method, authority, scheme, path, headers: headers.collect::<Result<_, Stop>>()? })
    }

    fn request(&self, accept: Option<&'a str>) -> Request {
        let pseudo = [(":method", self.method), (":scheme", self.scheme), (":authority", self.authority), (":path", self.path)];
        let given = self.headers.iter().map(|(name, value)| (name.as_str(), *value));
        let all = pseudo.into_iter().chain(given).chain(accept.map(|accept| ("accept", accept)));
        Request { headers: Headers::from_pairs(all.map(|(name, value)| (name, value.as_bytes()))), source: || None }
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| *value)
    }

    /// Whether the headers say what kind of answer is expected.
    fn says_its_kind(&self) -> bool {
        self.headers.iter().any(|(name, _)| matches!(name.as_str(), "accept" | "sec-fetch-mode" | "upgrade"))
    }
}

/// Runs the request without a session and tells what became of it. Time and seed are fixed, so the same question always
/// has the same answer.
fn describe(gate: &Rc<Gate>, document: &Value, asked: &Asked) -> String {
    let begin = |accept| gate.begin(&asked.request(accept), Moment { now_ms: 0, seed: [0; 32] });
    let mut answers = if asked.says_its_kind() {
        vec![("answer", begin(None))]
    } else {
        vec![("to a page navigation", begin(Some("text/html"))), ("to a program", begin(Some("application/json")))]
    };
    let context = answers.first().map(|(_, step)| describe_context(gate.config(), document, asked, step)).unwrap_or_default();
    let mut told: Vec<(&str, String)> = answers.drain(..).map(|(label, step)| (label, describe_step(&step))).collect();
    told.dedup_by(|(_, later), (label, earlier)| {
        let is_same = later == earlier;
        *label = if is_same { "answer" } else { *label };
        is_same
    });
    let told: String = told.iter().map(|(label, answer)| format!("{label}:\n{answer}")).collect();
    format!("{} {}://{}{} without a session\n{context}{told}", asked.method, asked.scheme, asked.authority, asked.path)
}

fn describe_context(config: &Config, document: &Value, asked: &Asked, step: &Step) -> String {
    let Some((index, application)) = application(config, asked, step) else { return "application: none has this host\n".into() };
    let mut text = format!("application: {} ({})\n", application.id, application.origin);
    if is_answered_by_ourselves(step) {
        return text + "rule: none is asked, the filter answers this itself\n";
    }
    // A preflight is judged by the method that it asks for.
    let is_preflight = matches!(step, Step::Done(Outcome { verdict: Verdict::Forward(_), .. })) && asked.method == "OPTIONS";
    let method = asked.header("access-control-request-method").filter(|_| is_preflight).unwrap_or(asked.method);
    let decision = application.rules.decide(method.as_bytes(), asked.path.as_bytes());
    let access = match decision.access {
        Access::Public => "public: passes without identity",
        Access::Optional => "optional: passes, with identity where there is a session",
        Access::Protected => "protected: passes only with a session",
    };
    text += &match decision.rule {
        Some(rule) => {
            let written = document.pointer(&format!("/applications/{index}/rules/{rule}")).unwrap_or(&Value::Null);
            format!("rule: $.applications[{index}].rules[{rule}] {written}\n")
        }
        None if plain_path(asked.path.as_bytes()).is_none() => "rule: none, two servers could read this path differently\n".into(),
        None => "rule: none matches\n".into(),
    };
    text + &format!("access: {access}{}\n", if decision.preflight { "; CORS preflights pass" } else { "" })
}

/// The application that the gate chose: the one of the origin, or the one to whose origin it redirects.
fn application<'a>(config: &'a Config, asked: &Asked, step: &Step) -> Option<(usize, &'a Rc<Application>)> {
    let location = match step {
        Step::Done(Outcome { verdict: Verdict::Reply(Reply { status: 308, headers, .. }), .. }) => {
            headers.iter().find(|(name, _)| *name == "location").map(|(_, location)| location.as_str())
        }
        _ => None,
    };
    let authority = asked.authority.to_ascii_lowercase();
    let (host, port) = authority.split_at_checked(authority.rfind(':').unwrap_or(authority.len())).unwrap_or_default();
    let authority = format!("{}{port}", host.strip_suffix('.').unwrap_or(host));
    let is_chosen = |application: &Application| match location {
        Some(location) => location.strip_prefix(&application.origin).is_some_and(|path| path.starts_with('/')),
        None => {
            let (scheme, own) = application.origin.split_once("://").unwrap_or_default();
            let default_port = if scheme == "https" { ":443" } else { ":80" };
            own == authority.strip_suffix(default_port).unwrap_or(&authority)
        }
    };
    config.applications.iter().enumerate().find(|(_, application)| is_chosen(application))
}

/// Whether the answer has nothing to do with the application's rules.
fn is_answered_by_ourselves(step: &Step) -> bool {
    match step {
        Step::Call(..) | Step::ReadBody(_) => true,
        Step::Done(Outcome { verdict: Verdict::Forward(_), .. }) => false,
        Step::Done(Outcome { events, .. }) => !events.iter().any(|event| matches!(event, Event::Refused { .. })),
    }
}

fn describe_step(step: &Step) -> String {
    match step {
        Step::Call(call, _) => format!("  depends on what {} answers ({})\n", call.peer.label(), call.label),
        Step::ReadBody(_) => "  depends on the request's body\n".into(),
        Step::Done(Outcome { verdict: Verdict::Forward(forward), .. }) => describe_forward(forward),
        Step::Done(Outcome { verdict: Verdict::Reply(reply), events }) => {
            describe_reply(reply) + &events.iter().map(describe_event).collect::<String>()
        }
    }
}

fn describe_forward(forward: &Forward) -> String {
    let mut text = String::from("  goes on to the application, without identity\n");
    for name in &forward.remove {
        text += &format!("  after removing the header {name}: only the filter may set it\n");
    }
    if forward.cookie != CookieEdit::Keep {
        text += "  after removing the filter's own cookies\n";
    }
    if forward.remove_authorization {
        text += "  after removing the filter's own bearer token\n";
    }
    text
}

fn describe_reply(reply: &Reply) -> String {
    let mut text = format!("  {}\n", reply.status);
    for (name, value) in reply.headers.iter().filter(|(name, _)| !HARDENING.contains(name)) {
        let is_cookie = *name == "set-cookie";
        let shown = if is_cookie { value.split('=').next().unwrap_or_default() } else { value };
        text += &format!("  {name}: {shown}{}\n", if is_cookie { "=..." } else { "" });
    }
    let is_json = reply.headers.iter().any(|(name, value)| *name == "content-type" && value.starts_with("application/json"));
    match std::str::from_utf8(&reply.body) {
        Ok("") => {}
        Ok(body) if is_json => text += &format!("  {body}\n"),
        _ => text += &format!("  a body of {} bytes\n", reply.body.len()),
    }
    text
}

/// Headers that every page has and that say nothing about this request.
const HARDENING: [&str; 6] = [
    "content-security-policy",
    "cross-origin-opener-policy",
    "permissions-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
];

fn describe_event(event: &Event) -> String {
    match event {
        Event::Refused { kind, reason, .. } => format!("  refused as {kind}: {reason}\n"),
        Event::Failed { failure, .. } if !failure.detail.is_empty() => format!("  {}: {}\n", failure.error.code(), failure.detail),
        Event::Failed { failure, .. } => format!("  {}\n", failure.error.code()),
        _ => String::new(),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{
        "resolver": {"token": {"env": "TOKEN"}},
        "session": {"keys": [{"env": "SESSION_KEY"}]},
        "identity": {"keys": [{"alg": "EdDSA", "private_key": {"env": "SIGNING_KEY"}}], "claim_headers": {"x-user-id": "sub"}},
        "connectors": [
            {"id": "pc", "type": "website_qr", "app_id": "wx0123456789abcdef", "app_secret": {"env": "PC_SECRET"}, "platform": "main"},
            {"id": "pc2", "type": "website_qr", "app_id": "wx0123456789abcdef", "app_secret": {"env": "PC2_SECRET"}, "platform": "main"}
        ],
        "applications": [{
            "id": "shop", "origin": "https://shop.example.com", "hosts": ["www.example.com"], "connectors": ["pc"],
            "rules": [{"path_prefix": "/assets", "access": "public"}, {"path_prefix": "/api", "access": "protected", "preflight": "allow"}]
        }]
    }"#;

    fn wxgate(arguments: &[&str], files: &[(&str, &str)]) -> Result<String, String> {
        let read = |path: &Path| match files.iter().find(|(name, _)| Path::new(name) == path) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        let arguments = Arguments::try_parse_from(std::iter::once(&"wxgate").chain(arguments)).map_err(|error| error.to_string())?;
        run(arguments.command, &World { read: &read, variable: &|_| None }).map_err(|stop| match stop {
            Stop::Refused(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
            Stop::Failed(why) => why,
        })
    }

    fn explain(arguments: &[&str]) -> String {
        wxgate(&[&["explain", "--config", "c"], arguments].concat(), &[("c", CONFIG)]).unwrap()
    }

    #[test]
    fn keys_that_are_made_are_good() {
        let session = wxgate(&["keygen", "session"], &[]).unwrap();
        let signing = wxgate(&["keygen", "signing", "--alg", "eddsa", "--env"], &[]).unwrap();
        assert_eq!(signing.lines().count(), 1);
        assert!(!signing.contains("PUBLIC"), "only the private key is printed");
        let (key, pem) = (session.trim(), signing.trim());
        let env = format!("# ours\nTOKEN={key}\nexport SESSION_KEY='{key}'\n\nPC_SECRET={key}\nPC2_SECRET={key}\nSIGNING_KEY=\"{pem}\"\n");
        assert_eq!(
            wxgate(&["check", "c", "--env-file", "e"], &[("c", CONFIG), ("e", &env)]).unwrap(),
            "configuration is good: 2 connectors, 1 application\n"
        );

        let es256 = wxgate(&["keygen", "signing"], &[]).unwrap();
        assert!(es256.starts_with("-----BEGIN PRIVATE KEY-----\n") && es256.ends_with("-----END PRIVATE KEY-----\n"), "PKCS#8");
    }

    #[test]
    fn check_tells_every_problem() {
        let refused = wxgate(&["check", "c"], &[("c", CONFIG)]).unwrap_err();
        for name in ["TOKEN", "SESSION_KEY", "SIGNING_KEY", "PC_SECRET", "PC2_SECRET"] {
            assert!(refused.contains(&format!("the environment variable {name} is not set")), "{name} in {refused}");
        }
        assert_eq!(
            wxgate(&["check", "c", "--ignore-env"], &[("c", CONFIG)]).unwrap(),
            "configuration is good: 2 connectors, 1 application\n"
        );
        let wrong = CONFIG.replace("\"id\": \"shop\"", "\"id\": \"Shop\"").replace("platform", "plattform");
        let refused = wxgate(&["check", "-", "--ignore-env"], &[("-", &wrong)]).unwrap_err();
        assert_eq!(refused.lines().count(), 5, "{refused}");
        assert!(wxgate(&["check", "nowhere"], &[]).unwrap_err().starts_with("nowhere: "));
    }

    #[test]
    fn a_line_of_an_env_file_that_cannot_be_read_is_not_shown() {
        let refused = wxgate(&["check", "c", "--env-file", "e"], &[("c", CONFIG), ("e", "A=b\n\nhunter2\n")]).unwrap_err();
        assert_eq!(refused, "e, line 3: expected NAME=VALUE");
    }

    #[test]
    fn explain_names_application_rule_and_answer() {
        let public = explain(&["GET", "https://shop.example.com/assets/a.css"]);
        for part in [
            "application: shop (https://shop.example.com)",
            "rule: $.applications[0].rules[0] {",
            "access: public",
            "answer:\n  goes on to the application",
        ] {
            assert!(public.contains(part), "{part} in {public}");
        }
        let protected = explain(&["GET", "https://SHOP.example.com.:443/account?a=b"]);
        for part in [
            "application: shop",
            "rule: none matches",
            "access: protected",
            "to a page navigation:\n  303\n  location: https://shop.example.com/wxgate/login?return_to=%2Faccount%3Fa%3Db\n",
            "to a program:\n  401\n",
            "refused as api: no_session",
        ] {
            assert!(protected.contains(part), "{part} in {protected}");
        }
        assert!(
            explain(&["GET", "https://shop.example.com/assets/..;/account"])
                .contains("rule: none, two servers could read this path differently")
        );
        assert!(explain(&["GET", "https://other.example.com/"]).contains("application: none has this host"));
        let alias = explain(&["GET", "https://www.example.com/a"]);
        assert!(alias.contains("application: shop") && alias.contains("308\n  location: https://shop.example.com/a\n"), "{alias}");
        let ours = explain(&["GET", "https://shop.example.com/wxgate/start/pc", "--header", "Accept: text/html"]);
        assert!(
            ours.contains("rule: none is asked")
                && ours.contains("location: https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef"),
            "{ours}"
        );
        assert!(!ours.contains("wxg1."), "cookies are named, not shown: {ours}");
    }

    #[test]
    fn explain_knows_preflights_and_spoofed_headers() {
        let preflight = ["--header", "Origin: https://a.example", "--header", "Access-Control-Request-Method: PUT"];
        let passes = explain(&[&["OPTIONS", "https://shop.example.com/api/x"], &preflight[..]].concat());
        assert!(
            passes.contains("rules[1]") && passes.contains("CORS preflights pass") && passes.contains("goes on to the application"),
            "{passes}"
        );
        let refused = explain(&[&["OPTIONS", "https://shop.example.com/x"], &preflight[..]].concat());
        assert!(refused.contains("401"), "{refused}");
        let spoofed = explain(&["GET", "https://shop.example.com/assets/a", "--header", "X_User_Id: 7"]);
        assert!(spoofed.contains("after removing the header x_user_id"), "{spoofed}");
    }

    #[test]
    fn the_arguments_are_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
