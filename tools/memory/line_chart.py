"""Lines and single points over two axes that begin at 0, as SVG, from the standard library alone."""
from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.append(str(Path(__file__).resolve().parents[1] / "peers"))

from bar_chart import COLOURS, text

WIDTH, HEIGHT = 760, 400  # pixels
LEFT, RIGHT, TOP, BOTTOM = 60, 30, 64, 54  # around the area of the axes
MOST_TICKS = 6


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float  # of the spread of y
    high: float
    label: str = ""


@dataclass(frozen=True)
class Line:
    name: str
    points: list[Point]
    style: Literal["line", "dashes", "points"] = "line"  # dashes have no points, points are not joined


def ticks(most: float) -> list[float]:
    """Round steps from 0, the last at `most` or just above it."""
    step = 10.0 ** math.floor(math.log10(most / MOST_TICKS))
    step = next(step * factor for factor in (1, 2, 5, 10) if most / (step * factor) <= MOST_TICKS)
    return [i * step for i in range(math.ceil(most / step - 1e-9) + 1)]


def line_chart(title: str, x_axis: str, y_axis: str, lines: list[Line]) -> str:
    points = [point for line in lines for point in line.points]
    x_ticks, y_ticks = ticks(max(p.x for p in points)), ticks(max(p.high for p in points))
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def x_of(x: float) -> float:
        return LEFT + x / x_ticks[-1] * (right - LEFT)

    def y_of(y: float) -> float:
        return bottom - y / y_ticks[-1] * (bottom - TOP)

    def stroke(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'

    parts = [text(LEFT, 22, title, size=15, weight="bold"), text((LEFT + right) / 2, HEIGHT - 12, x_axis, "middle"),
             text(LEFT, TOP - 8, y_axis, size=11)]
    for y in y_ticks:
        parts += [stroke(LEFT, y_of(y), right, y_of(y), 'stroke="#e4e4e4"'),
                  text(LEFT - 8, y_of(y) + 4, f"{y:g}", "end", 11)]
    for x in x_ticks:
        parts += [stroke(x_of(x), bottom, x_of(x), bottom + 5, 'stroke="#888888"'),
                  text(x_of(x), bottom + 20, f"{x:g}", "middle", 11)]
    legend = float(LEFT)
    for line, colour in zip(lines, COLOURS, strict=False):
        parts.append(f'<rect x="{legend:.1f}" y="34" width="12" height="12" fill="{colour}"/>')
        parts.append(text(legend + 17, 44, line.name))
        legend += 17 + 7 * len(line.name) + 20
        if line.style != "points":
            path = " ".join(f"{x_of(p.x):.1f},{y_of(p.y):.1f}" for p in line.points)
            dashes = ' stroke-dasharray="5 4"' if line.style == "dashes" else ""
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        for p in line.points:
            if line.style != "dashes":
                parts += [stroke(x_of(p.x), y_of(p.low), x_of(p.x), y_of(p.high), f'stroke="{colour}"'),
                          f'<circle cx="{x_of(p.x):.1f}" cy="{y_of(p.y):.1f}" r="4" fill="{colour}"/>']
            if p.label:
                parts.append(text(x_of(p.x), y_of(p.high) - 9, p.label, "middle", 11))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#222222">\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n")
