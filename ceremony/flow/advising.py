"""What each question gets beside its own text: "what if ..." for `?`, and the stock command."""

from dataclasses import replace
from typing import TypeVar

from ceremony.advice import advice
from ceremony.flow.prompts import Prompt

P = TypeVar("P", bound=Prompt)


def advised(prompt: P) -> P:
    """The prompt with the advice on its key; its own help and command stay first."""
    found = advice(prompt.key)
    if found is None:
        return prompt
    told = [f"What if {case}?\n{answer}" for case, answer in found.what_if]
    return replace(
        prompt,
        help="\n\n".join([prompt.help, *told] if prompt.help else told),
        command=prompt.command or found.command.strip(),
    )
