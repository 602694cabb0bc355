"""A batch from its first row to its last, through any number of interruptions.

A step is some rows. First the ledger takes them, with what the output will be (one
transaction, synced); then output and results are written and synced; the next step's
transaction says so. After a kill at any moment the last step is either whole in the
output, and counts, or it is cut off and taken out of the ledger again.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.devices.ahead import ahead
from ceremony.devices.authority import validity
from ceremony.devices.ledger import Batch, Ledger
from ceremony.devices.order import Order, Summary
from ceremony.devices.outputs import Folders, GrowingFile
from ceremony.devices.pool import Pool
from ceremony.devices.rendering import TAR_END, Form, Rendering
from ceremony.devices.results import encode_results
from ceremony.devices.rows import (
    Digests,
    Failed,
    Job,
    Made,
    Progress,
    Row,
    Rows,
    Signatures,
)
from ceremony.devices.sources import SourceRow, text_of
from ceremony.devices.template import Template
from ceremony.devices.worker import Work, Worker, decode_answer, encode_request
from ceremony.errors import MediaError, PlanError, VerificationError
from ceremony.x509.issuing import issuer_of

JOB: Final = 1000
TOKEN_JOB: Final = 250
_OFTEN_S: Final = 2.0
AHEAD: Final = 4
_TOGETHER: Final = 250

Tell = Callable[[Progress], None]


def issue(
    order: Order,
    *,
    ledger: Ledger,
    store: KeyStore,
    key: KeyInfo,
    at: datetime,
    tell: Tell = lambda _: None,
) -> Summary:
    """Issues a batch, or goes on with it.

    Args:
        order: what is asked for.
        ledger: of the CA.
        store: logged in. A file is used in each worker; a token by this process alone.
        key: the CA's.
        at: the present: notBefore of what this run issues.
        tell: is told of each step.

    Raises:
        MediaError: `devices.*`, `ledger.*`.
        KeyStoreError: the key store refused; the same command goes on.
        PlanError: `devices.batch_differs`.
        VerificationError: `issuing.issuer_expired`.
    """
    return _Run(order, ledger, store, key, at, tell).run()


class _Run:
    """One run over a batch."""

    def __init__(
        self,
        order: Order,
        ledger: Ledger,
        store: KeyStore,
        key: KeyInfo,
        at: datetime,
        tell: Tell,
    ) -> None:
        self._order, self._ledger, self._at, self._tell = order, ledger, at, tell
        self._not_after, self._clamped = validity(order.authority, at, order.days)
        if self._not_after <= at:
            raise VerificationError(
                "issuing.issuer_expired",
                "the device CA ends before these certificates would begin",
                hint="Check the clock, and which CA is used.",
            )
        self._sign = partial(store.sign_digests, key)
        authority = order.authority
        self._rendering = Rendering(
            form=order.form,
            root=authority.root_pem,
            ca=authority.ca_pem,
            sota=order.sota,
            not_after=format_time(self._not_after),
            at_s=int(at.timestamp()),
        )
        self._work = Work(
            template=Template(
                factory=authority.factory,
                issuer=issuer_of(authority.ca),
                curve=authority.curve,
                not_before=at,
                not_after=self._not_after,
                production=order.rules.production,
            ),
            rules=order.rules,
            rendering=self._rendering,
            csrs=order.source.csrs,
            foreign_keys=frozenset((authority.ca.spki_sha256.hex, authority.root.spki_sha256.hex)),
            ca_spki=authority.ca.spki,
            curve=authority.curve,
            sign=self._sign if store.info().kind == "file" else None,
        )
        self._positions: deque[tuple[int, str]] = deque()
        self._output: GrowingFile | None = None
        self._folders: Folders | None = None

    def run(self) -> Summary:
        """From wherever the batch is to its end."""
        batch = self._batch()
        results = self._results_path(batch)
        self._results = GrowingFile(results)
        if batch.ended is not None:
            self._require_there(batch)
            return self._summary(results, batch.done, before=True)
        # The workers first: they must hold neither the files nor their locks.
        with Pool(self._order.workers, Worker(self._work).serve) as pool:
            try:
                progress = self._recover(batch)
                if not self._results.complete:
                    progress = self._issue(pool, batch, progress)
            finally:
                self._results.close()
                if self._output is not None:
                    self._output.close()
        self._ledger.end(batch, format_time(self._at))
        return self._summary(results, progress, before=False)

    def _issue(self, pool: Pool, batch: Batch, progress: Progress) -> Progress:
        self._tell(progress)
        if self._output is None or not self._output.complete:
            answers = pool.answers(self._jobs(progress), self._reply)
            for rows in self._steps_of(ahead(_rows(answers), AHEAD)):
                progress = self._commit(batch, rows, progress)
                self._tell(progress)
        if self._output is not None and not self._output.complete:
            if self._order.form is Form.TAR:
                self._output.append(TAR_END)
            self._output.finish()
        self._results.finish()
        return progress

    def _reply(self, answer: bytes) -> bytes | None:
        """What a token signed, to the worker that asked for it; it verifies each."""
        if self._work.sign is not None:
            return None
        asked = decode_answer(answer)
        if isinstance(asked, Digests):
            return encode_request(Signatures(self._sign(asked.digests)))
        return None

    def _steps_of(self, parts: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """As many rows together as are synced together: fewer where a token is slow."""
        rows: list[Row] = []
        last_s = time.monotonic()
        for part in parts:
            rows += part
            if len(rows) >= self._order.step or time.monotonic() - last_s > _OFTEN_S:
                yield rows
                rows, last_s = [], time.monotonic()
        if rows:
            yield rows

    # --- beginning ------------------------------------------------------------------

    def _batch(self) -> Batch:
        order = self._order
        out, words = text_of(order.out), order.words
        known = self._ledger.batches(out)
        for batch in known:
            if batch.source == words:
                return batch
        alone = order.form is not Form.FOLDERS
        if alone and not known:
            for path in (order.out, self._results_path(None)):
                if GrowingFile(path).there:
                    raise MediaError(
                        "devices.out_exists",
                        f"{show(str(path))} is there already, and not of this batch",
                        hint="Give another --out; nothing is overwritten.",
                    )
        begun = self._ledger.begin(out, words, format_time(self._at), alone=alone)
        if begun is None:
            raise PlanError(
                "devices.batch_differs",
                f"{show(str(order.out))} belongs to another batch of this CA: "
                f"{show(self._ledger.batches(out)[-1].source, 500)}",
                hint="Give the same options again to go on with it, or another --out.",
            )
        return begun

    def _results_path(self, batch: Batch | None) -> Path:
        out = self._order.out
        if self._order.form is Form.FOLDERS and batch is not None:
            return out / f"results-{batch.id}.jsonl"
        return out.with_name(f"{out.stem}.results.jsonl")

    def _require_there(self, batch: Batch) -> None:
        if not self._order.out.exists():
            raise MediaError(
                "devices.output_missing",
                f"the ledger knows {batch.done.issued} devices in {show(batch.out)},"
                " and it is not there",
                hint="Look for it; for new devices give another --out.",
            )

    def _recover(self, batch: Batch) -> Progress:
        """Brings output, results and ledger to the same step.

        What the ledger says is read anew once the files are locked: another run may have
        gone on with the batch until then.
        """
        self._open()
        batch = self._ledger.again(batch)
        self._require_known(batch)
        if (self._output or self._results).complete:
            return self._ledger.adopt(batch)
        if batch.pending is not None and self._digest(batch) == batch.pending.digest:
            self._cut(batch.pending)
            return self._ledger.adopt(batch)
        if self._folders is not None and batch.pending is not None:
            self._folders.remove(self._ledger.pending_uuids(batch))
        # What is cut off is forgotten after that, never before.
        self._cut(batch.done)
        return self._ledger.drop(batch)

    @property
    def _files(self) -> list[GrowingFile]:
        """The files of this form, the output first: in this order they get their own names."""
        return [self._results] if self._output is None else [self._output, self._results]

    def _open(self) -> None:
        if self._order.form is Form.FOLDERS:
            self._folders = Folders(self._order.out, self._rendering)
        else:
            self._output = GrowingFile(self._order.out)
        for file in self._files:
            if not file.complete:
                file.open()

    def _cut(self, progress: Progress) -> None:
        if self._output is not None:
            self._output.cut(progress.length)
        self._results.cut(progress.results_length)

    def _require_known(self, batch: Batch) -> None:
        """Refuses what this batch has not left so; nothing is cut off for it."""
        last, files = batch.last, self._files
        for file in files:
            end = len(TAR_END) if file is self._output and self._order.form is Form.TAR else 0
            length = last.results_length if file is self._results else last.length + end
            shown = show(str(file.path))
            if file.doubled:
                raise MediaError(
                    "devices.out_exists",
                    f"{shown} is there, and this batch has not written it yet",
                    hint="Move it away; the same command then goes on with the .partial file.",
                )
            if file.size > length:
                raise MediaError(
                    "devices.output_long",
                    f"{shown} has {file.size} bytes, and the ledger knows {length}:"
                    " this ledger is older than the output",
                    hint="Find the newest ledger of this CA; issue nothing with this one.",
                )
            whole = file.size == length and files[0].complete
            if file.complete and not (whole and self._at_the_end(last)):
                raise MediaError(
                    "devices.output_short",
                    f"{shown} has the name of a complete file, and is none",
                    hint="If it was renamed, name it .partial again; the same command goes on.",
                )

    def _at_the_end(self, progress: Progress) -> bool:
        return next(self._order.source.rows(progress.position), None) is None

    def _digest(self, batch: Batch) -> str:
        """What stands in the files where the pending step should be."""
        done, pending = batch.done, batch.pending
        if pending is None or self._output is None:
            return ""
        body = self._output.digest(done.length, pending.length)
        results = self._results.digest(done.results_length, pending.results_length)
        return "" if body is None or results is None else (body + results).hex()

    # --- the rows -------------------------------------------------------------------

    def _jobs(self, progress: Progress) -> Iterator[bytes]:
        rows = self._order.source.rows(progress.position)
        line = progress.lines
        job = JOB if self._work.sign is not None else TOKEN_JOB
        while part := list(islice(rows, min(job, self._order.step))):
            yield encode_request(_job(line + 1, part, self._positions))
            line += len(part)

    def _commit(self, batch: Batch, rows: list[Row], progress: Progress) -> Progress:
        lines, position = self._reached(rows[-1].line)
        made = [row for row in rows if isinstance(row, Made)]
        failed = [row for row in rows if isinstance(row, Failed)]
        if self._folders is not None:
            made, there = self._not_there(self._folders, made)
            failed += there
        with self._ledger.step(batch) as step:
            taken, known = step.add(made, self._rendering.not_after)
            failed += known
            body = hashlib.sha256()
            for row in taken:
                body.update(row.rendered)
            length = sum(len(row.rendered) for row in taken)
            results = encode_results(taken, failed)
            progress = Progress(
                lines=lines,
                issued=progress.issued + len(taken),
                refused=progress.refused + len(failed),
                length=progress.length + length,
                results_length=progress.results_length + len(results),
                position=position,
                digest=body.hexdigest() + hashlib.sha256(results).hexdigest(),
            )
            step.pend(progress)
        if self._folders is not None:
            self._folders.write(taken)
        elif self._output is not None:
            for first in range(0, len(taken), _TOGETHER):
                part = taken[first : first + _TOGETHER]
                self._output.append(b"".join(row.rendered for row in part))
            self._output.sync()
        self._results.append(results)
        self._results.sync()
        return progress

    def _reached(self, line: int) -> tuple[int, str]:
        """The source's position behind that line, which ends a job."""
        while self._positions[0][0] != line:
            self._positions.popleft()
        return self._positions.popleft()

    @staticmethod
    def _not_there(folders: Folders, made: list[Made]) -> tuple[list[Made], list[Failed]]:
        """Rows whose folder is free; two of the same uuid are the ledger's matter."""
        taken = {row.line for row in made if folders.taken(row.uuid)}
        message = "a folder of this name is there already"
        return [row for row in made if row.line not in taken], [
            Failed(row.line, row.source, "device.folder_taken", message, row.uuid)
            for row in made
            if row.line in taken
        ]

    def _summary(self, results: Path, progress: Progress, *, before: bool) -> Summary:
        return Summary(
            out=self._order.out,
            results=results,
            issued=progress.issued,
            refused=progress.refused,
            not_after=self._not_after,
            clamped=self._clamped,
            before=before,
        )


def _rows(answers: Iterator[bytes]) -> Iterator[list[Row]]:
    for answer in answers:
        decoded = decode_answer(answer)
        if isinstance(decoded, Rows):
            yield decoded.rows


def _job(first: int, part: list[SourceRow], positions: deque[tuple[int, str]]) -> Job:
    positions.append((first + len(part) - 1, part[-1].position))
    return Job(first, [row.name for row in part], [row.data for row in part])
