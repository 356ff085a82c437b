"""Folders of photographs: the images in one, and `load_folder` for one sub-folder per class."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fashionclf._doubts import warn_of_doubts
from fashionclf._types import ClassNames, PathLike
from fashionclf._validation import check_choice, check_path
from fashionclf.datasets import Split
from fashionclf.labels import check_class_names
from fashionclf.photographs._many import OnError, check_on_error, read_many
from fashionclf.photographs._reading import SUFFIXES, is_folder


def load_folder(
    directory: PathLike,
    *,
    class_names: ClassNames | Mapping[str, str] | None = None,
    groups: Callable[[str], Any] | Mapping[str, Any] | None = None,
    on_error: OnError = "raise",
) -> Split:
    """Read the photographs of a folder with one sub-folder per class, as `load_image` does, on all cores.

    This is the layout of `keras.utils.image_dataset_from_directory`, of torchvision's `ImageFolder` and of fastai's
    `from_folder`. Images in folders inside a class's folder belong to that class. Hidden files and files of other
    types are ignored; messages count the latter.

    Args:
        directory: The folder.
        class_names: Which folders to read, as which classes. None takes all sub-folders, in alphabetical order. A
            list of names takes the folders with these names, in this label order; a name without a folder has no
            images. A mapping from folder to class name joins several folders to one class; the folders that it does
            not name are left out. Labels follow the order in which the mapping first names a class.
        groups: The group of each image, such as the person who took it: a function of the file's name in `directory`
            (`"Shirt/photo1.jpg"`), or a mapping from it. They become `Split.groups`.
        on_error: `"raise"` reads all files and then raises one error that names those that cannot be read; `"skip"`
            leaves them out, with a warning that names them.

    Returns:
        A `Split` with `images` (uint8 `(n, 28, 28)`), `labels`, `class_names`, `files` (names in `directory`) and
        `groups`. Its order is stable: by class, then by file name, photo2 before photo10.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no images, a class has no folder, a file has no group, or a file cannot be read.
        TypeError: If an argument has the wrong type.
        ImportError: If pillow, OpenCV or a file of this package is missing.

    Warns:
        DoubtfulImageWarning: If photographs may be misread, once for all of them.
        UnreadableImageWarning: If files are skipped, once for all of them.

    Example:
        >>> import numpy as np, pathlib, tempfile
        >>> from PIL import Image
        >>> garment = np.full((80, 60), 250, dtype="uint8")
        >>> garment[20:60, 20:40] = 30
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("Shirt", "Polo"):
        ...         (pathlib.Path(folder) / name).mkdir()
        ...         Image.fromarray(garment).save(pathlib.Path(folder) / name / "1.png")
        ...     split = load_folder(folder, class_names={"Polo": "T-shirt/top", "Shirt": "Shirt"})
        >>> split.class_names, split.labels, split.files
        (('T-shirt/top', 'Shirt'), array([0, 1], dtype=uint8), ('Polo/1.png', 'Shirt/1.png'))
    """
    folder = check_path(directory, "directory")
    if not is_folder(folder):
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    on_error = check_on_error(on_error)
    names, class_of = _classes(folder, class_names)
    paths: list[tuple[Path, int]] = []
    others = 0
    for part, name in class_of:
        found, ignored = _images_among((folder / part).rglob("*"), folder / part)
        paths += [(path, names.index(name)) for path in found]
        others += ignored
    if not paths:
        raise ValueError(f"The sub-folders of {str(folder)!r} have no images: expected {_expected()}.")
    paths.sort(key=lambda pair: (pair[1], _order(pair[0].relative_to(folder).as_posix())))
    files = [path.relative_to(folder).as_posix() for path, _ in paths]
    grouped = None if groups is None else _groups_of(groups, files)
    read = read_many([path for path, _ in paths], [str(path) for path, _ in paths], on_error, others=others)
    kept = [i for i, each in enumerate(read) if each is not None]
    results = [each for each in read if each is not None]
    warn_of_doubts([each.doubts for each in results], [files[i] for i in kept])
    return Split(
        np.stack([each.image for each in results]),
        [paths[i][1] for i in kept],
        class_names=names,
        files=[files[i] for i in kept],
        groups=None if grouped is None else grouped[kept],
    )


def _classes(folder: Path, class_names: Any) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Return the class names in label order, and pairs of folder and class name."""
    found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ValueError(f"The folder {str(folder)!r} has no sub-folders: expected one for each class.")
    if class_names is None:
        return check_class_names(found), [(name, name) for name in found]
    if isinstance(class_names, Mapping):
        for part in class_names:
            check_choice(part, "folder", found)
        names = check_class_names(tuple(dict.fromkeys(class_names.values())))
        return names, list(class_names.items())
    names = check_class_names(class_names)
    pairs = [(name, name) for name in names if name in found]
    if not pairs:
        check_choice(names[0], "folder", found)
    return names, pairs


def _groups_of(groups: Callable[[str], Any] | Mapping[str, Any], files: Sequence[str]) -> np.ndarray[Any, Any]:
    if isinstance(groups, Mapping):
        missing = [file for file in files if file not in groups]
        if missing:
            raise ValueError(f"`groups` has no group for {len(missing)} files, such as {missing[0]!r}.")
        return np.asarray([groups[file] for file in files])
    if not callable(groups):
        raise TypeError(f"`groups` must be a function of a file's name or a mapping from it. Received: {groups!r}")
    return np.asarray([groups(file) for file in files])


def photographs_in(folder: Path) -> tuple[list[Path], int]:
    """Return the images of a folder (not of its sub-folders), photo2 before photo10, and the number of other files.

    Hidden files are left out.

    Raises:
        ValueError: If it has no images.
    """
    found, others = _images_among(folder.iterdir(), folder)
    if not found:
        ignored = f" It has {others} other file{'s' if others > 1 else ''}." if others else ""
        raise ValueError(f"The folder {str(folder)!r} has no images: expected {_expected()}.{ignored}")
    return sorted(found, key=lambda path: _order(path.name)), others


def _images_among(paths: Iterable[Path], folder: Path) -> tuple[list[Path], int]:
    """Return the images among what is in a folder, and the number of other files; nothing that is hidden."""
    suffixes = {suffix for endings in SUFFIXES.values() for suffix in endings}
    shown = (path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    files = [path for path in shown if path.is_file()]
    images = [path for path in files if path.suffix.lower() in suffixes]
    return images, len(files) - len(images)


def _order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that orders the numbers in names by value, and equal names by their spelling."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part.casefold()) for part in parts], name


def _expected() -> str:
    return "files ending in " + ", ".join(sorted(suffix for endings in SUFFIXES.values() for suffix in endings))
