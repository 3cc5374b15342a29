//! `api.weixin.qq.com/wxa/*`: what a mini program's server asks for.

mod check_session;
mod links;
mod phone_number;
mod wxacode;

use axum::Router;

use crate::api_error::ApiError;
use crate::simulator::Simulator;
use crate::world::{App, AppKind, World};

pub(crate) fn routes() -> Router<Simulator> {
    Router::new().merge(phone_number::routes()).merge(wxacode::routes()).merge(links::routes()).merge(check_session::routes())
}

/// Every one of these is a mini program's.
fn mini_program<'a>(world: &'a World, appid: &str) -> Result<&'a App, ApiError> {
    world.app(appid).filter(|app| app.kind == AppKind::MiniProgram).ok_or(ApiError::Unauthorized)
}
