"""Warnings: at the caller's line if they are ours, not at all if nobody can act on them."""

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

_PACKAGE: Final = str(Path(__file__).parent)
_FILTERING: Final = threading.RLock()


def stack_level() -> int:
    """Return the `stacklevel` for `warnings.warn`: that of the code which called fashionclf.

    There may be frames of Keras between ours, which `skip_file_prefixes` of Python 3.12 cannot skip.
    """
    frame: FrameType | None = sys._getframe(1)  # of the function that warns, which is level 1
    level = ours = 1
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            ours = level
        frame, level = frame.f_back, level + 1
    return ours + 1


@contextlib.contextmanager
def ignored(category: type[Warning], message: str = "", module: str = "") -> Iterator[None]:
    """Ignore warnings of other libraries that begin with `message`, in `module` (regular expressions).

    Filters belong to the whole process, so that only one thread at a time may change them.
    """
    with _FILTERING, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message, category, module)
        yield
