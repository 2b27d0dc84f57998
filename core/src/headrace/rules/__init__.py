"""Decisions: may this run make this move? Pure functions over values; whoever asks brings the facts."""
