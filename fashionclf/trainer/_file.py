"""Classifier files: a Keras `.keras` file with one extra member, which Keras ignores.

The member `fashionclf.json` holds class names, recipe and versions. Keras's own `model.save` would drop it.

Keras writes the name of each class with the result of its `get_config`, and later calls `__init__` with that. Custom
layers often cannot be made that way. So before a file is written, `check_readable` proves that it can be read back.

Files may come from anyone. Every member is limited in size and compared with its checksum before Keras reads the file.
Any later failure is a ValueError of one sentence.
"""

import io
import json
import random
import re
import tempfile
import types
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py  # which Keras needs for its files
import keras
import numpy as np
from typing_extensions import Buffer

from fashionclf._files import read_json, read_member, replacing, zip_archive
from fashionclf._keras_internals import all_layers, is_builtin, missing_object, seed_states
from fashionclf._text import first_line
from fashionclf._validation import check_path, check_regular_file
from fashionclf._warnings import ignored
from fashionclf.trainer._compilation import Compilation

SUFFIX: Final = ".keras"
MEMBER: Final = "fashionclf.json"
FORMAT: Final = 6
_FIELDS: Final = frozenset(
    ("class_names", "compilation", "image_converter", "image_converter_given", "recipe", "unfamiliarity_threshold")
)

_MB: Final = 1_000_000
_LIMITS: Final = {MEMBER: _MB, "metadata.json": _MB, "config.json": 16 * _MB}  # Keras's own models take up to 1 MB
_ANY, _RATIO = 100 * _MB, 100  # each other member may have so many bytes, or so many times those that are stored
_WEIGHTS: Final = "model.weights.h5"

_WITH_KERAS: Final = "Open it with Keras: `Trainer(keras.models.load_model(path), class_names=[...])`."
_OTHERS: Final = {  # ends of names, in the order in which they are looked for
    ".weights.h5": "It holds weights only: build the model, call `model.load_weights(path)`, and pass it to `Trainer`.",
    ".h5": _WITH_KERAS,
    ".hdf5": _WITH_KERAS,
    ".tflite": "Open it with `load_exported(path)`.",
    ".onnx": "Open it with `load_exported(path)`.",
}

_HELD_BY_LAYERS: Final = (
    types.FunctionType,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)

# -- writing --------------------------------------------------------------------------------------


