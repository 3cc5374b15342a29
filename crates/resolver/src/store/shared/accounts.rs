//! Rows of `users`.

use sqlx::Row as _;

use super::{Connection, Row, from_sql, parse_uuid, to_sql};
use crate::account::{Account, Email, PasswordHash, PhoneNumber, Sourced, State};
use crate::address::Address;
use crate::ids::UserId;
use crate::store::{StoreError, StoredPassword};

pub(super) async fn find(connection: &mut Connection, user: UserId) -> Result<Option<Account>, StoreError> {
    let row: Option<Row> = sqlx::query("SELECT * FROM users WHERE id = $1").bind(user.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// The active accounts of the pool whose person has proved to have this address; two stand for many.
pub(super) async fn find_by_address(connection: &mut Connection, pool: &str, address: &Address) -> Result<Vec<UserId>, StoreError> {
    let statement = match address {
        Address::Phone(_) => {
            "SELECT id FROM users WHERE pool = $1 AND phone_number = $2 AND is_phone_number_verified = TRUE AND state = 'active' LIMIT 2"
        }
        Address::Email(_) => {
            "SELECT id FROM users WHERE pool = $1 AND email = $2 AND is_email_verified = TRUE AND state = 'active' LIMIT 2"
        }
    };
    let ids: Vec<String> = sqlx::query_scalar(statement).bind(pool).bind(address.as_str()).fetch_all(connection).await?;
    ids.iter().map(|id| parse_uuid(id)).collect()
}

/// The one active account of the pool with a password and this username, phone number or e-mail address.
pub(super) async fn find_password(connection: &mut Connection, pool: &str, account: &str) -> Result<Option<StoredPassword>, StoreError> {
    // PostgreSQL's text holds no U+0000.
    if account.chars().any(char::is_control) {
        return Ok(None);
    }
    let text = |address: Option<Address>| address.map(|address| address.as_str().to_owned());
    // Each of the inner ones has its index; with OR, SQLite would read the whole pool.
    let rows: Vec<Row> = sqlx::query(
        "SELECT id, password_hash FROM users WHERE state = 'active' AND password_hash IS NOT NULL AND id IN (
             SELECT id FROM users WHERE pool = $1 AND username = $2
             UNION SELECT id FROM users WHERE pool = $1 AND phone_number = $3
             UNION SELECT id FROM users WHERE pool = $1 AND email = $4)
         LIMIT 2",
    )
    .bind(pool)
    .bind(account.trim())
    .bind(text(Address::phone(account)))
    .bind(text(Address::email(account)))
    .fetch_all(connection)
    .await?;
    match rows.as_slice() {
        [row] => Ok(Some(StoredPassword { user: parse_uuid(row.try_get("id")?)?, hash: PasswordHash(row.try_get("password_hash")?) })),
        _ => Ok(None),
    }
}

pub(super) fn read(row: &Row) -> Result<Account, StoreError> {
    let merged_into: Option<String> = row.try_get("merged_into")?;
    let state = match (row.try_get("state")?, merged_into) {
        ("active", None) => State::Active,
        ("disabled", None) => State::Disabled,
        ("deleted", None) => State::Deleted,
        ("merged", Some(into)) => State::Merged { into: parse_uuid(&into)? },
        _ => return Err(StoreError::Unreadable("a state of a user")),
    };
    let phone_number: Option<String> = row.try_get("phone_number")?;
    let is_phone_number_from_wechat = row.try_get("is_phone_number_from_wechat")?;
    let is_phone_number_verified = row.try_get("is_phone_number_verified")?;
    let email: Option<String> = row.try_get("email")?;
    let is_email_verified = row.try_get("is_email_verified")?;
    let password_hash: Option<String> = row.try_get("password_hash")?;
    Ok(Account {
        id: parse_uuid(row.try_get("id")?)?,
        pool: row.try_get("pool")?,
        state,
        created_at: from_sql(row.try_get("created_at")?),
        last_auth_time: from_sql(row.try_get("last_auth_time")?),
        sessions_not_before: from_sql(row.try_get("sessions_not_before")?),
        name: Sourced { value: row.try_get("name")?, is_from_wechat: row.try_get("is_name_from_wechat")? },
        picture: Sourced { value: row.try_get("picture")?, is_from_wechat: row.try_get("is_picture_from_wechat")? },
        phone_number: phone_number.map(|number| PhoneNumber {
            number,
            is_from_wechat: is_phone_number_from_wechat,
            is_verified: is_phone_number_verified,
        }),
        email: email.map(|address| Email { address, is_verified: is_email_verified }),
        username: row.try_get("username")?,
        external_id: row.try_get("external_id")?,
        password_hash: password_hash.map(PasswordHash),
    })
}

pub(super) async fn create(connection: &mut Connection, account: &Account) -> Result<(), StoreError> {
    write(
        connection,
        account,
        "INSERT INTO users (id, pool, state, merged_into, created_at, last_auth_time, sessions_not_before,
             name, is_name_from_wechat, picture, is_picture_from_wechat,
             phone_number, is_phone_number_from_wechat, is_phone_number_verified, email, is_email_verified,
             username, external_id, password_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .await
}

pub(super) async fn update(connection: &mut Connection, account: &Account) -> Result<(), StoreError> {
    write(
        connection,
        account,
        "UPDATE users SET state = $3, merged_into = $4, created_at = $5, last_auth_time = $6, sessions_not_before = $7,
             name = $8, is_name_from_wechat = $9, picture = $10, is_picture_from_wechat = $11,
             phone_number = $12, is_phone_number_from_wechat = $13, is_phone_number_verified = $14, email = $15, is_email_verified = $16,
             username = $17, external_id = $18, password_hash = $19
         WHERE id = $1 AND pool = $2",
    )
    .await
}

async fn write(connection: &mut Connection, account: &Account, statement: &'static str) -> Result<(), StoreError> {
    let (state, merged_into) = match account.state {
        State::Active => ("active", None),
        State::Disabled => ("disabled", None),
        State::Deleted => ("deleted", None),
        State::Merged { into } => ("merged", Some(into.to_string())),
    };
    let phone_number = account.phone_number.as_ref();
    let email = account.email.as_ref();
    sqlx::query(statement)
        .bind(account.id.to_string())
        .bind(&account.pool)
        .bind(state)
        .bind(merged_into)
        .bind(to_sql(account.created_at))
        .bind(to_sql(account.last_auth_time))
        .bind(to_sql(account.sessions_not_before))
        .bind(&account.name.value)
        .bind(account.name.is_from_wechat)
        .bind(&account.picture.value)
        .bind(account.picture.is_from_wechat)
        .bind(phone_number.map(|phone| &phone.number))
        .bind(phone_number.is_some_and(|phone| phone.is_from_wechat))
        .bind(phone_number.is_some_and(|phone| phone.is_verified))
        .bind(email.map(|email| &email.address))
        .bind(email.is_some_and(|email| email.is_verified))
        .bind(&account.username)
        .bind(&account.external_id)
        .bind(account.password_hash.as_ref().map(|hash| &hash.0))
        .execute(connection)
        .await?;
    Ok(())
}
