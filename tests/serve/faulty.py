"""Faults to order: a way to PostgreSQL that can be cut, and a disk that can be filled."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

SMALL_DISK = "2m"


class Way:
    """A TCP proxy in front of a server, which is itself left alone."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[socket.socket] = set()
        self._is_silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accept()

    def cut(self) -> None:
        """Connections break, and new ones are refused."""
        self._listener.shutdown(socket.SHUT_RDWR)  # or the thread in accept() keeps it listening
        self._listener.close()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Connections stay and new ones are accepted, but not a byte goes through."""
        self._is_silent = True

    def restore(self) -> None:
        """As before, on the same port."""
        self._is_silent = False
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._accept()

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                for here, there in ((near, far), (far, near)):
                    self._open.add(here)
                    threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                while self._is_silent:
                    time.sleep(0.02)
                there.sendall(data)
        for one in (here, there):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(here)
        here.close()


@contextmanager
def way_to(host, port):
    """It is closed at the end."""
    way = Way(host, port)
    try:
        yield way
    finally:
        way.restore()
        way.cut()


@contextmanager
def small_disk(folder: Path):
    """Mount two mebibytes at `folder`; gives whether that is allowed here."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    is_mounted = shutil.which("mount") is not None and not subprocess.run(command, capture_output=True).returncode
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until nothing more fits."""
    with suppress(OSError), file.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
