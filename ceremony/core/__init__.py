"""Values, ports, fingerprints, words and type-backs; no I/O but the packaged word list."""
