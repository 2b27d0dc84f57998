"""Numbers as addresses and forms say them."""


def whole_number(text: str, digits: int = 15) -> int | None:
    """What is written in digits, of which there are not too many; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
