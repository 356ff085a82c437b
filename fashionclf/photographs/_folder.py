"""The photographs of a folder."""

import re
from pathlib import Path

from fashionclf.photographs._reading import SUFFIXES


def photographs_in(folder: Path) -> list[Path]:
    """Return the images of a folder (not of its sub-folders, and no hidden files), photo2 before photo10.

    Raises:
        ValueError: If it has none.
    """
    suffixes = {suffix for ending in SUFFIXES.values() for suffix in ending}
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        raise ValueError(f"The folder {str(folder)!r} has no images: expected files ending in {_listed(suffixes)}.")
    return sorted(found, key=lambda path: (_natural(path.name), path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that orders the numbers in names by value."""
    return [(int(part), "") if part.isdecimal() else (0, part.casefold()) for part in re.split(r"(\d+)", name)]


def _listed(suffixes: set[str]) -> str:
    return ", ".join(sorted(suffixes))
