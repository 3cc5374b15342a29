//! From what the operator wrote to what the gate may rely on: every section is read to its end, then the sections are
//! held against each other, and only a configuration without a single problem comes out.

use std::collections::HashMap;
use std::rc::Rc;

use resolver_api::LoginMethod;

use super::form::{self, Origin, guard};
use super::method::method;
use super::push::push;
use super::raw::{self, Fault, Field, Object, Problem, Reading, did_you_mean};
use super::{
    Application, Claims, Config, Connector, IdentityRules, Method, OnOutage, PlainClaim, ResolverService, RevocationRules, SessionRules,
    VerificationFile, WechatApi,
};
use crate::identity::{Algorithm, SigningKey};
use crate::rules::{Access, PathPattern, Rule, Rules};
use crate::secret::Secret;
use crate::session::{KeyError, KeyRing, SealingKey};

/// Compiles the operator's JSON. `env` looks a variable up in the VM's environment.
///
/// # Errors
/// Every problem of the configuration, never just the first. No message holds a secret.
pub fn compile(json: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Vec<Problem>> {
    let document = raw::parse(json).map_err(|problem| vec![problem])?;
    let reading = Reading::new(env);
    let config = reading.root(&document).object().and_then(|root| config(&root));
    match (config, reading.problems()) {
        (Some(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(problems),
    }
}

// Each function below reads all of its fields before it gives up with `?`, so that one problem hides no other.

fn config(root: &Object) -> Option<Config> {
    root.only(&["path_prefix", "wechat", "resolver", "session", "identity", "revocation", "connectors", "applications"]);
    let path_prefix = root.parse_or("path_prefix", "/wxgate", form::own_prefix);
    let wechat = root.section("wechat").and_then(|section| wechat(&section));
    let resolver = root.section("resolver").and_then(|section| resolver(&section));
    let revocation = root.section("revocation").and_then(|section| revocation(&section));

    let connectors: Option<Vec<_>> =
        root.list("connectors", "a list of at least one connector").map(|list| list.iter().filter_map(connector).collect());
    let connectors = connectors.unwrap_or_default();
    let own = path_prefix.as_deref();
    let applications = root.list("applications", "a list of at least one application");
    let applications: Vec<_> = applications.into_iter().flatten().filter_map(|field| application(&field, &connectors, own)).collect();
    ids_are_unique(connectors.iter().map(|draft| (&draft.place, &draft.id)));
    ids_are_unique(applications.iter().map(|draft| (&draft.place, &draft.id)));
    one_app_is_described_once(&connectors);
    one_callback_domain_per_app(&connectors, &applications);
    one_application_per_host(&applications);
    no_port_at_wechat(wechat.as_ref(), &applications);

    // With several applications none of their origins could speak for all of them.
    let only_origin = match applications.as_slice() {
        [only] => only.origin.as_ref().map(|origin| origin.text.as_str()),
        _ => None,
    };
    let identity_section = root.section("identity");
    let issuer = identity_section.as_ref().and_then(|section| issuer(section, only_origin, applications.len()));
    let identity = identity_section.and_then(|section| identity(&section, issuer.clone()));
    let session = root.section("session").and_then(|section| session(&section, issuer.as_deref()));

    let (by_authority, by_host, applications) = by_name(applications)?;
    Some(Config {
        path_prefix: path_prefix?,
        wechat: wechat?,
        resolver: resolver?,
        session: session?,
        identity: identity?,
        revocation: revocation?,
        applications,
        by_authority,
        by_host,
    })
}

fn wechat(section: &Object) -> Option<WechatApi> {
    section.only(&["cluster", "api_authority", "open_origin", "timeout_ms"]);
    let cluster = section.parse_or("cluster", "wechat_api", form::cluster);
    let api_authority = section.parse_or("api_authority", "api.weixin.qq.com", form::authority);
    let open_origin = section.parse_or("open_origin", "https://open.weixin.qq.com", form::open_origin);
    let timeout_ms = timeout_ms(section, 5000);
    Some(WechatApi { cluster: cluster?, api_authority: api_authority?, open_origin: open_origin?.text, timeout_ms: timeout_ms? })
}

fn resolver(section: &Object) -> Option<ResolverService> {
    section.only(&["cluster", "waiting_cluster", "authority", "token", "timeout_ms"]);
    let cluster = section.parse_or("cluster", "wxgate_resolver", form::cluster);
    let waiting_cluster = section.find("waiting_cluster").map_or(cluster.clone(), |field| field.parse(form::cluster));
    let authority = section.parse_or("authority", "resolver.internal", form::authority);
    let token = secret(section, "token", "the bearer token that the resolver asks for: {\"env\": \"WXGATE_RESOLVER_TOKEN\"}", 32);
    let timeout_ms = timeout_ms(section, 3000);
    Some(ResolverService {
        cluster: cluster?,
        waiting_cluster: waiting_cluster?,
        authority: authority?,
        token: token?,
        timeout_ms: timeout_ms?,
    })
}

/// Envoy takes a timeout below 1 ms for none at all; below 50 ms no call would ever succeed.
fn timeout_ms(section: &Object, default: u32) -> Option<u32> {
    section.number_or("timeout_ms", default, 50..=60_000)
}

fn secret(section: &Object, key: &str, what: &str, min: usize) -> Option<Secret> {
    let field = section.required(key, what)?;
    let value = field.secret()?;
    form::secret_text(&value, min).map_err(|fault| field.report(fault)).ok()?;
    Some(Secret::new(value))
}

fn revocation(section: &Object) -> Option<RevocationRules> {
    section.only(&["poll_seconds", "on_outage"]);
    let poll_seconds = section.number_or("poll_seconds", 5, 1..=300);
    let on_outage = section.choice_or("on_outage", OnOutage::Serve, &[("serve", OnOutage::Serve), ("refuse", OnOutage::Refuse)]);
    Some(RevocationRules { poll_seconds: poll_seconds?.into(), on_outage: on_outage? })
}

fn session(section: &Object, issuer: Option<&str>) -> Option<SessionRules> {
    section.only(&["keys", "idle_seconds", "absolute_seconds"]);
    let keys = keys(section, "at least one session key: {\"env\": \"WXGATE_SESSION_KEY\"}", session_key, SealingKey::id);
    let absolute = section.number_or("absolute_seconds", 2_592_000, 60..=31_536_000);
    // A short absolute limit shortens the default of the other; only an idle time that was asked for is held against it.
    let idle = section.number_or("idle_seconds", 86_400.min(absolute.unwrap_or(86_400)), 60..=absolute.unwrap_or(31_536_000));
    Some(SessionRules { keys: KeyRing::new(issuer?, keys?), idle_seconds: idle?.into(), absolute_seconds: absolute?.into() })
}

fn session_key(field: &Field) -> Option<SealingKey> {
    let value = field.secret()?;
    let fault = |error| match error {
        KeyError::Malformed => "expected 32 bytes in base64url (43 characters)",
        KeyError::Weak => "this key can be guessed: it is an example or a text, not 32 random bytes",
    };
    SealingKey::parse(&value).map_err(|error| field.report(Fault::new(fault(error)).hint("`wxgate keygen session` makes one"))).ok()
}

/// The keys of a section, newest first. The same key twice is a rotation that did not happen.
fn keys<K>(section: &Object, what: &str, read: fn(&Field) -> Option<K>, id: fn(&K) -> &str) -> Option<Vec<K>> {
    let fields = section.list("keys", what)?;
    let read: Vec<Option<K>> = fields.iter().map(read).collect();
    for (index, (field, key)) in fields.iter().zip(&read).enumerate() {
        let Some(key) = key else { continue };
        if read.iter().take(index).flatten().any(|earlier| id(earlier) == id(key)) {
            field.report(Fault::new("this is the same key as an earlier one"));
        }
    }
    read.into_iter().collect()
}

fn issuer(section: &Object, only_origin: Option<&str>, applications: usize) -> Option<String> {
    match only_origin {
        Some(origin) => section.parse_or("issuer", origin, form::issuer),
        // A single application without a usable origin has been told so; its issuer would have been that origin.
        None if applications < 2 && section.find("issuer").is_none() => None,
        None => section
            .required("issuer", "the address that signs for all applications, such as https://login.example.com")?
            .parse(form::issuer),
    }
}

fn identity(section: &Object, issuer: Option<String>) -> Option<IdentityRules> {
    section.only(&["issuer", "header", "ttl_seconds", "keys", "claim_headers"]);
    let header = section.parse_or("header", "x-wxgate-identity", form::header_name);
    let ttl_seconds = section.number_or("ttl_seconds", 120, 10..=300);
    let keys = keys(
        section,
        "at least one signing key: {\"alg\": \"ES256\", \"private_key\": {\"env\": \"WXGATE_SIGNING_KEY\"}}",
        signing_key,
        SigningKey::key_id,
    );
    let claim_headers = section.section("claim_headers").and_then(|section| claim_headers(&section, header.as_deref()));
    Some(IdentityRules { issuer: issuer?, header: header?, ttl_seconds: ttl_seconds?.into(), keys: keys?, claim_headers: claim_headers? })
}

fn signing_key(field: &Field) -> Option<SigningKey> {
    let object = field.object()?;
    object.only(&["alg", "private_key"]);
    let algorithm = object.parse_or("alg", "ES256", algorithm);
    let private_key = object.required("private_key", "a PKCS#8 PEM private key: {\"env\": \"WXGATE_SIGNING_KEY\"}");
    let pem = private_key.as_ref().and_then(Field::secret);
    let (algorithm, private_key, pem) = (algorithm?, private_key?, pem?);
    let Ok(key) = SigningKey::from_pem(algorithm, &pem) else {
        let made_by = format!("`wxgate keygen signing --alg {}` makes one", algorithm.name());
        private_key.report(Fault::new(format!("expected a PKCS#8 PEM private key for {}", algorithm.name())).hint(made_by));
        return None;
    };
    if PUBLISHED_KEYS.contains(&key.key_id()) {
        private_key.report(
            Fault::new("this private key is published as an example; anybody can sign with it").hint("`wxgate keygen signing` makes one"),
        );
        return None;
    }
    Some(key)
}

/// Thumbprints of private keys that stand in documents people copy from: RFC 7515 A.3, RFC 8037 A.1, and the ES256 key of jwt.io.
const PUBLISHED_KEYS: [&str; 3] = [
    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    "19J8y7Zprt2-QKLjF2I5pVk0OELX6cY2AfaAv1LC_w8",
];

fn algorithm(name: &str) -> Result<Algorithm, Fault> {
    let fault = Fault::new("expected ES256 or EdDSA");
    match name {
        "ES256" => Ok(Algorithm::Es256),
        "EdDSA" => Ok(Algorithm::EdDsa),
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
            Err(fault.hint("one RSA signature blocks an Envoy worker for about 11 ms; every JWT library that knows RS256 knows ES256"))
        }
        "HS256" | "HS384" | "HS512" => Err(fault.hint("with a shared secret every application could sign for every other")),
        "Ed25519" => Err(fault.hint("in a JWT, Ed25519 is called EdDSA")),
        _ => Err(fault),
    }
}

fn claim_headers(section: &Object, identity_header: Option<&str>) -> Option<Vec<(String, PlainClaim)>> {
    let claims = [
        ("sub", PlainClaim::Sub),
        ("sid", PlainClaim::Sid),
        ("connector", PlainClaim::Connector),
        ("name", PlainClaim::Name),
        ("phone_number", PlainClaim::PhoneNumber),
    ];
    let read = section.members().map(|(name, field)| {
        let header = form::header_name(name)
            .and_then(|name| {
                guard(Some(name.as_str()) != identity_header, "this is the identity header itself; choose another name").map(|()| name)
            })
            .map_err(|fault| field.report(fault));
        Some((header.ok(), field.choice(&claims)))
    });
    let read: Vec<_> = read.collect();
    read.into_iter().map(|entry| entry.and_then(|(header, claim)| Some((header?, claim?)))).collect()
}

/// A connector as far as it could be read; the rest is for the checks between connectors and applications.
struct ConnectorDraft<'a> {
    place: Object<'a>,
    id: Option<String>,
    app_id: Option<String>,
    platform: Option<String>,
    method: Option<Method>,
    connector: Option<Rc<Connector>>,
}

fn connector<'a>(field: &Field<'a>) -> Option<ConnectorDraft<'a>> {
    let place = field.object()?;
    let has_message_server = place.flag_or("message_server", false);
    let common = ["id", "type", "display_name", "app_id", "app_secret", "platform", "push", "message_server"];
    let method = method(&place, &common, has_message_server);
    let push = push(&place, has_message_server);
    let id = place.required("id", "a short name such as pc; it appears in paths and metrics").and_then(|field| field.parse(form::id(32)));
    let display_name = place.parse_or("display_name", "WeChat", form::display_name);
    let app_id = place.required("app_id", "the AppID from WeChat's console").and_then(|field| field.parse(form::app_id));
    let app_secret = secret(&place, "app_secret", "the AppSecret from WeChat's console: {\"env\": \"NAME\"}", 16);
    let platform =
        place.required("platform", "a name of yours for the WeChat Open Platform account that the app is bound to, such as main");
    let platform = platform.and_then(|field| field.parse(form::label));
    let build = || {
        let (id, app_id, platform, method) = (id.clone()?, app_id.clone()?, platform.clone()?, method.clone()?);
        Some(Rc::new(Connector { id, display_name: display_name?, app_id, app_secret: app_secret?, platform, method, push: push? }))
    };
    let connector = build();
    Some(ConnectorDraft { place, id, app_id, platform, method, connector })
}

