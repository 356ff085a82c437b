import warnings

import pytest

# Every format with every quantization that it supports.
KINDS = [
    *(("litert", quantize) for quantize in (None, "float16", "int8")),
    *(("onnx", quantize) for quantize in (None, "float16", "int8")),
    ("saved_model", None),
]
SUFFIXES = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}


@pytest.fixture(scope="session")
def exports(fitted, garments, tmp_path_factory):
    """The reports of exporting the small trained classifier in every kind, by kind."""
    folder = tmp_path_factory.mktemp("exports")
    reports = {}
    for kind in KINDS:
        name, quantize = kind
        reports[kind] = fitted.export(
            folder / f"{name}_{quantize}{SUFFIXES[name]}", name, quantize=quantize, images=garments[0]
        )
    return reports


@pytest.fixture(scope="session", params=KINDS, ids=lambda kind: "-".join(str(part) for part in kind))
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def exported(exports, kind):
    """A predictor from a file. Shared: predict only."""
    import fashionclf as fc

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fc.load_exported(exports[kind].path)
