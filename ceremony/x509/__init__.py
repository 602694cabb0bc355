"""X.509: DER in, DER out. Profiles, CSR policy, issuing and checks; no files, no processes."""
