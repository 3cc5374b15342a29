//! What the stories of native apps and mini programs share: a phone with the shop's app and mini program on it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wxgate_tests::stack::random;
use wxgate_tests::wechat_sim::{AppLaunch, SdkAnswer, SendAuth};
use wxgate_tests::{Answer, Builder, Identity, Stack, Visitor};

/// The connectors of [`builder`] for apps and mini programs.
pub(crate) const METHODS: [&str; 3] = ["app", "mini", "launch"];
/// The mobile app of WeChat's demo world.
pub(crate) const APP: &str = "wx0000000000000003";
/// Its mini program.
pub(crate) const MINI: &str = "wx0000000000000004";

/// A stack where these methods are enabled at `shop`, and those of apps at `kiosk` too, which is [`kiosk`].
pub(crate) fn builder() -> Builder {
    let secrets = [("WX_APP_SECRET", "0003demo"), ("WX_MINI_SECRET", "0004demo")];
    let builder = secrets.into_iter().fold(Stack::builder(), |builder, (name, part)| builder.secret(name, &part.repeat(4)));
    builder.config(|json| {
        let original_id = wxgate_tests::wechat_sim::Simulator::builder().build().original_id(MINI);
        let connectors = json["connectors"].as_array_mut().unwrap();
        connectors.retain(|connector| !["app", "mini", "launch"].contains(&connector["id"].as_str().unwrap()));
        connectors.extend([
            json!({"id": "app", "type": "mobile_app", "app_id": APP, "app_secret": {"env": "WX_APP_SECRET"}, "platform": "main"}),
            json!({"id": "mini", "type": "mini_program", "app_id": MINI, "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main"}),
            json!({"id": "launch", "type": "app_to_mini_program", "app_id": MINI, "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main",
                   "original_id": original_id, "page": "pages/login/index"}),
        ]);
        let shop = &mut json["applications"][0];
        shop["connectors"] = json!(["pc", "in-wechat", "app", "mini", "launch"]);
        shop["claims"] = json!({"phone_number": true, "wechat": true});
        let kiosk = shop["origin"].as_str().unwrap().replace("localhost", "kiosk.localhost");
        let applications = json["applications"].as_array_mut().unwrap();
        applications.push(json!({"id": "kiosk", "origin": kiosk, "connectors": ["app", "launch"]}));
    })
}

/// The other application's origin.
pub(crate) fn kiosk(stack: &Stack) -> String {
    stack.origin.replace("localhost", "kiosk.localhost")
}

/// A secret, and what may be told of it.
pub(crate) fn verifier() -> (String, String) {
    let verifier = random();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    (verifier, challenge)
}

/// An app, or a mini program: it keeps no cookies and has no origin.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    pub(crate) stack: &'a Stack,
    visitor: Visitor,
}

