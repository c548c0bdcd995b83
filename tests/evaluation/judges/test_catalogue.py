from __future__ import annotations

import subprocess
import sys

import pytest

from asr.base.extras import install_extra
from asr.errors import ConfigError, PackageError
from asr.evaluation.judges.catalogue import load_judges


def test_unknown_judges_are_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="--judges: 'siri' is unknown; choose whisper, "):
        load_judges(["whisper", "siri"])


def test_without_names_no_judge_is_loaded() -> None:
    assert load_judges([]) == []


@pytest.mark.parametrize(
    ("judge", "module", "message"),
    [
        ("whisper", "faster_whisper", "faster-whisper is not installed: {teacher}"),
        ("pocketsphinx", "pocketsphinx", "PocketSphinx is not installed: {judges}"),
        ("dnsmos", "speechmos", "speechmos is not installed: {judges}"),
    ],
)
def test_a_judge_that_is_not_installed_is_named_with_its_extra(
    judge: str, module: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("asr.evaluation.judges.dns_mos.find_spec", lambda name: None)
    extras = {extra: install_extra(extra) for extra in ("teacher", "judges")}
    with pytest.raises(PackageError) as caught:
        load_judges([judge])
    assert str(caught.value) == message.format(**extras)


def test_a_list_of_judges_costs_the_command_no_import() -> None:
    code = (
        "import sys, asr.evaluation.judges.catalogue; "
        "print([m for m in ('numpy', 'jiwer', 'onnxruntime') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
