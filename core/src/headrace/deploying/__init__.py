"""From spec to deployment: read, verify in a clean process, plan, apply."""
