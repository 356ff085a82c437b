"""What an exported model carries beside its weights: names, threshold, versions, and a checksum of all other bytes.

Damaged models are refused before a runtime reads them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from fashionclf._converter import ImageConverter
from fashionclf._files import read_json
from fashionclf._validation import check_number
from fashionclf.labels import check_class_names

FORMAT: Final = 3
MEMBER: Final = "fashionclf.json"  # a file, or a key in ONNX's metadata
LABELS: Final = "labels.txt"  # the class names for other programs, one a line
LIMIT: Final = 1_000_000  # bytes of the metadata that are read

_MARK: Final = b"fashionclf-sha256:"
_LENGTH: Final = 64  # hexadecimal digits
PLACE: Final = (_MARK + b"0" * _LENGTH).decode()
"""The placeholder of a checksum. It comes after everything else in the file that could look like it."""

SUMS: Final = "fashionclf.sha256"  # the checksums of a folder, for `sha256sum -c`


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What an exported model says of itself; `versions` are those of the packages that made it."""

    class_names: tuple[str, ...]
    unfamiliarity_threshold: float | None
    image_converter: ImageConverter
    quantize: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Return the contents of the two files by their names."""
        values = {"format": FORMAT, **asdict(self), "image_converter": self.image_converter.to_dict()}
        labels = "".join(f"{name}\n" for name in self.class_names)
        return {MEMBER: json.dumps(values, ensure_ascii=False, indent=1), LABELS: labels}

    @classmethod
    def read(cls, text: str | bytes | None, path: Path) -> Self:
        """Read the metadata of the exported model `path`; None is for a model without any."""
        if text is None:
            raise ValueError(f"{str(path)!r} was not written by `Trainer.export`: it has no class names.")
        if len(text) > LIMIT:
            raise ValueError(f"{str(path)!r} is damaged: its {MEMBER} is longer than {LIMIT / 1e6:g} MB.")
        try:
            values = read_json(text)
            number = values.pop("format")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(path)!r} is damaged: its {MEMBER} cannot be read: {error}") from error
        if isinstance(number, int) and number > FORMAT:
            raise ValueError(
                f"{str(path)!r} was written by a newer version of fashionclf, in format {number}; this version reads "
                f"formats up to {FORMAT}. Upgrade fashionclf."
            )
        try:
            return cls(**_checked(values))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(path)!r} is damaged: its {MEMBER} is wrong: {error}") from error


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    threshold = values["unfamiliarity_threshold"]
    if threshold is not None:
        threshold = check_number(threshold, "unfamiliarity_threshold", low=0, high=1)
    names = check_class_names(values["class_names"])
    converter = ImageConverter.from_dict(values["image_converter"])
    return {**values, "class_names": names, "unfamiliarity_threshold": threshold, "image_converter": converter}


# -- checksums ------------------------------------------------------------------------------------


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
