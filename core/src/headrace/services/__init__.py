"""Loops beside the runs."""
