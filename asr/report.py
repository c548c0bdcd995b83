"""Results as text for people."""

from __future__ import annotations

from asr.evaluation import Evaluation
from asr.manifest_check import Report


def evaluation_text(result: Evaluation, worst: int) -> str:
    """Rates, counts, and the worst utterances aligned."""
    low, high = result.interval
    lines = [
        f"WER {result.wer:.2%} (95 % interval {low:.2%}–{high:.2%})   CER {result.cer:.2%}",
        f"{result.utterances} utterances, {result.words} words: "
        f"{result.substitutions} substituted, {result.deletions} deleted, "
        f"{result.insertions} inserted",
    ]
    if result.rtf is not None:
        lines.append(f"RTF {result.rtf:.4f} ({1 / result.rtf:.0f} × realtime)")
    for failure in result.failures:
        lines.append(f"failed (its words count as deleted): {failure.error}")
    for scored in result.worst(worst):
        lines += ["", f"{scored.errors} errors in {scored.name}", scored.aligned()]
    return "\n".join(lines)


def check_text(report: Report) -> str:
    """Statistics of each manifest, then all findings."""
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
