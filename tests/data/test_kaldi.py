"""Data directories of Kaldi are read, and their pipes are understood instead of run."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr.audio.reading import read_audio
from asr.data.corpora import prepare
from asr.data.corpora.common import ALL_CHANNELS
from asr.data.corpora.kaldi_pipes import PipedAudio, parse_pipe
from asr.data.manifest import Utterance, read_manifest
from asr.errors import AsrError, ManifestError

RATE = 8000


def noise(path: Path, seconds: float = 1.0, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), channels))
    soundfile.write(path, samples, RATE)
    return path


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in tables.items():
        path = folder / name.replace("wav_scp", "wav.scp")
        path.write_text(lines, encoding="utf-8", newline="")
    return folder


def utterances(out: Path, split: str = "train") -> list[Utterance]:
    return read_manifest(out / f"{split}.jsonl")


def test_segments_speakers_channels_and_languages_are_read(tmp_path: Path) -> None:
    call = noise(tmp_path / "a call.wav", 3.0, 2)
    noise(tmp_path / "audio/mono.flac", 2.0)
    folder = write(
        tmp_path / "data/train_clean",
        wav_scp=f"left sph2pipe -f wav -p -c 1 '{call}' |\r\n"
        f"call {call}\n"
        "mono\tflac -c -d -s audio/mono.flac |\n",
        segments="anna-1 left 0.25 1.5\nben-1 call 0.5 2.000125 1\nben-2 mono 1 -1\nx-3 call 0 1\n",
        text="anna-1 go  forward\nben-1 \u3000ten\u3000meters\nben-2 stop\nx-3 halt\n",
        utt2spk="anna-1 anna\nben-1 ben\nben-2 ben\nx-3 x-3\n",
        utt2lang="ben-1 de\n",
        utt2dur="anna-1 1.25\nben-2 1.00\n",
    )
    prepared = prepare("kaldi", folder, tmp_path / "out")
    assert prepared.skipped == ()
    call = tmp_path / "out/../a call.wav"
    mono = tmp_path / "out/../audio/mono.flac"
    assert utterances(tmp_path / "out") == [
        Utterance("go  forward", 1.25, call, "anna", offset=0.25, channel=0, id="anna-1"),
        Utterance(
            "ten\u3000meters", 1.500125, call, "ben", offset=0.5, channel=1, language="de",
            id="ben-1",
        ),
        Utterance("stop", 1.0, mono, "ben", offset=1.0, id="ben-2"),
        Utterance("halt", 1.0, call, None, offset=0.0, channel=0, id="x-3"),
    ]  # fmt: skip


def test_recordings_without_segments_and_several_directories(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        noise(tmp_path / f"{name}.wav")
    for split, name in (("train", "a"), ("dev", "b"), ("eval2000", "c")):
        path = tmp_path / f"{name}.wav"
        write(
            tmp_path / "data" / split, wav_scp=f"{name} {path}\n", text=f"{name} text of {name}\n"
        )
    prepared = prepare("kaldi", tmp_path / "data", tmp_path / "out")
    assert prepared.counts == {"train": 1, "dev": 1, "test": 1} and prepared.skipped == ()
    (utterance,) = utterances(tmp_path / "out", "test")
    assert utterance == Utterance("text of c", 1.0, tmp_path / "out/../c.wav", id="c")


def test_a_directory_of_another_name_is_split_by_position(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 2.0)
    folder = write(
        tmp_path / "talks",
        wav_scp=f"a {path}\n",
        segments="".join(f"u{i:02} a {i / 20} {i / 20 + 0.5}\n" for i in range(20)),
        text="".join(f"u{i:02} text {i}\n" for i in range(20)),
    )
    prepared = prepare("kaldi", folder, tmp_path / "out")
    assert prepared.counts == {"train": 18, "dev": 1, "test": 1}
    assert [u.id for u in utterances(tmp_path / "out", "test")] == ["u09"]


def test_bad_rows_are_named_with_file_and_line(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    folder = write(
        tmp_path / "train",
        wav_scp=f"a {path}\nb {tmp_path / 'broken.wav'}\np touch {tmp_path / 'ran'} |\n",
        segments="u1 a 0 0.5\nu2 a 0.5 9\nu3 b 0 0.5\nu4 a 0.5\nu5 nowhere 0 1\nu6 a 0 0.5\n"
        "u7 p 0 0.5\nu8 a 0 0.5\nu9 a 0 0.5\nu9 a 0 0.6\nu10 a 0 0.5 3\nu11 a 0 0.4\nu12 a 0 0.5\n"
        "u1 a 0 0.5\nu13 a nan 1\n",
        text="".join(f"u{i} word\n" for i in (*range(1, 8), 9, 10, 11, 13, 99)) + "u12\n",
        utt2spk="".join(f"u{i} s\n" for i in (*range(1, 6), *range(7, 14))),
        utt2dur="u11 3.0\n",
    )
    (folder / "text").write_bytes((folder / "text").read_bytes() + b"u14 \xff\n")
    prepared = prepare("kaldi", folder, tmp_path / "out")
    assert [u.id for u in utterances(tmp_path / "out")] == ["u1"]
    expected = {
        "text, line 14: not UTF-8": "",
        "segments, line 2: ": "no such segment in a recording of 1.00 s",
        "segments, line 3: ": "broken.wav",
        "segments, line 4: u4: ": "expected a recording, a start, an end",
        "segments, line 5: nowhere: ": "no such recording in",
        "segments, line 6: u6: not in": "utt2spk",
        "segments, line 7: ": "pipes are not run",
        "segments, line 8: u8: not in": "no transcript",
        "segments, line 10: u9 again": "neither is used",
        "segments, line 11: ": "no channel 3; the recording has 1",
        "utt2dur, line 1: u11: 3.0 s, but": "0.40 s",
        "segments, line 13: u12: no transcript": "",
        "segments, line 14: u1 again, as in line 1": "",
        "segments, line 15: ": "no such segment",
        "text, line 12: u99: not in": "segments",
    }
    for start, end in expected.items():
        (found,) = [m for m in prepared.skipped if m.startswith(f"{folder}/{start}") and end in m]
        assert found
    assert len(prepared.skipped) == len(expected) + 2  # texts of u4 and u9, which have no segment
    assert not (tmp_path / "ran").exists()


def test_missing_files_are_errors_with_their_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "train", wav_scp=f"a {noise(tmp_path / 'a.wav')}\n")
    with pytest.raises(ManifestError, match=r"train/text: not found"):
        prepare("kaldi", folder, tmp_path / "out")
    write(folder, text="b word\n")
    with pytest.raises(
        ManifestError, match=r"no usable utterance.*\n.*wav\.scp, line 1: a: not in"
    ):
        prepare("kaldi", folder, tmp_path / "out")


def test_wav_files_in_an_archive_are_copied_out(tmp_path: Path) -> None:
    kaldiio = pytest.importorskip("kaldiio")
    rng = np.random.default_rng(1)
    waves = {f"über/{i}": rng.integers(-9999, 9999, 4000 + i, np.int16) for i in range(3)}
    folder = tmp_path / "train"
    folder.mkdir()
    kaldiio.save_ark(
        str(tmp_path / "wavs.ark"),
        {name: (RATE, wave) for name, wave in waves.items()},
        scp=str(folder / "wav.scp"),
    )
    scp = (folder / "wav.scp").read_text(encoding="utf-8")
    write(folder, wav_scp=f"{scp}bad {tmp_path}/wavs.ark:3\n")
    write(folder, text="".join(f"{name} word\n" for name in (*waves, "bad")))
    prepared = prepare("kaldi", folder, tmp_path / "out")
    found = {u.id: u for u in utterances(tmp_path / "out")}
    assert found.keys() == waves.keys()
    for name, wave in waves.items():
        samples = read_audio(found[name].path, RATE)
        np.testing.assert_array_equal(samples, wave.astype(np.float32) / 2**15)
    (message,) = prepared.skipped
    assert message.endswith("wavs.ark: no complete WAV file at byte 3")


@pytest.mark.parametrize(
    ("command", "file", "channels"),
    [
        ("cat a.wav |", "a.wav", None),
        ("/opt/kaldi/tools/sph2pipe_v2.5/sph2pipe -f wav -p -c 2 x.sph |", "x.sph", (1,)),
        ("sph2pipe -f wav x.sph |", "x.sph", None),
        ("flac -cds 'a b.flac' |", "a b.flac", None),
        ('flac -d --stdout -s "é.flac"|', "é.flac", None),
        ("sox a.mp3 -t wav -r 16k -b 16 -e signed-integer - |", "a.mp3", None),
        ("sox a.wav -t wav - remix 2 |", "a.wav", (1,)),
        ("sox a.wav -t wav - remix - rate -h 16k |", "a.wav", ALL_CHANNELS),
        ("sox -t flac a.flac -c 1 -t wav - |", "a.flac", ALL_CHANNELS),
        ("flac -c -d -s a.flac | sox -t wav - -r 8000 -t wav - remix 1 |", "a.flac", (0,)),
        ("sph2pipe -f wav -c 1 a.sph | sox -t wav - -c 1 -t wav - |", "a.sph", (0,)),
        ("ffmpeg -i a.m4a -f wav -ar 16000 - |", "a.m4a", None),
        ("ffmpeg -nostdin -v error -i a.mp4 -vn -ac 1 -acodec pcm_s16le -f wav pipe:1 |", "a.mp4",
         ALL_CHANNELS),
        ("ffmpeg -threads 1 -i a.wav -ar 8000 -map_channel 0.0.1 -f wav -threads 1 pipe:1 |",
         "a.wav", (1,)),
        ("ffmpeg -i a.wav -af 'pan=mono|c0=0.5*c0+0.5*c1' -f wav - |", "a.wav", (0, 1)),
        ("ffmpeg -i a.wav -af 'pan=mono|c0=c3' -f wav - |", "a.wav", (3,)),
    ],
)  # fmt: skip
def test_harmless_pipes_are_understood(
    command: str, file: str, channels: tuple[int, ...] | None
) -> None:
    assert parse_pipe(command) == PipedAudio(file, channels)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("rm -rf / |", "rm is not one of"),
        ("cat a.wav; rm b |", "it has ;"),
        ("cat a.wav && rm b |", "it has &&"),
        ("cat < a.wav |", "it has <"),
        ("cat a.wav > b.wav |", "it has >"),
        ("cat $(rm b) |", "it needs a shell"),
        ("cat `rm b` |", "it needs a shell"),
        ("$KALDI_ROOT/sph2pipe a.sph |", "it needs a shell"),
        ("cat 'a |", "no closing quotation"),
        ("cat a b |", "arguments are missing or wrong"),
        ("cat -n |", "-n is not known"),
        ("cat a.wav", "with | behind it"),
        ("|", "with | behind it"),
        ("cat a.wav | |", "with | behind it"),
        ("cat a.wav | cat b.wav |", "must read the pipe"),
        ("flac -c -d -s - |", "must read a file"),
        ("flac a.wav |", "it must decode"),
        ("flac -c -d -s --skip=3 a.flac |", "--skip=3 is not known"),
        ("sox a.wav -t wav - speed 1.1 |", "speed is not known"),
        ("sox a.wav -t wav - trim 0 1 |", "trim is not known"),
        ("sox -v 0.5 a.wav -t wav - |", "-v is not known"),
        ("sox -t raw -r 8000 a.raw -t wav - |", "raw is not known"),
        ("sox a.wav b.wav |", "b.wav is not known"),
        ("sox a.wav b.wav -t wav - |", "arguments are missing or wrong"),
        ("sox a.wav |", "arguments are missing"),
        ("sox a.wav -t |", "arguments are missing"),
        ("sph2pipe -f wav -c 1 -t 0:3 a.sph |", "-t is not known"),
        ("sph2pipe -f wav -c 0 a.sph |", "0 is not known"),
        ("sph2pipe -f wav a.sph b.wav |", "b.wav is not known"),
        ("ffmpeg -ss 3 -i a.wav -f wav - |", "-ss is not known"),
        ("ffmpeg -i a.wav -i b.wav -f wav - |", "two inputs"),
        ("ffmpeg -i a.wav -af atempo=2 -f wav - |", "atempo=2 is not known"),
        ("ffmpeg -i a.wav -af 'pan=mono|c0=0.9*c0+0.1*c1' -f wav - |", "is not known"),
        ("ffmpeg -i a.wav -f wav b.wav |", "b.wav is not known"),
        ("ffmpeg -f s16le -i a.raw -f wav - |", "s16le is not known"),
        ("sph2pipe -c 1 a.sph | sox -t wav - -t wav - remix 2 |", "has chosen a channel"),
    ],
)
def test_other_pipes_are_refused_with_the_reason(command: str, why: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_pipe(command)
    assert why in str(caught.value) and "pipes are not run" in str(caught.value)


PROGRAMS = ["sox", "cat", "ffmpeg", "flac"]
OPTIONS = ["-i", "-t", "-c", "-d", "-af", "pan=mono|c0=c0", "remix", "1,", "wav", "a.wav"]


@given(st.lists(st.sampled_from([*"|;-'\"\\ $()", *PROGRAMS, *OPTIONS]), max_size=12))
def test_any_command_is_understood_or_refused(words: list[str]) -> None:
    try:
        found = parse_pipe(" ".join(words) + " |")
    except AsrError:
        return
    assert found.file != ""


@given(st.text(st.characters(exclude_characters="\0\n\r`$", exclude_categories=["Cs"]), min_size=1))
def test_any_file_name_survives_a_pipe(name: str) -> None:
    if name.startswith("-"):
        name = f"./{name}"
    assert parse_pipe(f"flac -c -d -s {shlex.quote(name)} |").file == name
