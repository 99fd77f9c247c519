"""A web service that predicts uploaded images with a saved model.

It needs breastcls, `pip install fastapi uvicorn python-multipart`, and a model file:

    python examples/service/app.py demo/model.keras
    curl -F files=@image.png http://127.0.0.1:8000/predict

The model is loaded once. The images of concurrent requests are predicted together, in batches. The service is a
research tool and has no user accounts: put it behind a server that has them, and do not send images of patients over a
network without permission and encryption.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import uvicorn
from batching import BatchQueue, QueueFullError
from fastapi import FastAPI, File, HTTPException, Response, UploadFile
from fastapi.responses import HTMLResponse
from limits import LimitBody, check_kind

import breastcls as bc
from breastcls.errors import EvaluationWarning, ImageError

PAGE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Settings:
    """Settings of the service.

    Attributes:
        model: A model file that `breastcls.load_model` takes.
        engine: The engine that runs the network, as in `breastcls.predict`.
        batch_size: Largest number of images that are predicted together.
        largest_file: Largest size of one file in bytes.
        most_files: Largest number of files per request.
        most_pixels: Largest image, height times width.
        capacity: Largest number of images that wait; requests beyond it get status 503.
    """

    model: Path
    engine: str | None = None
    batch_size: int = 32
    largest_file: int = 20_000_000
    most_files: int = 32
    most_pixels: int = 10_000_000
    capacity: int = 256


class Predictor:
    """A loaded model that predicts encoded images."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        model = bc.load_model(settings.model)
        self.card = bc.models.get_card(model)
        if self.card is None:
            raise SystemExit(f"{settings.model} names no classes: load it with `classes=` and save it with breastcls.")
        # A session is bound to the weights of the model, which `predict` would otherwise compare in each call.
        is_keras = settings.model.suffix == ".keras"
        self.model = bc.models.open_session(model, settings.engine) if is_keras and settings.engine else model
        self._threads = ThreadPoolExecutor(thread_name_prefix="decode")
        # The first prediction of each number of images traces or compiles the network.
        height, width = self.card.image_size
        for power in range(settings.batch_size.bit_length()):
            blank = np.zeros((1 << power, height, width, 3), np.uint8)
            self.engine = bc.predict(self.model, blank, batch_size=settings.batch_size).engine

    def __call__(self, images: Sequence[tuple[str, bytes]]) -> list[dict[str, Any] | ImageError]:
        """Return one result per name and encoded image, or the error of an image that cannot be read."""
        decoded = list(self._threads.map(self._decode, images))
        readable = [image for image in decoded if not isinstance(image, ImageError)]
        results = iter(self._predict(readable) if readable else [])
        return [image if isinstance(image, ImageError) else next(results) for image in decoded]

    def _decode(self, image: tuple[str, bytes]) -> npt.NDArray[np.uint8] | ImageError:
        name, content = image
        try:
            return bc.images.decode_image(content, name, max_pixels=self._settings.most_pixels)
        except ImageError as error:
            return error

    def _predict(self, images: list[npt.NDArray[np.uint8]]) -> list[dict[str, Any]]:
        with warnings.catch_warnings():
            # They name all images of a batch, which may come from several clients.
            warnings.simplefilter("ignore", EvaluationWarning)
            found = bc.predict(self.model, images, batch_size=self._settings.batch_size, progress=False)
        unlike = bc.predictions.describe_differences(self.card, [image.shape[:2] for image in images])
        return [self._answer(found[row : row + 1], unlike[row]) for row in range(len(images))]

    @staticmethod
    def _answer(found: bc.Predictions, unlike: str) -> dict[str, Any]:
        """Return what a client has to know of one image."""
        flagged = None if found.ood is None else bool(found.ood[0])
        chosen = None if found.prediction_sets is None else found.prediction_sets[0]
        notes = [f"The size is unlike that of the training images: {unlike}."] if unlike else []
        notes += ["The colour is unlike that of the training images (out-of-distribution)."] if flagged else []
        return {
            "class": found.classes[found.decisions[0]],
            "probabilities": dict(zip(found.classes, map(float, found.probabilities[0]), strict=True)),
            "prediction_set": None if chosen is None else [found.classes[index] for index in np.flatnonzero(chosen)],
            "out_of_distribution": flagged,
            "warnings": [f"{note} The probabilities may not hold for this image." for note in notes],
        }

    def describe(self) -> dict[str, Any]:
        """Return the properties of the model that users of the service need, without the names of training cases."""
        card = self.card
        return {
            "classes": card.classes,
            "positive_class": card.classes[-1],
            "image_size": card.image_size,
            "backbone": card.backbone,
            "weights": card.weights,
            "threshold": card.threshold,
            "calibrated": card.temperature is not None or "calibration" in card.provenance,
            "training_cases": _count_training_cases(card),
            "limitations": _list_limitations(card),
            "version": card.version,
            "engine": self.engine,
        }