/// An application as far as it could be read.
struct ApplicationDraft<'a> {
    place: Object<'a>,
    id: Option<String>,
    origin: Option<Origin>,
    hosts: Vec<(Field<'a>, String)>,
    /// Where it enables which connector.
    enabled: Vec<(Field<'a>, usize)>,
    application: Option<Application>,
}

fn application<'a>(field: &Field<'a>, connectors: &[ConnectorDraft<'a>], own_prefix: Option<&str>) -> Option<ApplicationDraft<'a>> {
    let place = field.object()?;
    place.only(&["id", "display_name", "pool", "origin", "hosts", "connectors", "rules", "claims", "experience", "verification_files"]);
    let id = place
        .required("id", "a short name such as shop; it is the audience of the identity header")
        .and_then(|field| field.parse(form::id(64)));
    let display_name = place.parse_or("display_name", id.as_deref().unwrap_or("-"), form::display_name);
    let pool = place.parse_or("pool", "default", form::label);
    let origin =
        place.required("origin", "where visitors find it, such as https://shop.example.com").and_then(|field| field.parse(form::origin));
    let hosts = place
        .list_or_empty("hosts")
        .map(|list| list.into_iter().filter_map(|field| field.parse(form::host).map(|host| (field, host))).collect());
    let enabled = place.list("connectors", "the ids of the connectors that this application offers").map(|list| enabled(list, connectors));
    let rules = place.list_or_empty("rules").and_then(|list| rules(&list, own_prefix));
    let claims = place.section("claims").and_then(|section| claims(&section));
    let experience = place.flag_or("experience", false);
    let verification_files = place.list_or_empty("verification_files").and_then(|list| verification_files(&list));
    let (hosts, enabled): (Vec<_>, Vec<_>) = (hosts.unwrap_or_default(), enabled.unwrap_or_default());
    let build = || {
        let built = enabled.iter().map(|(_, index)| connectors.get(*index)?.connector.clone());
        let (id, origin, connectors) = (id.clone()?, origin.as_ref()?.text.clone(), built.collect::<Option<Vec<_>>>()?);
        let (rules, claims, verification_files) = (rules?, claims?, verification_files?);
        let (display_name, pool, experience) = (display_name?, pool?, experience?);
        Some(Application { id, display_name, pool, origin, connectors, rules, claims, experience, verification_files })
    };
    let application = build();
    Some(ApplicationDraft { place, id, origin, hosts, enabled, application })
}

fn enabled<'a>(list: Vec<Field<'a>>, connectors: &[ConnectorDraft]) -> Vec<(Field<'a>, usize)> {
    let mut enabled: Vec<(Field<'a>, usize)> = vec![];
    if connectors.is_empty() {
        return enabled; // that there are none has been said
    }
    for field in list {
        let Some(id) = field.text() else { continue };
        // Also one whose id has a wrong form counts: its own place says what is wrong with it.
        let written = |draft: &ConnectorDraft| draft.place.find("id").and_then(|id| id.written()) == Some(id);
        let Some(index) = connectors.iter().position(written) else {
            let known: Vec<&str> = connectors.iter().filter_map(|draft| draft.id.as_deref()).collect();
            let hint = did_you_mean(id, &known).unwrap_or_else(|| format!("there are: {}", known.join(", ")));
            field.report(Fault::new("there is no connector of that id").hint(hint));
            continue;
        };
        if enabled.iter().any(|(_, earlier)| *earlier == index) {
            field.report(Fault::new("this connector is listed twice"));
            continue;
        }
        enabled.push((field, index));
    }
    enabled
}

fn claims(section: &Object) -> Option<Claims> {
    section.only(&["name", "picture", "phone_number", "wechat"]);
    let (name, picture) = (section.flag_or("name", true), section.flag_or("picture", true));
    let (phone_number, wechat) = (section.flag_or("phone_number", false), section.flag_or("wechat", false));
    Some(Claims { name: name?, picture: picture?, phone_number: phone_number?, wechat: wechat? })
}

fn verification_files(list: &[Field]) -> Option<Vec<VerificationFile>> {
    let mut files: Vec<VerificationFile> = vec![];
    let mut all_are_good = true;
    for field in list {
        match verification_file(field) {
            Some(file) if files.iter().any(|earlier| earlier.path == file.path) => field.report(Fault::new("this file is listed twice")),
            Some(file) => files.push(file),
            None => all_are_good = false,
        }
    }
    all_are_good.then_some(files)
}

fn verification_file(field: &Field) -> Option<VerificationFile> {
    let object = field.object()?;
    object.only(&["path", "content"]);
    let path = object
        .required("path", "the name of the file after a slash, such as /MP_verify_abc.txt")
        .and_then(|field| field.parse(form::verification_path));
    let content = object.required("content", "what stands in the file").and_then(|field| field.parse(form::verification_content));
    Some(VerificationFile { path: path?, content: content? })
}

fn rules(list: &[Field], own_prefix: Option<&str>) -> Option<Rules> {
    let read: Vec<Option<Rule>> = list.iter().map(|field| rule(field, own_prefix)).collect();
    for (index, (field, rule)) in list.iter().zip(&read).enumerate() {
        let Some(rule) = rule else { continue };
        let shadow = read.iter().take(index).position(|earlier| earlier.as_ref().is_some_and(|earlier| covers(earlier, rule)));
        if let Some(shadow) = shadow {
            field.report(
                Fault::new(format!("this rule is never reached: rule {shadow} matches all of its requests first"))
                    .hint("put the narrower rule first"),
            );
        }
    }
    read.into_iter().collect::<Option<Vec<Rule>>>().map(Rules::new)
}

fn rule(field: &Field, own_prefix: Option<&str>) -> Option<Rule> {
    let object = field.object()?;
    object.only(&["path_exact", "path_prefix", "methods", "access", "preflight"]);
    let path = rule_path(&object, own_prefix);
    let methods = match object.find("methods") {
        None => Some(vec![]),
        Some(_) => object.list("methods", "the methods that the rule is for; leave `methods` out for all").and_then(|list| {
            let methods: Vec<_> = list.iter().map(|field| field.parse(form::http_method)).collect();
            methods.into_iter().collect()
        }),
    };
    let access = object.choice("access", &[("public", Access::Public), ("optional", Access::Optional), ("protected", Access::Protected)]);
    let preflight = object.choice_or("preflight", false, &[("allow", true), ("refuse", false)]);
    Some(Rule { path: path?, methods: methods?, access: access?, preflight: preflight? })
}

fn rule_path(object: &Object, own_prefix: Option<&str>) -> Option<PathPattern> {
    let (field, pattern) = match (object.find("path_exact"), object.find("path_prefix")) {
        (Some(field), None) => (field.clone(), PathPattern::Exact(field.parse(form::rule_path)?)),
        (None, Some(field)) => {
            let path = field.parse(form::rule_path)?;
            if path.len() > 1 && path.ends_with(b"/") {
                field
                    .report(Fault::new("a prefix has no slash at its end").hint("a prefix covers the path itself and everything below it"));
                return None;
            }
            (field, PathPattern::Prefix(path))
        }
        _ => {
            object.report(Fault::new("expected exactly one of `path_exact` and `path_prefix`"));
            return None;
        }
    };
    let (PathPattern::Exact(path) | PathPattern::Prefix(path)) = &pattern;
    let is_ours =
        own_prefix.is_some_and(|own| path.strip_prefix(own.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")));
    if is_ours {
        let own = own_prefix.unwrap_or_default();
        field.report(Fault::new(format!("this rule is never reached: the filter itself answers {own} and everything below it")));
        return None;
    }
    Some(pattern)
}

/// Whether every request that `later` matches is matched by `earlier`.
fn covers(earlier: &Rule, later: &Rule) -> bool {
    let by_path = match (&earlier.path, &later.path) {
        (PathPattern::Exact(a), PathPattern::Exact(b)) => a == b,
        (PathPattern::Exact(_), PathPattern::Prefix(_)) => false,
        (PathPattern::Prefix(a), _) if a == b"/" => true,
        (PathPattern::Prefix(a), PathPattern::Exact(b) | PathPattern::Prefix(b)) => {
            b.strip_prefix(a.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        }
    };
    let by_method =
        earlier.methods.is_empty() || (!later.methods.is_empty() && later.methods.iter().all(|method| earlier.methods.contains(method)));
    by_path && by_method
}

fn ids_are_unique<'d, 'a: 'd>(drafts: impl Iterator<Item = (&'d Object<'a>, &'d Option<String>)>) {
    let mut seen: Vec<&str> = vec![];
    for (place, id) in drafts {
        let Some(id) = id else { continue };
        if seen.contains(&id.as_str()) {
            place.report_at("id", Fault::new(format!("the id {id} is taken by an earlier one")));
        }
        seen.push(id);
    }
}

/// Two connectors may share a WeChat app; then they have to agree on what it is.
fn one_app_is_described_once(connectors: &[ConnectorDraft]) {
    for (index, later) in connectors.iter().enumerate() {
        let same_app = |earlier: &&ConnectorDraft| earlier.app_id.is_some() && earlier.app_id == later.app_id;
        let Some(earlier) = connectors.iter().take(index).find(same_app) else { continue };
        let of = format!("{} has the same app_id", earlier.place.path());
        if let (Some(a), Some(b)) = (&earlier.platform, &later.platform)
            && a != b
        {
            let fault = Fault::new(format!("expected {a}: {of}, and one app is bound to one Open Platform account"));
            later.place.report_at("platform", fault.hint("unionids are comparable only inside one platform"));
        }
        if let (Some(a), Some(b)) = (&earlier.method, &later.method)
            && app_kind(a.login_method()) != app_kind(b.login_method())
        {
            let (a, b) = (app_kind(a.login_method()), app_kind(b.login_method()));
            later.place.report_at(
                "app_id",
                Fault::new(format!("expected the AppID of {b}: {of} and uses it as {a}"))
                    .hint("WeChat gives every app an AppID of its own"),
            );
        }
        if let (Some(a), Some(b)) = (&earlier.connector, &later.connector)
            && a.app_secret.expose() != b.app_secret.expose()
        {
            later.place.report_at("app_secret", Fault::new(format!("{of} and another secret; an app has one")));
        }
    }
}

/// What a WeChat app is, by the console that it was made in.
fn app_kind(method: LoginMethod) -> &'static str {
    match method {
        LoginMethod::WebsiteQr => "a website application",
        LoginMethod::OfficialAccountWeb | LoginMethod::OfficialAccountQr => "an official account",
        LoginMethod::MobileApp => "a mobile application",
        LoginMethod::MiniProgram | LoginMethod::MiniProgramQr | LoginMethod::AppToMiniProgram => "a mini program",
    }
}

/// WeChat sends browsers back to the one callback domain that is registered with the app, and to no other.
fn one_callback_domain_per_app(connectors: &[ConnectorDraft], applications: &[ApplicationDraft]) {
    let mut first_uses: Vec<(&str, &Origin, &Field)> = vec![];
    for application in applications {
        let Some(origin) = &application.origin else { continue };
        for (field, index) in &application.enabled {
            let draft = connectors.get(*index).filter(|draft| draft.method.as_ref().is_some_and(Method::comes_back_to_callback));
            let Some(app_id) = draft.and_then(|draft| draft.app_id.as_deref()) else { continue };
            match first_uses.iter().find(|(earlier, ..)| *earlier == app_id) {
                None => first_uses.push((app_id, origin, field)),
                Some((_, earlier, _)) if *earlier == origin => {}
                Some((_, earlier, at)) => {
                    let message = format!(
                        "{app_id} would send visitors back to {} here and to {} at {}, but WeChat knows a single callback domain per app",
                        origin.text,
                        earlier.text,
                        at.path()
                    );
                    field.report(
                        Fault::new(message).hint("give this application a connector of its own, with another app registered at WeChat"),
                    );
                }
            }
        }
    }
}

/// WeChat's console takes a domain without a port, and its pages refuse a `redirect_uri` with one (error 10003). The
/// simulator can be told not to, and loopback can never be WeChat's.
fn no_port_at_wechat(wechat: Option<&WechatApi>, applications: &[ApplicationDraft]) {
    let is_wechats_own = wechat.is_some_and(|api| api.open_origin.ends_with(".weixin.qq.com"));
    for application in applications {
        let Some(origin) = &application.origin else { continue };
        if is_wechats_own && origin.authority != origin.host && !form::is_loopback(&origin.host) {
            let fault = Fault::new(format!("WeChat does not send visitors back to a port of its own, as in {}", origin.text));
            application.place.report_at("origin", fault.hint("serve the application on port 443"));
        }
    }
}

/// A request's host decides which application it is for.
fn one_application_per_host(applications: &[ApplicationDraft]) {
    for (index, later) in applications.iter().enumerate() {
        for earlier in applications.iter().take(index) {
            if let (Some(a), Some(b)) = (&earlier.origin, &later.origin)
                && a.authority == b.authority
            {
                later.place.report_at("origin", Fault::new(format!("{} has this origin already", earlier.place.path())));
            }
        }
        for (position, (field, host)) in later.hosts.iter().enumerate() {
            if later.hosts.iter().take(position).any(|(_, other)| other == host) {
                field.report(Fault::new("this host is listed twice"));
            }
            let is_listed = |other: &ApplicationDraft| other.hosts.iter().any(|(_, theirs)| theirs == host);
            let is_origin = |other: &ApplicationDraft| other.origin.as_ref().is_some_and(|origin| origin.host == *host);
            let others = applications.iter().enumerate().filter(|(other, _)| *other != index);
            let owner =
                others.filter(|(other, draft)| is_origin(draft) || (*other < index && is_listed(draft))).map(|(_, draft)| draft).next();
            if let Some(owner) = owner {
                field.report(Fault::new(format!("{} has this host already", owner.place.path())));
            }
        }
    }
}

type ByName = HashMap<String, Rc<Application>>;

/// The applications by canonical authority and by host name. A host name that several origins share (they differ by
/// port) names none of them.
fn by_name(drafts: Vec<ApplicationDraft>) -> Option<(ByName, ByName, Vec<Rc<Application>>)> {
    let origin_hosts: Vec<String> = drafts.iter().filter_map(|draft| Some(draft.origin.as_ref()?.host.clone())).collect();
    let (mut by_authority, mut by_host, mut applications) = (HashMap::new(), HashMap::new(), vec![]);
    for draft in drafts {
        let (origin, application) = (draft.origin?, Rc::new(draft.application?));
        let is_shared = origin_hosts.iter().filter(|host| **host == origin.host).count() > 1;
        if !is_shared {
            by_host.insert(origin.host, Rc::clone(&application));
        }
        for (_, host) in draft.hosts {
            by_host.insert(host, Rc::clone(&application));
        }
        by_authority.insert(origin.authority, Rc::clone(&application));
        applications.push(application);
    }
    Some((by_authority, by_host, applications))
}
