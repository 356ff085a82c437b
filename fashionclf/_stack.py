"""Where a warning belongs: the caller's line, not one of this package or of Keras."""

import sys
from pathlib import Path
from types import FrameType
from typing import Final

_PACKAGE: Final = str(Path(__file__).parent)


def stack_level() -> int:
    """Return the `stacklevel` for `warnings.warn`: that of the code which called fashionclf.

    Between the first of our functions and this one there may be frames of Keras (a callback) or of a generator. Python
    3.12 has `skip_file_prefixes` for less than that.
    """
    frame: FrameType | None = sys._getframe(1)  # of the function that warns, which is level 1
    level = ours = 1
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            ours = level
        frame, level = frame.f_back, level + 1
    return ours + 1
