"""Runs in an SQLite file: the run store of one machine."""
