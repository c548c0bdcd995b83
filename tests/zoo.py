"""Bad, unusual, joined and cut audio files, with the expected error or length of each."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

import av
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
    (folder / "text.wav").write_text("this is no recording")
    nan = speech()
    nan[100] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "short.wav", speech(0.01), RATE)
    (folder / "page.mp3").write_text("<!DOCTYPE html>\n<html><title>404</title></html>" * 40)
    (folder / "noise.m4a").write_bytes(np.random.default_rng(0).bytes(5000))
    slow = folder / "slow.wav"  # 10 Hz in the header: resampling would multiply its size by 1,600
    soundfile.write(slow, speech(), 10)
    os.mkfifo(folder / "pipe.wav")
    good.unlink()
    (folder / "folder.wav").mkdir()
    return {
        "empty.wav": "empty",
        "header.wav": "promises 1.00 s",
        "none.wav": "empty",
        "text.wav": "not readable as audio",
        "nan.wav": "not finite",
        "short.wav": "too short",
        "missing.wav": "no such file",
        "folder.wav": "is a folder",
        "page.mp3": "HTML",
        "noise.m4a": "not readable as audio",
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


def encode(
    path: Path,
    samples: np.ndarray,
    rate: int,
    codec: str,
    format: str | None = None,
    quality: int | None = None,
    header: bool = True,
) -> Path:
    """Write a file with FFmpeg, for formats that soundfile cannot write.

    Args:
        path: the file.
        samples: float [n].
        rate: sample rate in Hz.
        codec: FFmpeg's name of the encoder.
        format: FFmpeg's name of the container; default: by the suffix.
        quality: variable bit rate of MP3, 0 (best) to 9; default: constant bit rate.
        header: whether an MP3 has a table with its length; default: yes.

    Returns:
        The path.
    """
    with av.open(str(path), "w", format=format, options={} if header else {"write_xing": "0"}) as f:
        stream = f.add_stream(codec, rate=rate, layout="mono")
        context = stream.codec_context
        if quality is not None:
            context.options = {"flags": "+qscale", "global_quality": str(118 * quality)}
        if codec == "wmav2":
            context.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(
            np.round(samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = rate
        context.open()
        resampler = av.AudioResampler(
            context.format.name, "mono", context.sample_rate, context.frame_size or None
        )
        for piece in (*resampler.resample(frame), *resampler.resample(None), None):
            f.mux(stream.encode(piece))
    return path


class Expected(NamedTuple):
    """What reading a file gives.

    Attributes:
        seconds: length of all samples that are there.
        warning: words of the warning; "" if there is none.
    """

    seconds: float
    warning: str = ""


def wrong_headers(folder: Path) -> dict[str, Expected]:
    """Write files whose headers state a wrong length or none, and files that were cut."""
    cases: dict[str, Expected] = {}
    soundfile.write(folder / "x.wav", speech(), RATE)
    wav = (folder / "x.wav").read_bytes()

    def add(name: str, data: bytes, seconds: float, warning: str = "") -> None:
        (folder / name).write_bytes(data)
        cases[name] = Expected(seconds, warning)

    def sized(size: int, data: bytes = wav) -> bytes:
        return data[:40] + struct.pack("<I", size) + data[44:]

    both = "1.00 s, the file holds 0.5"
    add("size-0.wav", sized(0), 1.0)
    add("size-ffffffff.wav", sized(0xFFFFFFFF), 1.0)
    add("size-7ffff000.wav", sized(0x7FFFF000), 1.0)
    add("half-size.wav", sized(16_000), 1.0, "0.50 s, the file holds 1.00 s")
    add("half-size-list.wav", sized(16_000) + b"LIST\4\0\0\0INFO", 1.0, "0.50 s, the file holds")
    add("list.wav", wav + b"LIST\4\0\0\0INFO", 1.0)
    add("id3.wav", wav + b"TAG" + bytes(125), 1.0)
    add("padded.wav", wav + bytes(300), 1.0)
    add("size-0-list.wav", sized(0) + b"LIST\4\0\0\0INFO", 1.0)
    add("one-byte-short.wav", wav[:-1], 1.0)
    add("cut.wav", wav[: 44 + 16_000], 0.5, both)
    add("joined.wav", wav + wav, 2.0, "2 recordings")
    for name, format in (("aiff", "AIFF"), ("au", "AU"), ("rf64.wav", "RF64")):
        soundfile.write(folder / "x", speech(), RATE, format=format, subtype="PCM_16")
        data = (folder / "x").read_bytes()
        add(f"cut.{name}", data[:-16_000], 0.5, both)
        add(f"joined.{name}", data + data, 2.0, "2 recordings")
        (folder / "x").unlink()
    for name, format in (("w64", "W64"), ("caf", "CAF"), ("sph", "NIST")):
        soundfile.write(folder / "x", speech(), RATE, format=format, subtype="PCM_16")
        data = (folder / "x").read_bytes()
        add(f"right.{name}", data, 1.0)
        cut = data[: len(data) - 16_000]
        add(f"cut.{name}", cut, 0.5, "1.00 s, the file holds 0.")
        if name != "sph":
            add(f"joined.{name}", data + data, 2.0, "2 recordings")
        (folder / "x").unlink()
    soundfile.write(folder / "x.au", speech(), RATE)
    au = (folder / "x.au").read_bytes()
    add("size-ffffffff.au", au[:8] + b"\xff" * 4 + au[12:], 1.0)
    soundfile.write(folder / "x.wav", speech(1.0, 8000), 8000, subtype="IMA_ADPCM")
    adpcm = (folder / "x.wav").read_bytes()
    at = adpcm.index(b"data") + 4
    (size,) = struct.unpack_from("<I", adpcm, at)
    half = size // 512 * 256
    add(
        "half-size-adpcm.wav",
        adpcm[:at] + struct.pack("<I", half) + adpcm[at + 4 :],
        1.0,
        "the file holds 1.0",
    )

    soundfile.write(folder / "x.flac", speech(), RATE)
    flac = (folder / "x.flac").read_bytes()
    total = int.from_bytes(flac[18:26], "big")
    no_total = (total >> 36 << 36).to_bytes(8, "big")
    half_total = (total - RATE // 2).to_bytes(8, "big")
    add("right.flac", flac, 1.0)
    add("pipe.flac", flac[:18] + no_total + flac[26:], 1.0)
    add("half-total.flac", flac[:18] + half_total + flac[26:], 1.0, "0.50 s, the file holds 1.00 s")
    add("joined.flac", flac + flac, 2.0, "2 recordings")
    add("cut.flac", flac[: len(flac) * 3 // 4], 0.75, "1.00 s, the file holds 0.")

    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)  # fills several pages
    soundfile.write(folder / "x.ogg", noise, RATE)
    ogg = (folder / "x.ogg").read_bytes()
    add("joined.ogg", ogg + ogg, 6.0, "3.00 s in the first header, 6.00 s in all")
    add("cut.ogg", ogg[: len(ogg) * 3 // 4], 2.25, "cut off")

    pause_then_speech = np.concatenate([np.zeros(2 * 44_100), speech(3.0, 44_100)])
    for name, samples, seconds in (
        ("vbr.mp3", speech(3.0, 44_100), 3.0),
        ("vbr-silence.mp3", pause_then_speech, 5.0),
    ):
        encode(folder / name, samples, 44_100, "libmp3lame", "mp3", quality=5, header=False)
        cases[name] = Expected(seconds)
    encode(folder / "cbr.mp3", speech(3.0, 44_100), 44_100, "libmp3lame", "mp3", header=False)
    encode(folder / "16k.mp3", speech(3.0), RATE, "libmp3lame")
    encode(folder / "x.mp3", speech(3.0, 44_100), 44_100, "libmp3lame")
    encode(folder / "x.mp2", speech(3.0, 44_100), 44_100, "mp2")
    encode(folder / "mp3.wav", speech(3.0, 44_100), 44_100, "libmp3lame", "wav")
    for name in ("cbr.mp3", "16k.mp3", "x.mp3", "x.mp2", "mp3.wav"):
        cases[name] = Expected(3.0)
    mp3 = (folder / "x.mp3").read_bytes()
    headless = (folder / "cbr.mp3").read_bytes()
    add("joined.mp3", mp3 + mp3, 6.0, "3.00 s in the first header, 6.00 s in all")
    add("joined-16k.mp3", mp3 + (folder / "16k.mp3").read_bytes(), 6.0, "2 recordings")
    add("joined-cbr.mp3", headless + headless, 6.0)
    add("cut.mp3", mp3[: len(mp3) // 2], 1.5, "3.00 s, the file holds 1.")
    for name in ("x.wav", "x.au", "x.flac", "x.ogg"):
        (folder / name).unlink()
    return cases


def media(folder: Path) -> dict[str, Expected]:
    """Write files that libsndfile cannot open."""
    names = {
        "x.m4a": "aac",
        "x.mp4": "aac",
        "x.aac": "aac",
        "x.mkv": "libopus",
        "x.webm": "libopus",
        "x.mka": "pcm_s16le",
        "x.wma": "wmav2",
        "x.ac3": "ac3",
    }
    for name, codec in names.items():
        rate = 44_100 if codec in ("aac", "wmav2") else 48_000
        format = "adts" if name == "x.aac" else None
        encode(folder / name, speech(3.0, rate), rate, codec, format)
    encode(folder / "x.amr", speech(3.0, 8000), 8000, "libopencore_amrnb")
    both = ((folder / "x.m4a").read_bytes() * 2, (folder / "x.amr").read_bytes() * 2)
    for name, data in zip(("joined.m4a", "joined.amr"), both, strict=True):
        (folder / name).write_bytes(data)
    return {
        **dict.fromkeys([*names, "x.amr"], Expected(3.0)),
        **dict.fromkeys(["joined.m4a", "joined.amr"], Expected(6.0, "2 recordings")),
    }
