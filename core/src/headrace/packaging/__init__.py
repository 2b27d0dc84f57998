"""Code that travels: packed with an address of its own, unpacked, and imported by its real name."""
