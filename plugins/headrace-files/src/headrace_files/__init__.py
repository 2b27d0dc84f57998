"""Storages on file systems: a folder of this machine, a temporary one, and whatever fsspec reaches."""
