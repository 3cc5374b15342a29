-- Times are Unix seconds. Text columns have SQLite's default collation, BINARY: compared byte for byte.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7
    pool TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_auth_time INTEGER NOT NULL,
    sessions_not_before INTEGER NOT NULL, -- sessions with an auth_time up to this have ended
    is_disabled INTEGER NOT NULL CHECK (is_disabled IN (0, 1)),
    name TEXT,
    is_name_from_wechat INTEGER NOT NULL CHECK (is_name_from_wechat IN (0, 1)),
    picture TEXT,
    is_picture_from_wechat INTEGER NOT NULL CHECK (is_picture_from_wechat IN (0, 1)),
    UNIQUE (id, pool)
) STRICT;

-- Who is who. The second CHECK keeps an openid out of the place of a unionid and the other way round; the foreign key
-- keeps pools apart.
CREATE TABLE identities (
    pool TEXT NOT NULL,
    platform TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('openid', 'unionid')),
    app_id TEXT NOT NULL, -- '' for a unionid
    value TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pool, platform, kind, app_id, value),
    FOREIGN KEY (user_id, pool) REFERENCES users (id, pool),
    CHECK ((kind = 'unionid') = (app_id = ''))
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_user ON identities (user_id);

-- What became of the logins of the last minutes, by idempotency key.
CREATE TABLE outcomes (
    key TEXT NOT NULL PRIMARY KEY,
    request_digest BLOB NOT NULL,
    outcome TEXT NOT NULL, -- JSON
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX outcomes_by_expiry ON outcomes (expires_at);

-- At most one entry a session, and one a user.
CREATE TABLE revocations (
    position INTEGER NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL,
    session_id TEXT UNIQUE,
    user_id TEXT UNIQUE REFERENCES users (id),
    not_before INTEGER,
    expires_at INTEGER NOT NULL,
    CHECK ((session_id IS NULL) = (user_id IS NOT NULL)),
    CHECK ((user_id IS NULL) = (not_before IS NULL))
) STRICT;

CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- The newest entry's place, also once that entry is deleted: one row, written by every revocation (src/store/cursor.rs).
CREATE TABLE revocation_feed (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    entry TEXT NOT NULL
) STRICT;

INSERT INTO revocation_feed (id, position, entry) VALUES (1, 0, '00000000000000000000000000000000');
