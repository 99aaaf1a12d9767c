-- +goose Up

-- The console's own documents: the newest version of each, and every one.
CREATE TABLE documents (
	kind text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	removed boolean NOT NULL,
	document text NOT NULL,
	PRIMARY KEY (kind, name)
);
CREATE TABLE document_versions (
	kind text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	document text NOT NULL,
	PRIMARY KEY (kind, name, version)
);

CREATE TABLE jobs (
	job_id text COLLATE "C" PRIMARY KEY,
	job text NOT NULL
);
CREATE TABLE job_targets (
	site_id text COLLATE "C" NOT NULL,
	job_id text COLLATE "C" NOT NULL,
	device_id text COLLATE "C" NOT NULL,
	target text NOT NULL,
	PRIMARY KEY (site_id, job_id, device_id)
);
CREATE INDEX targets_of_job ON job_targets (job_id, site_id, device_id);

-- Alerts as they are known ashore.
CREATE TABLE alerts (
	site_id text COLLATE "C" NOT NULL,
	alert_id text COLLATE "C" NOT NULL,
	arrived_ms bigint NOT NULL,
	open boolean NOT NULL,
	alert text NOT NULL,
	PRIMARY KEY (site_id, alert_id)
);
CREATE INDEX open_alerts ON alerts (site_id, alert_id) WHERE open;
CREATE INDEX alerts_by_arrival ON alerts (arrived_ms, site_id, alert_id);

CREATE TABLE deliveries (
	delivery_id text COLLATE "C" PRIMARY KEY,
	delivery text NOT NULL
);

-- Bytes of the link, by days since 1970.
CREATE TABLE usage (
	site_id text COLLATE "C" NOT NULL,
	day bigint NOT NULL,
	body text NOT NULL,
	PRIMARY KEY (site_id, day)
);

-- +goose Down
DROP TABLE usage, deliveries, alerts, job_targets, jobs, document_versions, documents;
