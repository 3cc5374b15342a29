//! The WeChat people of an account, as its person sees them: identities that belong together are one. Pure.

use resolver_api::LinkedIdentity;

use crate::admin::identity::Identity;

/// The people to whom an account's identities belong, whoever was linked first before the others.
pub fn people(identities: &[Identity]) -> Vec<LinkedIdentity> {
    let mut people: Vec<Vec<&Identity>> = Vec::new();
    for identity in identities {
        match people.iter_mut().find(|person| person.iter().any(|other| other.is_same_person(identity))) {
            Some(person) => person.push(identity),
            None => people.push(vec![identity]),
        }
    }
    let mut people: Vec<_> = people.iter().map(|person| show(person)).collect();
    people.sort_by(|one, other| (one.linked_at, &one.id).cmp(&(other.linked_at, &other.id)));
    people
}

fn show(person: &[&Identity]) -> LinkedIdentity {
    // The unionid stays the same when openids come and go.
    let named_by = person.iter().find(|identity| identity.openid.is_none()).or(person.first());
    let last_to_tell = person.iter().filter(|identity| identity.nickname.is_some()).max_by_key(|identity| identity.last_login_at);
    let mut connectors: Vec<_> = person.iter().filter_map(|identity| identity.connector.clone()).collect();
    connectors.sort();
    connectors.dedup();
    LinkedIdentity {
        id: named_by.map(|identity| identity.id.clone()).unwrap_or_default(),
        nickname: last_to_tell.and_then(|identity| identity.nickname.clone()),
        connectors,
        linked_at: person.iter().map(|identity| identity.linked_at).min().unwrap_or_default(),
        last_login_at: person.iter().map(|identity| identity.last_login_at).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openid(id: &str, unionid: Option<&str>) -> Identity {
        Identity {
            id: id.into(),
            platform: "main".into(),
            app_id: Some(format!("wx-{id}")),
            openid: Some(format!("openid of {id}")),
            unionid: unionid.map(Into::into),
            connector: Some(format!("connector-{id}")),
            nickname: None,
            linked_at: 100,
            last_login_at: 100,
        }
    }

    fn unionid(id: &str, value: &str) -> Identity {
        Identity { app_id: None, openid: None, connector: None, ..openid(id, Some(value)) }
    }

    #[test]
    fn a_unionid_gathers_its_openids_and_others_stand_alone() {
        let all = [
            openid("1", Some("u")),
            openid("2", None),
            unionid("3", "u"),
            openid("4", Some("u")),
            openid("5", Some("somebody else's")),
            unionid("6", "v"),
            Identity { platform: "other".into(), ..openid("7", Some("u")) },
        ];
        let shown: Vec<_> = people(&all).into_iter().map(|person| (person.id, person.connectors.len())).collect();
        let expected = [("2", 1), ("3", 2), ("5", 1), ("6", 0), ("7", 1)];
        assert_eq!(shown, expected.map(|(id, connectors)| (id.to_owned(), connectors)));
        assert_eq!(people(&[]), []);
    }

    #[test]
    fn a_person_is_shown_by_the_newest_nickname_and_all_connectors() {
        let old = Identity { nickname: Some("晓明".into()), linked_at: 50, ..openid("1", Some("u")) };
        let new = Identity { nickname: Some("小明".into()), last_login_at: 200, ..openid("2", Some("u")) };
        let silent = Identity { last_login_at: 300, connector: Some("connector-1".into()), ..unionid("3", "u") };
        assert_eq!(
            people(&[old, new, silent]),
            [LinkedIdentity {
                id: "3".into(),
                nickname: Some("小明".into()),
                connectors: vec!["connector-1".into(), "connector-2".into()],
                linked_at: 50,
                last_login_at: 300,
            }]
        );
    }
}
