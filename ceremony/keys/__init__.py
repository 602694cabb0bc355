"""Key stores: a PKCS#11 token behind a child process, and an encrypted file."""
