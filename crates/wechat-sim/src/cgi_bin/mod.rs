//! `api.weixin.qq.com/cgi-bin/*`: apps' own tokens, and what an official account does with them.

mod qrcode;
mod quota;
mod token;
mod user;

use axum::Router;

use crate::simulator::Simulator;

pub(crate) fn routes() -> Router<Simulator> {
    Router::new().merge(token::routes()).merge(quota::routes()).merge(qrcode::routes()).merge(user::routes())
}
