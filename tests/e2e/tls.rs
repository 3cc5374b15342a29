//! The AppSecret goes to WeChat, accounts are asked of the resolver, and both have to prove who they are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use wxgate_tests::Certificate::{Good, OtherAuthority, OtherName};
use wxgate_tests::Stack;

#[tokio::test]
async fn over_tls_a_login_works_as_without() {
    let stack = Stack::builder().tls(Good, Good).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    visitor.submit("/wxgate/logout", "").await.assert_status(303);
    stack.finish().await;
}

#[tokio::test]
async fn who_is_not_wechat_gets_no_secret() {
    for certificate in [OtherName, OtherAuthority] {
        let stack = Stack::builder().tls(certificate, Good).start().await;
        let refused = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
        refused.assert_failure(503, "wechat_unavailable");
        assert_eq!(stack.wechat.journal(), [], "{certificate:?}: nothing was sent");
        stack.finish().await;
    }
}

#[tokio::test]
async fn who_is_not_the_resolver_names_no_account() {
    for certificate in [OtherName, OtherAuthority] {
        let stack = Stack::builder().tls(Good, certificate).start().await;
        let refused = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
        refused.assert_failure(503, "accounts_unavailable");
        assert_eq!(stack.accounts().await, 0, "{certificate:?}");
        stack.finish().await;
    }
}

/// Somebody where WeChat is expected, who shows a certificate, writes down what is said, and answers nothing.
struct Listener {
    address: SocketAddr,
    /// What came through a finished handshake.
    heard: Arc<Mutex<Vec<u8>>>,
    /// How often somebody came.
    calls: Arc<Mutex<usize>>,
}

impl Listener {
    async fn start(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).expect("TLS");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let this = Self { address: listener.local_addr().expect("bound"), heard: Arc::default(), calls: Arc::default() };
        let (heard, calls) = (this.heard.clone(), this.calls.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *calls.lock().unwrap() += 1;
                let (acceptor, heard) = (acceptor.clone(), heard.clone());
                tokio::spawn(async move {
                    let mut inside = acceptor.accept(stream).await?;
                    let mut bytes = [0; 4096];
                    let length = inside.read(&mut bytes).await?;
                    heard.lock().unwrap().extend(&bytes[..length]);
                    std::io::Result::Ok(())
                });
            }
        });
        this
    }
}

/// WXE-07: byte for byte. Whoever cannot prove to be WeChat hears nothing, and whoever can hears the secret, which shows
/// that this listens well.
#[tokio::test]
async fn not_one_byte_is_said_to_whoever_shows_a_bad_certificate() {
    const NAME: &str = "api.weixin.qq.com";
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "an authority of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&authority_key).unwrap().pem();
    let authority = Issuer::new(params, authority_key);
    let named = |name: &str| CertificateParams::new([name.to_owned()]).unwrap();
    let valid = |from: i32, until: i32| {
        let mut params = named(NAME);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        params
    };
    let mut common_name = CertificateParams::new([]).unwrap();
    common_name.distinguished_name.push(DnType::CommonName, NAME);
    let cases = [
        ("good", named(NAME), true, true),
        ("self-signed", named(NAME), false, false),
        ("another name", named("evil.example"), true, false),
        ("a longer name", named("api.weixin.qq.com.evil.example"), true, false),
        ("a sibling's name", named("mp.weixin.qq.com"), true, false),
        ("the name where nobody looks", common_name, true, false),
        ("expired", valid(2019, 2020), true, false),
        ("not yet valid", valid(2200, 2201), true, false),
    ];
    for (case, params, is_signed, is_good) in cases {
        let key = KeyPair::generate().unwrap();
        let leaf = if is_signed { params.signed_by(&key, &authority) } else { params.self_signed(&key) };
        let listener = Listener::start(leaf.unwrap().der().clone(), &key).await;
        let (address, pem) = (listener.address, pem.clone());
        let elsewhere = move |envoy: &mut Value| {
            let clusters = envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
            let wechat = clusters.iter_mut().find(|cluster| cluster["name"] == "wechat_api").expect("WeChat's cluster");
            wechat["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"] =
                json!({"address": "127.0.0.1", "port_value": address.port()});
            let validation = "/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca";
            *wechat.pointer_mut(validation).expect("a cluster that verifies") = json!({"inline_string": pem});
        };
        let stack = Stack::builder().tls(Good, Good).envoy(elsewhere).start().await;
        let started = Instant::now();
        let answer = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
        answer.assert_failure(503, "wechat_unavailable");
        assert!(started.elapsed() < Duration::from_secs(8), "{case}: {:?}", started.elapsed());
        assert_eq!(*listener.calls.lock().unwrap(), 1, "{case}: one callback, one call");
        let heard = String::from_utf8_lossy(&listener.heard.lock().unwrap()).into_owned();
        assert_eq!(heard.contains("secret=0001demo0001demo0001demo0001demo"), is_good, "{case}: {heard}");
        assert_eq!(heard.is_empty(), !is_good, "{case}: {heard}");
        stack.finish().await;
    }
}
