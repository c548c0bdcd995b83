"""Bad and unusual audio files, with the expected error or length of each."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def speech(seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A modulated tone with the level of speech: float64 [samples]."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * 300 * time) * (1 + np.sin(2 * np.pi * 4 * time)) / 2


def bad(folder: Path) -> dict[str, str]:
    """Write files that cannot be used.

    Returns:
        Name → words that its error must have. Two more names: a missing file, and a folder.
    """
    good = folder / "whole.wav"
    soundfile.write(good, speech(), RATE)
    data = good.read_bytes()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "header.wav").write_bytes(data[:44])
    soundfile.write(folder / "none.wav", np.zeros(0), RATE)
    (folder / "cut.wav").write_bytes(data[: len(data) // 2])
    (folder / "text.wav").write_text("this is no recording")
    nan = speech()
    nan[100] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "short.wav", speech(0.01), RATE)
    flac = folder / "whole.flac"
    soundfile.write(flac, speech(), RATE)
    (folder / "cut.flac").write_bytes(flac.read_bytes()[:2000])
    for name, format in (("cut.aiff", "AIFF"), ("cut.au", "AU"), ("cut.rf64.wav", "RF64")):
        soundfile.write(folder / "whole", speech(), RATE, format=format, subtype="PCM_16")
        data = (folder / "whole").read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    (folder / "whole").unlink()
    slow = folder / "slow.wav"  # 10 Hz in the header: resampling would multiply its size by 1,600
    soundfile.write(slow, speech(), 10)
    os.mkfifo(folder / "pipe.wav")
    good.unlink()
    flac.unlink()
    (folder / "folder.wav").mkdir()
    return {
        "empty.wav": "empty",
        "header.wav": "truncated",
        "none.wav": "empty",
        "cut.wav": "truncated",
        "cut.flac": "",
        "text.wav": "not readable as audio",
        "nan.wav": "not finite",
        "short.wav": "too short",
        "missing.wav": "no such file",
        "folder.wav": "is a folder",
        "cut.aiff": "truncated",
        "cut.au": "truncated",
        "cut.rf64.wav": "truncated",
        "slow.wav": "sample rate 10 Hz",
        "pipe.wav": "is a pipe or a device",
    }


def unusual(folder: Path) -> dict[str, float]:
    """Write valid files in unusual formats.

    Returns:
        Name → seconds.
    """
    soundfile.write(folder / "8bit.wav", speech(), RATE, subtype="PCM_U8")
    soundfile.write(folder / "24bit.wav", speech(), RATE, subtype="PCM_24")
    soundfile.write(folder / "float.wav", speech(), RATE, subtype="FLOAT")
    soundfile.write(folder / "six.wav", np.tile(speech()[:, None], (1, 6)), RATE)
    soundfile.write(folder / "192k.wav", speech(1.0, 192_000), 192_000)
    soundfile.write(folder / "silence.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "ulaw.wav", speech(1.0, 8000), 8000, subtype="ULAW")
    streamed = folder / "streamed.wav"  # SoX writes this length into a pipe
    soundfile.write(streamed, speech(), RATE)
    data = streamed.read_bytes()
    streamed.write_bytes(data[:40] + (0x7FFFF000).to_bytes(4, "little") + data[44:])
    soundfile.write(folder / "flac.flac", speech(), RATE)
    soundfile.write(folder / "ogg.ogg", speech(), RATE)
    soundfile.write(folder / "aiff.aiff", speech(), RATE)
    soundfile.write(folder / "rf64.wav", speech(), RATE, format="RF64", subtype="PCM_16")
    soundfile.write(os.fsencode(folder / "latin-1 \udce9.wav"), speech(), RATE)
    names = (
        "8bit.wav",
        "24bit.wav",
        "float.wav",
        "six.wav",
        "192k.wav",
        "silence.wav",
        "ulaw.wav",
        "streamed.wav",
        "flac.flac",
        "ogg.ogg",
        "aiff.aiff",
        "rf64.wav",
        "latin-1 \udce9.wav",
    )
    return dict.fromkeys(names, 1.0)
