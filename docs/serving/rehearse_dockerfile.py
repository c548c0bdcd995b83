"""Run the steps of the Dockerfile one by one without Docker, and use the server that they make.

    sudo python3 docs/serving/rehearse_dockerfile.py --python PYTHON3.12 --work /tmp/rehearsal

The steps run in an overlay over this machine's file system, so nothing is changed outside --work.
The base image is replaced by a virtual environment of --python. The server then runs as a container
would: with a read-only file system, a memory file system at /tmp, another user than root, no
capabilities and no network but its own loopback interface. It must become healthy, transcribe a
recording, speak a sentence, refuse a wrong key, and end when it is told to. Needs Linux, root,
Debian's util-linux and iproute2, and the package registry.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = Path(__file__).with_name("Dockerfile")
BASE = "/opt/base"
"""The environment in the place of the base image."""
KEY = "rehearsal"
CLIENT = f"""
import json, urllib.error, urllib.request as r
def ask(path, body, kind, key="{KEY}"):
    head = {{"Content-Type": kind, "Authorization": "Bearer " + key}}
    return r.urlopen(r.Request("http://127.0.0.1:8000/v1/audio/" + path, body, head)).read()
sound = open("/source/goforward.wav", "rb").read()
form = b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.wav"\\r\\n\\r\\n'
form += sound + b"\\r\\n--x--\\r\\n"
kind = "multipart/form-data; boundary=x"
print("text:", json.loads(ask("transcriptions", form, kind))["text"])
speech = json.dumps({{"input": "Good morning.", "response_format": "pcm"}}).encode()
print("speech:", len(ask("speech", speech, "application/json")) / 48000, "s")
try:
    ask("transcriptions", form, kind, key="wrong")
except urllib.error.HTTPError as error:
    print("wrong key:", error.code)
"""


@dataclass
class Image:
    """What the instructions say about the container."""

    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each instruction of the Dockerfile."""
    lines = [li for li in DOCKERFILE.read_text().splitlines() if li and not li.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def copy_sources(target: Path) -> None:
    """Copy what .dockerignore lets through, and the recording of the client."""
    kept = re.findall("^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    target.mkdir()
    for name in kept:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, target)
    shutil.copy(ROOT / "tests" / "fixtures" / "goforward.wav", target)


class Container:
    """A root directory in which commands run.

    Args:
        root: the overlay's mount point.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.image = root, Image()

    def environment(self) -> dict[str, str]:
        path = f"{BASE}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": "/", "ASR_API_KEY": KEY, **self.image.environment}

    def run(self, words: list[str]) -> None:
        """Run a command as root."""
        print("+", shlex.join(words)[:150], flush=True)
        started = time.monotonic()
        subprocess.run(["chroot", str(self.root), *words], check=True, env=self.environment())
        print(f"  {time.monotonic() - started:.1f} s", flush=True)

    def build(self, python: str) -> None:
        """Follow the Dockerfile. Both of its stages share the root."""
        self.run([python, "-m", "venv", "--copies", BASE])
        for name, rest in instructions():
            print(f"{name} {rest}", flush=True)
            match name:
                case "COPY" if not rest.startswith("--from"):
                    copy_sources(self.root / rest.split()[1].lstrip("/"))
                case "RUN":
                    self.run(["sh", "-c", rest])
                case "USER":
                    self.image.user = rest
                case "ENV":
                    self.image.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
                case "HEALTHCHECK":
                    self.image.healthcheck = json.loads(rest.partition("CMD ")[2])
                case "ENTRYPOINT":
                    self.image.entrypoint = json.loads(rest)
                case "CMD":
                    self.image.command = json.loads(rest)
                case "FROM" | "COPY" | "EXPOSE":
                    pass
                case _:
                    raise SystemExit(f"Dockerfile: this script does not know {name}")

    def confined(self, words: list[str]) -> list[str]:
        """A command as the container's user, without capabilities."""
        user = ["--reuid", self.image.user, "--regid", self.image.user, "--clear-groups"]
        confined = ["setpriv", *user, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        return ["chroot", str(self.root), *confined, *words]

    def serve(self) -> None:
        """Start the server, wait until it is healthy, use it and stop it."""
        image, environment = self.image, self.environment()
        words = self.confined([*image.entrypoint, *image.command])
        print("+", shlex.join(words), flush=True)
        with subprocess.Popen(words, env=environment) as server:
            started = time.monotonic()
            check = self.confined(image.healthcheck)
            while subprocess.run(check, env=environment, stderr=subprocess.DEVNULL).returncode:
                if server.poll() is not None or time.monotonic() - started > 120:
                    raise SystemExit("the server did not become healthy")
                time.sleep(0.5)
            print(f"  healthy after {time.monotonic() - started:.1f} s", flush=True)
            subprocess.run(self.confined(["python", "-c", CLIENT]), env=environment, check=True)
            denied = subprocess.run(
                self.confined(["touch", "/opt/x"]), env=environment, capture_output=True, text=True
            )
            print("writing to /opt:", denied.stderr.strip(), flush=True)
            assert denied.returncode
            server.terminate()
            code = server.wait(60)
        print(f"  ended with {code}", flush=True)
        assert code in (0, 143, -15), code


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True)


def inside(work: Path, python: str) -> None:
    """What runs in a mount namespace of its own."""
    upper, scratch, root = (work / name for name in ("upper", "scratch", "root"))
    for folder in (upper, scratch, root):
        folder.mkdir(parents=True)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={scratch}", root)
    mount("--rbind", "/dev", f"{root}/dev")
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "tmpfs", "tmpfs", f"{root}/tmp")
    container = Container(root)
    # The base image's Python can be read by everybody; that of a home directory cannot.
    for folder in Path(python).parents:
        if folder != Path("/"):
            os.chmod(root / folder.relative_to("/"), 0o755)
    container.build(python)
    mount("-o", "remount,ro", str(root))
    os.unshare(os.CLONE_NEWNET)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    container.serve()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, help="3.12, as in the base image")
    parser.add_argument("--work", required=True, type=Path, help="folder that does not exist yet")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.inside:
        inside(a.work, a.python)
        return
    script = [a.python, __file__, *sys.argv[1:], "--inside"]
    try:
        subprocess.run(["unshare", "--mount", *script], check=True)
    finally:
        shutil.rmtree(a.work, ignore_errors=True)


if __name__ == "__main__":
    main()
