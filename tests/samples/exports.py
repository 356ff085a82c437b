"""Exported models that were changed by someone who knows the format."""

import io
import zipfile

from fashionclf.serving._litert import with_files
from fashionclf.serving._metadata import PLACE, with_checksum

_MARK = PLACE.rstrip("0").encode()


def with_right_sums(content):
    """Return an exported model, `.tflite` or `.onnx`, with valid checksums, also for the members of its archive."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        start = content.index(b"PK\x03\x04")
        text = content[content.index(b'{\n "format"', start) : content.index(b"PK\x03\x04", start + 4)]
        return with_files(content[:start], {"fashionclf.json": text.decode()})
    start = content.rindex(_MARK) + len(_MARK)
    return with_checksum(content[:start] + b"0" * 64 + content[start + 64 :])
