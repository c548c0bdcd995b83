"""What the gradient lab found, as a table and as pictures: norms by distance, horizons, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr.base.files import atomic_write
from asr.gradient_lab.horizons import Findings, Horizon

COLOURS = {"rnn": "C0", "lstm": "C1", "gru": "C2"}
"""A cell's in all pictures; a candidate that is more than a cell has it too, dashed."""


DISTANCES = (1, 10, 30, 100)
"""The table's columns."""

T = TypeVar("T")


def by(items: Sequence[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Items by their key, in order."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def table(findings: Findings) -> Iterator[str]:
    """Lines of text: geometric means over the seeds, the horizon of each seed, costs."""
    trial = findings.gradients[0].trial
    columns = "".join(f"{distance:10}" for distance in DISTANCES)
    yield f"{f'gradient norm, {trial.problem}, by distance':40}{columns}"
    for name, reaches in by(findings.gradients, lambda r: r.trial.candidate).items():
        learnt = sum(r.trial.learnt for r in reaches)
        after = f"trained at {trial.length}, {learnt} of {len(reaches)} learnt"
        for when, curves in {"at the start": [r.start for r in reaches],
                             after: [r.trained for r in reaches]}.items():  # fmt: skip
            norms = np.exp(np.log(curves).mean(axis=0))
            yield f"{name:12}{when:28}" + "".join(f"{norms[d]:10.1e}" for d in DISTANCES)
    for problem, found in by(findings.horizons, lambda h: h.trials[0].problem).items():
        yield f"\nhorizon, {problem}, of each seed"
        for name, horizons in by(found, lambda h: h.trials[0].candidate).items():
            yield f"{name:12}" + "".join(f"{h.length:6}" for h in horizons)
    yield "\nprocessor's time of a training step"
    for c in findings.costs:
        yield f"{c.cell:12}{c.parameters:6} parameters {c.milliseconds:8.2f} ms {c.relative:6.2f} x"


def draw_norms(axes: Axes, norms: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Gradient norms by distance from 0 on, a curve each, of candidates by name."""
    for name, curves in norms.items():
        for i, curve in enumerate(curves):
            axes.semilogy(curve, **_style(name), alpha=0.8, label=None if i else name)
    axes.axhline(1, color="grey", linewidth=0.5)
    axes.set(xlabel="distance T − t", ylabel="norm of ∂h$_T$ / ∂s$_t$")
    axes.legend()


def draw_horizons(axes: Axes, horizons: Mapping[str, Sequence[Horizon]]) -> None:
    """The longest length learnt, of candidates by name: a dot a seed, a bar to their median."""
    trials = [trial for found in horizons.values() for h in found for trial in h.trials]
    lengths = [0, *sorted({trial.length for trial in trials})]
    for row, (name, found) in enumerate(horizons.items()):
        places = [lengths.index(h.length) for h in found]
        colour = _style(name)["color"]
        axes.barh(row, float(np.median(places)), color=colour, alpha=0.5)
        # Beside each other, for equal ones would look like one.
        axes.plot(places, row + np.linspace(-0.3, 0.3, len(places) + 2)[1:-1], "o", color=colour)
    axes.set_yticks(range(len(horizons)), list(horizons))
    axes.invert_yaxis()
    axes.set_xticks(range(len(lengths)), ["none", *map(str, lengths[1:])])
    axes.set(xlabel="longest length learnt", xlim=(-0.2, len(lengths) - 0.8))


def draw(path: Path, findings: Findings) -> None:
    """Norms before and after training, and the horizons of each problem, as PNG."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    (start, trained), below = figure.subplots(2, 2, height_ratios=[3, 2])
    start.set_title("at the start")
    trained.set_title(f"trained at length {findings.gradients[0].trial.length}")
    reaches = by(findings.gradients, lambda r: r.trial.candidate)
    draw_norms(start, {name: [r.start for r in found] for name, found in reaches.items()})
    draw_norms(trained, {name: [r.trained for r in found] for name, found in reaches.items()})
    problems = by(findings.horizons, lambda h: h.trials[0].problem)
    for axes, (problem, found) in zip(below, problems.items(), strict=True):
        axes.set_title(f"{problem} problem")
        draw_horizons(axes, by(found, lambda h: h.trials[0].candidate))
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=110)


def _style(name: str) -> dict[str, str]:
    return {"color": COLOURS[name.split()[0]], "linestyle": "--" if " " in name else "-"}
