//! Codes on a screen, and the phones that scan them.

use serde_json::{Value, json};
use wechat_sim::{Push, PushRequest};

use crate::http::{Answer, exchange};
use crate::stack::{Builder, Stack};
use crate::visitor::{Visitor, WECHAT, split_url};

/// The mini program of the simulator's demo.
pub const MINI_PROGRAM_APP: &str = "wx0000000000000004";

/// The mini program's AppSecret.
pub const MINI_PROGRAM_SECRET: &str = "0004demo0004demo0004demo0004demo";

/// The official account of the demo.
pub const ACCOUNT: &str = "wx0000000000000002";

/// The account's AppSecret.
pub const ACCOUNT_SECRET: &str = "0002demo0002demo0002demo0002demo";

/// What the account's console and the gate have in common.
pub const PUSH_TOKEN: &str = "e2ePushToken0001";

/// The key of the account's console.
pub const PUSH_KEY: &str = "e2eabcdefghijklmnopqrstuvwxyz0123456789ABCG";

/// The one before, which the gate still knows.
pub const OLD_PUSH_KEY: &str = "e2ezyxwvutsrqponmlkjihgfedcba0123456789ABCG";

/// Where WeChat pushes to.
pub const PUSH_PATH: &str = "/wxgate/push/follow";

/// A method by which a phone scans a code of ours. From the code to the session both are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanMethod {
    /// The phone opens a mini program, which asks.
    MiniProgramQr,
    /// The phone follows an account, in whose chat there is a link to a page that asks.
    OfficialAccountQr,
}

impl ScanMethod {
    /// Both.
    pub const ALL: [Self; 2] = [Self::MiniProgramQr, Self::OfficialAccountQr];

    /// The connector's id at the shop.
    pub fn connector(self) -> &'static str {
        match self {
            Self::MiniProgramQr => "scan",
            Self::OfficialAccountQr => "follow",
        }
    }

    /// The app at WeChat.
    pub fn app(self) -> &'static str {
        match self {
            Self::MiniProgramQr => MINI_PROGRAM_APP,
            Self::OfficialAccountQr => ACCOUNT,
        }
    }
}

/// A code that a browser shows.
#[derive(Clone, Debug)]
pub struct Code {
    /// Where the browser asks how far it has come.
    pub poll: String,
    /// The code itself.
    pub image: String,
    /// Two digits.
    pub number: String,
    /// All that the browser was told.
    pub told: Value,
}

impl Code {
    /// The code of a page, for a browser without scripts.
    pub fn on_page(address: &str) -> Self {
        Self { poll: address.to_owned(), image: address.replace("?scan=", "/image?scan="), number: String::new(), told: json!({}) }
    }
}

impl Builder {
    /// The shop's visitors may log in by this method, too.
    pub fn scans(self, method: ScanMethod) -> Self {
        match method {
            ScanMethod::MiniProgramQr => self.mini_program_qr(json!({})),
            ScanMethod::OfficialAccountQr => self.official_account_qr(json!({})),
        }
    }

    /// They may scan the code of its mini program: the connector `scan`, with this beyond the usual.
    pub fn mini_program_qr(self, more: Value) -> Self {
        let usual = json!({
            "id": "scan", "type": "mini_program_qr", "display_name": "Mini program", "app_id": MINI_PROGRAM_APP,
            "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main", "page": "pages/login/login",
        });
        self.secret("WX_MINI_SECRET", MINI_PROGRAM_SECRET).connector(usual, more)
    }

    /// They may follow its account: the connector `follow`, with this beyond the usual. WeChat's console is set up by
    /// [`Stack::configure_push`].
    pub fn official_account_qr(self, more: Value) -> Self {
        let usual = json!({
            "id": "follow", "type": "official_account_qr", "display_name": "Follow", "app_id": ACCOUNT,
            "app_secret": {"env": "WX_OA_SECRET"}, "platform": "main",
            "push": {"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": [{"env": "WX_PUSH_KEY"}, {"env": "WX_PUSH_OLD_KEY"}]},
        });
        let secrets = [("WX_PUSH_TOKEN", PUSH_TOKEN), ("WX_PUSH_KEY", PUSH_KEY), ("WX_PUSH_OLD_KEY", OLD_PUSH_KEY)];
        secrets.into_iter().fold(self, |builder, (name, value)| builder.secret(name, value)).connector(usual, more)
    }

    fn connector(self, mut connector: Value, more: Value) -> Self {
        for (key, value) in more.as_object().into_iter().flatten() {
            connector[key] = value.clone();
        }
        self.config(move |config| {
            config["connectors"].as_array_mut().expect("connectors").push(connector.clone());
            config["applications"][0]["connectors"].as_array_mut().expect("connectors").push(connector["id"].clone());
        })
    }
}

