"""The factory floor: device client certificates from a local device CA, one or a million."""
