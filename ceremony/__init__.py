"""Offline key ceremonies for the root of trust of an IoT fleet."""

__version__ = "0.1.0"
