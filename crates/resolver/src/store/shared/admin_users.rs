//! What an administrator does to users.

use std::time::Duration;

use serde_json::json;

use super::{Connection, Row, accounts, admin_identities, audit, revocations};
use crate::account::{Account, Sourced, State};
use crate::address::Address;
use crate::admin::draft::{Draft, Edit};
use crate::admin::fields::FieldProblem;
use crate::admin::user::UserState;
use crate::audit::{Action, By};
use crate::clock::Moment;
use crate::ids::{self, UserId};
use crate::store::{Act, AdminError, Imported, Search, StoreError};

pub(super) async fn create(connection: &mut Connection, pool: &str, draft: &Draft, by: &By, now: Moment) -> Result<Account, AdminError> {
    let account = make(connection, pool, draft, now).await?;
    let detail = json!({"identities": draft.identities.len()});
    audit::record(connection, &by.entry(pool, Action::UserCreated, Some(account.id), detail), now).await?;
    Ok(account)
}

/// Those of the drafts whose `external_id` is new. Each is looked at before it is written, for an error would undo the others.
pub(super) async fn import(connection: &mut Connection, pool: &str, drafts: &[Draft], now: Moment) -> Result<Vec<Imported>, StoreError> {
    let mut imported = Vec::new();
    for draft in drafts {
        let known = find_by(connection, "external_id", pool, draft.external_id.as_deref()).await?;
        imported.push(match known {
            Some(_) => Imported::Unchanged,
            None => match make(connection, pool, draft, now).await {
                Ok(_) => Imported::Created,
                Err(AdminError::Taken(problem) | AdminError::Field(problem)) => Imported::Failed(problem),
                Err(AdminError::Store(error)) => return Err(error),
                Err(_) => return Err(StoreError::Unreadable("a user")),
            },
        });
    }
    Ok(imported)
}

async fn make(connection: &mut Connection, pool: &str, draft: &Draft, now: Moment) -> Result<Account, AdminError> {
    let account = draft.to_account(ids::fresh_uuid(now)?, pool, now);
    check_names(connection, &account).await?;
    // All of them before anything is written.
    for (index, person) in draft.identities.iter().enumerate() {
        if draft.identities.iter().take(index).any(|other| other.overlaps(person)) {
            return Err(AdminError::Field(FieldProblem::new(format!("identities[{index}]"), "each identity once")));
        }
        if let Some(holder) = admin_identities::find_holder(connection, pool, person).await? {
            return Err(AdminError::Taken(FieldProblem::taken(format!("identities[{index}]"), holder)));
        }
    }
    accounts::create(connection, &account).await?;
    for person in &draft.identities {
        admin_identities::create(connection, &account, person, now).await?;
    }
    Ok(account)
}

pub(super) async fn update(connection: &mut Connection, user: UserId, edit: &Edit, by: &By, now: Moment) -> Result<Account, AdminError> {
    let account = find_usable(connection, user).await?;
    let account = edit.apply(account).map_err(AdminError::Field)?;
    check_names(connection, &account).await?;
    accounts::update(connection, &account).await?;
    let detail = json!({"fields": edit.fields()});
    audit::record(connection, &by.entry(&account.pool, Action::UserChanged, Some(user), detail), now).await?;
    Ok(account)
}

pub(super) async fn act(
    connection: &mut Connection,
    user: UserId,
    act: Act,
    longest_session: Duration,
    by: &By,
    now: Moment,
) -> Result<(), AdminError> {
    let mut account = find_usable(connection, user).await?;
    let pool = account.pool.clone();
    let action = match act {
        Act::SignOut => Action::SignedOutEverywhere,
        Act::Disable => {
            account.state = State::Disabled;
            Action::UserDisabled
        }
        Act::Enable => {
            account.state = State::Active;
            Action::UserEnabled
        }
        Act::Delete => {
            admin_identities::delete_all(connection, user).await?;
            account = emptied(account);
            Action::UserDeleted
        }
    };
    if act == Act::Enable {
        accounts::update(connection, &account).await?;
    } else {
        revocations::end_sessions(connection, account, longest_session, now).await?;
    }
    audit::record(connection, &by.entry(&pool, action, Some(user), json!({})), now).await?;
    Ok(())
}

