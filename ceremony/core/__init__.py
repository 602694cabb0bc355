"""Values, ports, fingerprints, words and type-backs. No I/O but the word list inside the package."""
