"""The wizard: Textual screens over the one flow of the ceremony."""
