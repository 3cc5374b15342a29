//! The demo application behind the gate: an application as a team would write it, with pages that a person can read.

use axum::http::HeaderName;
use tokio::net::TcpListener;
use wxgate_tests::Stack;

/// A stack with the demo application in the echo application's place.
pub(crate) async fn start() -> Stack {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let stack = Stack::builder()
        .envoy(move |envoy| {
            let clusters = envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
            let shop = clusters.iter_mut().find(|cluster| cluster["name"] == "shop").expect("a cluster named shop");
            shop["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = port.into();
        })
        .start()
        .await;
    let app = demo_app::app(demo_app::Config {
        jwks_url: format!("http://{}/wxgate/jwks.json", stack.envoys[0].address),
        issuer: stack.origin.clone(),
        audience: "shop".into(),
        header: HeaderName::from_static("x-wxgate-identity"),
    });
    let app = app.expect("an application");
    tokio::spawn(async move { axum::serve(listener, app).await });
    stack
}