def _count_training_cases(card: bc.models.ModelCard) -> int | None:
    """Return the number of cases that the weights were trained on, or None where it is not recorded."""
    training = card.provenance.get("training") or {}
    return len((training.get("trained_on") or training).get("cases") or ()) or None


def _list_limitations(card: bc.models.ModelCard) -> list[str]:
    """Return what limits every prediction of the model."""
    found = []
    if card.temperature is None and "calibration" not in card.provenance:
        found.append("The probabilities are not calibrated.")
    if "ood" not in card.provenance:
        found.append("There is no limit of out-of-distribution images: any image gets one of the classes.")
    elif card.provenance["ood"].get("limit") is None:
        found.append("The cases were too few for a limit of out-of-distribution images.")
    for step in ("threshold", "conformal"):
        found += card.provenance.get(step, {}).get("limitations") or ()
    return found


def create_app(settings: Settings) -> FastAPI:
    """Return the application; the model is loaded when it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        predictor = await asyncio.to_thread(Predictor, settings)
        queue = BatchQueue(predictor, batch_size=settings.batch_size, capacity=settings.capacity)
        await queue.start()
        app.state.predictor, app.state.queue = predictor, queue
        yield
        await queue.stop()

    app = FastAPI(title="breastcls", version=bc.__version__, lifespan=lifespan)
    # The form adds some bytes to each file.
    app.add_middleware(LimitBody, largest=settings.most_files * (settings.largest_file + 1000))

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> str:
        return PAGE.read_text(encoding="utf-8")

    @app.get("/health")
    def health(response: Response) -> dict[str, Any]:
        """Whether the service processes images, and the number of images that wait."""
        queue = app.state.queue
        if not queue.is_running:
            response.status_code = 503
        return {"status": "ok" if queue.is_running else "stopped", "waiting": queue.waiting}

    @app.get("/model")
    def model() -> dict[str, Any]:
        """The model card."""
        described: dict[str, Any] = app.state.predictor.describe()
        return described

    @app.post("/predict")
    async def predict(files: Annotated[list[UploadFile], File()], response: Response) -> dict[str, Any]:
        """What the model predicts for each uploaded image, in order; an `error` for one that cannot be read."""
        if len(files) > settings.most_files:
            raise HTTPException(413, f"At most {settings.most_files} files per request; found {len(files)}.")
        images = [(file.filename or "image", await file.read()) for file in files]
        refused = [_refuse(content, settings) for _, content in images]
        taken = [image for image, reason in zip(images, refused, strict=True) if reason is None]
        try:
            results = iter(await app.state.queue.submit(taken))
        except QueueFullError as error:
            raise HTTPException(503, str(error), headers={"Retry-After": "1"}) from error
        answers = [
            _answer(name, reason if reason is not None else next(results))
            for (name, _), reason in zip(images, refused, strict=True)
        ]
        if all("error" in answer for answer in answers):
            response.status_code = 422
        return {"results": answers}

    return app


def _refuse(content: bytes, settings: Settings) -> str | None:
    if len(content) > settings.largest_file:
        return f"The file has {len(content)} bytes; at most {settings.largest_file} are taken."
    return check_kind(content)


def _answer(name: str, result: dict[str, Any] | str | Exception) -> dict[str, Any]:
    if isinstance(result, Exception) and not isinstance(result, ImageError):
        raise result
    return {"file": name, **(result if isinstance(result, dict) else {"error": str(result)})}


def main() -> None:
    """Start the service."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model file that breastcls can load")
    parser.add_argument("--engine", help="keras, openvino, onnxruntime or auto; by default that of the model file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; by default only this machine")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--batch-size", type=int, default=32, help="largest number of images predicted together")
    arguments = parser.parse_args()
    settings = Settings(arguments.model, engine=arguments.engine, batch_size=arguments.batch_size)
    uvicorn.run(create_app(settings), host=arguments.host, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
