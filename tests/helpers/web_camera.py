"""A camera with an address, as a local server."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def jpeg(value: int, size: tuple[int, int] = (16, 16)) -> bytes:
    """A picture of one gray."""
    Image.new("RGB", size, (value, value, value)).save(content := io.BytesIO(), "JPEG")
    return content.getvalue()


def gray(content: bytes) -> int:
    """The gray of such a picture."""
    return Image.open(io.BytesIO(content)).getpixel((8, 8))[0]  # type: ignore[index]


@contextmanager
def camera(
    *frames: bytes, length: bool = True, kind: str = "", pause: float = 0.0, moved_to: str = ""
) -> Iterator[str]:
    """The address of a server that streams ``frames``, as the web server of ESP32 cameras does; with another ``kind``
    each request gets the next of them. Nobody may have a password at /open, which ``moved_to`` sends requests on to."""
    left = list(frames)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if moved_to:
                self.send_response(302)
                self.send_header("Location", moved_to.replace("stream", "open"))
                return self.end_headers()
            if self.path == "/open" and "Authorization" in self.headers:
                return self.send_error(401)
            if self.headers.get("Authorization", "") not in ("", "Basic bWU6YSBi"):  # me:a b
                return self.send_error(401)
            if self.path == "/nowhere":
                return self.send_error(404)
            self.send_response(200)
            self.send_header(
                "Content-Type", kind or "multipart/x-mixed-replace;boundary=123456789000000000000987654321"
            )
            self.end_headers()
            if kind:
                self.wfile.write(left.pop(0))
                return None
            for frame in frames:
                self.wfile.write(b"\r\n--123456789000000000000987654321\r\nContent-Type: image/jpeg\r\n")
                if length:
                    self.wfile.write(b"Content-Length: %d\r\nX-Timestamp: 0.0\r\n" % len(frame))
                self.wfile.write(b"\r\n" + frame)
                time.sleep(pause)
            self.wfile.write(b"\r\n--123456789000000000000987654321--\r\n")
            return None

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
    finally:
        server.shutdown()
        server.server_close()
