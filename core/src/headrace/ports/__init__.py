"""The sockets: what core asks of every capability, described by behaviour and errors."""
