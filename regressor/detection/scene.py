"""What the picture does behind the people: cuts between shots, and a camera that moves.

All of it is seen on a picture of about 256 pixels; a frame costs a millisecond or two.
"""

import numpy as np
from scipy import fft

SMALL = 256  # the longer side of the small picture, in its own pixels ("cells")
TILE = 64
TILE_STEP = 48
# A cut: histograms and layout differ this much (each 0..1 or more) ...
CUT_CHANGE = 0.55
# ... and this many times as much as around it, so that shaky or busy scenes aren't torn apart.
CUT_PROMINENCE = 3.0
CUT_NEIGHBOURS = 8
# A tile's shift counts when the tile has structure, and the two pictures agree in it.
LEAST_TEXTURE = 3.0  # standard deviation, grey levels
LEAST_AGREEMENT = 0.3  # height of the correlation's peak, 1 for the same picture
MOST_PEOPLE = 0.3  # and people cover no more than this share of it,
ENOUGH_CLEAR = 2  # or nothing of it, where so many such tiles tell something
# The camera moves when the background wanders further than this share of the picture's longer side.
MOVING_CAMERA = 0.02
# What a share of a level (of 64) gives to the levels around it.
SPREAD = np.exp(-0.5 * np.square(np.subtract.outer(np.arange(64), np.arange(64)) / 4.0))
SPREAD /= SPREAD.sum(axis=1, keepdims=True)


class SceneAnalyzer:
    """Takes the frames in order: `look` at each, and `hide` its people once they are known.

    `look` may be some frames ahead, in another thread.
    """

    def __init__(self) -> None:
        self._step = 1
        self._tiles: _Tiles | None = None
        self._spectra: np.ndarray | None = None
        self._pictures: list[_Impression] = []
        self._changes: list[float] = []
        self._shifts: list[np.ndarray] = []  # each (tiles, 2) cells since the last frame, or NaN
        self._covered: list[np.ndarray] = []  # each (tiles,) the share where people are

    def look(self, image: np.ndarray) -> bool:
        """Take in a frame (H, W, 3) uint8; True when a new shot seems to begin with it."""
        self._step = max(1, min(round(max(image.shape[:2]) / SMALL), *image.shape[:2]))
        small = _shrink(image, self._step)
        grey = small @ np.full(3, 1 / 3, np.float32)
        if self._tiles is None:
            self._tiles = _Tiles(*grey.shape)
        spectra = self._tiles.spectra(grey)
        if self._spectra is None:
            self._shifts.append(np.full((self._tiles.count, 2), np.nan))
        else:
            self._shifts.append(self._tiles.shifts(self._spectra, spectra))
        self._spectra = spectra
        self._pictures.append(_Impression(small, grey))
        return self._changed()

    def hide(self, boxes: list[np.ndarray]) -> None:
        """Leave the people in the next frame, given by their boxes in pixels, out of account."""
        assert self._tiles is not None, "look at a frame first"
        self._covered.append(self._tiles.covered([box / self._step for box in boxes]))

    def _changed(self) -> bool:
        """Whether the last frame differs from the one before as if a new shot had begun."""
        if len(self._pictures) < 2:
            self._changes.append(0.0)
            return False
        self._changes.append(self._pictures[-1].change(self._pictures[-2]))
        before = self._changes[-1 - CUT_NEIGHBOURS : -1]
        return self._changes[-1] > max(CUT_CHANGE, CUT_PROMINENCE * float(np.median(before)))

    def _background(self) -> np.ndarray:
        """(T, tiles, 2) cells: the tiles' shifts, NaN where unknown or where people are.

        A tile that a walker only touches may follow them: it is asked where too few others tell.
        """
        if not self._covered:
            return np.zeros((0, 1, 2))
        covered = np.stack(self._covered)
        covered[1:] = np.maximum(covered[1:], covered[:-1].copy())
        shifts = np.stack(self._shifts[: len(covered)])
        clear = (covered == 0) & ~np.isnan(shifts[..., 0])
        enough = clear.sum(axis=1, keepdims=True) >= ENOUGH_CLEAR
        told = np.where(enough, clear, covered <= MOST_PEOPLE)
        return np.where(told[..., None], shifts, np.nan)

    def cuts(self) -> list[int]:
        """The frames with which a new shot begins (not the first)."""
        changes = np.array(self._changes)
        found = []
        for i in np.flatnonzero(changes > CUT_CHANGE):
            near = np.concatenate(
                [changes[max(1, i - CUT_NEIGHBOURS) : i], changes[i + 1 : i + 1 + CUT_NEIGHBOURS]]
            )
            if len(near) and changes[i] < CUT_PROMINENCE * np.median(near):
                continue
            if not self._is_flash(int(i)):
                found.append(int(i))
        return found

    def motion(self) -> np.ndarray:
        """(T, 2) pixels: how far the background moved since the frame before, 0 where unknown."""
        return _common(self._background(), self.cuts()) * self._step

    def camera_moves(self) -> bool:
        """Whether the camera pans, tilts, zooms, turns or travels in any shot."""
        tiles, cuts = self._background(), self.cuts()
        known = ~np.isnan(tiles[..., 0])
        steps = np.where(known[..., None], tiles, _common(tiles, cuts)[:, None])
        ends = [0, *cuts, len(steps)]
        return any(
            _wandering(steps[first + 1 : last], known[first + 1 : last]) > MOVING_CAMERA * SMALL
            for first, last in zip(ends, ends[1:], strict=False)
        )

    def _is_flash(self, i: int) -> bool:
        """Whether the picture is soon as it was before, after the change to i or its reverse."""
        for before, after in ((i - 1, i + 1), (i - 1, i + 2), (i - 2, i), (i - 3, i)):
            if 0 <= before and after < len(self._pictures):
                back = self._pictures[after].change(self._pictures[before])
                if back < 0.4 * self._changes[i]:
                    return True
        return False


