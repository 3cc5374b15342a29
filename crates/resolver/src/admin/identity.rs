//! WeChat identities, as an administrator gives and sees them.

use serde::{Deserialize, Serialize};

use super::fields::{FieldProblem, LABEL, Problems, WECHAT_ID};

/// One WeChat person: an openid, a unionid, or both together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// Names the WeChat Open Platform account, as in the filter's configuration.
    pub platform: String,
    /// WeChat's appid. With an openid, and only then.
    #[serde(default)]
    pub app_id: Option<String>,
    /// WeChat's id of the person in that app.
    #[serde(default)]
    pub openid: Option<String>,
    /// WeChat's id of the person on that platform.
    #[serde(default)]
    pub unionid: Option<String>,
}

/// A [`NewIdentity`] whose fields are in order, so that it names somebody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WechatPerson {
    /// The Open Platform account.
    pub platform: String,
    /// The app and the openid in it. One of the two, this or the unionid, is there.
    pub openid: Option<(String, String)>,
    /// The unionid.
    pub unionid: Option<String>,
}

/// An identity of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Identity {
    /// Names the identity.
    pub id: String,
    /// The Open Platform account.
    pub platform: String,
    /// The app, for an openid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The openid, if that is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The unionid: of an openid, the one that it came with last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// The connector by which it came last; absent before its first login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// WeChat's nickname at the last login that told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// When it was linked.
    pub linked_at: u64,
    /// When it last logged in; 0 for never.
    pub last_login_at: u64,
}

/// Whom an identity is given to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveIdentity {
    /// The account that gets it, of the same pool.
    pub to: String,
    /// Whether it may be the last way in to the account that loses it.
    #[serde(default)]
    pub force: bool,
}

impl NewIdentity {
    /// Checks every field; `at` is in front of their names.
    ///
    /// # Errors
    ///
    /// Each field that is wrong.
    pub fn parse(&self, at: &str) -> Result<WechatPerson, Vec<FieldProblem>> {
        let mut problems = Problems::default();
        let platform = problems.read(&format!("{at}platform"), &self.platform, LABEL);
        let app_id = problems.read_if_there(&format!("{at}app_id"), self.app_id.as_deref(), LABEL);
        let openid = problems.read_if_there(&format!("{at}openid"), self.openid.as_deref(), WECHAT_ID);
        let unionid = problems.read_if_there(&format!("{at}unionid"), self.unionid.as_deref(), WECHAT_ID);
        match (&self.app_id, &self.openid) {
            (Some(_), None) => problems.add(format!("{at}openid"), "an openid, for an app_id is there"),
            (None, Some(_)) => problems.add(format!("{at}app_id"), "the app of the openid"),
            (None, None) if self.unionid.is_none() => problems.add(format!("{at}openid"), "an openid, a unionid or both"),
            _ => {}
        }
        problems.or(platform.map(|platform| WechatPerson { platform, openid: app_id.zip(openid), unionid }))
    }
}

impl WechatPerson {
    /// Whether both name the same openid or the same unionid.
    pub fn overlaps(&self, other: &Self) -> bool {
        let has_same_openid = self.openid.is_some() && self.openid == other.openid;
        let has_same_unionid = self.unionid.is_some() && self.unionid == other.unionid;
        self.platform == other.platform && (has_same_openid || has_same_unionid)
    }
}

impl Identity {
    /// Whether both are of one WeChat person: the same one, or of the same unionid.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.id == other.id || (self.platform == other.platform && self.unionid.is_some() && self.unionid == other.unionid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(app_id: &str, openid: &str, unionid: &str) -> NewIdentity {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        NewIdentity { platform: "main".into(), app_id: text(app_id), openid: text(openid), unionid: text(unionid) }
    }

    #[test]
    fn an_identity_names_somebody() {
        let person = identity("wx1", "o-1", "u-1").parse("").unwrap();
        assert_eq!(person.openid, Some(("wx1".into(), "o-1".into())));
        assert_eq!(person.unionid.as_deref(), Some("u-1"));
        assert!(identity("wx1", "o-1", "").parse("").is_ok());
        assert!(identity("", "", "u-1").parse("").is_ok());
        for (wrong, field) in [
            (identity("", "", ""), "identities[0].openid"),
            (identity("wx1", "", "u-1"), "identities[0].openid"),
            (identity("", "o-1", "u-1"), "identities[0].app_id"),
            (identity("wx\u{0}1", "o-1", ""), "identities[0].app_id"),
            (identity("wx1", &"o".repeat(65), ""), "identities[0].openid"),
            (NewIdentity { platform: String::new(), ..identity("wx1", "o-1", "") }, "identities[0].platform"),
        ] {
            assert_eq!(wrong.parse("identities[0].").unwrap_err()[0].field, field);
        }
    }
}
