"""Run the Python code of the documentation, and keep the plots that it makes and the text that it prints.

    FASHIONCLF_DATA_DIR=... python docs/make_images.py                    # all pages
    FASHIONCLF_DATA_DIR=... python docs/make_images.py docs/gallery.md    # some of them
    FASHIONCLF_DATA_DIR=... python docs/make_images.py --check            # change nothing, fail on a difference

The Python blocks of a page run from top to bottom in one namespace, in a folder with one photograph, `photo.jpg`, and
the folder of photographs `clothes/`, both of `examples/clothes`. Between one block and the next:

- a block marked `text` receives what the block above it prints;
- an image in `images/` receives the figure that the block above it drew last.

`<!-- not run: reason -->` before a Python block leaves it out. `<!-- run in tests only: reason -->` leaves it to
`tests/test_pages.py`, which runs all pages on little data. `--check` compares texts without their numbers, since the
last digits depend on the machine, and does not compare images.
"""

import argparse
import contextlib
import io
import linecache
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from PIL import Image

DOCS = Path(__file__).resolve().parent
CLOTHES = DOCS.parent / "examples" / "clothes"
PHOTOGRAPH = CLOTHES / "Dress" / "176e457c-bda2-4cc2-8044-af1a528bb9b1.jpg"
FENCE = re.compile(r"^```(\w*)")
IMAGE = re.compile(r"^!\[[^\]]*\]\((\S*images/\S+\.png)\)")
NOT_RUN = re.compile(r"^<!-- (not run|run in tests only): \S.* -->$")
DOTS_PER_INCH = 100
COLOURS = 64  # of an image: its file is a third as large, and nobody sees it


@dataclass
class Block:
    """A Python block of a page: its lines, and where what it prints and draws belongs."""

    first: int
    code: list[str] = field(default_factory=list)
    run: bool = True
    tested: bool = True
    text: tuple[int, int] | None = (
        None  # where its text begins and ends, in lines from 0
    )
    image: str | None = None


def main() -> None:
    """Run the pages that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "pages", nargs="*", type=Path, help="Markdown files (default: all below docs/)"
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing, fail on a difference"
    )
    arguments = parser.parse_args()
    if folder := os.environ.get("FASHIONCLF_DATA_DIR"):
        # the pages run in folders of their own
        os.environ["FASHIONCLF_DATA_DIR"] = str(Path(folder).resolve())
    pages = [page.resolve() for page in arguments.pages] or sorted(DOCS.rglob("*.md"))
    failures = [
        failure for page in pages for failure in run_page(page, check=arguments.check)
    ]
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


def run_page(page: Path, *, check: bool) -> list[str]:
    """Run a page and write what its blocks give; return what went wrong."""
    content = page.read_text(encoding="utf-8")
    lines = content.splitlines()
    blocks = read_blocks(lines)
    if not any(block.run for block in blocks):
        return []
    start = time.perf_counter()
    source = content.splitlines(keepends=True)
    linecache.cache[str(page)] = (0, None, source, str(page))  # for tracebacks
    printed: list[tuple[tuple[int, int], list[str]]] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        same_environment(),
    ):
        shutil.copy(PHOTOGRAPH, "photo.jpg")
        shutil.copytree(CLOTHES, "clothes")
        for block in blocks:
            if not block.run:
                continue
            try:
                output = run_block(block, page, namespace)
                if block.image is not None:
                    save_figure(page.parent / block.image, check=check)
            except Exception:
                return [
                    f"{page}:{block.first + 1}: the block failed\n{traceback.format_exc()}"
                ]
            finally:
                plt.close("all")
            if block.text is not None:
                printed.append((block.text, output))
    print(f"{page.relative_to(DOCS)}: {time.perf_counter() - start:.0f} s", flush=True)
    changed = [(place, new) for place, new in printed if lines[slice(*place)] != new]
    if check:
        return [
            f"{page}:{place[0] + 1}: the page does not show what the block above prints:\n"
            + "\n".join(new)
            for place, new in changed
            if without_numbers(lines[slice(*place)]) != without_numbers(new)
        ]
    for place, new in reversed(changed):
        lines[slice(*place)] = new
    if changed and page.read_text(encoding="utf-8") != content:
        return [f"{page}: the page was edited while it ran; run it again"]
    if changed:
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return []


def read_blocks(lines: list[str]) -> list[Block]:
    """Return the Python blocks of a page, each with the text block and the image before the next one."""
    blocks: list[Block] = []
    language, opened, above = None, 0, ""
    for i, line in enumerate(lines):
        fence = FENCE.match(line)
        if language is not None:  # inside a block
            if line.rstrip() == "```":
                if language == "text" and blocks and blocks[-1].text is None:
                    blocks[-1].text = (opened + 1, i)
                if language == "python":
                    blocks[-1].code = lines[opened + 1 : i]
                language = None
        elif fence:
            language, opened = fence[1], i
            if language == "python":
                mark = NOT_RUN.match(above)
                tested = mark is None or mark[1] != "not run"
                blocks.append(Block(first=i, run=mark is None, tested=tested))
        elif (image := IMAGE.match(line)) and blocks and blocks[-1].image is None:
            blocks[-1].image = image[1]
        if line.strip():
            above = line
    return blocks


def run_block(block: Block, page: Path, namespace: dict[str, Any]) -> list[str]:
    """Run a block in the namespace of its page and return the lines that it prints."""
    # empty lines before it, so that tracebacks name the lines of the page
    source = "\n" * (block.first + 1) + "\n".join(block.code) + "\n"
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, str(page), "exec"), namespace)
    return [line.rstrip() for line in output.getvalue().strip("\n").splitlines()]


def save_figure(file: Path, *, check: bool) -> None:
    """Save the figure drawn last, with few colours."""
    if not plt.get_fignums():
        raise RuntimeError(
            f"An image {file.name} follows the block, but it drew no figure."
        )
    if check:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    plt.gcf().savefig(content, dpi=DOTS_PER_INCH)
    with Image.open(content) as image:
        fewer = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    fewer.save(file, optimize=True)


@contextlib.contextmanager
def same_environment() -> Iterator[None]:
    """Restore the environment variables that a page sets, for the next page."""
    environment = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


def without_numbers(lines: list[str]) -> list[str]:
    """Return lines with a 0 for every number."""
    return [re.sub(r"\d+(?:[.,]\d+)*", "0", line) for line in lines]


if __name__ == "__main__":
    main()