class _Impression:
    """What is kept of a frame to tell shots apart: a histogram a channel, and the rough layout."""

    def __init__(self, small: np.ndarray, grey: np.ndarray):
        levels = (small[::2, ::2] >> 2).reshape(-1, 3) + np.array([0, 64, 128], np.uint8)
        counts = np.bincount(levels.ravel(), minlength=192).reshape(3, 64) / len(levels)
        # Spread out, so that a wall that grows lighter doesn't leap from one level to the next.
        self.histogram = (counts @ SPREAD).astype(np.float32)
        rows = np.unique(np.linspace(0, grey.shape[0], 10).astype(int))
        columns = np.unique(np.linspace(0, grey.shape[1], 17).astype(int))
        total = np.add.reduceat(np.add.reduceat(grey, rows[:-1], axis=0), columns[:-1], axis=1)
        self.layout = total / np.outer(np.diff(rows), np.diff(columns))

    def change(self, other: "_Impression") -> float:
        """0 for the same picture; above about half a new shot."""
        colours = 0.5 * float(np.abs(self.histogram - other.histogram).sum()) / 3
        a, b = self.layout - self.layout.mean(), other.layout - other.layout.mean()
        # The floor keeps the noise of empty pictures from counting as layout.
        power = max(float(np.sqrt((a * a).mean() * (b * b).mean())), 4.0**2)
        return colours + 0.5 * min(1.0, float(np.square(a - b).mean()) / (2 * power))