impl Visitor {
    /// The login page shows a code, on the way to this page.
    pub async fn show_code(&self, connector: &str, return_to: &str) -> Code {
        let answer = self.post(&format!("/wxgate/scan/{connector}"), &json!({"return_to": return_to})).await;
        let told = answer.assert_status(200).json();
        assert_eq!(told["state"], "waiting", "{told}");
        let text = |member: &str| told[member].as_str().unwrap_or_else(|| panic!("no {member} in {told}")).to_owned();
        self.record.add_secret(&text("scan"));
        Code { poll: text("poll"), image: text("image"), number: text("number"), told }
    }

    /// How far it has come, at once.
    pub async fn look(&self, code: &Code) -> Value {
        self.api(&code.poll).await.assert_status(200).json()
    }

    /// The same once it is no longer so, or after the longest wait.
    pub async fn look_beyond(&self, code: &Code, known: &str) -> Value {
        self.api(&format!("{}&known={known}", code.poll)).await.assert_status(200).json()
    }

    /// Collects the login: goes where it leads, and gives that page.
    pub async fn collect(&self, code: &Code) -> Answer {
        let told = self.look(code).await;
        assert_eq!(told["state"], "done", "{told}");
        self.navigate(told["location"].as_str().expect("a way on")).await
    }

    /// What a camera reads off the code on this screen: the name of a ticket, or what WeChat has made of it.
    pub async fn read(&self, code: &Code) -> String {
        let picture = self.api(&code.image).await;
        match picture.assert_status(200).header("content-type") {
            // A mini program's is drawn by WeChat.
            Some("image/jpeg") => {
                let codes = self.wechat.mini_program_codes();
                codes.first().and_then(wechat_sim::Target::scene).expect("a code with a scene")
            }
            Some("image/svg+xml") => decode(&picture.text()),
            other => panic!("no picture of a code: {other:?}"),
        }
    }
}

/// What stands in a code as we draw it.
fn decode(svg: &str) -> String {
    const SCALE: usize = 4;
    let attribute = |name: &str| svg.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("an attribute");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let side = number(attribute("viewBox").rsplit(' ').next().expect("a size"));
    let mut dark = vec![false; side * side];
    for piece in attribute("d").split('z').filter(|piece| !piece.is_empty()) {
        let (at, run) = piece[1..].split_once('h').expect("a run");
        let (x, y) = at.split_once(' ').map(|(x, y)| (number(x), number(y))).expect("a place");
        let run = number(run.split('v').next().expect("a length"));
        dark[y * side + x..][..run].fill(true);
    }
    let pixel = |x: usize, y: usize| if dark[y / SCALE * side + x / SCALE] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, pixel);
    let grids = image.detect_grids();
    let [grid] = &grids[..] else { panic!("{} codes in {svg}", grids.len()) };
    grid.decode().expect("a code that can be read").1
}

impl Stack {
    /// What WeChat's console is told of the account's push.
    pub fn console(&self) -> Push {
        Push::safe(&format!("{}{PUSH_PATH}", self.origin), PUSH_TOKEN, PUSH_KEY).through(self.envoys[0].address)
    }

    /// The operator saves that: WeChat verifies the address first.
    pub async fn configure_push(&self) {
        self.wechat.configure_push(ACCOUNT, self.console()).await.expect("the address is verified");
    }

    /// The text of a code of this account with this scene, made as the gate makes its own.
    pub async fn account_code(&self, account: &str, secret: &str, scene: &str) -> String {
        let address = split_url(&self.wechat_origin).0.parse().expect("an address");
        let post = async |path: &str, body: Value| {
            let host = ("host".to_owned(), b"api.weixin.qq.com".to_vec());
            exchange(address, "POST", path, &[host], body.to_string().as_bytes()).await.assert_status(200).json()
        };
        let token = post("/cgi-bin/stable_token", json!({"grant_type": "client_credential", "appid": account, "secret": secret})).await;
        let path = format!("/cgi-bin/qrcode/create?access_token={}", token["access_token"].as_str().expect("a token"));
        let scene = json!({"expire_seconds": 300, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": scene}}});
        post(&path, scene).await["url"].as_str().expect("a code").to_owned()
    }

    /// The scene of the account's latest code: the name of its ticket.
    pub fn scene(&self) -> String {
        let asked = self.wechat.journal().into_iter().rfind(|entry| entry.path == "/cgi-bin/qrcode/create").expect("a code");
        let asked: Value = serde_json::from_str(&asked.body).expect("JSON");
        asked["action_info"]["scene"]["scene_str"].as_str().expect("a scene").to_owned()
    }

    /// Sends a push once more, changed or not, as whoever has it could.
    pub async fn send_push(&self, envoy: usize, request: &PushRequest) -> Answer {
        self.send_push_as(envoy, "POST", request, &[]).await
    }

    /// The same by another method of HTTP, or with more headers.
    pub async fn send_push_as(&self, envoy: usize, method: &str, request: &PushRequest, more: &[(&str, &str)]) -> Answer {
        let headers = [("host", self.authority()), ("content-type", request.content_type)];
        let headers: Vec<_> = headers.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        exchange(self.envoys[envoy].address, method, &split_url(&request.url).1, &headers, request.body.as_bytes()).await
    }

    /// The link in an invitation.
    pub fn link_in(&self, text: &str) -> String {
        let link = text.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no link in {text}"));
        self.add_secret(link.split("confirm=").nth(1).expect("a sealed scan"));
        link.to_owned()
    }

    /// This person's phone.
    pub fn phone(&self, method: ScanMethod, person: &str) -> Phone<'_> {
        Phone { stack: self, method, person: person.to_owned(), browser: self.visitor().calling_itself(WECHAT) }
    }

    /// What the mini program sends, and gets.
    pub async fn mini_program(&self, fields: &Value) -> Answer {
        self.phone(ScanMethod::MiniProgramQr, "anybody").send(fields).await
    }
}

/// A phone with WeChat on it.
pub struct Phone<'a> {
    stack: &'a Stack,
    method: ScanMethod,
    person: String,
    /// WeChat's own.
    pub browser: Visitor,
}

