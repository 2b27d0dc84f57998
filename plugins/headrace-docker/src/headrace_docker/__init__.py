"""Flow runs in containers of a Docker Engine, and images for them."""
