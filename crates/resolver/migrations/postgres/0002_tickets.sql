-- The same tables as migrations/sqlite/0002_tickets.sql. Times are Unix seconds, unless they say otherwise.

-- Logins that begin on one device and end on another, and whatever else may happen only once. The CHECKs keep what a person
-- told within the states in which somebody is to get it.
CREATE TABLE tickets (
    id TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the ticket's name, in hex
    purpose TEXT NOT NULL,
    pool TEXT NOT NULL,
    application TEXT NOT NULL,
    connector TEXT NOT NULL,
    app_id TEXT NOT NULL,
    challenge TEXT NOT NULL,
    number TEXT,
    client TEXT,
    client_address TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'scanned', 'confirmed', 'cancelled', 'redeemed')),
    person TEXT, -- who has scanned it: a digest, src/tickets.rs
    profile TEXT, -- what they are shown as: JSON
    identity TEXT, -- what the redeemer gets: JSON
    redemption TEXT, -- who has redeemed it
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK (state <> 'waiting' OR person IS NULL),
    CHECK (person IS NOT NULL OR profile IS NULL),
    CHECK (identity IS NULL OR state IN ('confirmed', 'redeemed')),
    CHECK ((state = 'redeemed') = (redemption IS NOT NULL))
);

CREATE INDEX tickets_by_expiry ON tickets (expires_at);

-- How many tickets were made of late, by whom and by all: src/store/shared/ticket_limits.rs.
CREATE TABLE ticket_limits (
    counted_by TEXT NOT NULL PRIMARY KEY,
    due BIGINT NOT NULL -- microseconds
);

CREATE INDEX ticket_limits_by_due ON ticket_limits (due);
