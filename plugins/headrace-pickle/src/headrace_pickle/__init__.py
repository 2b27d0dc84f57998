"""Results as pickles: almost any Python value, for those who trust who wrote it."""
