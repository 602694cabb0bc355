"""`ceremony docs`: the handbook, readable without a network."""

from ceremony.command_line import docs as command

__all__ = ["command"]
