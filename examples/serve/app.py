"""A web service with FastAPI: upload a photograph, get names with probabilities and doubts as JSON.

    python -m pip install ".[images,litert]" fastapi python-multipart uvicorn
    python examples/serve/export.py                          # writes clothes.tflite; or export a classifier of yours
    python -m uvicorn --app-dir examples/serve app:app       # http://127.0.0.1:8000 is a page to try it
    curl -F file=@photo.jpg http://127.0.0.1:8000/predict

`FASHIONCLF_MODEL` names another exported classifier. TensorFlow is needed by `export.py` alone; the `Dockerfile` beside
this file makes an image without it.
"""

import asyncio
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse

import fashionclf as fc

MOST_BYTES = 20 * 2**20  # of a request; a photograph of a phone has 2 to 12 MB
PAGE = Path(__file__).with_name("index.html")
MODEL = os.environ.get("FASHIONCLF_MODEL", "clothes.tflite")

predictor = fc.load_exported(MODEL)
pool = ThreadPoolExecutor(os.cpu_count())  # FastAPI's own 40 threads would each keep a copy of the runtime in memory
warnings.simplefilter("ignore", fc.DoubtfulImageWarning)  # doubts are in the answer
app = FastAPI(title="Names of clothes", description="Names the garment on a photograph.")


@app.middleware("http")
async def refuse_large(request: Request, call_next: Any) -> Response:
    """Refuse a large upload before it is read."""
    if request.method == "POST":
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return JSONResponse({"detail": "Expected a request that tells its Content-Length."}, 411)
        if int(length) > MOST_BYTES:
            return JSONResponse({"detail": f"Received {int(length):,} bytes, expected at most {MOST_BYTES:,}."}, 413)
    return await call_next(request)


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, Any]:
    """Return the names of the garment on a photograph with their probabilities, and the doubts about it."""
    photograph = io.BytesIO(await file.read())
    photograph.name = file.filename  # for messages, and as the source of the prediction
    try:
        predictions = await asyncio.get_running_loop().run_in_executor(pool, predictor.predict, photograph)
    except ValueError as error:  # what cannot be read: the message says why
        raise HTTPException(422, str(error)) from error
    return predictions[0].to_dict()


@app.get("/health")
async def health() -> dict[str, Any]:
    """Answer that the classifier is loaded."""
    return {"status": "ok", "class_names": predictor.class_names}


@app.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """Return a page to try it in a browser."""
    return FileResponse(PAGE)
