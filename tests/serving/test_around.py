"""What stands around the answers: health, metrics, logs, documentation, pages, samples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mnist_adder.inference import Predictor
from mnist_adder.serving import pages, samples
from mnist_adder.serving.models import load_models

if TYPE_CHECKING:
    from tests.serving.conftest import Service

FIVE = Path(__file__).parents[2] / "examples" / "five.png"


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    values = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(values)


def test_health_and_models(client: httpx.Client, predictor: Predictor) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/models").json()
    results = json.loads(predictor.metadata["results"])
    assert answer["default"] == "default"
    [model] = [each for each in answer["models"] if each["name"] == "default"]
    assert model["model"] == predictor.metadata["model"]
    assert model["joint_accuracy"] == results["joint_accuracy"]
    assert model["parameters"] == results["parameters"]


def test_a_run_comes_first_and_has_its_folders_name(predictor: Predictor, tmp_path: Path) -> None:
    assert next(iter(load_models(None))) == "default"
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "model.onnx").write_bytes((predictor.folder / "model.onnx").read_bytes())
    assert list(load_models(folder))[:2] == ["other", "default"]


def test_requests_times_and_digits_are_counted(client: httpx.Client) -> None:
    def count() -> tuple[float, ...]:
        return (
            metric(client, "mnist_adder_requests_total", route="/predict", status="200"),
            metric(client, "mnist_adder_requests_total", route="/predict", status="422"),
            metric(client, "mnist_adder_request_seconds_count", route="/predict"),
            metric(client, "mnist_adder_answers_total", model="default", digit="5"),
        )

    before = count()
    for number in ("7", "11"):
        client.post("/predict", files={"image": FIVE.read_bytes()}, data={"number": number})
    assert [now - then for now, then in zip(count(), before, strict=True)] == [1, 1, 2, 1]
    assert metric(client, "process_resident_memory_bytes") > 10_000_000


def test_paths_that_do_not_exist_make_no_series(client: httpx.Client) -> None:
    for name in ("one", "two"):
        client.get(f"/there/is/no/{name}")
        client.get(f"/v2/models/{name}")
    text = client.get("/metrics").text
    assert "no/one" not in text
    assert 'route="/v2/models/{name}"' in text
    assert 'route="other"' in text


def test_each_request_is_a_json_line(service: Service, client: httpx.Client) -> None:
    client.get("/healthz?secret=1")
    client.get("/healthz")  # when this is answered, the line of the one before is written
    entries = [json.loads(line) for line in service.lines if '"path":"/healthz"' in line]
    assert {"level", "logger", "message", "method", "ms", "path", "status", "time"} == set(entries[0])
    assert entries[0]["status"] == 200
    assert not [line for line in service.lines if "secret" in line]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_torch_is_not_in_the_process(service: Service, client: httpx.Client) -> None:
    client.post("/predict", files={"image": FIVE.read_bytes()}, data={"number": "1"})
    maps = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert not re.search(r"/(torch|sklearn|scipy|matplotlib)/", maps)


def test_the_page_and_the_documentation_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    document = client.get("/openapi.json")
    assert document.headers["content-type"] == "application/json"
    for path in ("/", "/docs"):
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", response.text)
        assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", response.text)


def test_page_files_have_their_types_and_others_are_not_served(tmp_path: Path) -> None:
    for name in ("index.html", "a.js", "b.css", "c.svg", "notes.txt", "d.py"):
        (tmp_path / name).write_text(name)
    (tmp_path / "deeper").mkdir()
    page = pages.load_page(folder=tmp_path)
    assert {name: page[name].media_type for name in sorted(page)} == {
        "a.js": "text/javascript; charset=utf-8",
        "b.css": "text/css; charset=utf-8",
        "c.svg": "image/svg+xml",
        "index.html": "text/html; charset=utf-8",
    }


def test_examples_of_the_documentation_are_answered(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        response = client.post("/predict", json=example["value"])
        assert response.status_code == 200, response.text
        answers = response.json().get("answers", [response.json()])
        assert {answer["digit"] for answer in answers} == {1}
    infer = document["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"]
    [asked] = [example["value"] for example in infer["examples"].values()]
    outputs = client.post("/v2/models/default/infer", json=asked).json()["outputs"]
    assert [each["data"] for each in outputs[:2]] == [[1], [8]]


@pytest.mark.mnist
def test_samples_are_mnists_where_it_is(client: httpx.Client, predictor: Predictor) -> None:
    right = 0
    for _ in range(20):
        sample = client.get("/samples/random").json()
        assert sample["source"] == "MNIST test images"
        answer = client.post("/predict", json={"number": 0, "pixels": sample["pixels"]}).json()
        right += answer["digit"] == sample["digit"]
    assert right >= 19


def test_samples_without_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, predictor: Predictor) -> None:
    for name in ("MNIST_ADDER_DATA", "MNIST_ADDER_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"cut off")
    found = samples.load_samples()
    assert found is not None
    assert found.source == "digits bundled with scikit-learn"
    assert found.images.shape[1:] == (28, 28)
    assert found.images.dtype == "uint8"
    answers = predictor.predict_images(
        found.images.astype(np.float32) / np.float32(255), np.zeros(len(found.digits), int)
    )
    assert (answers.digits == found.digits).mean() > 0.8
