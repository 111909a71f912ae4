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
