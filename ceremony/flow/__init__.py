"""The order of the ceremony: a state machine that yields prompts and takes answers."""