/// Why a phone that scans is not asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else has scanned it.
    Taken,
    /// It is too old, or none of ours.
    Over,
    /// It could not be stored.
    Unavailable,
}

impl Phone<'_> {
    /// The phone by way of another Envoy. So does WeChat itself from now on.
    pub fn via(self, envoy: usize) -> Self {
        let address = self.stack.envoys[envoy].address;
        if self.method == ScanMethod::OfficialAccountQr {
            self.stack.wechat.set_push(ACCOUNT, Some(self.stack.console().through(address))).expect("a good push");
        }
        Self { browser: self.browser.via(address), ..self }
    }

    /// Scans what a camera has read off a code: gives the question.
    pub async fn scan(&self, text: &str) -> Result<Answer, Refusal> {
        match self.method {
            ScanMethod::MiniProgramQr => self.open_mini_program(text).await,
            ScanMethod::OfficialAccountQr => {
                let link = self.chat(text).await?;
                let page = self.browser.navigate(&link).await;
                page.assert_status(200);
                Ok(page)
            }
        }
    }

    async fn open_mini_program(&self, scene: &str) -> Result<Answer, Refusal> {
        let code = self.stack.wechat.wx_login(MINI_PROGRAM_APP, &self.person).expect("a person and a mini program");
        self.stack.add_secret(&code);
        let answer = self.send(&json!({"ticket": scene, "code": code})).await;
        let refusal = match answer.status {
            409 => Some(("scan_taken", Refusal::Taken)),
            410 => Some(("scan_over", Refusal::Over)),
            503 => Some(("accounts_unavailable", Refusal::Unavailable)),
            _ => None,
        };
        if let Some((error, refusal)) = refusal {
            answer.assert_failure(answer.status, error);
            return Err(refusal);
        }
        assert_eq!(answer.assert_status(200).json()["state"], "scanned");
        Ok(answer)
    }

    /// What the account writes to whoever scans: a link.
    pub async fn chat(&self, text: &str) -> Result<String, Refusal> {
        let delivery = self.stack.wechat.scan_account_code(text, &self.person).await.expect("a code").expect("a push");
        if !delivery.is_accepted {
            assert!(delivery.attempts.iter().all(|attempt| attempt.status == Some(503)), "{delivery:?}");
            return Err(Refusal::Unavailable);
        }
        match delivery.reply_text().unwrap_or_default() {
            said if said.contains("其他微信") => Err(Refusal::Taken),
            said if said.contains("已失效") => Err(Refusal::Over),
            said => Ok(self.stack.link_in(&said)),
        }
    }

    /// The person answers the question: `confirm` or `cancel`.
    pub async fn answer(&self, question: &Answer, action: &str) -> Answer {
        match self.method {
            ScanMethod::MiniProgramQr => self.send(&json!({"confirm": question.json()["confirm"], "action": action})).await,
            ScanMethod::OfficialAccountQr => self.browser.answer(question, action, &[]).await,
        }
    }

    /// Scans and confirms.
    pub async fn confirm(&self, text: &str) {
        let question = self.scan(text).await.expect("a question");
        self.answer(&question, "confirm").await.assert_status(200);
    }

    async fn send(&self, fields: &Value) -> Answer {
        let answer = self.browser.without_cookies().post_from_app("/wxgate/scan/scan/confirm", fields).await;
        if let Some(confirm) = answer.json()["confirm"].as_str() {
            self.stack.add_secret(confirm);
        }
        answer
    }
}
