-- What is about a site leads with site_id, so that an engine that spreads
-- tables can spread them by it. Ids are compared byte by byte. Documents are
-- text and not json: what is hashed or sent must be what was stored, and some
-- engines write JSON anew. Times are milliseconds since 1970.

-- +goose Up

-- The store itself: the identity, settings, the newest entry of the audit. The
-- rows registry, people and audit are locked by those who change these.
CREATE TABLE meta (
	name text COLLATE "C" PRIMARY KEY,
	value text NOT NULL
);
INSERT INTO meta (name, value) VALUES ('lock/registry', ''), ('lock/people', ''), ('lock/audit', '');

-- Which console does a piece of background work, and until when.
CREATE TABLE leases (
	name text COLLATE "C" PRIMARY KEY,
	holder text NOT NULL,
	until timestamptz NOT NULL
);

CREATE TABLE people (
	key text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL
);

CREATE TABLE audit_entries (
	chain text COLLATE "C" NOT NULL,
	n bigint NOT NULL,
	entry text NOT NULL,
	PRIMARY KEY (chain, n)
);
CREATE TABLE audit_heads (
	chain text COLLATE "C" PRIMARY KEY,
	head text NOT NULL
);

-- One row a site, which every transaction on the site locks: how far its lanes
-- are held, its counts, the marks of its orders, and the link to its hub.
CREATE TABLE sites (
	site_id text COLLATE "C" PRIMARY KEY,
	site text NOT NULL,
	lanes text NOT NULL DEFAULT '{}',
	counts text NOT NULL DEFAULT '{}',
	marks text NOT NULL DEFAULT '{}',
	contact text NOT NULL DEFAULT '{}',
	session text NOT NULL DEFAULT '{}',
	-- What is wanted of the site's policy; empty for nothing.
	policy text NOT NULL DEFAULT ''
);

CREATE TABLE hubs (
	site_id text COLLATE "C" NOT NULL,
	hub_id text COLLATE "C" NOT NULL,
	hub text NOT NULL,
	PRIMARY KEY (site_id, hub_id)
);
CREATE INDEX hubs_by_id ON hubs (hub_id);

CREATE TABLE claims (
	site_id text COLLATE "C" NOT NULL,
	hash text COLLATE "C" NOT NULL,
	used boolean NOT NULL,
	claim text NOT NULL,
	PRIMARY KEY (site_id, hash)
);
CREATE INDEX claims_by_hash ON claims (hash);

-- Where the lanes of epochs stand that are not the current one.
CREATE TABLE former_epochs (
	site_id text COLLATE "C" NOT NULL,
	epoch text COLLATE "C" NOT NULL,
	life text NOT NULL,
	PRIMARY KEY (site_id, epoch)
);

-- Records as they came, with the hash of the chain after each.
CREATE TABLE records (
	site_id text COLLATE "C" NOT NULL,
	epoch text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	seq bigint NOT NULL,
	record bytea NOT NULL,
	hash bytea NOT NULL,
	PRIMARY KEY (site_id, epoch, lane, seq)
);
CREATE TABLE dead_letters (
	site_id text COLLATE "C" NOT NULL,
	epoch text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	seq bigint NOT NULL,
	letter text NOT NULL,
	PRIMARY KEY (site_id, epoch, lane, seq)
);

-- Runs of records that will never come, by the number behind them.
CREATE TABLE gaps (
	site_id text COLLATE "C" NOT NULL,
	epoch text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	seq bigint NOT NULL,
	gap text NOT NULL,
	PRIMARY KEY (site_id, epoch, lane, seq)
);

CREATE TABLE entities (
	site_id text COLLATE "C" NOT NULL,
	kind text COLLATE "C" NOT NULL,
	id text COLLATE "C" NOT NULL,
	entity text NOT NULL,
	-- A request that has not ended.
	open boolean NOT NULL DEFAULT false,
	PRIMARY KEY (site_id, kind, id)
);
CREATE INDEX open_requests ON entities (site_id, id) WHERE open;

-- The newest state of each device that the hub has told of.
CREATE TABLE states (
	site_id text COLLATE "C" NOT NULL,
	device_id text COLLATE "C" NOT NULL,
	state text NOT NULL,
	PRIMARY KEY (site_id, device_id)
) WITH (fillfactor = 70);

CREATE TABLE orders (
	site_id text COLLATE "C" NOT NULL,
	number bigint NOT NULL,
	expires_ms bigint NOT NULL,
	-- No hub was offered it, and it has no end.
	due boolean NOT NULL,
	-- The command that it orders, while the hub has not told of it; and the
	-- command that it cancels, while that is not answered.
	wants text COLLATE "C",
	cancels text COLLATE "C",
	body text NOT NULL,
	PRIMARY KEY (site_id, number)
);
CREATE INDEX orders_due ON orders (expires_ms, number, site_id) WHERE due;
CREATE INDEX orders_wanted ON orders (site_id, wants) WHERE wants IS NOT NULL;
CREATE INDEX orders_cancels ON orders (site_id, cancels) WHERE cancels IS NOT NULL;

-- Hours of traffic, by hours since 1970. held: a version is there whole.
CREATE TABLE traffic_hours (
	site_id text COLLATE "C" NOT NULL,
	hour bigint NOT NULL,
	held boolean NOT NULL,
	body text NOT NULL,
	PRIMARY KEY (site_id, hour)
);
CREATE TABLE traffic_rows (
	site_id text COLLATE "C" NOT NULL,
	hour bigint NOT NULL,
	version bigint NOT NULL,
	part integer NOT NULL,
	body bytea NOT NULL,
	PRIMARY KEY (site_id, hour, version, part)
);

-- +goose Down
DROP TABLE traffic_rows, traffic_hours, orders, states, entities, gaps, dead_letters, records, former_epochs, claims, hubs, sites,
	audit_heads, audit_entries, people, leases, meta;
