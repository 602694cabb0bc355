"""`python -m ceremony` is `ceremony`."""

from ceremony.offline.cli import main

main()
