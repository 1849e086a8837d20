-- What the pepper in the data folder makes of a fixed text: stream keys made with one pepper are
-- worthless with another, and that must be said rather than found out.
CREATE TABLE pepper (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    mac TEXT NOT NULL
);