def write_classifier(model: keras.Model, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a model with its metadata in one step: readers see the old file or the new one, never a part."""
    with replacing(path, "The classifier file") as part:
        _write(model, metadata, part)


def classifier_content(model: keras.Model, metadata: Mapping[str, Any]) -> bytes:
    """Return the content of the file that `write_classifier` would write."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        part = Path(folder) / f"model{SUFFIX}"  # Keras writes only to a path
        _write(model, metadata, part)
        return part.read_bytes()


def _write(model: keras.Model, metadata: Mapping[str, Any], part: Path) -> None:
    content = json.dumps({"format": FORMAT, **metadata}, ensure_ascii=False, indent=1).encode()
    if len(content) > _LIMITS[MEMBER]:
        raise ValueError(
            f"The class names take {len(content) / _MB:.1f} MB, a file may have at most 1 MB of them. Shorten them."
        )
    if model.compiled and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # else Keras warns that the file has no state for it
    _save(model, part)
    with zipfile.ZipFile(part, "a") as archive:
        archive.writestr(MEMBER, content)


def _save(model: keras.Model, path: Path) -> None:
    with ignored(DeprecationWarning, "__array__ implementation"):  # numpy's, caused by Keras
        model.save(path)


# -- reading --------------------------------------------------------------------------------------


def read_classifier(path: Path, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read a model and its metadata, None where the file has none. Both come from one reading of the file."""
    _check_kind(path)
    return read_content(path.read_bytes(), custom_objects, repr(str(path)))


def read_content(
    content: Buffer, custom_objects: Mapping[str, Any] | None, name: str = "the pickled Trainer"
) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read what `classifier_content` gave; `name` is for messages."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        file = Path(folder) / f"model{SUFFIX}"  # Keras reads only from a path
        file.write_bytes(content)
        return _read(file, name, custom_objects)


def _check_kind(path: Path) -> None:
    """Refuse other files, and say how to open them."""
    for end, way in _OTHERS.items():
        if path.name.lower().endswith(end):
            raise ValueError(f"{str(path)!r} is not a {SUFFIX} file. {way}")
    if (path / "saved_model.pb").is_file():
        raise ValueError(
            f"{str(path)!r} is a SavedModel. Open it with `load_exported(path)` if `Trainer.export` wrote it. Keras 3 "
            "does not read those of Keras 2: save the model as '.h5' with Keras 2 (`tf_keras`) and open that file."
        )
    check_path(path, "path", suffix=SUFFIX)
    check_regular_file(path, f"a {SUFFIX} file")
    if h5py.is_hdf5(path):  # Keras 2 also wrote such files under this name
        raise ValueError(f"{str(path)!r} is an HDF5 file, as Keras 2 wrote them. Rename it to '.h5'. {_WITH_KERAS}")


def _read(file: Path, name: str, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    try:
        content = _read_members(file)
    except Exception as error:  # HDF5 raises errors of many kinds
        raise ValueError(f"{name} is damaged or not a {SUFFIX} file: {error}") from error
    metadata = None if content is None else _checked_metadata(content, name)
    state = random.getstate()  # Keras draws from Python's generator for each layer that was saved without a seed
    try:
        return keras.models.load_model(file, custom_objects=custom_objects, safe_mode=True), metadata
    except Exception as error:  # a configuration that was edited, or a layer of the caller's, may raise anything
        raise loading_error(error, name) from error
    finally:
        random.setstate(state)


def loading_error(error: Exception, name: str) -> ValueError:
    """Return the error of a file that cannot be loaded, in one sentence."""
    missing = missing_object(error)
    if missing is not None:
        return ValueError(
            f'{name} needs {missing!r}, which Keras does not know. Pass `custom_objects={{"{missing}": '
            f"{missing.rpartition('>')[2]}}}` to `load`, or put `@keras.saving.register_keras_serializable()` above it."
        )
    lines = str(error).strip().splitlines()
    reason = lines[-1] if "Exception encountered" in str(error) else (lines or [type(error).__name__])[0]
    return ValueError(f"{name} cannot be loaded: {reason[-300:]}")


def _read_members(file: Path) -> bytes | None:
    """Read every member to its end, which checks its checksum; return the metadata, None if there is none."""
    metadata = None
    with zip_archive(file) as archive:
        for member in archive.infolist():
            name = member.filename
            content = read_member(archive, name, _LIMITS.get(name, max(_ANY, _RATIO * member.compress_size)))
            if name == MEMBER:
                metadata = content
            elif name == _WEIGHTS:
                _check_weights(content)
    return metadata


def _check_weights(content: bytes) -> None:
    """Check that an HDF5 file holds the arrays that it declares, and points to no other file."""
    with h5py.File(io.BytesIO(content), "r") as file:
        link = file.visititems_links(lambda name, link: None if isinstance(link, h5py.HardLink) else name)
        sizes: list[int] = []

        def visit(_: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                sizes.append(len(content) + 1 if found.external or found.is_virtual else found.nbytes)

        file.visititems(visit)
    if link is not None:
        raise ValueError(f"its weights have a link in place of {link!r}")
    if sum(sizes) > len(content):  # Keras does not compress arrays
        raise ValueError(f"its weights declare {sum(sizes) / _MB:,.1f} MB, but hold {len(content) / _MB:,.1f} MB")


def _checked_metadata(content: bytes, name: str) -> dict[str, Any]:
    try:
        metadata = read_json(content)
    except ValueError as error:
        raise ValueError(f"{name} is damaged: its member {MEMBER} cannot be read: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"{name} is damaged: its member {MEMBER} names no format.")
    if found > FORMAT:
        raise ValueError(
            f"{name} was written by a newer version of fashionclf, in format {found}; this version reads "
            f"formats up to {FORMAT}. Upgrade fashionclf, or open it with `keras.models.load_model`."
        )
    missing = _FIELDS - metadata.keys()
    if missing:
        raise ValueError(f"{name} is damaged: its member {MEMBER} lacks {', '.join(sorted(missing))}.")
    return metadata  # type: ignore[no-any-return]


# -- the proof that a file can be read back -------------------------------------------------------


def check_readable(
    model: keras.Model, input_shape: tuple[int, ...], compilation: Compilation, *, all_known: bool = False
) -> dict[str, Any]:
    """Raise an error if a model could not be read back from a file, with what to change in its classes.

    It is built again from its configuration, and compared, unless all its layers are Keras's own. With `all_known`, no
    `custom_objects` can be passed when it is read, as for a pickle. Return the caller's own classes and functions that
    a file names, by the names that Keras looks for.
    """
    layers = all_layers(model)
    if any(isinstance(layer, keras.layers.Lambda) for layer in layers):
        raise ValueError(
            "`model` has a Lambda layer, whose code Keras's safe mode does not load again. Replace it by a layer class "
            "of your own, and pass that to `load` as `custom_objects`."
        )
    compiled = (model.loss, model.optimizer) if model.compiled else ()
    own = _by_name([*layers, *compiled, *compilation.parts])
    values = (value for layer in layers for value in vars(layer).values())
    held = _by_name(value for value in values if isinstance(value, _HELD_BY_LAYERS))
    if not (own or held):
        return own
    known = dict(own) if all_known else {**held, **own}
    state = random.getstate()  # Keras draws from Python's generator for each layer without a seed
    try:
        difference = _difference(model, _built_again(model, compilation, known), input_shape)
        comes_back = difference is None or _comes_back(model, known, input_shape)
    except Exception as error:
        if missing_object(error) is None or all_known:
            raise _could_not_be_read(_why(error)) from error
        return own  # the caller may pass the missing one to `load`
    finally:
        random.setstate(state)
    if not comes_back:
        raise _could_not_be_read(f"it would come back with {difference}")
    return own


def _by_name(values: Iterable[Any]) -> dict[str, Any]:
    """Return the caller's own classes and functions among values, by the names that Keras looks for."""
    kinds = dict.fromkeys(value if hasattr(value, "__name__") else type(value) for value in values)
    own = [kind for kind in kinds if not (is_builtin(kind) or kind.__module__ == "builtins")]
    return {name: kind for kind in own for name in (kind.__name__, keras.saving.get_registered_name(kind))}


def _built_again(model: keras.Model, compilation: Compilation, known: dict[str, Any]) -> keras.Model:
    description = keras.saving.serialize_keras_object(model)
    model_config, parts = json.loads(json.dumps([description, compilation.to_dict()]))
    for key in ("loss", "metrics", "optimizer"):
        keras.saving.deserialize_keras_object(parts[key], custom_objects=known)
    return keras.saving.deserialize_keras_object(model_config, custom_objects=known)


def _difference(model: keras.Model, again: keras.Model, input_shape: tuple[int, ...]) -> str | None:
    """Return how a model that was built again differs, None if it does not. Both get the same weights and seeds."""
    before, after = ([tuple(weight.shape) for weight in each.weights] for each in (model, again))
    if before != after:
        return "weights of other shapes"
    again.set_weights(model.get_weights())
    image = np.random.default_rng(0).random((1, *input_shape), dtype=np.float32)
    seeds = [seed.numpy() for seed in seed_states(model)]
    outputs = []
    for each in (again, model, model):
        _set_seeds(each, seeds)
        outputs.append(np.asarray(keras.ops.convert_to_numpy(each(image, training=False))))
    _set_seeds(model, seeds)
    is_random = bool((outputs[1] != outputs[2]).any())  # so that nothing can be compared
    return None if is_random or np.allclose(outputs[0], outputs[1], atol=1e-4) else "other probabilities"


def _comes_back(model: keras.Model, known: dict[str, Any], input_shape: tuple[int, ...]) -> bool:
    """Tell whether a file gives the same model. Only there can a layer keep state beside its weights."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        path = Path(folder) / "model.keras"
        _save(model, path)
        try:
            again = keras.models.load_model(path, custom_objects=known)
        except Exception:  # the caller says how the model differs
            return False
    return _difference(model, again, input_shape) is None


def _set_seeds(model: keras.Model, seeds: Iterable[Any]) -> None:
    for variable, seed in zip(seed_states(model), seeds, strict=False):
        variable.assign(seed)


def _could_not_be_read(reason: str) -> ValueError:
    return ValueError(
        f"`model` could not be read back from a file: {reason}. Let the `__init__` of each class of your own take "
        "`**kwargs` and pass them to `super().__init__`, and its `get_config` return its arguments: "
        "`{**super().get_config(), \"units\": self.units}`. Until then, `model.save_weights('boots.weights.h5')` keeps "
        "the weights, for `load_weights` of the corrected model."
    )


def _why(error: Exception) -> str:
    """Return in a line why a model cannot be built from its configuration."""
    missing, text = missing_object(error), str(error)
    if missing is not None:
        return f"Keras does not find {missing!r}: put `@keras.saving.register_keras_serializable()` above it"
    if re.search(r"__lambda__|\blambda\b|Could not interpret \w+ function", text):
        return "Keras's safe mode does not load a lambda function: write it with `def`"
    # The innermost comes last.
    failed = re.findall(r"\w+\.__init__\(\) .*|Object \w+ was created by passing\s+[\w-]+ \w+", text)
    return " ".join(failed[-1].split()) if failed else first_line(error)[:300].rstrip(".")
