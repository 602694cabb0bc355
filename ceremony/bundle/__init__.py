"""What crosses the gap: request and upload bundles, written, read from hostile media, verified."""
