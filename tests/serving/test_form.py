"""Forms are read as browsers write them, and whatever else comes is refused."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_adder.serving.errors import HTTPError
from mnist_adder.serving.form import parse_form

HEAD = "multipart/form-data; boundary=x"


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), st.binary(max_size=200), min_size=1, max_size=5))
def test_what_a_client_writes_is_read_back(fields: dict[str, bytes]) -> None:
    files = {name: (f'{name}"\r\n.png', content) for name, content in fields.items()}
    request = httpx.Request("POST", "http://service", files=files)
    assert parse_form(request.headers["content-type"], request.read()) == fields


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data; name="number"',
        b'content-type: text/plain\r\ncontent-disposition:form-data; filename="name=other"; name=number',
    ],
)
def test_headers_in_other_ways(head: bytes) -> None:
    body = b"preamble\r\n--x\r\n" + head + b"\r\n\r\n7\r\n--x--\r\nepilogue"
    assert parse_form('Multipart/Form-Data; charset=utf-8; Boundary="x"', body) == {"number": b"7"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--"),
        (HEAD, b""),
        (HEAD, b"--x--\r\n"),
        (HEAD, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'),
        (HEAD, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x'),
        (HEAD, b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"),
        (HEAD, b'--x\r\nContent-Disposition: form-data; name="a"\r\n--x--'),
        (HEAD, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2 + b"--x--"),
        (HEAD, b"--x\r\n" * 100_000 + b"--x--"),
    ],
)
def test_what_is_malformed_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(HTTPError) as caught:
        parse_form(content_type, body)
    assert caught.value.status_code == 422


@given(
    st.lists(st.sampled_from([b"--x", b"\r\n", b"--", b"\0", b'Content-Disposition: form-data; name="a"']))
)
def test_anything_is_read_or_refused(pieces: list[bytes]) -> None:
    with contextlib.suppress(HTTPError):
        parse_form(HEAD, b"".join(pieces))
