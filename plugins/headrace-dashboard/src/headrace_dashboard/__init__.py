"""The dashboard: pages of what runs, what failed and why, what waits and why, from which one acts on it."""
