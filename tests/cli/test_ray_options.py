"""Options that only count with or without a cluster are refused where they would be ignored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RunAsr = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "my.yaml", "--ray", "local"], "--ray needs --workers: "),
        (
            ["data", "pack", "a.jsonl", "--out", "pack", "--ray", "local", "--workers", "2"],
            "--workers: not with --ray: ",
        ),
        (["transcribe", "a.wav", "--worker-cpus", "2"], "--worker-cpus and --shard-size: only"),
        (["transcribe", "a.wav", "--shard-size", "8"], "--worker-cpus and --shard-size: only"),
    ],
)
def test_an_option_that_would_be_ignored_is_an_error(
    asr: RunAsr, arguments: list[str], message: str
) -> None:
    code, out, err = asr(*arguments)
    assert code == 1 and out == "" and message in err
