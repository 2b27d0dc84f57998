"""A flow runner for Kubernetes: a Job for each run; and manifests that bring a server and agents into a cluster."""
