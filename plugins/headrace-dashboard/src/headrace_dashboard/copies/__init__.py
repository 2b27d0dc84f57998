"""Copies of pages, which are looked at without a server."""
