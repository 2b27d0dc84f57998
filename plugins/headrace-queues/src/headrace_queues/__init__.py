"""Queue matchers: what a work queue asks of the runs it gathers."""
