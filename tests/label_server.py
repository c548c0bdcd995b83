"""Runs `asr label` in a thread, on a free loopback port, for tests of its routes and its page."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from speech_server import Running, wait_until

from asr.labelling.heard_texts import HeardTexts
from asr.labelling.label_session import LabelSession, cache_path
from asr.labelling.label_store import LabelStore
from asr.labelling.label_task import find_label_tasks
from asr.recognizer import Recognizer
from asr.server.batching_engine import BatchingEngine
from asr.server.label_application import create_label_app
from asr.server.running import listen, make_server
from asr.server.settings import ServerSettings

GOFORWARD = Path(__file__).parent / "fixtures" / "goforward.wav"


@dataclass(frozen=True)
class Labelling:
    """A server of `asr label` that runs in a thread.

    Attributes:
        running: the server.
        session: its state.
    """

    running: Running
    session: LabelSession

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def out(self) -> Path:
        """The manifest of labels."""
        return self.session.store.path

    def get(self, path: str) -> Any:
        """The JSON of a response."""
        status, _, body = self.running.request("GET", path)
        assert status == 200, body
        return json.loads(body)

    def post(self, path: str, **values: Any) -> tuple[int, Any]:
        """Send JSON; returns status and JSON."""
        headers = {"Content-Type": "application/json"}
        body = json.dumps(values).encode()
        status, _, answer = self.running.request("POST", path, body, headers)
        return status, json.loads(answer)

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the manifest."""
        return [json.loads(x) for x in self.out.read_text(encoding="utf-8").splitlines()]

    def wait_until_heard(self, count: int) -> None:
        """Wait until as many recordings are transcribed."""
        wait_until(lambda: self.session.progress().heard >= count)


@contextmanager
def run_labelling(
    recognizer: Recognizer, source: Path, out: Path, **settings: Any
) -> Iterator[Labelling]:
    """Label in a thread until the block ends."""
    options = ServerSettings(port=0, voice=None, **{"workers": 1, **settings})
    tasks, failures = find_label_tasks(str(source))
    with listen(options) as socket, LabelStore(out, tasks) as store:
        session = LabelSession(tasks, failures, store, recognizer.config)
        engine = BatchingEngine(recognizer)
        app = create_label_app(options, session, engine, HeardTexts(cache_path(out), "test"))
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            assert thread.is_alive()
            running = Running(socket.getsockname()[1], engine, app)
            yield Labelling(running, session)
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def three_recordings(folder: Path) -> Path:
    """A folder with speech, half of it, silence, and a file that is no recording."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(GOFORWARD, folder / "forward.wav")
    samples, rate = soundfile.read(GOFORWARD)
    soundfile.write(folder / "ten.flac", samples[int(1.55 * rate) :], rate)
    soundfile.write(folder / "silence.wav", np.zeros([2 * rate, 2]), rate)
    (folder / "broken.wav").write_text("hello")
    return folder
