-- The same index as in migrations/postgres/0003_lists.sql: a pool's users, in the order in which they are listed.

CREATE INDEX users_by_pool ON users (pool, id);
