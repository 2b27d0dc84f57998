"""Keys: secrets are sealed where they are kept, and flow code is signed by who deploys it."""
