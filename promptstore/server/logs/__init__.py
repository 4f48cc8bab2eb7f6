"""Log entries in ClickHouse.

OTLP comes in (`otlp`), becomes rows (`rows`) and is written in batches (`writer`) into tables
(`tables`) of an embedded engine or of a server (`engine`); `store` asks about it by `queries`.
"""
