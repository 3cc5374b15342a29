//! What a phone shows beside the authorize pages: its camera, an account's chat, and mini programs. WeChat draws these
//! itself, so they look like nothing of WeChat's, and only what they cause is WeChat's.

mod account;
mod camera;
mod mini_program;

use axum::Router;

use crate::simulator::Simulator;

pub(crate) fn routes() -> Router<Simulator> {
    Router::new().merge(camera::routes()).merge(account::routes()).merge(mini_program::routes())
}
