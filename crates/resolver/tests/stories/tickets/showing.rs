//! What a waiting screen shows of whoever has scanned: the account's picture, before anything is confirmed.

use resolver_api::tickets::{CreateTicket, TicketIdentity};
use resolver_api::{LoginRequest, Profile};
use wxgate_resolver::store::AdminStore;

use super::{Front, done, fresh, person, to_scan};
use crate::support::{With, at, disable, log_in, over_both_databases, pc, signed_in};

over_both_databases!(a_person_who_was_here_before_is_shown_to_the_screen_that_waits, whoever_is_not_known_or_not_welcome_is_not_shown,);

/// As WeChat tells of a person at a login on the PC; a mini program tells no more than who it is.
fn known_on_the_pc(openid: &str) -> LoginRequest {
    let picture = Some("https://thirdwx.qlogo.cn/1".into());
    LoginRequest {
        profile: Some(Profile { nickname: Some("小明".into()), picture }),
        ..pc(openid).unionid(&format!("unionid of {openid}"))
    }
}

/// Somebody whose account is known by the unionid, and by no openid of this mini program.
fn silent(openid: &str) -> TicketIdentity {
    TicketIdentity { profile: None, ..person(openid) }
}

async fn a_person_who_was_here_before_is_shown_to_the_screen_that_waits<S: AdminStore>(store: S) {
    let front = Front::new(store);
    log_in(&front.state.store, known_on_the_pc("o"), at(0)).await;
    let ticket = front.begin(&fresh()).await;
    let seen = Some(Profile { nickname: Some("小*".into()), picture: Some("https://thirdwx.qlogo.cn/1".into()) });
    assert_eq!(done(front.scan(&ticket, &silent("o")).await).profile, seen);
    assert_eq!(front.look(&ticket).await.unwrap().profile, seen);
    assert_eq!(done(front.confirm(&ticket, &silent("o")).await).profile, seen);
    let told = front.begin(&fresh()).await;
    assert_eq!(done(front.scan(&told, &person("o")).await).profile, person("o").profile, "what WeChat tells with the scan comes first");
    let refused = front.begin(&fresh()).await;
    done(front.scan(&refused, &silent("o")).await);
    assert_eq!(done(front.cancel(&refused, &silent("o")).await).profile, None);
}

async fn whoever_is_not_known_or_not_welcome_is_not_shown<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let user = signed_in(log_in(&front.state.store, known_on_the_pc("o"), at(0)).await).user;
    let shown = async |ticket: &CreateTicket, platform: &str, identity: &TicketIdentity| {
        let ticket = front.begin_as(ticket).await;
        done(front.scan_on(platform, &ticket, identity).await).profile
    };
    let here = to_scan(&fresh());
    assert!(shown(&here, "main", &silent("o")).await.is_some());
    assert_eq!(shown(&here, "main", &silent("p")).await, None, "a stranger");
    assert_eq!(shown(&here, "other", &silent("o")).await, None, "another platform's unionid");
    assert_eq!(shown(&CreateTicket { pool: "other".into(), ..here.clone() }, "main", &silent("o")).await, None, "another pool's account");
    disable(&front.state.store, user, at(2)).await;
    assert_eq!(shown(&here, "main", &silent("o")).await, None, "a disabled account");
}
