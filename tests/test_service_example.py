"""The example of a web service: answers, limits, and concurrent requests."""

import asyncio
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import breastcls as bc

pytest.importorskip("fastapi")
import httpx
from fastapi.testclient import TestClient

SERVICE = Path(__file__).resolve().parents[1] / "examples" / "service"
LIMITS = {"largest_file": 5000, "most_files": 3, "most_pixels": 2500, "capacity": 4, "batch_size": 2}


@pytest.fixture(scope="module")
def app():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SERVICE))
        import app

        yield app
    for name in ("app", "batching", "limits"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=16, filters=(4, 4, 4, 4), seed=7)
    card = bc.models.get_card(model).replace(threshold=0.25, provenance={"train_cases": ["14-22549"]})
    bc.models.set_card(model, card)
    return bc.save_model(model, tmp_path_factory.mktemp("service") / "model.keras")


@pytest.fixture(scope="module")
def client(app, model_file):
    with TestClient(app.create_app(app.Settings(model_file, **LIMITS))) as client:
        yield client


def encoded(seed, size=(20, 30), kind="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def upload(*contents):
    return [("files", (f"{number}.png", content)) for number, content in enumerate(contents)]


def test_answers_equal_predict(client, model_file):
    images = [encoded(1), encoded(2, kind="JPEG")]
    reply = client.post("/predict", files=upload(*images))
    expected = bc.predict(model_file, images)
    assert reply.status_code == 200
    for answer, name, probabilities, predicted in zip(
        reply.json()["results"], ["0.png", "1.png"], expected.probabilities, expected.decisions, strict=True
    ):
        assert answer["file"] == name
        assert answer["class"] == expected.classes[predicted]
        # Nothing is claimed of what the model does not store.
        assert (answer["prediction_set"], answer["out_of_distribution"], answer["warnings"]) == (None, None, [])
        assert list(answer["probabilities"].values()) == pytest.approx(probabilities, abs=1e-6)


def test_each_answer_names_what_concerns_its_image(app, model_file, tmp_path):
    model = bc.load_model(model_file)
    few = "The coverage by class is based on 3 cases of benign."
    provenance = {
        "training": {
            "trained_on": {"cases": ["14-1", "14-2"]},
            "images": {"shorter_side": [20, 20], "aspect": [1.5, 1.5]},
        },
        "ood": {"mean": [127] * 3 + [74] * 3, "whitening": np.eye(6).tolist(), "limit": 20_000.0},
        "conformal": {"score": "lac", "limits": [None, None], "level": "image", "limitations": [few]},
    }
    bc.models.set_card(model, bc.models.get_card(model).replace(provenance=provenance))
    predictor = app.Predictor(app.Settings(bc.save_model(model, tmp_path / "model.keras"), **LIMITS))
    black = io.BytesIO()
    Image.new("RGB", (60, 20)).save(black, "PNG")
    usual, unlike = predictor([("usual", encoded(1)), ("black", black.getvalue())])
    assert (usual["out_of_distribution"], usual["warnings"]) == (False, [])
    assert usual["prediction_set"] == ["benign", "malignant"]
    assert unlike["out_of_distribution"] is True
    assert len(unlike["warnings"]) == 2
    assert unlike["warnings"][1].startswith("The colour is unlike that of the training images (out-of-distribution).")
    assert "an aspect ratio of 3 (in training 1.5)" in unlike["warnings"][0]
    described = predictor.describe()
    assert described["training_cases"] == 2
    assert described["limitations"] == ["The probabilities are not calibrated.", few]


def test_health_card_and_page(client):
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}
    card = client.get("/model").json()
    assert card["classes"] == ["benign", "malignant"]
    assert card["threshold"] == 0.25
    assert "14-22549" not in str(card)
    assert card["training_cases"] is None
    assert "There is no limit of out-of-distribution images" in card["limitations"][1]
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    # The page works without a network.
    assert "//" not in page.text.replace("// ", "")


def test_an_unreadable_file_does_not_spoil_the_others(client):
    truncated = encoded(1)[:-20]
    reply = client.post("/predict", files=upload(truncated, encoded(1), b"%PDF-1.7"))
    damaged, good, foreign = reply.json()["results"]
    assert reply.status_code == 200
    assert "error" in damaged
    assert "class" in good
    assert foreign["error"] == "The file is not one of PNG, JPEG, TIFF."


@pytest.mark.parametrize(
    ("contents", "status", "found"),
    [
        ([b""], 422, "The file is empty."),
        ([b"\x89PNG\r\n\x1a\n" + bytes(6000)], 422, "The file has 6008 bytes; at most 5000 are taken."),
        ([encoded(3, size=(60, 60), kind="JPEG")], 422, "pixels"),
        ([b"\x89PNG\r\n\x1a\n"] * 4, 413, "At most 3 files per request; found 4."),
        ([bytes(30_000)], 413, "larger than 18000 bytes"),
    ],
)
def test_limits(client, contents, status, found):
    reply = client.post("/predict", files=upload(*contents))
    assert reply.status_code == status
    assert found in reply.text


def test_a_body_of_unknown_length_is_stopped_at_the_limit(client):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    reply = client.post("/predict", content=(bytes(1000) for _ in range(30)), headers=headers)
    assert reply.status_code == 413


def test_after_a_request_without_a_readable_kind_the_service_goes_on(client):
    assert client.post("/predict", files=upload(b"")).status_code == 422
    assert client.post("/predict", files=upload(encoded(1))).status_code == 200
    assert client.get("/health").status_code == 200


def test_requests_without_files_are_refused(client):
    assert client.post("/predict").status_code == 422


def test_concurrent_requests_are_batched_and_none_is_lost(app, model_file):
    """Forty requests at a time, each with its own image: every answer belongs to its image."""
    images = [encoded(seed) for seed in range(40)]
    expected = bc.predict(model_file, images).probabilities[:, 1]
    sizes = []

    async def ask():
        application = app.create_app(app.Settings(model_file, batch_size=8))
        async with application.router.lifespan_context(application):
            process = application.state.queue._process
            application.state.queue._process = lambda items: (sizes.append(len(items)), process(items))[1]
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await asyncio.gather(*(client.post("/predict", files=upload(image)) for image in images))

    replies = asyncio.run(ask())
    found = [reply.json()["results"][0]["probabilities"]["malignant"] for reply in replies]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert sum(sizes) == 40
    assert max(sizes) > 1
    assert set(sizes) <= {1, 2, 4, 8}


def test_a_full_queue_answers_503(app, model_file):
    async def ask():
        application = app.create_app(app.Settings(model_file, capacity=1))
        async with application.router.lifespan_context(application):
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.post("/predict", files=upload(encoded(1), encoded(2)))

    reply = asyncio.run(ask())
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"


def test_an_error_of_the_model_reaches_the_request_and_not_the_queue(app, model_file):
    async def ask():
        application = app.create_app(app.Settings(model_file))
        async with application.router.lifespan_context(application):
            queue = application.state.queue
            process, queue._process = queue._process, lambda items: 1 / 0
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                broken = await client.post("/predict", files=upload(encoded(1)))
                queue._process = process
                return broken, await client.post("/predict", files=upload(encoded(1)))

    broken, good = asyncio.run(ask())
    assert (broken.status_code, good.status_code) == (500, 200)
