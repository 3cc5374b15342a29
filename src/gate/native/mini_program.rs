//! One click inside a mini program: the code of `wx.login`, and the person's phone number where it is taken.

use super::super::phone;
use super::{Client, secret, wechat_code};
use crate::config::PhoneNumber;
use crate::coroutine::Calls;
use crate::error::Failure;
use crate::form::Fields;
use crate::login::attempt::base62;
use crate::login::finish::idempotency_key;
use crate::step::Reply;

/// `{"code", "phone_code"? | "encrypted_data"? "iv"?, "nonce"?}`: a session. With a nonce the same again gets the same one, so
/// that an answer may get lost; never by the code alone, which others may have seen.
pub(super) async fn finish(client: &Client, calls: &Calls, fields: &Fields, policy: PhoneNumber) -> Result<Reply, Failure> {
    let connector = &client.connector;
    let code = wechat_code(fields)?.code;
    let nonce = fields.get("nonce").map(|_| secret(fields, "nonce")).transpose()?;
    let phone = phone::Proof::of(fields, policy)?;
    let key = match nonce {
        Some(nonce) => idempotency_key(connector, nonce, &code),
        None => idempotency_key(connector, &base62(22, &mut calls.entropy()), &code),
    };
    let who = client.who(calls, &code, phone).await;
    client.end(calls, who, key, nonce.is_some()).await
}
