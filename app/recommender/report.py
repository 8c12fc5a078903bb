"""An evaluation for readers: a table in Markdown, a plot in SVG, the figures as JSON."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from app.recommender.evaluation import OURS, Evaluation
from app.recommender.protocol import METRICS

_NAMES = {"recall@20": "Recall@20", "recall@50": "Recall@50", "ndcg@100": "NDCG@100"}
_WIDTH, _ROW, _LEFT = 720, 34, 170


def write(found: Evaluation, directory: Path, source: str) -> list[Path]:
    """Write report.md, plot.svg and report.json into the directory, which is made; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {"report.md": markdown(found, source), "plot.svg": plot(found), "report.json": json.dumps(figures(found))}
    for name, text in texts.items():
        (directory / name).write_text(text + "\n", encoding="utf-8")
    return [directory / name for name in texts]


def figures(found: Evaluation) -> dict[str, Any]:
    """Everything measured, for programs."""
    return {
        "people": found.people,
        "items": found.items,
        "pairs": found.pairs,
        "splits": found.seeds,
        "models": {
            name: {
                "settings": model.settings,
                **{
                    metric: {"mean": float(mean), "standard error": float(error)}
                    for metric, mean, error in zip(METRICS, model.means, model.errors, strict=True)
                },
            }
            for name, model in found.models.items()
        },
        "ndcg@100 over": {
            name: dict(zip(("ratio", "low", "high"), found.ratio(name), strict=True))
            for name in found.models
            if name != OURS
        },
    }


def markdown(found: Evaluation, source: str) -> str:
    """The table, the intervals, and each model's settings."""
    lines = [
        f"{source}: {found.people:,} people × {found.items:,} items, {found.pairs:,} pairs, {found.seeds} splits.",
        "",
        "| | " + " | ".join(_NAMES[metric] for metric in METRICS) + " | the shop's NDCG@100 over it (95 %) |",
        "|---|" + "---|" * (len(METRICS) + 1),
    ]
    for name, model in found.models.items():
        cells = [f"{mean:.4f} ± {error:.4f}" for mean, error in zip(model.means, model.errors, strict=True)]
        over = "" if name == OURS else "{:.3f} ({:.3f} to {:.3f})".format(*found.ratio(name))
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {over} |")
    lines += ["", "± is the standard error over the splits. Settings:", ""]
    lines += [f"- {name}: {model.settings}" for name, model in found.models.items()]
    return "\n".join(lines)


def plot(found: Evaluation) -> str:
    """NDCG@100 of each model as a bar, with its standard error."""
    at = METRICS.index("ndcg@100")
    top = max(float(model.means[at] + model.errors[at]) for model in found.models.values()) or 1.0
    scale = (_WIDTH - _LEFT - 90) / top
    height = _ROW * len(found.models) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="14">',
        "<title>NDCG@100 by model</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, (name, model) in enumerate(found.models.items()):
        y, mean, error = 20 + number * _ROW, float(model.means[at]), float(model.errors[at])
        end, middle = _LEFT + mean * scale, y + _ROW / 2 - 3
        fill = "#0b6e4f" if name == OURS else "#9aa5b1"
        parts += [
            f'<text x="{_LEFT - 10}" y="{middle + 5:.1f}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{mean * scale:.1f}" height="{_ROW - 8}" fill="{fill}"/>',
            f'<line x1="{end - error * scale:.1f}" x2="{end + error * scale:.1f}" y1="{middle}" y2="{middle}"'
            ' stroke="#000" stroke-width="2"/>',
            f'<text x="{end + error * scale + 8:.1f}" y="{middle + 5:.1f}">{mean:.3f}</text>',
        ]
    return "".join([*parts, "</svg>"])
