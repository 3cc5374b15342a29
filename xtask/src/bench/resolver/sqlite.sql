-- People for the task `bench resolver`, as if each of them had logged in once: into the empty tables of a resolver that has
-- just made them. login.lua knows their names.

CREATE TEMP TABLE people (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, openid_id TEXT NOT NULL, unionid_id TEXT NOT NULL, audit_id TEXT NOT NULL, name TEXT NOT NULL
);

-- A UUIDv7 of the person's second, four times.
WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < ${PEOPLE}),
    seconds AS (SELECT number, printf('%012x', 1700000000000 + number * 1000) AS time FROM numbers),
    starts AS (SELECT number, substr(time, 1, 8) || '-' || substr(time, 9, 4) || '-7' || substr(hex(randomblob(2)), 1, 3) || '-8' AS start FROM seconds)
INSERT INTO people
SELECT
    number,
    lower(start || substr(hex(randomblob(2)), 1, 3) || '-' || hex(randomblob(6))),
    lower(start || substr(hex(randomblob(2)), 1, 3) || '-' || hex(randomblob(6))),
    lower(start || substr(hex(randomblob(2)), 1, 3) || '-' || hex(randomblob(6))),
    lower(start || substr(hex(randomblob(2)), 1, 3) || '-' || hex(randomblob(6))),
    printf('%08x-6B0t5PZ9kLmNqRsTuV', number * 2654435761 % 4294967296)
FROM starts;

INSERT INTO users (
    id, pool, state, created_at, last_auth_time, sessions_not_before, name, is_name_from_wechat, is_picture_from_wechat,
    is_phone_number_from_wechat, is_phone_number_verified, is_email_verified
)
SELECT id, 'default', 'active', 1700000000 + number, 1700000000 + number, 0, '小明', 1, 1, 0, 0, 0 FROM people;

INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, unionid, connector, nickname, created_at, last_login_at)
SELECT
    openid_id, 'default', 'main', 'openid', 'wx0000000000000001', CAST('o' || name AS BLOB), id, CAST('u' || name AS BLOB), 'pc', '小明',
    1700000000 + number, 1700000000 + number
FROM people
UNION ALL
SELECT
    unionid_id, 'default', 'main', 'unionid', '', CAST('u' || name AS BLOB), id, NULL, 'pc', '小明', 1700000000 + number, 1700000000 + number
FROM people;

INSERT INTO audit (id, at, pool, actor, action, user_id, client_address, detail)
SELECT audit_id, 1700000000000 + number * 1000, 'default', 'wechat', 'user.created', id, '192.0.2.7', '{"application":"shop","connector":"pc"}'
FROM people;

DROP TABLE people;
ANALYZE;
