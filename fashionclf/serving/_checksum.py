"""The checksum in an exported model, of all other bytes. Damaged models are refused before a runtime reads them."""

import hashlib
from pathlib import Path
from typing import Final

_MARK: Final = b"fashionclf-sha256:"
_LENGTH: Final = 64  # hexadecimal digits
PLACE: Final = (_MARK + b"0" * _LENGTH).decode()
"""The placeholder of a checksum. It comes after everything else in the file that could look like it."""

SUMS: Final = "fashionclf.sha256"  # the checksums of a folder, for `sha256sum -c`


def with_checksum(content: bytes) -> bytes:
    """Return the content of a file with its checksum in place of the zeros."""
    start = content.rindex(PLACE.encode()) + len(_MARK)
    return content[:start] + _digest(content, start) + content[start + _LENGTH :]


def check_checksum(content: bytes, path: Path) -> None:
    """Raise a ValueError if the content of the file `path` has changed."""
    start = content.rfind(_MARK) + len(_MARK)
    if start < len(_MARK):
        raise ValueError(f"{str(path)!r} was not written by `Trainer.export`: it has no checksum.")
    if content[start : start + _LENGTH] != _digest(content, start):
        raise ValueError(f"{str(path)!r} is damaged: its checksum is wrong. Export it again, or copy it again.")


def _digest(content: bytes, start: int) -> bytes:
    """Return the SHA-256 of a file, with zeros in place of its checksum."""
    view, digest = memoryview(content), hashlib.sha256()
    for part in (view[:start], b"0" * _LENGTH, view[start + _LENGTH :]):
        digest.update(part)
    return digest.hexdigest().encode()


def sums_of(folder: Path) -> str:
    """Return a line for each file in a folder, except the file of checksums."""
    files = sorted(path for path in folder.rglob("*") if path.name != SUMS and path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def check_sums(folder: Path, sums: str) -> None:
    """Raise a ValueError if a file that `sums` names has changed. Other files may have been added."""
    present = set(sums_of(folder).splitlines())
    wrong = [line.partition("  ")[2] for line in sums.splitlines() if line not in present]
    if wrong or not sums:
        raise ValueError(
            f"{str(folder)!r} is damaged: {wrong[0] if wrong else SUMS} is not what was written. Export it again, or "
            "copy it again."
        )
