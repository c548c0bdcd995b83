"""Reports for the terminal, and Markdown tables of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asr.data.manifest_check import ManifestReport
from asr.decoding.decoding_options import NO_LM
from asr.evaluation.error_rates import Evaluation


def evaluation_text(result: Evaluation, worst: int) -> str:
    """Report of an evaluation.

    Args:
        result: the evaluation.
        worst: number of frequent errors, and of utterances with most errors, that are listed.
    """
    low, high = result.interval
    lines = [
        f"WER {result.wer:.2%} (95 % interval {low:.2%}–{high:.2%})   CER {result.cer:.2%}",
        f"{result.utterances} utterances, {result.words} words: "
        f"{result.substitutions} substituted, {result.deletions} deleted, "
        f"{result.insertions} inserted",
    ]
    if result.rtf is not None:
        lines.append(f"RTF {result.rtf:.4f} ({1 / result.rtf:.0f} × realtime)")
    if result.ece is not None:
        lines.append(f"expected calibration error of the words' confidences {result.ece:.2%}")
    for failure in result.failures:
        lines.append(f"failed (its words count as deleted): {failure.error}")
    frequent = [
        f"{error.reference or '***'} → {error.hypothesis or '***'} {error.times}×"
        for error in result.confusions(worst)
        if error.times > 1
    ]
    if frequent:
        lines += ["", f"most frequent errors: {', '.join(frequent)}"]
    for scored in result.worst(worst):
        lines += ["", f"{scored.errors} errors in {scored.name}", scored.alignment()]
    return "\n".join(lines)


def check_text(report: ManifestReport) -> str:
    """Report of a check of manifests: statistics of each manifest, then all findings."""
    lines = []
    for path, s in report.statistics.items():
        lines.append(
            f"{path}: {s.utterances} utterances, {s.hours:.2f} h, {s.speakers} speakers, "
            f"{s.words} words, {s.characters} characters; "
            f"{s.shortest:.2f} / {s.median:.2f} / {s.longest:.2f} s shortest / median / longest"
        )
    lines += [f"{f.level}: {f.where}: {f.message}" for f in report.findings]
    errors = sum(f.level == "error" for f in report.findings)
    lines.append(f"{errors} errors, {len(report.findings) - errors} warnings")
    return "\n".join(lines)


def results_table(records: Sequence[dict[str, Any]]) -> str:
    """Markdown table of error rates, and the commands that made them.

    Args:
        records: records by `evaluate_manifest`.
    """
    rows = [
        "| model | test | decoding | utterances | WER | 95 % interval | CER | RTF |",
        "|---" * 8 + "|",
    ]
    made: dict[str, None] = {}
    for r in records:
        low, high = r["wer_interval_95"]
        name = f"{r['model']} ({r['weights_sha256'][:8]})"
        how = _decoding_text(r["decoding"])
        rows.append(
            f"| {name} | {r['manifest']} | {how} | {r['utterances']} | {r['wer']:.2%} "
            f"| {low:.2%}–{high:.2%} | {r['cer']:.2%} | {r['rtf']:.4f} |"
        )
        trained = r["trained"]
        made[
            f"- {name}: `{trained['command']}`, seed {trained['seed']}, commit {trained['commit']}"
        ] = None
        made[f"- evaluated by `{r['command']}`, commit {r['commit']}"] = None
    return "\n".join([*rows, "", *made])


def _decoding_text(d: dict[str, Any]) -> str:
    """The options in `Decoding.to_dict` that can change a text."""
    how = f"beam {d['beam']}" if d["beam"] else "greedy"
    if d["lm"] not in (None, NO_LM):  # older results have None for no language model
        how += f", {d['lm']}, α {d['alpha']}, β {d['beta']}, unknown {d['unknown']}"
    if d.get("spelling") is not None:  # older results have no such key
        how += f", spelling {d['spelling']}"
    if d.get("rnn_lm"):
        how += f", {d['rnn_lm']} ({d['fusion']}, share {d['share']})"
    if d["hot_words"]:
        words = len(d["hot_words"])
        how += f", {words} hot word{'s' * (words > 1)} at {d['hot_weight']}"
    if d["lexicon"]:
        how += f", only words of {d['lexicon']}"
    return how
