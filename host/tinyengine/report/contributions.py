"""What training each part of a network gives: biases as a line, weights as bars."""

from __future__ import annotations

from itertools import pairwise

from tinyengine.drawing.scene import Anchor, Dot, Line, Rect, Scene, Text, tick_step
from tinyengine.finetune.schemes.contribution import Contributions
from tinyengine.report.arena import GRID, INK, WIDTH

HEIGHT = 300
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 50, 56
COLORS = ("#c6dbef", "#9ecae1", "#4292c6", "#08519c")


def biases_scene(contributions: Contributions) -> Scene:
    """Gain by the biases of the last k convolutions, in points of accuracy."""
    gains = {k: 100 * gain for k, gain in contributions.biases.items()}
    scene, y = _frame("biases of the last k convolutions", [0.0, *gains.values()])
    deepest = max(gains, default=1)
    places = [(LEFT + (WIDTH - LEFT - RIGHT) * k / (deepest + 1), y(gain)) for k, gain in gains.items()]
    for (x1, y1), (x2, y2) in pairwise(places):
        scene.add(Line(x1, y1, x2, y2, COLORS[2]))
    for (k, gain), (x, top) in zip(gains.items(), places, strict=True):
        scene.add(Dot(x, top, 4, COLORS[3], f"biases of the last {k} convolutions: {gain:+.2f} points"))
        scene.add(Text(x, HEIGHT - BOTTOM + 16, str(k), 10, Anchor.MIDDLE, INK))
    scene.add(Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "k", 11, Anchor.MIDDLE, INK))
    return scene


def weights_scene(contributions: Contributions) -> Scene:
    """Gain by the weights of one convolution beyond its biases, one bar for each ratio of its input channels."""
    gains = [100 * gain for ratios in contributions.weights.values() for gain in ratios.values()]
    scene, y = _frame("weights of one convolution, beyond the biases", [0.0, *gains])
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(contributions.weights))
    for place, (index, ratios) in enumerate(sorted(contributions.weights.items())):
        width = 0.8 * slot / max(1, len(ratios))
        for number, (ratio, gain) in enumerate(sorted(ratios.items())):
            x = LEFT + slot * (place + 0.1) + width * number
            top, bottom = sorted((y(100 * gain), y(0.0)))
            hover = f"convolution {index}, ratio {ratio:g}: {100 * gain:+.2f} points"
            scene.add(Rect(x, top, width * 0.9, max(1.0, bottom - top), COLORS[number % len(COLORS)], hover=hover))
        scene.add(Text(LEFT + slot * (place + 0.5), HEIGHT - BOTTOM + 16, str(index), 10, Anchor.MIDDLE, INK))
    scene.add(
        Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "convolution; darker: more channels", 11, Anchor.MIDDLE, INK)
    )
    return scene


class _Scale:
    """Points of accuracy to pixels from the top."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, max(high, low + 0.1)

    def __call__(self, gain: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (gain - self.low) / (self.high - self.low)


def _frame(title: str, values: list[float]) -> tuple[Scene, _Scale]:
    scene = Scene(WIDTH, HEIGHT, f"accuracy gained by training {title}")
    scene.add(Text(LEFT, 24, f"Points of accuracy by training the {title}", 15))
    y = _Scale(min(values), max(values))
    step = tick_step(y.high - y.low, 6)
    tick = step * int(y.low / step)
    while tick <= y.high + 1e-9:
        if tick >= y.low - 1e-9:
            scene.add(Line(LEFT, y(tick), WIDTH - RIGHT, y(tick), INK if abs(tick) < 1e-9 else GRID))
            scene.add(Text(LEFT - 6, y(tick) + 4, f"{tick:+.3g}", 10, Anchor.END, INK))
        tick += step
    return scene, y
