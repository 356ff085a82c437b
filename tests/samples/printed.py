"""Keep what a page prints, apart from warnings and logs: run before the page in the same process.

`BLOCK` ends what one block of the page has printed.
"""

import sys
from pathlib import Path

FILE = "standard_output.txt"
BLOCK = "\x1e"

if __name__ == "__main__":
    sys.stdout = Path(FILE).open("w", encoding="utf-8")  # noqa: SIM115 (open until the process ends)
