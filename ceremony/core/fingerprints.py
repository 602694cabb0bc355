"""SHA-256 fingerprints, as hex groups and as words in eight lines A to H."""

import hashlib
from dataclasses import dataclass

from ceremony.core import words

LINES = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A SHA-256 digest that people compare.

    Attributes:
        digest: 32 bytes.
    """

    digest: bytes

    def __post_init__(self) -> None:
        if len(self.digest) != 32:
            raise ValueError("a fingerprint is 32 bytes")

    @classmethod
    def of(cls, data: bytes) -> "Fingerprint":
        """The SHA-256 of `data`."""
        return cls(hashlib.sha256(data).digest())

    @classmethod
    def from_hex(cls, text: str) -> "Fingerprint":
        """From 64 hex digits; spaces, colons and case do not matter.

        Raises:
            ValueError: not 64 hex digits.
        """
        return cls(bytes.fromhex(text.replace(":", "").replace(" ", "")))

    @classmethod
    def from_words(cls, text: str) -> "Fingerprint":
        """From 32 words in order; spaces, hyphens and case do not matter.

        Raises:
            ValueError: not 32 words, or one that its position's list lacks.
        """
        typed = text.replace("-", " ").split()
        values = [words.value_at(position, word) for position, word in enumerate(typed)]
        if len(values) != 32 or None in values:
            raise ValueError("a fingerprint is 32 words, each from the list of its position")
        return cls(bytes(value for value in values if value is not None))

    @property
    def hex(self) -> str:
        """64 lower-case hex digits."""
        return self.digest.hex()

    @property
    def groups(self) -> tuple[str, ...]:
        """Eight groups of eight hex digits, one for each line A to H."""
        return tuple(self.digest[i : i + 4].hex() for i in range(0, 32, 4))

    @property
    def words(self) -> tuple[str, ...]:
        """32 words, position 0 first."""
        return words.encode(self.digest)

    @property
    def lines(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """Eight rows: letter, eight hex digits, four words."""
        spoken = self.words
        return tuple(
            (letter, self.groups[i], spoken[4 * i : 4 * i + 4]) for i, letter in enumerate(LINES)
        )

    def __str__(self) -> str:
        return self.hex


def place(position: int) -> str:
    """The name of a word's place on the sheet: ``A1`` to ``H4``."""
    return f"{LINES[position // 4]}{position % 4 + 1}"
