DROP TABLE IF EXISTS bench_rows;
CREATE TABLE bench_rows AS
  SELECT i AS id,
    'user name ' || i AS name,
    'user' || i || '@example.com' AS email,
    (i % 80) AS age,
    i * 1.5::float8 AS score,
    i % 2 = 0 AS active,
    timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute' AS created_at,
    md5(i::text)::uuid AS uid,
    CASE WHEN i % 3 = 0 THEN NULL ELSE 'note ' || i END AS note
  FROM generate_series(1, 10000) i;
ALTER TABLE bench_rows ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_rows;

DROP TABLE IF EXISTS bench_arrays;
CREATE TABLE bench_arrays AS
  SELECT i AS id, (SELECT array_agg(i + n * 1009) FROM generate_series(1, 100) n) AS numbers
  FROM generate_series(1, 10000) i;
ALTER TABLE bench_arrays ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_arrays;

DROP TABLE IF EXISTS bench_documents;
CREATE TABLE bench_documents AS
  SELECT i AS id,
    jsonb_build_object(
      'id', i,
      'name', 'user name ' || i,
      'email', 'user' || i || '@example.com',
      'active', i % 2 = 0,
      'score', i * 1.5,
      'note', CASE WHEN i % 3 = 0 THEN NULL ELSE 'note ' || i END,
      'tags', jsonb_build_array('red', 'green', 'blue', 'tag ' || i),
      'address', jsonb_build_object('street', i || ' Main Street', 'city', 'Springfield', 'zip', lpad(i::text, 5, '0')),
      'orders', (
        SELECT jsonb_agg(jsonb_build_object(
          'sku', 'item-' || i || '-' || n, 'quantity', n, 'price', n * 9.99, 'gift', n % 2 = 0, 'at', '2024-01-0' || n))
        FROM generate_series(1, 8) n
      )
    ) AS document
  FROM generate_series(1, 10000) i;
ALTER TABLE bench_documents ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_documents;

DROP TABLE IF EXISTS bench_numerics;
CREATE TABLE bench_numerics AS
  SELECT i AS id, (10000 + i * 7919 % 90000 + i * 31 % 10000 / 10000.0)::numeric(12, 4) AS amount
  FROM generate_series(1, 10000) i;
ALTER TABLE bench_numerics ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_numerics;

DROP TABLE IF EXISTS bench_timestamps;
CREATE TABLE bench_timestamps AS
  SELECT i AS id, timestamptz '2024-01-01 00:00:00+00' + i * interval '61.234567 seconds' AS happened_at
  FROM generate_series(1, 10000) i;
ALTER TABLE bench_timestamps ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_timestamps;

DROP TABLE IF EXISTS bench_composites;
DROP TYPE IF EXISTS bench_person;
CREATE TYPE bench_person AS (name text, age int4, active bool, created_at timestamptz, score float8);
CREATE TABLE bench_composites AS
  SELECT id, ROW(name, age, active, created_at, score)::bench_person AS person
  FROM bench_rows;
ALTER TABLE bench_composites ADD PRIMARY KEY (id);
VACUUM ANALYZE bench_composites;
