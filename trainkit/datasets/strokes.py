"""How the ten digits are written: each in a few styles, a style in strokes, a stroke as a smooth curve."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["POINTS", "Pens", "pens"]

POINTS = 160  # dots along all the strokes of one digit: a dot every third of a pixel

# A style is its strokes, and a stroke the points that its curve passes through: x to the right, y downwards,
# in hundredths. A point that stands in two strokes is one point and moves as one; a stroke that ends where it
# began is closed.
STYLES: tuple[tuple[str, ...], ...] = (
    (  # 0
        "50,0 26,14 17,50 26,86 50,100 74,86 83,50 74,14 50,0",
        "60,2 36,10 20,45 28,88 52,98 76,70 76,28 52,4",
        "50,10 16,25 8,55 22,88 52,95 85,80 90,45 76,17 42,12",
        "55,0 38,25 32,60 42,96 60,80 68,40 55,0",
    ),
    (  # 1
        "50,0 50,50 50,100",
        "64,0 50,50 36,100",
        "32,20 54,0 / 54,0 52,50 52,100",
        "34,18 54,0 / 54,0 53,50 52,100 / 30,100 52,100 74,99",
    ),
    (  # 2
        "20,22 36,3 65,3 80,25 66,52 40,78 16,100 / 16,100 50,98 86,97",
        "22,20 46,0 75,14 71,45 46,76 22,95 13,84 30,77 56,93 90,93",
        "20,8 55,0 78,16 60,52 20,97 / 20,97 50,92 85,100",
    ),
    (  # 3
        "20,12 48,0 75,17 68,40 40,48 / 40,48 72,56 80,78 55,100 18,90",
        "20,3 50,4 78,2 / 78,2 45,42 / 45,42 75,52 80,78 54,99 20,92",
        "24,10 55,0 76,18 62,40 40,50 46,42 70,52 76,76 52,98 20,86",
    ),
    (  # 4
        "26,0 20,28 18,54 / 18,54 50,54 84,50 / 72,2 69,50 66,100",
        "64,0 40,34 14,66 / 14,66 50,66 88,64 / 64,0 64,50 62,100",
        "24,2 20,34 40,52 73,42 / 80,0 73,42 62,100",
    ),
    (  # 5
        "80,2 54,2 30,3 / 30,3 24,42 / 24,42 54,36 78,56 72,88 44,100 17,90",
        "78,3 46,3 30,20 42,42 68,55 74,78 50,99 20,92",
        "90,4 62,4 38,8 / 38,8 28,46 / 28,46 52,48 64,70 50,94 14,96",
    ),
    (  # 6
        "68,2 38,25 22,60 30,90 52,100 75,85 72,60 50,52 24,70",
        "46,0 30,40 25,74 42,98 66,90 70,68 50,60 28,78",
        "76,12 60,0 36,18 20,55 28,90 55,100 78,80 68,55 42,55 22,75",
    ),
    (  # 7
        "18,4 50,5 82,3 / 82,3 62,50 42,100",
        "18,10 48,5 80,2 / 80,2 56,45 48,100",
        "18,4 50,5 82,3 / 82,3 62,50 44,100 / 36,52 80,48",
        "17,22 20,5 / 20,5 50,6 80,6 72,42 50,100",
    ),
    (  # 8
        "70,12 50,0 29,14 34,36 51,48 70,64 73,87 50,100 27,87 31,64 50,47 67,34 70,12",
        "50,0 28,22 50,46 72,22 50,0 / 50,46 24,72 50,100 76,72 50,46",
        "76,8 48,2 30,20 46,42 66,62 62,92 38,96 32,72 54,46 82,10",
    ),
    (  # 9
        "74,24 55,3 28,12 24,38 45,52 68,42 74,24 / 74,24 73,60 66,100",
        "74,16 50,2 26,20 32,46 56,46 74,16 / 74,16 77,66 56,98 24,92",
        "78,6 44,4 26,28 40,46 70,26 78,6 / 78,6 62,50 44,100",
    ),
)


class Pens(NamedTuple):
    """All styles as arrays, so that a batch of digits is one product: dots = basis[style] @ controls[style].

    Shapes, with S styles of at most K points: basis (S, POINTS, K), controls (S, K, 2), length (S,) of all
    strokes together; the styles of a digit are `number` (10,) in a row from `first` (10,).
    """

    basis: NDArray[np.float32]
    controls: NDArray[np.float32]
    length: NDArray[np.float32]
    first: NDArray[np.int64]
    number: NDArray[np.int64]


@cache
def pens() -> Pens:
    """Return the styles of all digits, ready to draw with."""
    styles = [_points(style) for digit in STYLES for style in digit]
    # One point of the paper, however many strokes pass through it.
    places = [list(dict.fromkeys(point for stroke in style for point in stroke)) for style in styles]
    width = max(map(len, places))
    basis = np.zeros((len(styles), POINTS, width), np.float32)
    controls = np.full((len(styles), width, 2), 0.5, np.float32)
    length = np.zeros(len(styles), np.float32)
    for s, (style, place) in enumerate(zip(styles, places, strict=True)):
        controls[s, : len(place)] = place
        basis[s], length[s] = _even_dots([[place.index(point) for point in stroke] for stroke in style], controls[s])
    number = np.array([len(digit) for digit in STYLES])
    return Pens(basis, controls, length, np.cumsum(number) - number, number)


def _points(style: str) -> list[list[tuple[float, float]]]:
    strokes = [[point.split(",") for point in stroke.split()] for stroke in style.split(" / ")]
    return [[(int(x) / 100, int(y) / 100) for x, y in stroke] for stroke in strokes]


def _even_dots(strokes: list[list[int]], controls: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return the weights (POINTS, K) of dots at even distances along all strokes, and the strokes' length."""
    curves = [_curve(stroke, len(controls)) for stroke in strokes]
    steps = [np.linalg.norm(np.diff(rows @ controls, axis=0), axis=1) for rows in curves]
    travelled = np.cumsum(np.concatenate(steps))
    wanted = (np.arange(POINTS) + 0.5) / POINTS * travelled[-1]
    rows = np.concatenate([rows[1:] for rows in curves])
    return rows[np.searchsorted(travelled, wanted)], float(travelled[-1])


def _curve(stroke: list[int], width: int, fine: int = 200) -> NDArray[np.float64]:
    """Return the weights (dots, width) of a Catmull-Rom spline through the points that a stroke numbers."""
    closed = stroke[0] == stroke[-1]
    before, after = (stroke[-2], stroke[1]) if closed else (stroke[0], stroke[-1])
    path = [before, *stroke, after]
    t = np.linspace(0, 1, fine)
    blend = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1) / 2
    rows = np.zeros((len(stroke) - 1, fine, width))
    for k, segment in enumerate(rows):
        for j in range(4):
            segment[:, path[k + j]] += blend[:, j]
    return rows.reshape(-1, width)
