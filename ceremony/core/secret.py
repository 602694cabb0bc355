"""A secret that redacts itself."""


class Secret:
    """A PIN, passphrase or officer's phrase: never in a repr, a format or a pickle.

    A Python string cannot be wiped; whoever holds one keeps it for one step, and the
    process that hands a PIN to a module ends with that step.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        raise TypeError("a secret is no key")

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")
