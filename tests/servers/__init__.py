"""Real servers that tests start, each with a folder of its own, on ports of the system's choice."""
