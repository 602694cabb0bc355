"""Starting the wizard: the app on the main thread, the flow on one thread of its own."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ceremony.flow.prompts import Frontend


def clean_environment() -> tuple[str, ...]:
    """Removes what would make Textual log keys, press keys or import code.

    Must run before textual is imported.

    Returns:
        The names removed.
    """
    names = tuple(sorted(name for name in os.environ if name.startswith("TEXTUAL")))
    for name in names:
        del os.environ[name]
    return names


def run_wizard(flow_main: Callable[[Frontend], int]) -> int:
    """Runs `flow_main` in its own thread with the wizard as its front end.

    Whatever `flow_main` raises comes out of here, after the terminal is restored; so does
    a defect of the app itself.

    SIGTERM and SIGHUP end the process as they would anyway, after the terminal is restored
    and the flow has let go of what it holds; the record tells of it as of a cut of power.

    Returns:
        What `flow_main` returned.
    """
    clean_environment()
    from screens.app import Wizard
    from screens.frontend import WizardFrontend

    # What was imported stays: a full collection over it would hold up a screen by 40 ms.
    gc.freeze()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="flow") as pool:
        wizard = Wizard()
        frontend = WizardFrontend(wizard)
        flows: list[Future[int]] = []

        ended_by: list[int] = []

        def end(number: int) -> None:
            ended_by.append(number)
            wizard.leave()

        def begin() -> None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, end, number)
            flow = pool.submit(flow_main, frontend)
            flow.add_done_callback(lambda _: wizard.leave())
            flows.append(flow)

        wizard.connect(begin, frontend.give)
        try:
            wizard.run(mouse=False)
        finally:
            frontend.close()
    if ended_by:  # The terminal is as it was: now what the signal asked for.
        signal.signal(ended_by[0], signal.SIG_DFL)
        signal.raise_signal(ended_by[0])
    if wizard.failure:
        raise wizard.failure
    return flows[0].result()
