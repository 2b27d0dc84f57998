"""The web API of an orchestration: every operation of the client port over HTTP, and the command that serves it."""
