"""Line plots as SVG, without any library: a logarithmic or linear x axis, a linear y axis from 0, a label at the end of
each line. Imported by bench/load/run."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 64, 56
# Distinct for eyes that see fewer colours, too; galley is the dark one.
COLOURS = {"galley": "#111827", "galley_epoll": "#6b7280", "galley_uring": "#9ca3af", "epoll": "#009e73",
           "uring": "#56b4e9", "nginx": "#d55e00", "h2o": "#0072b2", "lighttpd": "#cc79a7", "caddy": "#b8860b"}
STYLE = ("text{font:13px system-ui,sans-serif;fill:#111827}.title{font-size:16px;font-weight:600}.small{font-size:12px;"
         "fill:#4b5563}.grid{stroke:#e5e7eb}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}")
MIN_GAP = 15  # between labels


@dataclass
class Axes:
    """Where a point lies."""
    x_min: float
    x_max: float
    y_max: float
    is_log: bool

    def x(self, value):
        low, high, at = self.x_min, self.x_max, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return LEFT + (at - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.y_max * (HEIGHT - TOP - BOTTOM)


def nice_step(top):
    """1, 2 or 5 times a power of ten, so that there are about five lines below top."""
    raw = top / 5
    power = 10 ** math.floor(math.log10(raw))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= raw)


def label(value):
    return f"{value:,.10g}"


def grid(axes, xs, x_title, y_title):
    step = nice_step(axes.y_max)
    for number in range(int(axes.y_max / step + 1e-9) + 1):
        y = axes.y(number * step)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label(number * step)}</text>'
    for value in xs:
        yield (f'<text class="small" x="{axes.x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" '
               f'text-anchor="middle">{label(value)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x_title)}</text>'
    yield f'<text class="small" x="{LEFT}" y="{TOP - 8}">{escape(y_title)}</text>'


def spread(wanted):
    """[(y, ...)] -> the same, moved so that no two labels cover each other."""
    placed = []
    for y, *rest in sorted(wanted):
        placed.append((max(y, placed[-1][0] + MIN_GAP) if placed else y, *rest))
    over = max(0, placed[-1][0] - (HEIGHT - BOTTOM + 4)) if placed else 0
    return [(y - over, *rest) for y, *rest in placed]


def lines(axes, series, titles):
    ends = []
    for name, points in series.items():
        colour = COLOURS.get(name, "#374151")
        path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
        for x, y in points:
            yield f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="2.6" fill="{colour}"/>'
        ends.append((axes.y(points[-1][1]) + 4, colour, f"{titles.get(name, name)} {points[-1][1]:.3g}"))
    for y, colour, text in spread(ends):
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{y:.1f}" style="fill:{colour}">{escape(text)}</text>'


def plot(series, titles, title, x_title, y_title, note, is_log=True):
    """series: {name: [(x, y), ...]} -> the text of an SVG file."""
    xs = sorted({x for points in series.values() for x, _ in points})
    top = max((y for points in series.values() for _, y in points), default=1) or 1
    step = nice_step(top)
    axes = Axes(xs[0], xs[-1], math.ceil(top / step) * step, is_log)
    body = [*grid(axes, xs, x_title, y_title), *lines(axes, series, titles)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text class="small" x="{LEFT}" y="42">{escape(note)}</text>', *body, "</svg>", ""])
