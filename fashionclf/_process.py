"""Only the process that first used TensorFlow may use it, not a process forked from it."""

import os
from typing import Final

_OWNER: Final[list[int]] = []


def is_forked() -> bool:
    """Tell whether this process was forked from one that had used TensorFlow."""
    return bool(_OWNER) and os.getpid() != _OWNER[0]


def check_process() -> None:
    """Refuse to compute in a forked child: TensorFlow's threads are not copied, so it would wait for them for ever."""
    if not _OWNER:
        _OWNER.append(os.getpid())
    if is_forked():
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, which would wait here for ever. Start "
            "processes with `multiprocessing.get_context('spawn')`, or use `trainer.compile_predictor()` before the "
            "fork: its predictor works in forked processes."
        )
