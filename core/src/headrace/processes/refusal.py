"""Why the system starts no process, in words that say what to do."""

import errno

_ADVICE = {
    errno.EAGAIN: "no more processes can be started; end some, or let this user have more",
    errno.ENOMEM: "there is not enough memory; end something, or use a larger machine",
    errno.ENOSPC: "the disk is full; make room",
}


def why_refused(error: OSError) -> str:
    """What is wrong, with what the system said of it."""
    advice = _ADVICE.get(error.errno or 0)
    if advice:
        return f"{advice} ({error.strerror})"
    return f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
