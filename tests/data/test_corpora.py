"""Each corpus is prepared from a few files in its layout."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.audio.reading import read_audio
from asr.data.corpora import CORPORA, Prepared, prepare
from asr.data.manifest import Utterance, read_manifest
from asr.data.manifest_check import check_manifests, read_manifests
from asr.errors import ManifestError


def audio(path: Path, seconds: float = 0.5, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate)), rate)
    return path


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def found(prepared: Prepared) -> dict[str, list[tuple[str, str, str | None]]]:
    return {
        split: [(u.path.name, u.text, u.speaker) for u in read_manifest(path)]
        for split, path in prepared.manifests.items()
    }


def test_an4(tmp_path: Path) -> None:
    files = {
        "train": ("an4_clstk/fash/an1", "an4_clstk/fejs/an2"),
        "test": tuple(f"an4test_clstk/fcaw/an{i}" for i in (3, 4, 5)),
    }
    for part, names in files.items():
        write(tmp_path / f"etc/an4_{part}.fileids", *names)
        lines = [f"<s> A(2) YES <sil> </s> ({Path(n).name})" for n in names]
        write(tmp_path / f"etc/an4_{part}.transcription", *lines)
        for name in names:
            path = tmp_path / "feat" / f"{name}.mfc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(np.array([26], ">i4").tobytes() + np.zeros(26, ">f4").tobytes())
    (tmp_path / "feat/an4test_clstk/fcaw/an4.mfc").unlink()
    (tmp_path / "feat/an4test_clstk/fcaw/an5.mfc").write_bytes(b"")
    prepared = prepare("an4", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        "train": [("an1.mfc", "A YES", "fash")],
        "dev": [("an2.mfc", "A YES", "fejs")],
        "test": [("an3.mfc", "A YES", "fcaw")],
    }
    assert read_manifest(prepared.manifests["dev"])[0].duration == 0.02
    assert [Path(s.split(":")[0]).name for s in prepared.skipped] == ["an4.mfc", "an5.mfc"]


def test_kathleen(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        audio(tmp_path / f"flac/{split}.flac", 0.5)
        line = {
            "audio_filepath": f"flac/{split}.flac",
            "text": "Author of it.",
            "duration": 9,
            "speaker": "kathleen",
        }
        write(tmp_path / f"{split}.jsonl", json.dumps(line))
    prepared = prepare("kathleen", tmp_path, tmp_path / "out")
    assert found(prepared)["dev"] == [("dev.flac", "Author of it.", "kathleen")]
    assert read_manifest(prepared.manifests["test"])[0].duration == 0.5  # from the header


def test_fsdd(tmp_path: Path) -> None:
    for name in ("0_george_4", "3_theo_5", "9_theo_8", "12_theo_8"):
        audio(tmp_path / f"recordings/{name}.wav")
    prepared = prepare("fsdd", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        "test": [("0_george_4.wav", "zero", "george")],
        "dev": [("3_theo_5.wav", "three", "theo")],
        "train": [("9_theo_8.wav", "nine", "theo")],
    }
    assert "12_theo_8.wav: " in prepared.skipped[0]


def test_asterisk(tmp_path: Path) -> None:
    tmp_path /= "sounds"  # a folder of the user, not the one in the packages
    voice = tmp_path / "usr/share/asterisk/sounds/en_US_f_Allison"
    lines = ["; Core sounds"]
    for i in range(11):
        audio(voice / f"p{i:02}.wav")
        lines.append(f"p{i:02}: Prompt number: {i}. (a tone plays)")
    audio(voice / "letters/at.wav")
    lines += ["letters/at: at [@]", "p03: [beep]"]
    audio(voice / "unknown.wav")
    path = tmp_path / "usr/share/doc/core-sounds-en.txt.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    prepared = prepare("asterisk", tmp_path, tmp_path / "out")
    splits = found(prepared)
    # letters/at sorts first, so that p08 is the tenth.
    assert splits["test"] == [("p08.wav", "Prompt number: 8", "allison")]
    assert len(splits["train"]) == 10 and splits["train"][0] == ("at.wav", "at", "allison")
    skipped = {Path(message.split(": ")[0]).name: message for message in prepared.skipped}
    assert sorted(skipped) == ["p03.wav", "unknown.wav"] and "[beep]" in skipped["p03.wav"]


def test_librispeech(tmp_path: Path) -> None:
    for split in ("train-clean-100", "test-other"):
        folder = tmp_path / "LibriSpeech" / split / "19" / "198"
        audio(folder / "19-198-0000.flac", rate=16_000)
        write(folder / "19-198.trans.txt", "19-198-0000 NORTHANGER ABBEY", "19-198-0001 GONE")
    prepared = prepare("librispeech", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        split: [("19-198-0000.flac", "NORTHANGER ABBEY", "19")] for split in ("train", "test")
    }
    assert len(prepared.skipped) == 2 and "no such file" in prepared.skipped[0]


def test_librispeech_splits_by_folder_or_by_line(tmp_path: Path) -> None:
    names = [f"19-198-{i:04}" for i in range(20)]
    for part in ("dev-clean", "extra"):
        folder = tmp_path / part / "19" / "198"
        for name in names:
            audio(folder / f"{name}.flac", 0.1)
        write(folder / "19-198.trans.txt", *(f"{name} A" for name in names))
    assert prepare("librispeech", tmp_path / "dev-clean", tmp_path / "a").counts == {"dev": 20}
    splits = found(prepare("librispeech", tmp_path / "extra", tmp_path / "b"))
    assert splits["test"] == [("19-198-0009.flac", "A", "19")]
    assert [s[0] for s in splits["dev"]] == ["19-198-0019.flac"] and len(splits["train"]) == 18


def test_alphanumeric(tmp_path: Path) -> None:
    rows = ["Response_ID,file_name,Age,Name,Number,Address"]
    for person, address in (("R_1", '"7204, McQueen Drive"'), ("R_2", '"Fenway Park, Boston"')):
        for kind in ("Names", "Addresses", "Numbers"):
            file = f"audio_data/{kind}/{person}.wav"
            audio(tmp_path / file)
            rows.append(f"{person},{file},24,Mary O'Neil,919-05,{address}")
    write(tmp_path / "metadata.csv", *rows, "R_3,audio_data/Names/R_3.wav,24,Gone,1,1 A Street")
    prepared = prepare("alphanumeric", tmp_path, tmp_path / "out")
    assert found(prepared)["train"] == [
        ("R_1.wav", "m a r y o n e i l", "R_1"),
        ("R_1.wav", "nine one nine zero five", "R_1"),
        ("R_2.wav", "m a r y o n e i l", "R_2"),
        ("R_2.wav", "fenway park, boston", "R_2"),
        ("R_2.wav", "nine one nine zero five", "R_2"),
    ]
    assert "7204, McQueen Drive" in prepared.skipped[0] and "R_3.wav" in prepared.skipped[1]
    write(tmp_path / "metadata.csv", "file_name,Name")
    with pytest.raises(ManifestError, match=r"metadata\.csv: no column Address, Number"):
        prepare("alphanumeric", tmp_path, tmp_path / "out")


def test_ljspeech(tmp_path: Path) -> None:
    names = [f"LJ001-{i:04}" for i in range(20)]
    write(tmp_path / "metadata.csv", *(f"{n}|in 1455|in fourteen fifty-five" for n in names))
    for name in names:
        audio(tmp_path / f"wavs/{name}.wav")
    splits = found(prepare("ljspeech", tmp_path, tmp_path / "out"))
    assert splits["test"] == [("LJ001-0009.wav", "in fourteen fifty-five", "ljspeech")]
    assert [s[0] for s in splits["dev"]] == ["LJ001-0019.wav"] and len(splits["train"]) == 18


def test_commonvoice(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        audio(tmp_path / f"clips/{split}.mp3", 1.0, 32_000)
        row = f'{"c" * 64}\t{split}.mp3\tShe said "go.'
        write(tmp_path / f"{split}.tsv", "client_id\tpath\tsentence", row)
    splits = found(prepare("commonvoice", tmp_path, tmp_path / "out"))
    assert splits["dev"] == [("dev.mp3", 'She said "go.', "c" * 16)]
    write(tmp_path / "dev.tsv", "client_id\tfile\tsentence", "c\tdev.mp3\tGo.")
    with pytest.raises(ManifestError, match=r"dev\.tsv: .*\bpath\b"):
        prepare("commonvoice", tmp_path, tmp_path / "out")


def test_durations_are_those_of_the_decoded_samples(tmp_path: Path) -> None:
    for name in ("vbr.mp3", "cbr.mp3"):  # as in Common Voice: without length in the header
        path = tmp_path / "clips" / name
        path.parent.mkdir(exist_ok=True)
        quality = 5 if name == "vbr.mp3" else None
        samples = zoo.speech(3.0, 32_000)
        zoo.encode(path, samples, 32_000, "libmp3lame", "mp3", quality, header=False)
    rows = [f"c\t{name}\tGo." for name in ("vbr.mp3", "cbr.mp3")]
    write(tmp_path / "train.tsv", "client_id\tpath\tsentence", *rows)
    prepared = prepare("commonvoice", tmp_path, tmp_path / "out")
    utterances = read_manifest(prepared.manifests["train"])
    for utterance in utterances:
        assert utterance.duration == pytest.approx(
            len(read_audio(utterance.path)) / 16_000, abs=1e-3
        )
        assert utterance.duration == pytest.approx(3.0, abs=0.15)
    assert len(utterances) == 2
    report = check_manifests(
        read_manifests([prepared.manifests["train"]]), lambda text: [1], lambda seconds: 100
    )
    assert [f for f in report.findings if f.level == "error"] == []


def test_commonvoice_first_version(tmp_path: Path) -> None:
    folder = tmp_path / "cv-valid-dev"
    for number in (1, 2):
        audio(folder / f"sample-00000{number}.mp3", 1.0, 32_000)
    write(
        folder / "cv-valid-dev.csv",
        "filename,text,up_votes",
        'cv-valid-dev/sample-000001.mp3,"then, he saw",1',
    )
    prepared = prepare("commonvoice", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        "dev": [("sample-000001.mp3", "then, he saw", None)],
        "untranscribed": [("sample-000002.mp3", "", None)],
    }


def test_commonvoice_delta_is_split_by_person(tmp_path: Path) -> None:
    people = [f"{i:064d}" for i in range(40)]
    rows = []
    for person in people:
        for take in (1, 2):
            audio(tmp_path / f"en/clips/{int(person)}-{take}.mp3", 0.5, 32_000)
            rows.append(f"{person}\t{int(person)}-{take}.mp3\tGo on.")
    audio(tmp_path / "en/clips/refused.mp3", 0.5, 32_000)
    write(tmp_path / "en/reported.tsv", "")  # a list may be empty
    write(tmp_path / "en/validated.tsv", "client_id\tpath\tsentence", *rows)
    write(tmp_path / "en/invalidated.tsv", "client_id\tpath\tsentence", "x\trefused.mp3\tGo.")
    splits = found(prepare("commonvoice", tmp_path, tmp_path / "out"))
    assert sum(map(len, splits.values())) == 80
    assert "untranscribed" not in splits  # a rejected clip is in a list
    speakers = {
        split: {name.split("-")[0] for name, _, _ in utts} for split, utts in splits.items()
    }
    assert set(speakers) == {"train", "dev", "test"}
    assert sum(map(len, speakers.values())) == 40


def test_speechocean762_keeps_speakers_for_later_tests(tmp_path: Path) -> None:
    for part, people in (("train", ["0101"]), ("test", [f"{i:04d}" for i in range(10)])):
        lines: dict[str, list[str]] = {"text": [], "utt2spk": [], "wav.scp": []}
        for person in people:
            file = f"WAVE/SPEAKER{person}/{person}1.WAV"
            audio(tmp_path / file)
            lines["text"].append(f"{person}1\tWE CALL IT BEAR")
            lines["utt2spk"].append(f"{person}1 {person}")
            lines["wav.scp"].append(f"{person}1\t{file}")
        for name, rows in lines.items():
            write(tmp_path / part / name, *rows)
    prepared = prepare("speechocean762", tmp_path, tmp_path / "out")
    speakers = {split: {s for _, _, s in utts} for split, utts in found(prepared).items()}
    assert speakers == {
        "train": {"0101", "0002", "0003", "0004", "0007", "0008", "0009"},
        "dev": {"0000", "0005"},
    }
    (message,) = prepared.skipped
    assert str(tmp_path / "test") in message and "2 utterances" in message


def test_speech_commands(tmp_path: Path) -> None:
    for name in (
        "yes/0c540988_nohash_0.wav",
        "yes/0c540988_nohash_1.wav",
        "no/1c540988_nohash_0.wav",
        "_unknown_/backward_2c540988_nohash_0.wav.wav",
        "_background_noise_/running_tap.wav",
        "yes/other.wav",
    ):
        audio(tmp_path / name)
    write(tmp_path / "testing_list.txt", "yes/0c540988_nohash_1.wav")
    write(tmp_path / "validation_list.txt", "no/1c540988_nohash_0.wav")
    prepared = prepare("speech_commands", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        "train": [
            ("backward_2c540988_nohash_0.wav.wav", "backward", "2c540988"),
            ("0c540988_nohash_0.wav", "yes", "0c540988"),
        ],
        "dev": [("1c540988_nohash_0.wav", "no", "1c540988")],
        "test": [("0c540988_nohash_1.wav", "yes", "0c540988")],
        "noise": [("running_tap.wav", "", None)],
    }
    assert [Path(s.split(": ")[0]).name for s in prepared.skipped] == ["other.wav"]


def test_folder(tmp_path: Path) -> None:
    audio(tmp_path / "source/anna/1.wav")
    write(tmp_path / "source/anna/1.txt", "Go", "forward.")
    audio(tmp_path / "source/2.flac")
    (tmp_path / "source/3.wav").write_bytes(b"")
    write(tmp_path / "source/3.txt", "x")
    prepared = prepare("folder", tmp_path / "source", tmp_path / "out")
    assert found(prepared) == {"train": [("1.wav", "Go forward.", "anna")]}
    assert sorted(Path(s.split(": ")[0]).name for s in prepared.skipped) == ["2.flac", "3.wav"]


def test_a_small_folder_without_a_dev_set_says_what_to_do(tmp_path: Path) -> None:
    for i in range(12):
        audio(tmp_path / f"source/{i:02}.wav", 0.1)
        write(tmp_path / f"source/{i:02}.txt", f"text {i}")
    prepared = prepare("folder", tmp_path / "source", tmp_path / "out")
    assert prepared.counts == {"train": 11, "test": 1}
    (hint,) = prepared.hints
    assert "no dev set" in hint and "--dev 1" in hint and "every twentieth" in hint
    splits = prepare("folder", tmp_path / "source", tmp_path / "out", dev=2)
    assert splits.hints == () and splits.counts == {"train": 9, "dev": 2, "test": 1}
    assert [name for name, _, _ in found(splits)["dev"]] == ["02.wav", "08.wav"]
    with pytest.raises(ManifestError, match="--dev 11: the train set has 11 utterances"):
        prepare("folder", tmp_path / "source", tmp_path / "out", dev=11)


def test_other_corpora_without_a_dev_set_say_so_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        audio(tmp_path / f"yes/0c54098{name}_nohash_0.wav", 0.1)
    prepared = prepare("speech_commands", tmp_path, tmp_path / "out")
    assert prepared.counts == {"train": 2} and "--dev 1" in prepared.hints[0]
    assert prepare("speech_commands", tmp_path, tmp_path / "out", dev=1).counts["dev"] == 1


def line(name: str, text: str, duration: float = 0.5, **keys: object) -> str:
    return json.dumps({"audio_filepath": name, "text": text, "duration": duration, **keys})


def test_a_folder_with_manifests_has_their_texts_splits_and_segments(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a", "b", "c", "d", "anna/e"):
        audio(source / f"{name}.wav", 1.0)
        write(source / f"{name}.txt", "by a recogniser")
    (source / "d.txt").unlink()
    write(
        source / "lists/train_manifest.json",  # NeMo's name
        line("../a.wav", "first", offset=0.0, speaker="x", lang="en"),
        line("../a.wav", "second", offset=0.5, channel=0),
        line(str(source / "b.wav"), "whole", 9.0),
        line("../gone.wav", "gone"),
    )
    write(source / "val.jsonl", line("c.wav", "cut", 0.5))
    write(source / "all.jsonl", "", line("c.wav", "cut", 0.5), line("a.wav", " ", offset=0.9))
    write(source / "results.jsonl", line("d.wav", "by a recogniser", words=[]))
    write(source / "b.json", "{}")
    prepared = prepare("folder", source, tmp_path / "out")
    splits = {split: read_manifest(path) for split, path in prepared.manifests.items()}
    a, b, c, e = (source / f"{name}.wav" for name in ("a", "b", "c", "anna/e"))
    for utterances in splits.values():
        for i, utterance in enumerate(utterances):
            utterances[i] = replace(utterance, audio_filepath=utterance.path.resolve())
    assert splits == {
        "train": [
            Utterance("first", 0.5, a, "x", offset=0.0, language="en"),
            Utterance("second", 0.5, a, offset=0.5, channel=0),
            Utterance("whole", 1.0, b),
            Utterance("by a recogniser", 1.0, e, "anna"),
        ],
        "dev": [Utterance("cut", 0.5, c)],
    }
    reasons = sorted((Path(s.split(": ")[0]).name, s.split(": ")[-1]) for s in prepared.skipped)
    assert [name for name, _ in reasons] == ["a.wav, 0.90 s to 1.40 s", "d.wav", "gone.wav"]
    assert "no manifest lists" in reasons[1][1]


def test_manifests_of_an_earlier_call_are_not_read(tmp_path: Path) -> None:
    audio(tmp_path / "1.wav")
    for text in ("before", "after"):
        write(tmp_path / "1.txt", text)
        assert found(prepare("folder", tmp_path, tmp_path))["train"] == [("1.wav", text, None)]
    (tmp_path / "1.txt").unlink()
    before = (tmp_path / "train.jsonl").read_bytes()
    with pytest.raises(ManifestError, match=r"train\.jsonl: .*another folder as --out"):
        prepare("folder", tmp_path, tmp_path)
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_pocketsphinx(tmp_path: Path) -> None:
    data = tmp_path / "pocketsphinx-5.1.1/test/data"
    audio(data / "librivox/x-1.wav", rate=16_000)
    write(data / "librivox/transcription", "<s> he was not </s> (x-1)", "nonsense")
    audio(data / "cards/001.wav", rate=16_000)
    write(data / "cards/cards.transcription", "<s> ten of clubs  </s> (001)")
    (data / "goforward.raw").write_bytes(np.arange(16_000, dtype="<i2").tobytes())
    prepared = prepare("pocketsphinx", tmp_path, tmp_path / "out")
    assert found(prepared) == {
        "test": [
            ("x-1.wav", "he was not", "librivox"),
            ("001.wav", "ten of clubs", "cards"),
            ("goforward.wav", "go forward ten meters", "goforward"),
        ]
    }
    samples, rate = soundfile.read(tmp_path / "out/goforward.wav", dtype="int16")
    assert rate == 16_000 and samples.tolist() == list(range(16_000))


@pytest.mark.parametrize("name", CORPORA)
def test_a_folder_without_the_corpus_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match="empty") as caught:
        prepare(name, tmp_path / "empty", tmp_path / "out")
    assert type(caught.value).__module__ == "asr.errors"
    assert not (tmp_path / "out").exists()


def test_unknown_corpora_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"tedlium: .*an4, asterisk"):
        prepare("tedlium", tmp_path, tmp_path)
    with pytest.raises(ManifestError, match="nowhere: "):
        prepare("an4", tmp_path / "nowhere", tmp_path)
