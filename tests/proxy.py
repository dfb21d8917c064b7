"""A proxy that refuses whatever it is asked for, and keeps what that was."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A listening proxy.

    Attributes:
        url: Its address, as HTTPS_PROXY takes it.
        asked: The first line of each request, such as "CONNECT host:443 HTTP/1.1".
    """

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def refusing_proxy() -> Iterator[Proxy]:
    """Listen on loopback as a proxy that lets nobody through."""

    class Refuse(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            proxy.asked.append(self.rfile.readline().decode().strip())
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
