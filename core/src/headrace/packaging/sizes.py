"""How big a tree may be, and what to say of one that is bigger."""

from collections import Counter
from collections.abc import Mapping

MOST_BYTES = 100 * 1024 * 1024
MOST_FILES = 20_000
MOST_SHOWN = 10
ADVICE = "name what the flow does not need in a .headraceignore file (written like a .gitignore), or read big data from a storage"


def size_fault(sizes: Mapping[str, int], *, most_bytes: int = MOST_BYTES) -> str | None:
    """Why files of these sizes, by path, are too much to travel, naming the largest; None if they are not."""
    total = sum(sizes.values())
    if total <= most_bytes:
        return None
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:MOST_SHOWN]
    shown = ", ".join(f"{path} ({said(sizes[path])})" for path in largest)
    return f"its {len(sizes)} files have {said(total)}, and at most {said(most_bytes)} may travel; the largest: {shown}; {ADVICE}"


def number_fault(paths: list[str], *, most_files: int = MOST_FILES) -> str | None:
    """Why these are too many files to travel, naming the folders that hold the most; None if they are not."""
    if len(paths) <= most_files:
        return None
    folders = Counter(path.partition("/")[0] + "/" for path in paths if "/" in path)
    shown = ", ".join(f"{folder} ({number})" for folder, number in folders.most_common(MOST_SHOWN)) or "none is in a folder"
    return f"it has more than {most_files} files; where they are: {shown}; {ADVICE}"


def said(size: int) -> str:
    """A number of bytes in words: 12 bytes, 3.4 kB, 5.6 MB."""
    if size < 1024:
        return f"{size} {'byte' if size == 1 else 'bytes'}"
    return f"{size / 1024:.1f} kB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"
