"""Pictures from a camera with an address: JPEGs over HTTP, in a stream, as ESP32 cameras serve it, or one by one."""

from __future__ import annotations

import base64
import contextlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from tinyengine.errors import DataError

TIMEOUT = 10.0
"""Seconds without a byte after which a camera has gone."""
LARGEST = 1 << 25
"""Bytes of a picture beyond which it is none."""


def jpegs(url: str, watched: Callable[[Iterator[bytes]], Iterator[bytes]] = iter) -> Iterator[bytes]:
    """The pictures that a camera sends, as files; the first answer is awaited here and now. DataError where it sends
    something else, or stops.

    ``watched`` stands between a stream and whoever looks at it; single pictures are asked for when they are wanted.
    """
    shown = without_password(url)
    response = _answer(url, shown)
    kind = response.headers.get_content_type()
    if kind.startswith("image/"):
        return _snapshots(url, shown, response)
    boundary = response.headers.get_boundary() if kind.startswith("multipart/") else None
    if not boundary:
        response.close()
        raise DataError(
            f"{shown} answers with {kind}, which is no stream of pictures: give the address of the stream itself (an "
            "ESP32 camera has it at http://ADDRESS:81/stream)"
        )
    return watched(_parts(response, boundary.strip("-").encode(), shown))


def without_password(url: str) -> str:
    """The address for messages. DataError where it is none."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # which may tell the password
        raise DataError(
            f"the camera's address is none behind its :// ({url.rpartition('@')[2]}): write http://ADDRESS:81/stream "
            "say, an address of IPv6 in brackets"
        ) from None
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _answer(url: str, shown: str) -> Any:
    """The open response to a request, an http.client.HTTPResponse."""
    user, at, _ = urllib.parse.urlsplit(url).netloc.rpartition("@")
    request = urllib.request.Request(shown)
    if at:
        token = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        raise DataError(f"{shown} answers {error.code} {error.reason}: is the address right, and its path?") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{shown} does not answer ({reason}): is the camera on, and in this network?") from error


def _snapshots(url: str, shown: str, response: Any) -> Iterator[bytes]:
    """A picture for each request."""
    while True:
        with contextlib.closing(response), _told(shown):
            content = response.read(LARGEST)
        yield content
        response = _answer(url, shown)


def _parts(response: Any, boundary: bytes, shown: str) -> Iterator[bytes]:
    """The parts of a multipart/x-mixed-replace; each has its length, or ends where the next one begins."""
    with contextlib.closing(response), _told(shown):
        _until(response, boundary, shown)
        while headers := http.client.parse_headers(response).items():
            length = next((value for name, value in headers if name.lower() == "content-length"), "")
            if length.isdecimal() and int(length) <= LARGEST:
                content = response.read(int(length))
                if len(content) < int(length):
                    return
                _until(response, boundary, shown)
            elif length:
                raise DataError(f"{shown} sends a picture of {length} bytes: is it a camera?")
            else:
                content = _until(response, boundary, shown)
            if content:
                yield content


def _until(response: Any, boundary: bytes, shown: str) -> bytes:
    """What stands before the next line with the boundary, which is read, too; all there is where none comes."""
    content = bytearray()
    while line := response.readline(1 << 16):
        if line.strip().strip(b"-") == boundary:
            break
        content += line
        if len(content) > LARGEST:
            raise DataError(f"{shown} sends a picture that does not end: is it a camera?")
    return bytes(content).removesuffix(b"\n").removesuffix(b"\r")


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"the pictures of {shown} stopped ({error or 'no answer'}): is the camera still on?") from error
