"""What an exported model carries beside its weights: class names, threshold, versions, and the number of the format."""

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
