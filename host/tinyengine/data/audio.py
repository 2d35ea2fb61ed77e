"""How sound becomes the input of a network: what ``audio`` in a MODEL.json says.

Keys, all optional but ``kind``: ``kind`` (``micro``: TensorFlow Lite Micro's micro frontend, whose int8 values
micro_speech and microWakeWord take; ``mfcc``: the cepstral coefficients of MLPerf Tiny's keyword spotting), ``rate``
(samples per second), ``window_ms`` and ``hop_ms`` (of a slice, and from one to the next), ``channels`` (of the filter
bank), ``lower_hz`` and ``upper_hz`` (its limits); of ``micro`` ``noise_reduction`` and ``pcan`` (automatic gain of each
channel), true or false; of ``mfcc`` ``coefficients`` (how many) and ``level`` (the sample that stands for 1; 0: the
highest of a file, and full scale where sound has no end).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from tinyengine.data.keys import check_keys
from tinyengine.errors import DataError

KINDS = ("micro", "mfcc")
DEFAULTS: dict[str, dict[str, Any]] = {
    "mfcc": {
        "hop_ms": 20.0,
        "lower_hz": 20.0,
        "upper_hz": 4000.0,
        "noise_reduction": False,
        "pcan": False,
        "coefficients": 10,
    }
}
"""Where a kind has others than the class."""
FULL_SCALE = 1 << 15
RATES = (4000, 96_000)
LONGEST = 16_384
"""Samples of a window: what a Fourier transform can take."""


@dataclass(frozen=True)
class AudioForm:
    """The front end of a network that listens; its fields: see the module. DataError where they do not go together."""

    kind: str
    rate: int = 16_000
    window_ms: float = 30.0
    hop_ms: float = 10.0
    channels: int = 40
    lower_hz: float = 125.0
    upper_hz: float = 7500.0
    noise_reduction: bool = True
    pcan: bool = True
    coefficients: int = 0
    level: int = 0

    @staticmethod
    def of(kind: str, **given: Any) -> AudioForm:
        """With the defaults of its kind. DataError as the class."""
        return AudioForm(kind, **(DEFAULTS.get(kind, {}) | given))

    def __post_init__(self) -> None:
        self._check(self.kind in KINDS, "kind", " or ".join(KINDS))
        self._check(RATES[0] <= self.rate <= RATES[1], "rate", f"from {RATES[0]} to {RATES[1]} samples per second")
        for name, milliseconds in (("window_ms", self.window_ms), ("hop_ms", self.hop_ms)):
            possible = 4000 <= milliseconds * self.rate <= 1000 * LONGEST  # NaN is not
            whole = possible and (milliseconds * self.rate / 1000).is_integer()
            self._check(whole, name, f"a time of 4 to {LONGEST} whole samples at {self.rate} per second")
        self._check(0 < self.hop_ms <= self.window_ms, "hop_ms", f"at most window_ms, {self.window_ms:g}")
        self._check(1 <= self.channels <= 256, "channels", "from 1 to 256")
        half = self.rate / 2
        self._check(0 < self.upper_hz <= half, "upper_hz", f"more than 0 and at most half of the rate, {half:g}")
        self._check(0 <= self.lower_hz < self.upper_hz, "lower_hz", f"from 0 to less than upper_hz, {self.upper_hz:g}")
        self._check(self.noise_reduction or not self.pcan, "pcan", "false where noise_reduction is: it needs the noise")
        micro = self.kind == "micro"
        self._check(micro or not self.noise_reduction, "noise_reduction", "left out: mfcc has none")
        self._check(not micro or not self.coefficients, "coefficients", "left out: micro has none")
        least, most = (0, 0) if micro else (1, self.channels)
        self._check(least <= self.coefficients <= most, "coefficients", f"from 1 to channels, {self.channels}")
        self._check(not micro or not self.level, "level", "left out: micro adapts by itself")
        self._check(0 <= self.level <= FULL_SCALE, "level", f"a sample from 1 to {FULL_SCALE}, or 0")

    def _check(self, good: bool, field: str, wanted: str) -> None:
        if not good:
            raise DataError(f'audio: "{field}" is {getattr(self, field)!r}, but must be {wanted}')

    @property
    def window(self) -> int:
        """Samples of a slice."""
        return int(self.window_ms * self.rate / 1000)

    @property
    def hop(self) -> int:
        """Samples from one slice to the next."""
        return int(self.hop_ms * self.rate / 1000)

    @property
    def values(self) -> int:
        """Numbers of a slice."""
        return self.coefficients or self.channels

    def samples(self, slices: int) -> int:
        """Samples that so many slices in a row are made of."""
        return self.window + (slices - 1) * self.hop

    def slices(self, samples: int) -> int:
        """Whole slices in so many samples."""
        return max((samples - self.window) // self.hop + 1, 0)

    def slices_of(self, shape: tuple[int, ...]) -> int:
        """How many slices a network's input of ``shape`` (without the batch) holds. DataError where it holds none."""
        sizes = [n for n in shape if n != 1] or [1]
        if self.values == 1:
            sizes.append(1)
        if sizes[-1] != self.values or len(sizes) > 2:
            dims = "x".join(map(str, shape))
            raise DataError(
                f"a slice of the network's audio has {self.values} numbers, but its input is {dims}: correct the "
                'number of them in "audio" of its MODEL.json'
            )
        return 1 if len(sizes) == 1 else sizes[0]

    def to_data(self) -> dict[str, Any]:
        """As a MODEL.json has it, with what is not the default."""
        default = AudioForm.of(self.kind)
        return {key: value for key, value in asdict(self).items() if key == "kind" or value != getattr(default, key)}


_TYPES: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool, "str": str}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word"}


def parse_audio(data: Any, origin: str, lenient: bool = False) -> AudioForm:
    """From ``audio`` of a MODEL.json; ``origin`` says in error messages where it came from. Raises DataError.

    ``lenient``: keys that nothing reads are passed over.
    """
    known = {field.name: str(field.type) for field in fields(AudioForm)}
    if not isinstance(data, dict) or "kind" not in data:
        raise DataError(f'{origin}: "audio" must be an object with at least a kind, {" or ".join(KINDS)}')
    if not lenient:
        check_keys(data, known, f'{origin}: "audio"')
    data = {key: value for key, value in data.items() if key in known}
    for key, value in data.items():
        if not isinstance(value, _TYPES[known[key]]) or (isinstance(value, bool) and known[key] != "bool"):
            raise DataError(f'{origin}: "{key}" of "audio" is {value!r}, but must be {_WORDS[known[key]]}')
    try:
        return AudioForm.of(**data)
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error
