"""Headless Chromium, through the pipe of its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio")


class Chromium:
    """A browser of one page, as a context manager.

    Args:
        profile: A new folder.
    """

    def __init__(self, profile: Path):
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        # The browser reads file descriptor 3 and writes file descriptor 4.
        shell = f'exec 3<&{read} 4>&{write}; exec "$@"'
        command = [PROGRAM, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command, *OPTIONS, "about:blank"],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._buffer, self._last, self._session = b"", 0, {}

    def __enter__(self) -> "Chromium":
        targets = self._send("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._send("Target.attachToTarget", targetId=page, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def open(self, page: Path) -> None:
        """Open a file."""
        self._send("Page.navigate", url=page.as_uri())

    def resize(self, width: int, height: int = 1100) -> None:
        """Set the size of the page in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        self._send("Emulation.setDeviceMetricsOverride", **size, mobile=False)

    def evaluate(self, expression: str):
        """Return the value of an expression, or of its promise."""
        options = {"awaitPromise": True, "returnByValue": True}
        result = self._send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60):
        """Return the value of an expression once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, self.evaluate("document.body.innerText")
            time.sleep(0.1)
        return value

    def screenshot(self, path: Path) -> None:
        """Write the page as PNG."""
        image = self._send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(image["data"]))

    def _send(self, method: str, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        text = json.dumps(message | self._session)
        os.write(self._write, text.encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            content = os.read(self._read, 1 << 20)
            assert content, "Chromium has ended"
            self._buffer += content
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
