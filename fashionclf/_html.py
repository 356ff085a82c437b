"""Tables for notebooks: small, escaped, with nothing from elsewhere, in the notebook's own colours."""

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import ImageArray

THUMBNAIL: Final = 56  # pixels of its longer side, at most
_SHADE: Final = "#56b4e980"  # half transparent, for text of any colour


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a text above a table whose cells are texts, whole numbers or `Markup`."""
    head = "".join(f'<th style="text-align:left">{escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div style="white-space:pre-wrap">{escape(caption)}</div>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: Any) -> str:
    text, side = (value, "left") if isinstance(value, str) else (f"{value:,}", "right")
    return f'<td style="text-align:{side}">{text if isinstance(text, Markup) else escape(text)}</td>'


def bar(share: float, text: str) -> Markup:
    """Return a text over a bar as long as a share, from 0 to 1, of the cell."""
    shade = f"linear-gradient({_SHADE},{_SHADE}) 0 0/{100 * share:.1f}% 100% no-repeat"
    return Markup(f'<div style="min-width:7em;padding:0 .3em;background:{shade}">{escape(text)}</div>')


def thumbnail(image: ImageArray) -> Markup:
    """Return an image, `(height, width)` or that with 1 or 3 channels, as a thumbnail."""
    step = -(-max(image.shape[:2]) // THUMBNAIL)
    small: NDArray[Any] = image[::step, ::step]
    pixels = small if small.dtype == np.uint8 else np.rint(small * 255).astype(np.uint8)
    colour = 2 if pixels.shape[2:] == (3,) else 0
    header = struct.pack(">IIBBBBB", pixels.shape[1], len(pixels), 8, colour, 0, 0, 0)
    rows = np.insert(pixels.reshape(len(pixels), -1), 0, 0, axis=1)  # each begins with the number of its filter
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return Markup(f'<img alt="" src="{source}" style="height:3em;max-width:none;image-rendering:pixelated">')
