"""Clients of a server that will be killed: each does one thing after another and notes what was acknowledged."""

from __future__ import annotations

import io
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from PIL import Image

PATH = "/v1/predictions"
BOUNDARY = "dermalens-faults"
SECONDS_TO_ANSWER = 30


@dataclass
class Noted:
    """What the server has acknowledged, over all kills; a set is changed in one step, so that threads may share it."""

    answered: list[int] = field(default_factory=list)
    """A one for each answered prediction."""
    cases: set[str] = field(default_factory=set)
    feedback: set[tuple[str, str]] = field(default_factory=set)
    """Case and feedback."""
    asked_to_delete: set[str] = field(default_factory=set)
    """Noted before the request: whether it was done is not known until it is acknowledged."""
    deleted: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    cut_off: list[int] = field(default_factory=list)
    """A one for each request that got no answer: the kill struck in it."""
    busy: list[int] = field(default_factory=list)
    """A one for each request that was refused because too many were at work: that is how it should be."""
    refused: list[str] = field(default_factory=list)
    """Answers that none of these requests should get."""


class Stopped(Exception):  # noqa: N818  (no error: the server was killed on purpose)
    """The server does not answer any more."""


class Client:
    """One connection, and its own luck."""

    def __init__(self, port: int, noted: Noted, seed: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)
        self.noted = noted
        self.chance = random.Random(seed)
        self.own: list[str] = []

    def until_killed(self) -> None:
        """Work until the server is gone."""
        steps: tuple[Callable[[], None], ...] = (
            self.predict, self.keep, self.keep, self.keep, self.say, self.say, self.delete, self.batch,
        )  # fmt: skip
        try:
            while True:
                self.chance.choice(steps)()
        except Stopped:
            self.noted.cut_off.append(1)
        finally:
            self.connection.close()

    def predict(self) -> None:
        if self._asked("POST", PATH, self._image(), 200) is not None:
            self.noted.answered.append(1)

    def keep(self) -> None:
        query = urlencode({"keep": "1", "lesion": self.chance.choice(("", "arm", "back"))})
        found = self._asked("POST", f"{PATH}?{query}", self._image(), 200)
        if found is None:
            return
        self.noted.answered.append(1)
        if not found["id"]:
            self.noted.refused.append(str(found["kept_error"]))
            return
        self.noted.cases.add(found["id"])
        self.own.append(found["id"])

    def say(self) -> None:
        if not self.own:
            return
        case_id = self.chance.choice(self.own)
        said = json.dumps({"kind": "agree", "comment": f"{self.chance.random()}"}).encode()
        found = self._asked("POST", f"{PATH}/{case_id}/feedback", said, 201, "application/json")
        if found is not None:
            self.noted.feedback.update((case_id, one["id"]) for one in found["feedback"])

    def delete(self) -> None:
        if not self.own:
            return
        case_id = self.own.pop(self.chance.randrange(len(self.own)))
        self.noted.asked_to_delete.add(case_id)
        if self._asked("DELETE", f"{PATH}/{case_id}", b"", 204) is not None:
            self.noted.deleted.add(case_id)

    def batch(self) -> None:
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n'
            "Content-Type: image/png\r\n\r\n".encode()
            + self._image()
            + b"\r\n"
            for _ in range(2)
        ]
        body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        found = self._asked("POST", f"{PATH}:batch", body, 202, f"multipart/form-data; boundary={BOUNDARY}")
        if found is not None:
            self.noted.jobs.add(found["id"])

    def _asked(
        self, method: str, path: str, body: bytes, status: int, kind: str = "image/png"
    ) -> dict[str, Any] | None:  # fmt: skip
        """The whole answer; None, and a note, where it is refused. An answer cut in two is none."""
        try:
            self.connection.request(method, path, body, {"Content-Type": kind})
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise Stopped from error
        if answer.status == 503 and b"/problems/busy" in content:
            self.noted.busy.append(1)
            return None
        if answer.status != status:
            self.noted.refused.append(f"{method} {path.partition('?')[0]}: {answer.status} {content[:200]!r}")
            return None
        return dict(json.loads(content or b"{}"))

    def _image(self) -> bytes:
        """One of three that are sent again and again, so that cases share a file, or one that nobody has had."""
        picture = Image.new("RGB", (96, 72), (150, 100, 60))
        picture.paste((60, 60, 70), (30, 20, 66, 52))
        once = self.chance.random() < 0.6
        picture.putpixel((0, 0), tuple(self.chance.randbytes(3)) if once else (self.chance.choice((0, 1, 2)), 0, 0))
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return stream.getvalue()


def at_work(port: int, noted: Noted, seed: int, *, clients: int) -> list[threading.Thread]:
    """Start the clients; their threads end when the server does."""
    threads = [
        threading.Thread(target=Client(port, noted, seed * clients + number).until_killed) for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    return threads
