"""Folders of photographs: the images in one, and `load_folder` for one sub-folder per class."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import IMAGE_SHAPE, warn_of_doubts
from fashionclf._text import shown
from fashionclf._types import ClassNames, ImageShape, PathLike
from fashionclf._validation import check_choice, check_path
from fashionclf.datasets import Split
from fashionclf.labels import check_class_names
from fashionclf.photographs._many import OnError, check_on_error, read_many
from fashionclf.photographs._reading import SUFFIXES, is_folder, unreadable

# Files and folders that systems put beside photographs. Names with a leading dot are ignored anyway.
_SYSTEM: Final = frozenset(
    name.casefold()
    for name in (
        *("__MACOSX", "Icon\r", "Network Trash Folder", "Temporary Items", "TheVolumeSettingsFolder"),  # macOS
        *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "FOUND.000"),  # Windows: folders
        *("Thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "Picasa.ini"),  # and files
        *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "@__thumb"),  # Synology, QNAP
        *("lost+found", "__pycache__"),
    )
)
# Folders that hold a part of a data set, with a folder for each class in it.
_PARTS: Final = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"))


def load_folder(
    directory: PathLike,
    *,
    class_names: ClassNames | Mapping[str, str] | None = None,
    groups: Callable[[str], Any] | Mapping[str, Any] | None = None,
    on_error: OnError = "raise",
    image_shape: ImageShape = IMAGE_SHAPE,
    find_garment: bool | None = None,
    crop_to_aspect_ratio: bool = False,
) -> Split:
    """Read the photographs of a folder with one sub-folder per class, as `load_image` does, on all cores.

    This is the layout of `keras.utils.image_dataset_from_directory`, of torchvision's `ImageFolder` and of fastai's
    `from_folder`. Images in folders inside a class's folder belong to that class, but links to folders in there are
    not followed. Files of other types are ignored; messages count them. Hidden files and folders, and those of systems
    (`__MACOSX`, `@eaDir`, `$RECYCLE.BIN`, `Thumbs.db`, ...), are not looked at.

    Args:
        directory: The folder.
        class_names: Which folders to read, as which classes. None takes all sub-folders, in alphabetical order; each
            must have images. A list of names takes the folders with these names, in this label order; a name without a
            folder has no images. A mapping from folder to class name joins several folders to one class, which must
            have images; the folders that it does not name are left out. Labels follow the order in which the mapping
            first names a class.
        groups: The group of each image, such as the person who took it: a function of the file's name in `directory`
            (`"Shirt/photo1.jpg"`), or a mapping from it. They become `Split.groups`.
        on_error: `"raise"` reads all files and then raises one error that names the files and folders that cannot be
            read; `"skip"` leaves them out, with a warning that names them.
        image_shape: As `load_image`.
        find_garment: As `load_image`.
        crop_to_aspect_ratio: As `load_image`.

    Returns:
        A `Split` with `images` (uint8, `(n, h, w)` or, in colour, `(n, h, w, 3)`), `labels`, `class_names`, `files`
        (names in `directory`), `groups` and `image_converter`. Its order is stable: by class, then by file name, photo2
        before photo10.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no images, a class has no folder or no images, the sub-folders are `train` and `test` and
            not classes, or files cannot be read.
        OSError: If the system cannot read a file or a folder: a `PermissionError` if it may not.
        ImportError: As `load_image`.

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
    converter = ImageConverter(image_shape, find_garment, crop_to_aspect_ratio)
    names, class_of = _classes(folder, class_names)
    paths: list[tuple[Path, int]] = []
    failed: dict[Path, OSError] = {}
    others = 0
    for part, name in class_of:
        found, ignored, errors = _images_in(folder / part)
        paths += [(path, names.index(name)) for path in (*found, *errors)]
        failed |= errors
        others += ignored
    if not paths:
        raise ValueError(f"The sub-folders of {str(folder)!r} have no images: expected {_expected()}.")
    if class_names is None or isinstance(class_names, Mapping):
        _check_classes(folder, names, class_of, [path for path, _ in paths])
    paths.sort(key=lambda pair: (pair[1], _order(pair[0].relative_to(folder).as_posix())))
    files = [path.relative_to(folder).as_posix() for path, _ in paths]
    grouped = None if groups is None else _groups_of(groups, files)
    sources = [failed.get(path, path) for path, _ in paths]
    read = read_many(sources, [str(path) for path, _ in paths], on_error, converter, others=others)
    kept = [i for i, each in enumerate(read) if each is not None]
    results = [each for each in read if each is not None]
    warn_of_doubts([each.doubts for each in results], [files[i] for i in kept])
    return Split(
        np.stack([each.image for each in results]),
        [paths[i][1] for i in kept],
        class_names=names,
        files=[files[i] for i in kept],
        groups=None if grouped is None else grouped[kept],
        image_converter=converter,
    )


