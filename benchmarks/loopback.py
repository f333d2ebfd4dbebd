"""The cheapest HTTP there is on loopback, so that what sends is measured and not what it sends to.

A server in a process of its own that answers every POST with 200 and counts, and a client that keeps its connections.
"""

import asyncio
import multiprocessing as mp
import os
from collections import deque
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_HEAD = "POST /send HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "


class _Answering(asyncio.Protocol):
    def __init__(self, counter: "Synchronized[int]") -> None:
        self._counter, self._buffer = counter, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._counter.value += 1
            self._transport.write(_OK)


def _serve(ready: Connection, counter: "Synchronized[int]") -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Answering(counter), "127.0.0.1", 0, backlog=1024)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Server:
    """The server's process."""

    def __init__(self) -> None:
        here, there = mp.Pipe()
        context = mp.get_context("fork")
        self._counter: Synchronized[int] = context.Value("q", 0, lock=False)  # type: ignore[assignment]
        self._process = context.Process(target=_serve, args=(there, self._counter), daemon=True)
        self._process.start()
        self.port: int = here.recv()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def accepted(self) -> int:
        return int(self._counter.value)

    def cpu_seconds(self) -> float:
        """Processor time that it has used."""
        with open(f"/proc/{self._process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # the answers are smaller than a packet
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(int(data[9:12]))


class LeanClient:
    """Posts JSON over kept connections; the status is all that is read of the answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._head = _HEAD.format(port=port).encode()
        self._idle: deque[_Line] = deque()
        self._all: list[_Line] = []

    async def post(self, body: bytes) -> int:
        line = self._idle.popleft() if self._idle else await self._connect()
        line.answer = asyncio.get_running_loop().create_future()
        line.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        status = await line.answer
        self._idle.append(line)
        return status

    async def _connect(self) -> _Line:
        _, line = await asyncio.get_running_loop().create_connection(_Line, "127.0.0.1", self._port)
        self._all.append(line)
        return line

    async def close(self) -> None:
        for line in self._all:
            line.transport.close()
