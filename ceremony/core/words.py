"""The PGP word list: one byte is one word, from a list of its position's own.

Even positions (0, 2, ...) take the two-syllable list, odd ones the three-syllable
list, so that a word left out, doubled or swapped with its neighbour is noticed.
Source: Juola and Zimmermann, "Whole-Word Phonetic Distances and the PGPfone
Alphabet" (ICSLP 1996).
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files


@cache
def listing() -> bytes:
    """The list as people look words up in it: a line a byte, 00 first; both words."""
    return files("assets").joinpath("pgp-words.txt").read_bytes()


@cache
def _lists() -> tuple[tuple[str, ...], tuple[str, ...]]:
    pairs = [line.split(" ") for line in listing().decode("ascii").splitlines()]
    return tuple(two for two, _ in pairs), tuple(three for _, three in pairs)


@cache
def _values(parity: int) -> dict[str, int]:
    return {word.lower(): value for value, word in enumerate(_lists()[parity])}


def encode(data: bytes) -> tuple[str, ...]:
    """One word a byte, the first byte at position 0."""
    lists = _lists()
    return tuple(lists[position % 2][value] for position, value in enumerate(data))


def value_at(position: int, word: str) -> int | None:
    """The byte that `word` stands for at `position`, or None if that list lacks it.

    Case and surrounding space do not matter.
    """
    return _values(position % 2).get(word.strip().lower())


def candidates(position: int, prefix: str) -> tuple[str, ...]:
    """The words of that position's list that begin with `prefix` (for completion)."""
    start = prefix.strip().lower()
    return tuple(word for word in _lists()[position % 2] if word.lower().startswith(start))


def phrase(values: Iterable[int]) -> str:
    """Words for random bytes, joined by hyphens: a passphrase a person can type."""
    return "-".join(encode(bytes(values))).lower()