def _classes(folder: Path, class_names: Any) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Return the class names in label order, and pairs of folder and class name."""
    try:
        found = sorted(path.name for path in folder.iterdir() if not _is_hidden(path.name) and is_folder(path))
    except OSError as error:
        raise unreadable(error, f"The folder {str(folder)!r}") from error
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
        raise TypeError(f"`groups` must be a function of a file's name or a mapping from it. Received: {shown(groups)}")
    return np.asarray([groups(file) for file in files])


def _check_classes(
    folder: Path, names: Sequence[str], class_of: Sequence[tuple[str, str]], images: Sequence[Path]
) -> None:
    """Refuse classes without images, and folders that are parts of a data set and not classes."""
    folders = [part for part, _ in class_of]
    depths = {len(path.relative_to(folder).parts) for path in images}
    if all(part.casefold() in _PARTS for part in folders) and min(depths) > 2:
        raise ValueError(
            f"The sub-folders of {str(folder)!r} are {', '.join(map(repr, folders))}: parts of a data set, no classes. "
            f"Load one at a time, such as {str(folder / folders[-1])!r}; if they are classes, name them in "
            "`class_names`, as a list."
        )
    seen = {path.relative_to(folder).parts[0] for path in images}
    empty = [name for name in names if not any(part in seen for part, each in class_of if each == name)]
    if empty:
        raise ValueError(
            f"There are no images of {', '.join(map(repr, empty))} in {str(folder)!r}: expected {_expected()}. Remove "
            "these folders, or say in `class_names` which ones to read; a list may name classes without images."
        )


def photographs_in(folder: Path) -> tuple[list[Path], int]:
    """Return the images of a folder without its sub-folders, photo2 before photo10, and the number of other files."""
    found, others, errors = _images_in(folder, deep=False)
    if errors:
        raise errors[folder]
    if not found:
        ignored = f" It has {others} other file{'s' if others > 1 else ''}." if others else ""
        raise ValueError(f"The folder {str(folder)!r} has no images: expected {_expected()}.{ignored}")
    return sorted(found, key=lambda path: _order(path.name)), others


def _images_in(folder: Path, *, deep: bool = True) -> tuple[list[Path], int, dict[Path, OSError]]:
    """Return the images in a folder, the number of other files, and the errors of folders that cannot be read.

    A file with the suffix of an image counts as one, even a broken link: reading it gives the error.
    """
    errors: dict[Path, OSError] = {}
    images, others = [], 0
    suffixes = {suffix for endings in SUFFIXES.values() for suffix in endings}

    def keep(error: OSError) -> None:
        path = Path(error.filename)
        errors[path] = unreadable(error, repr(str(path)))

    for place, folders, files in os.walk(folder, onerror=keep):
        folders[:] = [name for name in folders if deep and not _is_hidden(name)]
        shown = [Path(place, name) for name in files if not _is_hidden(name)]
        found = [path for path in shown if path.suffix.lower() in suffixes]
        images += found
        others += len(shown) - len(found)
    return images, others, errors


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEM


def _order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that orders the numbers in names by value, and equal names by their spelling."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part.casefold()) for part in parts], name


def _expected() -> str:
    return "files ending in " + ", ".join(sorted(suffix for endings in SUFFIXES.values() for suffix in endings))
