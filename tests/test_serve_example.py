"""The web service in `examples/serve`, through FastAPI's test client. It runs on LiteRT."""

import importlib.util
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples.photographs import draw, encoded

import fashionclf as fc

# The service ignores it, but pytest has filters of its own for each test.
pytestmark = pytest.mark.filterwarnings("ignore::fashionclf.DoubtfulImageWarning")

testclient = pytest.importorskip("fastapi.testclient", reason="needs FastAPI, httpx2 and python-multipart")

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "tests" / "golden" / "golden.tflite"


@pytest.fixture(scope="module")
def service():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("serve_app", ROOT / "examples" / "serve" / "app.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONCLF_MODEL", str(MODEL))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client(service):
    with testclient.TestClient(service.app) as client:
        yield client


def upload(client, content, name="boot.png"):
    return client.post("/predict", files={"file": (name, content)})


def test_a_photograph_gets_names_probabilities_and_doubts(client):
    photograph = encoded(draw(60)).getvalue()
    response = upload(client, photograph)
    assert response.status_code == 200
    (expected,) = fc.load_exported(MODEL).predict([io.BytesIO(photograph)]).to_records()
    assert response.json() == {**expected, "source": "boot.png"}
    blank = encoded(Image.new("RGB", (40, 40), (240, 240, 240)))
    assert upload(client, blank).json()["doubts"][0] == "it is blank"


def test_what_cannot_be_read_is_a_422_with_the_message_of_the_library(client):
    response = upload(client, b"no image", "letter.txt")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("'letter.txt' is empty or not an image")
    assert client.post("/predict", data={"file": "text"}).status_code == 422


def test_a_large_upload_is_refused_before_it_is_read(client, service, monkeypatch):
    monkeypatch.setattr(service, "MOST_BYTES", 1000)
    response = upload(client, bytes(2000))
    assert response.status_code == 413
    assert response.json()["detail"].endswith(" bytes, expected at most 1,000.")
    assert client.post("/predict", content=iter([b"of unknown length"])).status_code == 411


def test_health_and_page(client):
    assert client.get("/health").json() == {"status": "ok", "class_names": ["Hat", "Shorts", "Skirt"]}
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert '<input id="file" type="file"' in page.text


def test_requests_at_once_get_what_they_get_one_by_one(client):
    noise = np.random.default_rng(0).integers(0, 256, (32, 6, 5, 3), dtype=np.uint8)
    photographs = [encoded(Image.fromarray(each)).getvalue() for each in noise]
    alone = [upload(client, photograph).json() for photograph in photographs]
    with ThreadPoolExecutor(32) as pool:
        together = [response.json() for response in pool.map(lambda each: upload(client, each), photographs)]
    assert together == alone
    assert len({answer["probability"] for answer in alone}) > 16
