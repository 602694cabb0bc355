"""The room: command line, wiring of the adapters, hardening of the process, plain line mode."""
