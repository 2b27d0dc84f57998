"""Grows plugins out of a template."""