impl<'a> Client<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Self {
        Self { stack, visitor: stack.visitor().without_cookies().calling_itself("Shop/7.1 (iPhone; iOS 18.1)") }
    }

    /// The same by way of another Envoy.
    pub(crate) fn via(&self, envoy: usize) -> Self {
        Self { visitor: self.visitor.via(self.stack.envoys[envoy].address), ..self.clone() }
    }

    /// The same on another address of this machine.
    pub(crate) fn calling_from(&self, own_address: &str) -> Self {
        Self { visitor: self.visitor.calling_from(own_address), ..self.clone() }
    }

    /// The same at another application.
    pub(crate) fn at(&self, origin: &str) -> Self {
        Self { visitor: self.visitor.at(origin), ..self.clone() }
    }

    /// Posts JSON. The answer is JSON without cookies, and what was secret in either is looked for in all logs.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let answer = self.visitor.post_from_app(path, body).await;
        assert_eq!((answer.header("content-type"), answer.header("set-cookie")), (Some("application/json"), None), "{answer}");
        for told in [body, &answer.json()] {
            for name in ["code", "state", "verifier", "phone_code", "hand_back", "nonce", "pending", "token", "ticket", "password"] {
                self.stack.add_secret(told[name].as_str().unwrap_or_default());
            }
        }
        answer
    }

    /// Who the application takes the bearer of this session for.
    pub(crate) async fn who(&self, session: &Answer) -> Identity {
        session.assert_status(200);
        self.bearer(session).whoami().await
    }

    /// Its account.
    pub(crate) async fn sub(&self, session: &Answer) -> String {
        self.who(session).await.sub().to_owned()
    }

    /// The app with its session.
    pub(crate) fn bearer(&self, session: &Answer) -> Visitor {
        self.visitor.bearer(session.json()["token"].as_str().unwrap_or_else(|| panic!("no session: {session}")))
    }

    /// An answer to a login that waits.
    pub(crate) async fn account(&self, waiting: &Answer, action: &str, more: &[(&str, &str)]) -> Answer {
        let mut body = json!({"pending": waiting.json()["pending"], "action": action});
        more.iter().for_each(|(name, value)| body[*name] = (*value).into());
        self.post("/wxgate/account", &body).await
    }

    /// The app begins, WeChat's SDK asks this person, who agrees: what the app then has.
    pub(crate) async fn agreed_at_wechat(&self, person: &str) -> Value {
        let (verifier, challenge) = verifier();
        let started = self.post("/wxgate/start/app", &json!({"challenge": challenge})).await;
        started.assert_status(200);
        let started = started.json();
        assert_eq!(started["app_id"], APP);
        let request = SendAuth { scope: "snsapi_userinfo".into(), state: started["state"].as_str().unwrap().into() };
        let back = self.stack.wechat.send_auth(APP, &request, person, SdkAnswer::Allow).unwrap();
        assert_eq!(back.err_code, 0, "WeChat's SDK takes the state");
        json!({"code": back.code.unwrap(), "state": back.state, "verifier": verifier})
    }

    pub(crate) async fn app_login(&self, person: &str) -> Answer {
        self.login("app", person).await
    }

    /// A code of `wx.login`.
    pub(crate) fn wx_login(&self, person: &str) -> String {
        self.stack.wechat.wx_login(MINI, person).unwrap()
    }

    /// One click, without a phone number.
    pub(crate) async fn mini_login(&self, person: &str) -> Answer {
        self.post("/wxgate/code/mini", &json!({"code": self.wx_login(person)})).await
    }

    /// The same, with the phone-number button.
    pub(crate) async fn mini_login_with_phone(&self, person: &str) -> Answer {
        let code = self.wx_login(person);
        let phone = self.stack.wechat.phone_number(MINI, person, true).unwrap();
        self.post("/wxgate/code/mini", &json!({"code": code, "phone_code": phone.code.unwrap()})).await
    }

    /// The app begins at the mini program.
    pub(crate) async fn launch(&self) -> Launch {
        let (verifier, challenge) = verifier();
        let started = self.post("/wxgate/start/launch", &json!({"challenge": challenge})).await;
        started.assert_status(200);
        let launch = started.json()["launch"].clone();
        let ticket = launch["path"].as_str().unwrap().rsplit_once("?ticket=").expect("a ticket").1.to_owned();
        self.stack.add_secret(&ticket);
        Launch { verifier, launch, ticket }
    }

    /// What the mini program posts for this person.
    pub(crate) async fn confirm(&self, ticket: &str, person: &str) -> Answer {
        self.post("/wxgate/code/launch", &json!({"ticket": ticket, "code": self.wx_login(person)})).await
    }

    /// The app opens the mini program, where this person logs in, and is led back: what the app then has.
    pub(crate) async fn handed_back(&self, launch: &Launch, person: &str) -> Value {
        let wechat = &self.stack.wechat;
        let visit = wechat.launch_mini_program(APP, &launch.request(), person).unwrap();
        let ticket = visit.target.query.strip_prefix("ticket=").unwrap();
        let confirmed = self.confirm(ticket, person).await;
        confirmed.assert_status(200);
        let back = wechat.launch_app(&visit.id, confirmed.json()["hand_back"].as_str().unwrap()).unwrap();
        json!({"hand_back": back.handed_back.unwrap(), "verifier": launch.verifier})
    }

    pub(crate) async fn launch_login(&self, person: &str) -> Answer {
        self.login("launch", person).await
    }

    /// All of a login by one of the three methods but its last request, which may be sent more than once.
    pub(crate) async fn last_request(&self, connector: &str, person: &str) -> LastRequest {
        let body = match connector {
            "app" => self.agreed_at_wechat(person).await,
            "mini" => json!({"code": self.wx_login(person), "nonce": random()}),
            _ => self.handed_back(&self.launch().await, person).await,
        };
        LastRequest { path: format!("/wxgate/code/{connector}"), body }
    }

    /// A login by one of the three methods.
    pub(crate) async fn login(&self, connector: &str, person: &str) -> Answer {
        self.end(&self.last_request(connector, person).await).await
    }

    /// The end of a login.
    pub(crate) async fn end(&self, last: &LastRequest) -> Answer {
        self.post(&last.path, &last.body).await
    }
}

/// What ends a login.
#[derive(Clone)]
pub(crate) struct LastRequest {
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// An app's login by way of a mini program.
pub(crate) struct Launch {
    pub(crate) verifier: String,
    pub(crate) launch: Value,
    pub(crate) ticket: String,
}

impl Launch {
    /// As the app gives it to WeChat's SDK.
    pub(crate) fn request(&self) -> AppLaunch {
        let text = |name: &str| self.launch[name].as_str().unwrap().to_owned();
        assert_eq!(text("version"), "release");
        AppLaunch { user_name: text("original_id"), path: text("path"), mini_program_type: 0 }
    }
}

/// Counts what WeChat was asked for on this path.
pub(crate) fn asked(stack: &Stack, path: &str) -> usize {
    stack.wechat.journal().iter().filter(|entry| entry.path == path).count()
}
