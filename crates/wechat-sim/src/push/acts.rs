//! What people do that an app's server is told of.

use super::{Delivery, Message};
use crate::act_error::ActError;
use crate::followers::{AccountCode, Follow};
use crate::simulator::{Simulator, Wechat};
use crate::world::{self, AppKind};

impl Simulator {
    /// Scans a QR code of `qrcode/create`: its `url`, or its ticket. Who does not follow yet is offered to, and does. The
    /// account's server is told `subscribe` with `qrscene_`, or `SCAN`.
    pub async fn scan_account_code(&self, text: &str, person: &str) -> Result<Option<Delivery>, ActError> {
        let (appid, message) = self.changing(|wechat| {
            wechat.existing(person)?;
            let now = wechat.now();
            let (ticket, code) = wechat.account_code(text).ok_or_else(|| ActError::NotACode(text.to_owned()))?;
            let is_new = wechat.followers.find(person, &code.appid).is_none();
            let (event, prefix) = if is_new { ("subscribe", "qrscene_") } else { ("SCAN", "") };
            if is_new {
                wechat.followers.add(person, &code.appid, Follow { since: now, scene: Some(code.scene.clone()) });
            }
            let key = format!("{prefix}{}", code.scene.key());
            let message = wechat.event(&code.appid, person, event).with("EventKey", &key).with("Ticket", &ticket);
            Ok::<_, ActError>((code.appid, message))
        })?;
        self.push(&appid, &message).await
    }

    /// Follows an account found by searching: `subscribe` without a key. Nothing happens to a follower.
    pub async fn follow(&self, appid: &str, person: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.changing(|wechat| {
            wechat.account(appid, person)?;
            if wechat.followers.find(person, appid).is_some() {
                return Ok(None);
            }
            let since = wechat.now();
            wechat.followers.add(person, appid, Follow { since, scene: None });
            Ok::<_, ActError>(Some(wechat.event(appid, person, "subscribe").with("EventKey", "")))
        })?;
        self.push_if(appid, message).await
    }

    /// Unfollows an account: `unsubscribe`, where there was anything to end.
    pub async fn unfollow(&self, appid: &str, person: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.changing(|wechat| {
            wechat.account(appid, person)?;
            let was_following = wechat.followers.remove(person, appid);
            Ok::<_, ActError>(was_following.then(|| wechat.event(appid, person, "unsubscribe").with("EventKey", "")))
        })?;
        self.push_if(appid, message).await
    }

    /// Whether somebody follows an account.
    pub fn is_following(&self, appid: &str, person: &str) -> bool {
        self.with(|wechat| wechat.followers.find(person, appid).is_some())
    }

    /// A follower taps a menu entry: `CLICK` with its key.
    pub async fn click(&self, appid: &str, person: &str, key: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.with(|wechat| {
            wechat.follower(appid, person)?;
            Ok::<_, ActError>(wechat.event(appid, person, "CLICK").with("EventKey", key))
        })?;
        self.push(appid, &message).await
    }

    /// A follower writes something.
    pub async fn write(&self, appid: &str, person: &str, content: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.with(|wechat| {
            wechat.follower(appid, person)?;
            let (to, from) = (world::original_id(appid), world::openid(person, appid));
            Ok::<_, ActError>(Message::text(&to, &from, wechat.now(), content))
        })?;
        self.push(appid, &message).await
    }

    /// Takes back what was authorized to an app of any kind: `user_authorization_revoke`.
    pub async fn revoke_authorization(&self, appid: &str, person: &str, revoke_info: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.authorization_change(appid, person, "user_authorization_revoke")?.with("RevokeInfo", revoke_info);
        self.push(appid, &message).await
    }

    /// Deletes the WeChat account, as one app hears of it: `user_authorization_cancellation`.
    pub async fn cancel_authorization(&self, appid: &str, person: &str) -> Result<Option<Delivery>, ActError> {
        let message = self.authorization_change(appid, person, "user_authorization_cancellation")?;
        self.push(appid, &message).await
    }

    /// The person is in `OpenID`; `FromUserName` is an account of WeChat's.
    fn authorization_change(&self, appid: &str, person: &str, event: &str) -> Result<Message, ActError> {
        self.changing(|wechat| {
            wechat.existing(person)?;
            let app = wechat.world.app(appid).ok_or_else(|| ActError::NotThatKindOfApp(appid.to_owned()))?;
            let unionid = app.platform.as_deref().map(|platform| world::unionid(person, platform));
            wechat.world.forget_consent(person, appid);
            let (to, from) = (world::original_id(appid), world::openid("WeChat's own", appid));
            let message =
                Message::event(&to, &from, wechat.now(), event).with("OpenID", &world::openid(person, appid)).with("AppID", appid);
            Ok(match unionid {
                Some(unionid) => message.with("UnionID", &unionid),
                None => message,
            })
        })
    }

    async fn push_if(&self, appid: &str, message: Option<Message>) -> Result<Option<Delivery>, ActError> {
        match message {
            Some(message) => self.push(appid, &message).await,
            None => Ok(None),
        }
    }
}

impl Wechat {
    fn account_code(&self, text: &str) -> Option<(String, AccountCode)> {
        let now = self.now();
        let id = self.account_codes.id_of_ticket(text, now).or_else(|| text.rsplit_once("/q/").map(|(_, id)| id))?;
        self.account_codes.find(id, now).cloned()
    }

    fn account(&self, appid: &str, person: &str) -> Result<(), ActError> {
        self.existing(person)?;
        let app = self.world.app(appid).filter(|app| app.kind == AppKind::OfficialAccount);
        app.map(drop).ok_or_else(|| ActError::NotThatKindOfApp(appid.to_owned()))
    }

    fn follower(&self, appid: &str, person: &str) -> Result<(), ActError> {
        self.account(appid, person)?;
        let follow = self.followers.find(person, appid);
        follow.map(drop).ok_or_else(|| ActError::NotAFollower(person.to_owned()))
    }

    fn event(&self, appid: &str, person: &str, event: &str) -> Message {
        Message::event(&world::original_id(appid), &world::openid(person, appid), self.now(), event)
    }
}