class _Tiles:
    """Overlapping squares of the small picture, each with its own shift by phase correlation."""

    def __init__(self, height: int, width: int):
        self._size = min(TILE, height, width)
        ys, xs = (_spread(length, self._size) for length in (height, width))
        self._corners = [(y, x) for y in ys for x in xs]
        self.count = len(self._corners)
        window = np.hanning(self._size + 2)[1:-1]
        self._window = np.outer(window, window).astype(np.float32)
        along, half = fft.fftfreq(self._size), fft.rfftfreq(self._size)
        radius = np.square(np.asarray(along))[:, None] + np.square(np.asarray(half))
        # Compression and sensor noise live in the high frequencies, slow light in the lowest.
        self._weight = np.exp(radius / (-2 * 0.12**2)).astype(np.float32)
        self._weight[0, 0] = 0
        both = self._weight.copy()
        both[:, 1 : (self._size + 1) // 2] *= 2
        self._peak = float(both.sum()) / self._size**2

    def spectra(self, picture: np.ndarray) -> np.ndarray:
        """(tiles, size, size / 2 + 1) Fourier transforms, 0 for tiles without texture."""
        size = self._size
        tiles = np.stack([picture[y : y + size, x : x + size] for y, x in self._corners])
        tiles = tiles - tiles.mean(axis=(1, 2), keepdims=True)
        spectra = np.asarray(fft.rfft2(tiles * self._window))
        spectra[tiles.std(axis=(1, 2)) < LEAST_TEXTURE] = 0
        return spectra

    def covered(self, boxes: list[np.ndarray]) -> np.ndarray:
        """(tiles,) the largest share of each that one of the boxes (cells) covers."""
        share = np.zeros(self.count)
        for i, (y, x) in enumerate(self._corners):
            for x0, y0, x1, y1 in boxes:
                wide = min(x1, x + self._size) - max(x0, x)
                high = min(y1, y + self._size) - max(y0, y)
                share[i] = max(share[i], max(wide, 0) * max(high, 0) / self._size**2)
        return share

    def shifts(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(tiles, 2) x, y in cells by which each tile's content moved, NaN where unsure."""
        product = after * before.conj()
        product *= self._weight / (np.abs(product) + 1e-6)
        surface = np.asarray(fft.irfft2(product, s=(self._size, self._size)))
        return np.array([self._peak_of(plane) for plane in surface])

    def _peak_of(self, plane: np.ndarray) -> tuple[float, float]:
        y, x = divmod(int(plane.argmax()), self._size)
        if plane[y, x] < LEAST_AGREEMENT * self._peak:
            return np.nan, np.nan
        return self._refined(plane[y], x), self._refined(plane[:, x], y)

    def _refined(self, line: np.ndarray, at: int) -> float:
        """The peak's place between samples, by a parabola; the second half counts as negative."""
        left, peak, right = line[at - 1], line[at], line[(at + 1) % self._size]
        bend = left - 2 * peak + right
        place = at + (0.5 * (left - right) / bend if bend < 0 else 0.0)
        return float(place - self._size if at > self._size // 2 else place)


def _common(tiles: np.ndarray, cuts: list[int]) -> np.ndarray:
    """(T, tiles, 2) to (T, 2): what most tiles did; 0 at cuts and where fewer than two tell."""
    common = np.zeros((len(tiles), 2))
    for i, shifts in enumerate(tiles):
        known = shifts[~np.isnan(shifts[:, 0])]
        if len(known) >= 2 and i not in cuts:
            common[i] = np.median(known, axis=0)
    return common


def _wandering(steps: np.ndarray, known: np.ndarray) -> float:
    """How far the background gets from where it was, in the median of its tiles: (T, tiles, 2).

    A tile counts by how often it was itself asked: known (T, tiles).
    """
    if not known.any():
        return 0.0
    extent = np.linalg.norm(np.ptp(np.cumsum(steps, axis=0), axis=0), axis=-1)
    order = np.argsort(extent)
    share = np.cumsum(known.sum(axis=0)[order])
    return float(extent[order][np.searchsorted(share, share[-1] / 2)])


def _shrink(image: np.ndarray, step: int) -> np.ndarray:
    """(H, W, 3) to about (H / step, W / step, 3): the mean of four samples from each square."""
    height, width = (length // step * step for length in image.shape[:2])
    image = image[:height, :width]
    half = step // 2
    if half == 0:
        return image.astype(np.uint16).astype(np.uint8)
    first, second = image[::step, ::step], image[half::step, half::step]
    third, fourth = image[half::step, ::step], image[::step, half::step]
    total = first.astype(np.uint16) + second + third + fourth
    return (total // 4).astype(np.uint8)


def _spread(length: int, size: int) -> list[int]:
    """Starts of intervals of `size` that cover `length`, about TILE_STEP apart."""
    count = 1 if length <= size else 1 + max(1, round((length - size) / TILE_STEP))
    return [round(i * (length - size) / max(1, count - 1)) for i in range(count)]
