"""The picture: CPU per request of each server, scenario by scenario, as SVG without a library."""

from html import escape

from benchmarks.scenarios import SCENARIOS
from benchmarks.summary import Figure

COLOURS = {
    "floor": "#8a8f98",
    "safe_floor": "#5f6670",
    "ours": "#0b6e4f",
    "drf": "#c0392b",
    "fastapi": "#2874a6",
    "litestar": "#b9770e",
}
OTHER = "#7d3c98"
BAR, GAP, LEFT, WIDTH, LONGEST = 13, 16, 190, 900, 600
STYLE = "font: 12px sans-serif; background: #fff"


def draw(figures: list[Figure]) -> str:
    """Return bars of CPU milliseconds per request; shorter is better."""
    parts, top = _legend(figures), 50
    longest = max(figure.cpu_ms for figure in figures)
    for scenario in SCENARIOS:
        rows = [figure for figure in figures if figure.scenario == scenario.name]
        if not rows:
            continue
        parts.append(f'<text x="10" y="{top + BAR - 2}">{escape(scenario.label)}</text>')
        for figure in rows:
            parts.append(_bar(figure, top, LONGEST / longest))
            top += BAR
        top += GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" style="{STYLE}">'
    title = "<title>CPU milliseconds per request; shorter is better</title>"
    return "\n".join([head, title, *parts, "</svg>", ""])


def _bar(figure: Figure, top: int, scale: float) -> str:
    width = figure.cpu_ms * scale
    colour = COLOURS.get(figure.server, OTHER)
    ratio = f" ({figure.cpu_ratio.value:.2f} x floor)" if figure.cpu_ratio else ""
    return (
        f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>'
        f'<text x="{LEFT + width + 5:.1f}" y="{top + BAR - 3}" font-size="10">'
        f"{figure.cpu_ms:.2f}{ratio}</text>"
    )


def _legend(figures: list[Figure]) -> list[str]:
    parts = ['<text x="10" y="20">CPU ms per request; shorter is better</text>']
    for place, server in enumerate(dict.fromkeys(figure.server for figure in figures)):
        left, colour = 10 + place * 110, COLOURS.get(server, OTHER)
        parts.append(f'<rect x="{left}" y="28" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{left + 16}" y="38">{escape(server)}</text>')
    return parts
