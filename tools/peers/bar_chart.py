"""Groups of horizontal bars as SVG, from the standard library alone."""
from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 760, 170, 130  # pixels; bars lie between
BAR, GAP, GROUP_GAP, TOP, BOTTOM = 16, 3, 16, 64, 34
COLOURS = ("#1f5fa8", "#b8b8b8", "#dd8a2e", "#6aa84f", "#8e63a8")


@dataclass(frozen=True)
class Bar:
    series: str
    value: float
    label: str


@dataclass(frozen=True)
class Group:
    title: str
    bars: list[Bar]


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 12, weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def bar_chart(title: str, axis: str, groups: list[Group]) -> str:
    """Bars of one length scale; the vertical line stands at 1."""
    series = list(dict.fromkeys(bar.series for group in groups for bar in group.bars))
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(series)}
    largest = max([1.0, *(bar.value for group in groups for bar in group.bars)])
    scale = (WIDTH - LEFT - RIGHT) / largest
    parts = [text(LEFT, 22, title, size=15, weight="bold")]
    x = float(LEFT)
    for name in series:
        parts.append(f'<rect x="{x:.1f}" y="34" width="12" height="12" fill="{colour[name]}"/>')
        parts.append(text(x + 17, 44, name))
        x += 17 + 8 * len(name) + 20
    y = float(TOP)
    for group in groups:
        middle = y + (len(group.bars) * (BAR + GAP) - GAP) / 2 + 4
        parts.append(text(LEFT - 10, middle, group.title, anchor="end"))
        for bar in group.bars:
            parts.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{bar.value * scale:.1f}" height="{BAR}" '
                         f'fill="{colour[bar.series]}"/>')
            parts.append(text(LEFT + bar.value * scale + 6, y + BAR - 4, bar.label, size=11))
            y += BAR + GAP
        y += GROUP_GAP
    one = LEFT + scale
    parts.insert(0, f'<line x1="{one:.1f}" y1="{TOP - 8}" x2="{one:.1f}" y2="{y - GROUP_GAP + 6:.1f}" stroke="#888888" '
                    'stroke-dasharray="3 3"/>')
    parts.append(text(LEFT, y + 10, axis, size=11))
    height = y + BOTTOM - GROUP_GAP + 10
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif" fill="#222222">\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n")
