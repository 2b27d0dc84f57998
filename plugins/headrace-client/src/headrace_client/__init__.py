"""The orchestration of another machine, asked over HTTP."""
