"""A flow runner for one machine: a process for each run."""
