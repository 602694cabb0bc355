"""How the practice Factory says no: a status and one of the API's two error shapes."""

from typing import Any


class Refusal(Exception):  # noqa: N818 - an answer of a server, not an error of this program
    """An answer that is no success.

    Args:
        status: HTTP status.
        message: one sentence.
        errors: a list (``{"msg", "errors": [..]}``) or field by field
            (``{"message", "errors": {field: str}}``): the API uses both shapes.
    """

    def __init__(
        self, status: int, message: str, errors: list[str] | dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        if isinstance(errors, dict):
            self.body: dict[str, Any] = {"message": message, "errors": errors}
        else:
            self.body = {"msg": message} | ({"errors": errors} if errors else {})
