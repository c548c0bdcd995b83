"""Headers are estimates: every sample that is there is read, and disagreement is a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.audio.containers.file_bytes import CHUNK, FileBytes
from asr.audio.find_audio import find_audio
from asr.audio.reading import measure, probe, read_audio, read_blocks
from asr.errors import AudioError, AudioWarning

DELAY = 0.16
"""Seconds that codecs may add as delay and padding."""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, zoo.Expected]]:
    folder = tmp_path_factory.mktemp("wrong")
    return folder, zoo.wrong_headers(folder)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, zoo.Expected]]:
    folder = tmp_path_factory.mktemp("media")
    return folder, zoo.media(folder)


def assert_as_expected(folder: Path, cases: dict[str, zoo.Expected], exact: bool) -> None:
    for name, expected in cases.items():
        found: list[str] = []
        samples = read_audio(folder / name, warn=found.append)
        seconds = len(samples) / 16_000
        lossless = exact and name.split(".")[-1] in ("wav", "flac", "au", "aiff")
        tolerance = 0.001 if lossless else DELAY * (2 if name.startswith("joined") else 1)
        if name in ("cut.flac", "cut.ogg", "mp3.wav", "half-size-adpcm.wav"):
            tolerance = 0.5  # the last block or page is lost, or filled up
        assert seconds == pytest.approx(expected.seconds, abs=tolerance), name
        assert len(found) == bool(expected.warning), (name, found)
        if found:
            assert name in found[0] and expected.warning in found[0], found
        assert measure(folder / name).duration == pytest.approx(seconds, abs=0.001), name
        assert np.abs(samples).max() > 0.2, name


def test_every_sample_is_read_whatever_the_header_says(
    wrong: tuple[Path, dict[str, zoo.Expected]],
) -> None:
    assert_as_expected(*wrong, exact=True)


def test_formats_that_only_ffmpeg_opens_are_read(
    media: tuple[Path, dict[str, zoo.Expected]],
) -> None:
    assert_as_expected(*media, exact=False)


def test_wrong_headers_do_not_change_the_samples(
    wrong: tuple[Path, dict[str, zoo.Expected]],
) -> None:
    folder, _ = wrong
    expected = read_audio(folder / "list.wav")
    for name in (
        "size-0.wav",
        "size-ffffffff.wav",
        "size-7ffff000.wav",
        "half-size.wav",
        "size-ffffffff.au",
        "id3.wav",
        "padded.wav",
    ):
        np.testing.assert_array_equal(read_audio(folder / name), expected, err_msg=name)
    np.testing.assert_array_equal(
        read_audio(folder / "pipe.flac"), read_audio(folder / "right.flac")
    )
    np.testing.assert_array_equal(
        read_audio(folder / "one-byte-short.wav"), expected[:-1], err_msg="one byte short"
    )


@pytest.mark.filterwarnings("ignore::asr.errors.AudioWarning")
def test_joined_recordings_are_all_read(wrong: tuple[Path, dict[str, zoo.Expected]]) -> None:
    folder, _ = wrong
    for joined, single, rate in (
        ("joined.mp3", "x.mp3", 44_100),
        ("joined.wav", "list.wav", 16_000),
        ("joined.flac", "right.flac", 16_000),
    ):
        once = read_audio(folder / single, rate)
        twice = read_audio(folder / joined, rate)
        assert len(twice) == 2 * len(once)
        np.testing.assert_allclose(twice[: len(once)], once, atol=1e-4)
        np.testing.assert_allclose(twice[len(once) :], once, atol=1e-2)


def test_raw_encodings_of_other_widths(tmp_path: Path) -> None:
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"):
        path = tmp_path / f"{subtype}.wav"
        soundfile.write(path, zoo.speech(), zoo.RATE, subtype=subtype)
        expected = read_audio(path)
        data = path.read_bytes()
        at = data.index(b"data") + 4
        path.write_bytes(data[:at] + (100).to_bytes(4, "little") + data[at + 4 :])
        with pytest.warns(AudioWarning, match=rf"{subtype}\.wav: .*1\.00 s"):
            np.testing.assert_array_equal(read_audio(path), expected, err_msg=subtype)


def test_a_wav_beyond_4_gib_has_all_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.full(1000, 0.5), 48_000)
    size = 2**32 + 96_000  # its length in the header wraps around to one second
    data = path.read_bytes()
    with path.open("wb") as file:
        file.write(data[:40] + (96_000).to_bytes(4, "little") + data[44:])
        file.truncate(44 + size)  # sparse: takes no space on the disk
    assert probe(path).duration == pytest.approx(size / 96_000)
    blocks = read_blocks(path, 48_000)
    first = next(blocks)
    assert (first[:1000] == 0.5).all() and not first[1000:].any()
    assert sum(len(next(blocks)) for _ in range(10)) > 48_000


def test_no_decoder_writes_to_stderr(wrong: tuple[Path, dict[str, zoo.Expected]]) -> None:
    folder, cases = wrong
    names = [str(folder / name) for name in cases if name.endswith(".mp3")]
    code = (
        "import sys\n"
        "from asr.audio.reading import read_audio\n"
        "for name in sys.argv[1:]: read_audio(name, warn=lambda message: None)"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_video_without_sound_is_an_error(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "silent.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros([64, 64, 3], np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"silent\.mp4: .*no audio track"):
        read_audio(tmp_path / "silent.mp4")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (20, 0),  # the codec, which then nothing knows
        (20, 0x4242),
        (34, 62),  # bits of a sample: integers of 64 bits
    ],
)
def test_a_wav_that_no_decoder_knows_is_an_error(
    goforward: Path, tmp_path: Path, place: int, value: int
) -> None:
    data = goforward.read_bytes()[:9000]
    (tmp_path / "a.wav").write_bytes(data[:place] + value.to_bytes(2, "little") + data[place + 2 :])
    with pytest.raises(AudioError, match=r"a\.wav: not readable as audio"):
        read_audio(tmp_path / "a.wav")


def test_a_playlist_does_not_open_other_files(tmp_path: Path) -> None:
    zoo.encode(tmp_path / "x.aac", zoo.speech(), zoo.RATE, "aac", "adts")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", str(tmp_path / "x.aac")]
    (tmp_path / "list.mp3").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))
    with pytest.raises(AudioError, match=r"list\.mp3: .*playlist"):
        read_audio(tmp_path / "list.mp3")
    (tmp_path / "list.mp3").write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'x.aac'}'\n")
    with pytest.raises(AudioError, match=r"list\.mp3: "):
        read_audio(tmp_path / "list.mp3")


def test_file_names_need_not_be_unicode(tmp_path: Path) -> None:
    zoo.encode(tmp_path / "x.m4a", zoo.speech(), zoo.RATE, "aac")
    name = os.fsdecode(os.fsencode(tmp_path) + b"/latin-1 \xe9.m4a")
    os.rename(tmp_path / "x.m4a", name)
    assert len(read_audio(name)) == pytest.approx(16_000, abs=2100)


def test_a_video_without_its_index_is_named_as_cut(
    media: tuple[Path, dict[str, zoo.Expected]], tmp_path: Path
) -> None:
    data = (media[0] / "x.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"cut\.m4a: .*cut off"):
        read_audio(tmp_path / "cut.m4a")


def test_folders_name_all_audio_and_video_files(tmp_path: Path) -> None:
    for name in ("a.m4a", "b.mp4", "c.MKV", "d.wma", "e.amr", "f.txt", "g.jpg", "h.mid"):
        (tmp_path / name).touch()
    assert [path.name for path in find_audio([str(tmp_path)])] == [
        *("a.m4a", "b.mp4", "c.MKV", "d.wma", "e.amr")
    ]


def test_file_bytes_are_as_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(3 * CHUNK + 17)
    (tmp_path / "x").write_bytes(data)
    rng = np.random.default_rng(1)
    with FileBytes(tmp_path / "x") as file:
        assert len(file) == len(data)
        for at, length in rng.integers(0, [len(data), 99], [200, 2]).tolist():
            assert file[at : at + length] == data[at : at + length]
            assert file[at] == data[at]
            wanted = data[at : at + 8]
            assert file.find(wanted, max(at - CHUNK - 3, 0)) == data.find(wanted)
            assert file.find(wanted, at + 1) == data.find(wanted, at + 1) == -1
            assert file.find(wanted, 0, at + 7) == data.find(wanted, 0, at + 7)
        assert file[len(data) : len(data) + 9] == b""
