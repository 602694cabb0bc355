"""`ceremony completion`: what a shell needs to complete commands, options and paths."""

from ceremony.command_line import completion as command

__all__ = ["command"]
