"""The other machine: fetches requests from the Factory's API, and uploads what the room made."""