/// What is left of a deleted account: its id, and when its sessions ended.
fn emptied(account: Account) -> Account {
    let nothing = Sourced { value: None, is_from_wechat: false };
    Account {
        state: State::Deleted,
        name: nothing.clone(),
        picture: nothing,
        phone_number: None,
        email: None,
        username: None,
        external_id: None,
        password_hash: None,
        ..account
    }
}

/// An account that may be changed: neither deleted nor merged.
pub(super) async fn find_usable(connection: &mut Connection, user: UserId) -> Result<Account, AdminError> {
    let account = accounts::find(connection, user).await?.ok_or(AdminError::NoSuchUser)?;
    match account.state {
        State::Active | State::Disabled => Ok(account),
        State::Deleted | State::Merged { .. } => Err(AdminError::State(account.state.into())),
    }
}

/// Whether the names that no two users of a pool share are free for this one.
async fn check_names(connection: &mut Connection, account: &Account) -> Result<(), AdminError> {
    for (column, name) in [("external_id", &account.external_id), ("username", &account.username)] {
        let holder = find_by(connection, column, &account.pool, name.as_deref()).await?;
        if let Some(holder) = holder.filter(|holder| *holder != account.id) {
            return Err(AdminError::Taken(FieldProblem::taken(column, holder)));
        }
    }
    Ok(())
}

async fn find_by(connection: &mut Connection, column: &'static str, pool: &str, name: Option<&str>) -> Result<Option<UserId>, StoreError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let statement = match column {
        "external_id" => "SELECT id FROM users WHERE pool = $1 AND external_id = $2",
        _ => "SELECT id FROM users WHERE pool = $1 AND username = $2",
    };
    let id: Option<String> = sqlx::query_scalar(statement).bind(pool).bind(name).fetch_optional(connection).await?;
    id.as_deref().map(super::parse_uuid).transpose()
}

pub(super) async fn search(connection: &mut Connection, search: &Search) -> Result<Vec<Account>, StoreError> {
    let text = search.text.as_deref().unwrap_or_default();
    let phone_number = Address::phone(text);
    let state = search.state.map(UserState::name).unwrap_or_default();
    let statement = match (&search.text, search.is_exact) {
        (None, _) => {
            "SELECT * FROM users WHERE pool = $1 AND id > $2 AND ($3 = '' OR state = $3) AND $4 = '' AND $5 = '' AND $6 = ''
             ORDER BY id LIMIT $7"
        }
        (Some(_), true) => {
            // Each of the inner ones has its index; with OR, SQLite would read the pool in the order of the ids.
            "SELECT * FROM users WHERE id > $2 AND ($3 = '' OR state = $3) AND id IN (
                 SELECT id FROM users WHERE pool = $1 AND external_id = $4
                 UNION SELECT id FROM users WHERE pool = $1 AND username = $4
                 UNION SELECT id FROM users WHERE pool = $1 AND email = $5
                 UNION SELECT id FROM users WHERE pool = $1 AND phone_number = $6)
             ORDER BY id LIMIT $7"
        }
        (Some(_), false) => {
            "SELECT * FROM users WHERE pool = $1 AND id > $2 AND ($3 = '' OR state = $3)
                 AND (substr(external_id, 1, length($4)) = $4 OR substr(username, 1, length($4)) = $4
                      OR substr(name, 1, length($4)) = $4 OR substr(email, 1, length($5)) = $5
                      OR substr(phone_number, 1, length($6)) = $6)
             ORDER BY id LIMIT $7"
        }
    };
    let rows: Vec<Row> = sqlx::query(statement)
        .bind(&search.pool)
        .bind(search.after.to_string())
        .bind(state)
        .bind(text)
        .bind(text.to_ascii_lowercase())
        .bind(phone_number.as_ref().map_or(text, Address::as_str))
        .bind(i64::try_from(search.limit.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(accounts::read).collect()
}
