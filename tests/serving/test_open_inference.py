"""The Open Inference Protocol, asked by tritonclient and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from mnist_adder import __version__
from mnist_adder.data.images import DigitImages
from mnist_adder.inference import Predictor

if TYPE_CHECKING:
    from tests.serving.conftest import Service

NAMES = ["digit", "sum", "digit_probabilities", "sum_probabilities"]
INFER = "/v2/models/default/infer"


@pytest.fixture
def asker(service: Service) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{service.port}")
    yield client
    client.close()


def inputs(data: DigitImages, count: int, binary: bool) -> tuple[list[Any], Any, Any]:
    images = data.test_images[:count].numpy().reshape(count, 1, 28, 28) / np.float32(255)
    numbers = np.arange(count, dtype=np.int64) % 10
    image, number = (
        triton.InferInput("image", images.shape, "FP32"),
        triton.InferInput("number", [count], "INT64"),
    )
    image.set_data_from_numpy(images, binary_data=binary)
    number.set_data_from_numpy(numbers, binary_data=binary)
    return [image, number], images, numbers


def test_health_and_metadata(asker: Any) -> None:
    assert asker.is_server_live()
    assert asker.is_server_ready()
    assert asker.is_model_ready("default")
    assert asker.is_model_ready("default", "1")
    assert not asker.is_model_ready("other")
    assert not asker.is_model_ready("default", "2")
    assert asker.get_server_metadata() == {
        "name": "mnist-adder",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    about = asker.get_model_metadata("default")
    assert about["inputs"][0] == {"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}
    assert [each["name"] for each in about["outputs"]][:4] == NAMES


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [1, 7, 64])
def test_answers_are_the_librarys(
    asker: Any, predictor: Predictor, data: DigitImages, count: int, binary: bool
) -> None:
    asked, images, numbers = inputs(data, count, binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in NAMES[::-1]]
    for wanted in (None, outputs):
        result = asker.infer("default", asked, request_id="some", outputs=wanted)
        expected = predictor.predict_images(images[:, 0], numbers)
        np.testing.assert_array_equal(result.as_numpy("digit"), expected.digits)
        np.testing.assert_array_equal(result.as_numpy("sum"), expected.sums)
        for name in NAMES[2:]:
            np.testing.assert_allclose(result.as_numpy(name), getattr(expected, name), rtol=0, atol=1e-6)
        assert result.get_response()["id"] == "some"
        assert result.get_response()["model_name"] == "default"


def test_a_mistake_is_the_clients_exception(asker: Any, data: DigitImages) -> None:
    asked, *_ = inputs(data, 2, True)
    with pytest.raises(InferenceServerException, match="image and number"):
        asker.infer("default", asked[:1])
    with pytest.raises(InferenceServerException, match="no model 'other'"):
        asker.infer("other", asked)
    with pytest.raises(InferenceServerException, match="415"):
        asker.infer("default", asked, request_compression_algorithm="gzip")


def question(**changes: Any) -> dict[str, Any]:
    image = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0] * 784}
    number = {"name": "number", "shape": [1], "datatype": "INT64", "data": [3]}
    for key, value in changes.items():
        tensor, _, entry = key.partition("_")
        (image if tensor == "image" else number)[entry] = value
    return {"inputs": [image, number]}


def test_nested_data_and_chosen_outputs(client: httpx.Client) -> None:
    asked = question(image_data=[[[[0.0] * 28] * 28]])
    asked["outputs"] = [{"name": "sum"}]
    answer = client.post(INFER, json=asked).json()
    assert [(each["name"], each["shape"]) for each in answer["outputs"]] == [("sum", [1])]
    assert client.post("/v2/models/default/versions/1/infer", json=asked).json() == answer


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (422, question(number_data=[10])),
        (422, question(number_data=[-1])),
        (422, question(number_data=["3"])),
        (422, question(number_data=[3.5])),
        (422, question(number_data=[2**70])),
        (422, question(number_data=[])),
        (422, question(number_shape=[2], number_data=[1, 2])),
        (422, question(number_datatype="INT32")),
        (422, question(image_data=[2.0] * 784)),
        (422, question(image_data=[1e300] * 784)),
        (422, question(image_data=[0] * 783)),
        (422, question(image_data=[[0], [0, 1]])),
        (422, question(image_data=None)),
        (422, question(image_shape=[1, 28, 28])),
        (422, question(image_shape=[-1, 1, 28, 28])),
        (422, question(image_shape=[0, 1, 28, 28], image_data=[], number_shape=[0], number_data=[])),
        (422, question(image_parameters={"binary_data_size": 3136})),
        (422, question(image_parameters={"binary_data_size": -1})),
        (422, question(image_name="number")),
        (422, question(image_name=["image"])),
        (422, {**question(), "outputs": [{"name": "other"}]}),
        (422, {**question(), "outputs": 3}),
        (422, {**question(), "id": 3}),
        (422, {"inputs": {}}),
        (422, {}),
        (422, [1]),
        (
            413,
            question(
                image_shape=[257, 1, 28, 28],
                image_data=[0] * 784 * 257,
                number_shape=[257],
                number_data=[0] * 257,
            ),
        ),
    ],
)
def test_a_malformed_request(client: httpx.Client, status: int, asked: Any) -> None:
    response = client.post(INFER, json=asked)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize("length", ["-1", "x", "99999", "5"])
def test_a_wrong_length_of_the_header(client: httpx.Client, length: str) -> None:
    content = json.dumps(question()).encode()
    response = client.post(INFER, content=content, headers={"Inference-Header-Content-Length": length})
    assert response.status_code == 422


def test_bytes_that_are_no_numbers_are_refused(client: httpx.Client) -> None:
    asked = question(image_parameters={"binary_data_size": 3136}, number_parameters={"binary_data_size": 8})
    head = json.dumps(asked).encode()
    body = head + b"\xff" * 3136 + bytes(8)
    response = client.post(INFER, content=body, headers={"Inference-Header-Content-Length": str(len(head))})
    assert response.status_code == 422
    assert "nan" in response.json()["error"]
