"""The command line: one file per command group, found through the same hook as the commands of plugins."""
