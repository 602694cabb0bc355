"""The record: an append-only, hash-chained journal that is both evidence and state."""
