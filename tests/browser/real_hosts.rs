//! The whole way over TLS, under names as in the world: `https://shop.example.com`, `https://open.weixin.qq.com`.
//!
//! What only shows here: `__Host-` cookies are kept because the connection is secure and not because the host is
//! `localhost`, WeChat gets a `redirect_uri` without a port, and the two are as far apart as they ever are.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wxgate_tests::Stack;
use wxgate_tests::wechat_sim::App;

use crate::chromium::Chromium;
use crate::phone;

const SHOP: &str = "shop.example.com";
const WECHAT: &str = "open.weixin.qq.com";

#[tokio::test]
async fn a_login_over_tls_under_real_names() {
    let authority = Authority::new();
    let (shop, wechat) = (authority.transport_socket(SHOP), authority.transport_socket(WECHAT));
    let stack = Stack::builder()
        .config(|filter| {
            filter["wechat"]["open_origin"] = format!("https://{WECHAT}").into();
            filter["identity"]["issuer"] = format!("https://{SHOP}").into();
            filter["applications"][0]["origin"] = format!("https://{SHOP}").into();
            filter["applications"][0]["experience"] = true.into();
        })
        .envoy(move |envoy| add_listeners(envoy, &shop, &wechat))
        .start()
        .await;
    // Only a loopback host may ever have a port here, so nothing of WeChat's strictness is taken back for this one.
    let website = App::website("0001demo0001demo0001demo0001demo").named("Shop").on_platform("main").redirecting_to(SHOP);
    stack.wechat.put_app("wx0000000000000001", website).unwrap();

    let desk = Chromium::of(&stack)
        .origins(&format!("https://{SHOP}"), &format!("https://{WECHAT}"))
        .host(SHOP, listener(&stack, "shop_tls").await)
        .host(WECHAT, listener(&stack, "wechat_tls").await)
        // Believes what our authority has signed, and no other certificate.
        .argument(&format!("--ignore-certificate-errors-spki-list={}", authority.pin()))
        .start()
        .await;
    phone::log_in(&desk, "/orders?page=2", "xiaoming").await;
    let identity = desk.identity(&stack).await;
    assert_eq!((identity.text("name"), identity.text("iss")), ("小明", "https://shop.example.com"));

    let asked = stack.wechat.journal().into_iter().find(|entry| entry.path == "/connect/qrconnect").expect("a visit to WeChat");
    assert_eq!(asked.parameter("redirect_uri"), Some("https://shop.example.com/wxgate/callback/pc"));
    let all = desk.cdp("Storage.getCookies", json!({})).await;
    let session = all["cookies"].as_array().unwrap().iter().find(|cookie| cookie["name"] == "__Host-wxgate_session").unwrap();
    assert_eq!(
        (&session["domain"], &session["path"], &session["secure"], &session["httpOnly"], &session["sameSite"], &session["sourceScheme"]),
        (&json!(SHOP), &json!("/"), &json!(true), &json!(true), &json!("Lax"), &json!("Secure"))
    );
    let readable = desk.driver.execute("return document.cookie", vec![]).await.unwrap();
    assert_eq!(readable.json(), &json!(""), "scripts can read a cookie of ours");

    desk.open("/wxgate/experience").await;
    desk.reads("小明").await;
    desk.click("header form button").await;
    desk.reads("You are logged out").await;
    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    desk.finish(stack).await;
}

/// The gate's listener once more with TLS, and one in front of WeChat. The plain one stays, for the harness.
fn add_listeners(envoy: &mut Value, shop: &Value, wechat: &Value) {
    let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let listeners = envoy["static_resources"]["listeners"].as_array_mut().expect("listeners");
    let mut gate = listeners[0].clone();
    gate["name"] = "shop_tls".into();
    gate["address"] = any_port.clone();
    gate["filter_chains"][0]["transport_socket"] = shop.clone();
    let relay = json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "wechat_tls", "cluster": "wechat_tls",
        },
    });
    listeners.push(gate);
    listeners.push(json!({
        "name": "wechat_tls", "address": any_port, "filter_chains": [{"transport_socket": wechat, "filters": [relay]}],
    }));
    // Another cluster than the gate's own, which has no protocol for browsers.
    let clusters = envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
    let api = clusters.iter().find(|cluster| cluster["name"] == "wechat_api").expect("a cluster named wechat_api");
    let endpoints = api["load_assignment"]["endpoints"].clone();
    clusters.push(json!({
        "name": "wechat_tls", "type": "STATIC", "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "wechat_tls", "endpoints": endpoints},
    }));
}

/// Where Envoy listens by this name.
async fn listener(stack: &Stack, name: &str) -> SocketAddr {
    let listeners = stack.envoys[0].ask("GET", "/listeners?format=json").await.json();
    let all = listeners["listener_statuses"].as_array().expect("listeners");
    let address = &all.iter().find(|listener| listener["name"] == name).expect("that listener")["local_address"]["socket_address"];
    let port = address["port_value"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Signs certificates for these tests.
struct Authority {
    pem: String,
    pin: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "Authority of the browser tests");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        let pin = STANDARD.encode(Sha256::digest(key.subject_public_key_info()));
        Self { pem, pin, issuer: Issuer::new(parameters, key) }
    }

    /// SHA-256 of its public key, as browsers name keys.
    fn pin(&self) -> &str {
        &self.pin
    }

    /// For a listener of this host.
    fn transport_socket(&self, host: &str) -> Value {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([host.to_owned()]).expect("parameters").signed_by(&key, &self.issuer);
        let chain = [certificate.expect("a certificate").pem(), self.pem.clone()].concat();
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": if host == SHOP { json!(["h2", "http/1.1"]) } else { json!(["http/1.1"]) },
                    "tls_certificates": [{
                        "certificate_chain": {"inline_string": chain},
                        "private_key": {"inline_string": key.serialize_pem()},
                    }],
                },
            },
        })
    }
}
