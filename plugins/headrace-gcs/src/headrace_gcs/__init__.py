"""Storage in buckets of Google Cloud Storage."""
