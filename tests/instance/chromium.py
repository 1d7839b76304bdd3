"""Chromium without a window, told by its debugging pipe what a person would do."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path
from select import select
from time import monotonic
from typing import Any, Self

import pytest

PATIENCE = 30.0


class Chromium:
    """home: a folder for its profile. It speaks JSON, each message ended by a NUL, over descriptors 3 and 4."""

    def __init__(self, home: Path) -> None:
        program = shutil.which("chromium")
        if program is None:
            known = os.environ.get("ICM_TEST_BROWSER") == "none" or not os.environ.get("CI")
            (pytest.skip if known else pytest.fail)("there is no chromium (apt-get install chromium)")
        ours, to_it = os.pipe(), os.pipe()
        self._read, self._write = ours[0], to_it[1]
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"]
        flags += [f"--user-data-dir={home}", "--window-size=1000,800", "--remote-debugging-pipe", "about:blank"]
        moved = f'exec "$0" "$@" 3<&{to_it[0]} 4>&{ours[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", moved, program, *flags],
            pass_fds=(to_it[0], ours[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(home)},
        )
        os.close(to_it[0])
        os.close(ours[1])
        self._numbers, self._rest, self._events = count(1), b"", []
        self._session = ""
        page = next(one for one in self.tell("Target.getTargets")["targetInfos"] if one["type"] == "page")
        attached = self.tell("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **facts: Any) -> Any:
        """Do something; what came of it."""
        number = next(self._numbers)
        said = {"id": number, "method": method, "params": facts} | (
            {"sessionId": self._session} if self._session else {}
        )
        os.write(self._write, json.dumps(said).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == number:
                assert "error" not in heard, heard["error"]
                return heard["result"]
            self._events.append(heard)

    def _next(self) -> Any:
        deadline = monotonic() + PATIENCE
        while b"\0" not in self._rest:
            assert select([self._read], [], [], max(0.0, deadline - monotonic()))[0], "chromium says nothing"
            piece = os.read(self._read, 1 << 16)
            assert piece, "chromium has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def wait(self, event: str) -> None:
        """Until it was seen; what was seen before counts."""
        while not any(one.get("method") == event for one in self._events):
            self._events.append(self._next())

    def _forget(self, event: str) -> None:
        self._events = [one for one in self._events if one.get("method") != event]

    def open(self, url: str) -> None:
        """Show a page."""
        self._forget("Page.loadEventFired")
        self.tell("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        found = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def submit(self, script: str) -> None:
        """Run a script that leads to another page, and wait for that."""
        self._forget("Page.loadEventFired")
        self.run(script)
        self.wait("Page.loadEventFired")

    @property
    def text(self) -> str:
        """What the page shows."""
        return self.run("document.body.innerText")

    @property
    def complaints(self) -> list[str]:
        """What it says in its console of refused styles, scripts, forms."""
        entries = [one["params"]["entry"] for one in self._events if one.get("method") == "Log.entryAdded"]
        return [entry["text"] for entry in entries]

    def look(self, width: int, scheme: str) -> None:
        """On a window so wide, in pixels, of a reader who likes it "light" or "dark"."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path) -> None:
        """Of the page."""
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot", format="png")["data"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._read)
