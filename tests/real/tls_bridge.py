"""A TLS bridge: programs that insist on https and on a host's name reach the emulator through it."""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import trustme

_CHUNK = 65_536
# Of the loop; a connection that is aborted, or whose handshake failed, is closed in a few.
_ROUNDS = 10


class TlsBridge:
    """Terminates TLS for some host names and passes the bytes inside on as they are, Host header and all.

    Example:
        >>> with TlsBridge(["chat.qwen.ai"], upstream_port=41234) as bridge:
        ...     print(bridge.port)

    Args:
        names: The host names; their certificate is of a private authority that exists only here.
        upstream_port: Where the plain bytes go, on 127.0.0.1.

    Attributes:
        port: Where the bridge listens, on 127.0.0.1.
        asked: The name that each connection asked for (RFC 6066 §3), oldest first.
    """

    def __init__(self, names: Sequence[str], *, upstream_port: int) -> None:
        self._authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(self._tls)
        self._tls.sni_callback = self._note
        self._upstream_port = upstream_port
        self._ready, self._stopped = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="tls-bridge")
        self.port = 0
        self.asked: list[str | None] = []
        self._writers: list[asyncio.StreamWriter] = []

    def write_authority(self, path: Path) -> None:
        """Write the certificate that a client must trust, as PEM."""
        self._authority.cert_pem.write_to_path(str(path))

    def __enter__(self) -> Self:
        """Serve, in a thread."""
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection and the port."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._bridge, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for writer in self._writers:
            # who is gone says no farewell, for which TLS would wait
            writer.transport.abort()
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    async def _bridge(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        self._writers.append(upstream_writer)
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(_pass_on(reader, upstream_writer))
            both_ways.create_task(_pass_on(upstream_reader, writer))

    def _note(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.asked.append(name)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass  # either side may leave without a word
    finally:
        writer.close()
