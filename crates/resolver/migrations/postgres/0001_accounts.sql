-- The same tables as migrations/sqlite/0001_accounts.sql, in SQL that PostgreSQL-compatible databases take. Times are Unix seconds.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7; the row stays when the account is deleted, so that no id is given out again
    pool TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'disabled', 'deleted', 'merged')),
    merged_into TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    last_auth_time BIGINT NOT NULL, -- 0 before the first login
    sessions_not_before BIGINT NOT NULL, -- sessions with an auth_time up to this have ended
    name TEXT,
    is_name_from_wechat BOOLEAN NOT NULL,
    picture TEXT,
    is_picture_from_wechat BOOLEAN NOT NULL,
    phone_number TEXT, -- E.164
    is_phone_number_from_wechat BOOLEAN NOT NULL,
    is_phone_number_verified BOOLEAN NOT NULL,
    email TEXT, -- in lower case
    is_email_verified BOOLEAN NOT NULL,
    username TEXT,
    external_id TEXT, -- the operator's own name for the account
    password_hash TEXT, -- PHC string
    UNIQUE (id, pool),
    UNIQUE (pool, username),
    UNIQUE (pool, external_id),
    CHECK ((state = 'merged') = (merged_into IS NOT NULL))
);

CREATE INDEX users_by_phone_number ON users (pool, phone_number);
CREATE INDEX users_by_email ON users (pool, email);

-- Who is who. The CHECKs keep an openid out of the place of a unionid and the other way round; the foreign key keeps
-- pools apart. WeChat's ids are opaque bytes.
CREATE TABLE identities (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    pool TEXT NOT NULL,
    platform TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('openid', 'unionid')),
    app_id TEXT NOT NULL, -- '' for a unionid
    value BYTEA NOT NULL,
    user_id TEXT NOT NULL,
    unionid BYTEA, -- of an openid: the unionid that it came with last
    connector TEXT NOT NULL, -- by which it came last
    nickname TEXT,
    created_at BIGINT NOT NULL,
    last_login_at BIGINT NOT NULL,
    UNIQUE (pool, platform, kind, app_id, value),
    FOREIGN KEY (user_id, pool) REFERENCES users (id, pool),
    CHECK ((kind = 'unionid') = (app_id = '')),
    CHECK (kind = 'openid' OR unionid IS NULL)
);

CREATE INDEX identities_by_user ON identities (user_id);

-- Whom a person chose whose openid and unionid are of different accounts.
CREATE TABLE choices (
    pool TEXT NOT NULL,
    platform TEXT NOT NULL,
    app_id TEXT NOT NULL,
    openid BYTEA NOT NULL,
    unionid BYTEA NOT NULL,
    user_id TEXT NOT NULL,
    chosen_at BIGINT NOT NULL,
    PRIMARY KEY (pool, platform, app_id, openid, unionid),
    FOREIGN KEY (user_id, pool) REFERENCES users (id, pool)
);

CREATE INDEX choices_by_user ON choices (user_id);

-- Logins that wait for their person.
CREATE TABLE pending_logins (
    id TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the token that its person has, in hex
    state TEXT NOT NULL, -- JSON, src/pending.rs
    expires_at BIGINT NOT NULL
);

CREATE INDEX pending_logins_by_expiry ON pending_logins (expires_at);

-- When codes were asked for, for the limit of an address.
CREATE TABLE code_requests (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    address TEXT NOT NULL, -- SHA-256 of pool and address, in hex
    asked_at BIGINT NOT NULL
);

CREATE INDEX code_requests_by_address ON code_requests (address, asked_at);
CREATE INDEX code_requests_by_time ON code_requests (asked_at);

-- What became of the logins of the last minutes, by idempotency key.
CREATE TABLE outcomes (
    key TEXT NOT NULL PRIMARY KEY,
    request_digest BYTEA NOT NULL,
    outcome TEXT NOT NULL, -- JSON
    expires_at BIGINT NOT NULL
);

CREATE INDEX outcomes_by_expiry ON outcomes (expires_at);

-- What the operator decided about a connector.
CREATE TABLE policies (
    pool TEXT NOT NULL,
    connector TEXT NOT NULL,
    policy TEXT NOT NULL, -- JSON, src/policy.rs
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (pool, connector)
);

-- Who did what to which account from where. Rows are added, and never changed.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    at BIGINT NOT NULL, -- milliseconds
    pool TEXT NOT NULL,
    actor TEXT NOT NULL, -- 'admin:NAME', 'user:ID', 'wechat' for a login
    action TEXT NOT NULL,
    user_id TEXT, -- no foreign key: an import or a policy concerns nobody
    client_address TEXT,
    detail TEXT NOT NULL -- JSON
);

CREATE INDEX audit_by_pool ON audit (pool, id);
CREATE INDEX audit_by_user ON audit (user_id, id);

-- At most one entry a session, and one a user.
CREATE TABLE revocations (
    position BIGINT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL,
    session_id TEXT UNIQUE,
    user_id TEXT UNIQUE REFERENCES users (id),
    not_before BIGINT,
    expires_at BIGINT NOT NULL,
    CHECK ((session_id IS NULL) = (user_id IS NOT NULL)),
    CHECK ((user_id IS NULL) = (not_before IS NULL))
);

CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- The newest entry's place, also once that entry is deleted: one row, written by every revocation (src/store/cursor.rs).
CREATE TABLE revocation_feed (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    entry TEXT NOT NULL
);

INSERT INTO revocation_feed (id, position, entry) VALUES (1, 0, '00000000000000000000000000000000');
