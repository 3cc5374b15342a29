//! The API as an OpenAPI 3.1 document. `openapi.json` beside `Cargo.toml` is a copy that a test keeps current.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::admin::AdminApi;
use super::{health, logins, own_account, pending, revocations, tickets};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wxgate resolver",
        description = "Which account does a WeChat identity belong to, and which sessions have ended. Unknown fields are ignored by both sides. Times are Unix seconds.",
    ),
    paths(
        logins::create,
        logins::find,
        pending::find,
        pending::send_code,
        pending::finish,
        revocations::revoke_session,
        revocations::list,
        own_account::view,
        own_account::unlink,
        own_account::revoke_sessions,
        tickets::create,
        tickets::find,
        tickets::scan,
        tickets::confirm,
        tickets::cancel,
        tickets::redeem,
        tickets::withdraw,
        health::is_up,
        health::is_ready,
    ),
    modifiers(&BearerToken),
    security(("token" = [])),
)]
struct Api;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let token =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("One of the resolver's tokens, for the filter.")).build();
        let admin = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An administrator's token.")).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("admin", SecurityScheme::Http(admin));
    }
}

/// The document.
pub fn api() -> utoipa::openapi::OpenApi {
    Api::openapi().merge_from(AdminApi::openapi())
}

pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(api())
}
