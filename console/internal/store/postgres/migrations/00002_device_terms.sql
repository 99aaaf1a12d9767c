-- +goose Up

-- What devices are found by, on all sites: see store.DeviceTerms; and rooms, whose
-- id is in device_id then. field is the code of its letter.
CREATE TABLE device_terms (
	site_id text COLLATE "C" NOT NULL,
	device_id text COLLATE "C" NOT NULL,
	field smallint NOT NULL,
	value text COLLATE "C" NOT NULL,
	PRIMARY KEY (site_id, device_id, field, value)
);
CREATE INDEX devices_by_term ON device_terms (field, value, site_id, device_id);

-- +goose Down
DROP TABLE device_terms;
