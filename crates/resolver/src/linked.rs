//! The WeChat people of an account: identities that belong together are shown, and unlinked, as one. Pure.

use resolver_api::LinkedIdentity;
use uuid::Uuid;

use crate::login::IdentityKind;

/// An identity, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Names the row.
    pub id: Uuid,
    /// Names the WeChat Open Platform account.
    pub platform: String,
    /// Whether it is an openid or a unionid.
    pub kind: IdentityKind,
    /// WeChat's appid; empty for a unionid.
    pub app_id: String,
    /// The openid or the unionid.
    pub value: Vec<u8>,
    /// Of an openid: the unionid that it came with last.
    pub unionid: Option<Vec<u8>>,
    /// The connector by which it came last.
    pub connector: String,
    /// WeChat's nickname at the last login that told one.
    pub nickname: Option<String>,
    /// When it was linked.
    pub created_at: u64,
    /// When it last logged in.
    pub last_login_at: u64,
}

/// One WeChat person: a unionid with all openids that came with it, or an openid alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The unionid, if there is one, comes first.
    pub identities: Vec<Identity>,
}

/// The people to whom an account's identities belong, the one linked first before the others.
pub fn people(identities: Vec<Identity>) -> Vec<Person> {
    let (unionids, openids): (Vec<_>, Vec<_>) = identities.into_iter().partition(|identity| identity.kind == IdentityKind::Unionid);
    let mut people: Vec<_> = unionids.into_iter().map(|unionid| Person { identities: vec![unionid] }).collect();
    for openid in openids {
        match people.iter_mut().find(|person| person.has_unionid_of(&openid)) {
            Some(person) => person.identities.push(openid),
            None => people.push(Person { identities: vec![openid] }),
        }
    }
    people.sort_by_key(|person| (person.linked_at(), person.id()));
    people
}

impl Person {
    /// Names the person within the account.
    pub fn id(&self) -> Option<Uuid> {
        self.identities.first().map(|identity| identity.id)
    }

    /// The person as they are shown.
    pub fn to_linked_identity(&self) -> LinkedIdentity {
        let mut connectors: Vec<_> = self.identities.iter().map(|identity| identity.connector.clone()).collect();
        connectors.sort();
        connectors.dedup();
        let newest = self.identities.iter().filter(|identity| identity.nickname.is_some()).max_by_key(|identity| identity.last_login_at);
        LinkedIdentity {
            id: self.id().map(|id| id.to_string()).unwrap_or_default(),
            nickname: newest.and_then(|identity| identity.nickname.clone()),
            connectors,
            linked_at: self.linked_at(),
            last_login_at: self.identities.iter().map(|identity| identity.last_login_at).max().unwrap_or_default(),
        }
    }

    fn linked_at(&self) -> u64 {
        self.identities.iter().map(|identity| identity.created_at).min().unwrap_or_default()
    }

    fn has_unionid_of(&self, openid: &Identity) -> bool {
        let is_same = |own: &Identity| own.platform == openid.platform && openid.unionid.as_ref() == Some(&own.value);
        self.identities.first().is_some_and(|own| own.kind == IdentityKind::Unionid && is_same(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openid(id: u128, value: &str, unionid: Option<&str>) -> Identity {
        Identity {
            id: Uuid::from_u128(id),
            platform: "main".into(),
            kind: IdentityKind::Openid,
            app_id: format!("wx{id}"),
            value: value.into(),
            unionid: unionid.map(Into::into),
            connector: format!("connector-{id}"),
            nickname: None,
            created_at: 100,
            last_login_at: 100,
        }
    }

    fn unionid(id: u128, value: &str) -> Identity {
        Identity { kind: IdentityKind::Unionid, app_id: String::new(), unionid: None, ..openid(id, value, None) }
    }

    fn ids(people: &[Person]) -> Vec<Vec<u128>> {
        people.iter().map(|person| person.identities.iter().map(|identity| identity.id.as_u128()).collect()).collect()
    }

    #[test]
    fn a_unionid_gathers_its_openids_and_others_stand_alone() {
        let all = vec![
            openid(1, "o1", Some("u")),
            openid(2, "o2", None),
            unionid(3, "u"),
            openid(4, "o4", Some("u")),
            openid(5, "o5", Some("somebody else's")),
            unionid(6, "v"),
            Identity { platform: "other".into(), ..openid(7, "o7", Some("u")) },
        ];
        assert_eq!(ids(&people(all)), [vec![2], vec![3, 1, 4], vec![5], vec![6], vec![7]]);
        assert_eq!(people(Vec::new()), []);
    }

    #[test]
    fn an_openid_that_looks_like_a_unionid_is_none() {
        assert_eq!(ids(&people(vec![openid(1, "u", None), openid(2, "o", Some("u"))])), [vec![1], vec![2]]);
    }

    #[test]
    fn a_person_is_shown_by_the_newest_nickname_and_all_connectors() {
        let old = Identity { nickname: Some("晓明".into()), created_at: 50, ..openid(1, "o1", Some("u")) };
        let new = Identity { nickname: Some("小明".into()), last_login_at: 200, ..openid(2, "o2", Some("u")) };
        let silent = Identity { last_login_at: 300, connector: "connector-1".into(), ..unionid(3, "u") };
        let shown = people(vec![old, new, silent])[0].to_linked_identity();
        assert_eq!(
            shown,
            LinkedIdentity {
                id: Uuid::from_u128(3).to_string(),
                nickname: Some("小明".into()),
                connectors: vec!["connector-1".into(), "connector-2".into()],
                linked_at: 50,
                last_login_at: 300,
            }
        );
    }
}
