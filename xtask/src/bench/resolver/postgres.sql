-- The people of sqlite.sql.

CREATE TEMP TABLE people AS
WITH numbers AS (SELECT number::BIGINT, lpad(to_hex(1700000000000 + number * 1000), 12, '0') AS time FROM generate_series(0, ${PEOPLE} - 1) AS number),
    starts AS (SELECT number, substr(time, 1, 8) || '-' || substr(time, 9, 4) || '-7' AS start FROM numbers),
    random AS (
        SELECT number, start, md5(random()::TEXT) AS a, md5(random()::TEXT) AS b, md5(random()::TEXT) AS c, md5(random()::TEXT) AS d
        FROM starts
    )
SELECT
    number,
    start || substr(a, 1, 3) || '-8' || substr(a, 4, 3) || '-' || substr(a, 7, 12) AS id,
    start || substr(b, 1, 3) || '-8' || substr(b, 4, 3) || '-' || substr(b, 7, 12) AS openid_id,
    start || substr(c, 1, 3) || '-8' || substr(c, 4, 3) || '-' || substr(c, 7, 12) AS unionid_id,
    start || substr(d, 1, 3) || '-8' || substr(d, 4, 3) || '-' || substr(d, 7, 12) AS audit_id,
    lpad(to_hex(number * 2654435761 % 4294967296), 8, '0') || '-6B0t5PZ9kLmNqRsTuV' AS name
FROM random;

INSERT INTO users (
    id, pool, state, created_at, last_auth_time, sessions_not_before, name, is_name_from_wechat, is_picture_from_wechat,
    is_phone_number_from_wechat, is_phone_number_verified, is_email_verified
)
SELECT id, 'default', 'active', 1700000000 + number, 1700000000 + number, 0, '小明', TRUE, TRUE, FALSE, FALSE, FALSE FROM people;

INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, unionid, connector, nickname, created_at, last_login_at)
SELECT
    openid_id, 'default', 'main', 'openid', 'wx0000000000000001', convert_to('o' || name, 'UTF8'), id, convert_to('u' || name, 'UTF8'), 'pc',
    '小明', 1700000000 + number, 1700000000 + number
FROM people
UNION ALL
SELECT
    unionid_id, 'default', 'main', 'unionid', '', convert_to('u' || name, 'UTF8'), id, NULL, 'pc', '小明', 1700000000 + number,
    1700000000 + number
FROM people;

INSERT INTO audit (id, at, pool, actor, action, user_id, client_address, detail)
SELECT audit_id, 1700000000000 + number * 1000, 'default', 'wechat', 'user.created', id, '192.0.2.7', '{"application":"shop","connector":"pc"}'
FROM people;

DROP TABLE people;
ANALYZE;
