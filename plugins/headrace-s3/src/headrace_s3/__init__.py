"""Storage in buckets of S3, and of whatever speaks as it does."""
