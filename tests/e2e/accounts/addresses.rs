//! From where: the audit log tells the address that Envoy saw, whatever the visitor says of themselves.

use serde_json::json;
use wxgate_tests::render::connection_manager;
use wxgate_tests::{Stack, Visitor};

use super::{arrived, ask, asked, logged_in, newcomer};

const NUMBER: &str = "+8613800138000";

/// The addresses from which this was done to the account, oldest first.
async fn from(stack: &Stack, sub: &str, action: &str) -> Vec<String> {
    let entries = stack.resolver.audit_with_addresses_of(sub).await;
    let found = entries.into_iter().filter(|(found, _)| found == action);
    found.map(|(_, address)| address.unwrap_or_else(|| panic!("{action} from nowhere"))).collect()
}

/// Somebody at this address, who says to be elsewhere.
fn pretending(stack: &Stack, address: &str) -> Visitor {
    let visitor = stack.visitor().calling_from(address);
    visitor.with_header("x-forwarded-for", "203.0.113.66").with_header("x-envoy-external-address", "203.0.113.67")
}

#[tokio::test]
async fn a_login_a_binding_and_every_change_tell_where_their_person_was() {
    let stack = Stack::start().await;
    let sub = logged_in_from(&stack, "127.0.0.21", "xiaoming").await;
    assert_eq!(from(&stack, &sub, "registered").await, ["127.0.0.21"]);
    assert_eq!(logged_in_from(&stack, "127.0.0.22", "xiaoming").await, sub);
    assert_eq!(from(&stack, &sub, "signed_in").await, ["127.0.0.22"]);

    // A binding by somebody who moves on with every step.
    stack.resolver.change_user(&sub, json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code"], false)).await;
    newcomer(&stack, "second");
    let second = pretending(&stack, "127.0.0.31");
    let page = asked(&second, "pc", "second").await;
    let page = second.calling_from("127.0.0.32").answer(&page, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    let wrong = wxgate_tests::outbox::not(&code);
    second.calling_from("127.0.0.33").answer(&page, "code", &[("code", &wrong)]).await.assert_status(422);
    let answer = second.calling_from("127.0.0.34").answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&second, &answer).await, sub);
    for (action, address) in [("code_sent", "127.0.0.32"), ("proof_failed", "127.0.0.33"), ("account_bound", "127.0.0.34")] {
        assert_eq!(from(&stack, &sub, action).await, [address], "{action}");
    }

    // Changes on the person's own page.
    let here = second.calling_from("127.0.0.41");
    let account = here.api("/wxgate/account").await.json();
    let identities = account["account"]["identities"].as_array().unwrap().clone();
    let id = identities.iter().find(|identity| identity["nickname"] == "second").unwrap()["id"].as_str().unwrap().to_owned();
    let page = here.navigate("/wxgate/account").await;
    here.answer(&page, "unlink", &[("identity", &id)]).await.assert_status(303);
    assert_eq!(from(&stack, &sub, "identity_unlinked").await, ["127.0.0.41"]);

    let owner = pretending(&stack, "127.0.0.51");
    owner.login("pc", "xiaoming").await.assert_status(200);
    let there = owner.calling_from("127.0.0.52");
    let page = there.navigate("/wxgate/account").await;
    let to_wechat = there.answer(&page, "link", &[("connector", "pc")]).await;
    there.navigate(&there.allow(to_wechat.location(), "second")).await.assert_goes_to("/wxgate/account");
    assert_eq!(from(&stack, &sub, "identity_linked").await, ["127.0.0.52"]);
    let page = there.navigate("/wxgate/account").await;
    there.calling_from("127.0.0.53").answer(&page, "sign_out_everywhere", &[]).await.assert_status(303);
    assert_eq!(from(&stack, &sub, "signed_out_everywhere").await, ["127.0.0.53"]);
    stack.finish().await;
}

async fn logged_in_from(stack: &Stack, address: &str, person: &str) -> String {
    let visitor = pretending(stack, address);
    visitor.login("pc", person).await.assert_status(200);
    visitor.whoami().await.sub().to_owned()
}

/// As docs/operations.md says for an Envoy behind a load balancer.
#[tokio::test]
async fn behind_a_load_balancer_it_is_the_address_that_the_balancer_saw() {
    let behind = |envoy: &mut serde_json::Value| connection_manager(envoy)["xff_num_trusted_hops"] = 1.into();
    let stack = Stack::builder().envoy(behind).start().await;
    for (address, person) in [("198.51.100.7", "xiaoming"), ("2001:db8::7", "xiaohong")] {
        let visitor = stack.visitor().with_header("x-forwarded-for", format!("203.0.113.66, {address}"));
        visitor.login("pc", person).await.assert_status(200);
        let sub = visitor.whoami().await.sub().to_owned();
        assert_eq!(from(&stack, &sub, "registered").await, [address]);
    }
    let direct = logged_in(&stack, "pc", "xiaoming").await;
    assert_eq!(from(&stack, &direct, "signed_in").await, ["127.0.0.1"], "a request without a balancer's word");
    stack.finish().await;
}
