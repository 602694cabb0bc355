"""Rehearsals: a practice Factory, scripted officers, and a whole ceremony on one machine."""
