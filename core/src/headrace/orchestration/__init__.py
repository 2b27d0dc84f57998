"""The one place that changes a run: facts, then rules, then the store, in one transaction."""
