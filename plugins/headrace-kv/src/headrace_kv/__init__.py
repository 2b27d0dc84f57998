"""A storage at an address of its own, and the small server that keeps it."""
