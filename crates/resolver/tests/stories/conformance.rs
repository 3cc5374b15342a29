//! What `docs/resolver-api.md` asks of every resolver holds for ours, too.

use std::sync::Arc;

use resolver_api::ProofMethod;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wxgate_conformance::{Target, Verdict, run};
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::clock::Clock;
use wxgate_resolver::delivery::Delivery;
use wxgate_resolver::policy::{Binding, ConnectorPolicy};
use wxgate_resolver::store::AdminStore;
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, serve};

use crate::support::{CLOSED, OPEN, TOKEN, over_both_databases};

over_both_databases!(our_own_resolver_keeps_to_the_page,);

async fn our_own_resolver_keeps_to_the_page<S: AdminStore>(store: S) {
    let methods = vec![ProofMethod::EmailCode, ProofMethod::Password];
    let asking = ConnectorPolicy { binding: Binding::Ask, methods, ..OPEN };
    let by = By { actor: Actor::Admin("story".into()), client_address: None };
    for (connector, policy) in [("closed", &CLOSED), ("asking", &asking)] {
        store.set_policy("conformance", connector, Some(policy), &by, Clock::system().now()).await.unwrap();
    }
    let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
    state.delivery = Delivery::none().or_else_to(|_| {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, Arc::new(state), async { stopped.await.unwrap() }));

    let named = |connector: &str| Some(connector.to_owned());
    let target = Target { closed_connector: named("closed"), asking_connector: named("asking"), ..Target::new(url, TOKEN) };
    let report = run(target, "", |_| {}).await.unwrap();
    let others = report.checks.iter().filter(|check| check.verdict != Verdict::Passed).map(|check| format!("\n{check}"));
    assert_eq!(others.collect::<String>(), "", "{report}");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
