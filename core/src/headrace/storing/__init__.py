"""Storages that are to have a name: their options, from the fields of their classes, and whether they work."""
