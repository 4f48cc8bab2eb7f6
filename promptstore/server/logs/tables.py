"""The tables, in ClickHouse's SQL, which the embedded engine and a server understand alike.

Counts of keys lie apart from the entries and from their values: they grow by buckets of time,
services, keys and severities, not by entries. Everything that a question about keys can be narrowed
by is part of their sort key, which cannot be changed later.
"""

from __future__ import annotations

from typing import Final

_ENTRIES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    project UInt32,
    id UUID,
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    expires Date,
    hour DateTime('UTC') MATERIALIZED toStartOfHour(time),
    severity LowCardinality(String),
    severity_number UInt8,
    service LowCardinality(String),
    event LowCardinality(String),
    scope LowCardinality(String),
    trace_id String CODEC(ZSTD),
    span_id String CODEC(ZSTD),
    flags UInt32,
    body String CODEC(ZSTD),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD),
    resource Map(LowCardinality(String), String) CODEC(ZSTD),
    resource_hash UInt64 MATERIALIZED cityHash64(mapKeys(resource), mapValues(resource)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_body lowerUTF8(body) TYPE ngrambf_v1(3, 32768, 3, 0) GRANULARITY 1,
    INDEX by_key mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY expires
ORDER BY (project, service, hour, severity, time)
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""
# An entry is kept by when it arrived: the times in entries are anybody's, and each day would be a
# partition of its own.

_RESOURCES: Final = """
CREATE TABLE IF NOT EXISTS resources (
    project UInt32,
    resource_hash UInt64,
    expires Date,
    resource Map(LowCardinality(String), String)
) ENGINE = ReplacingMergeTree
PARTITION BY expires
ORDER BY (project, resource_hash)
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""

_KEYS: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    project UInt32,
    kind LowCardinality(String),
    bucket DateTime('UTC'),
    service LowCardinality(String),
    key LowCardinality(String),
    severity LowCardinality(String),
    {more}
    expires Date,
    n SimpleAggregateFunction(sum, UInt64)
) ENGINE = AggregatingMergeTree
PARTITION BY expires
ORDER BY (project, kind, bucket, service, key, severity{last})
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""

_COUNT_KEYS: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS count_{kind}_keys TO keys_10m AS
SELECT project, '{kind}' AS kind, toStartOfInterval(time, INTERVAL 10 MINUTE) AS bucket, service,
    key, severity, resource_hash, expires, count() AS n
FROM entries ARRAY JOIN mapKeys({column}) AS key
WHERE length(key) < 256
GROUP BY project, bucket, service, key, severity, resource_hash, expires
"""

_COUNT_HOURS: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS count_hours TO keys_1h AS
SELECT project, kind, toStartOfHour(bucket) AS bucket, service, key, severity, expires,
    sum(n) AS n
FROM keys_10m
GROUP BY project, kind, bucket, service, key, severity, expires
"""

_LIST_RESOURCES: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS list_resources TO resources AS
SELECT DISTINCT project, resource_hash, expires, resource FROM entries
"""

TABLES: Final = (
    _ENTRIES,
    _RESOURCES,
    _KEYS.format(table="keys_10m", more="resource_hash UInt64,", last=", resource_hash"),
    _KEYS.format(table="keys_1h", more="", last=""),
    _COUNT_KEYS.format(kind="log", column="attributes"),
    _COUNT_KEYS.format(kind="resource", column="resource"),
    _COUNT_HOURS,
    _LIST_RESOURCES,
)
"""The statements that make what is not there yet."""
