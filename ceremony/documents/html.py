"""Documents as one self-contained HTML page that prints well in black and white.

No script, no link, no picture or font from elsewhere: the page's own policy forbids them.
All data is escaped.
"""

import html
from collections.abc import Iterable, Iterator
from functools import singledispatch
from importlib.resources import files

from ceremony.bundle.qr import dark_runs, qr_matrix
from ceremony.core.fingerprints import LINES, Fingerprint
from ceremony.documents import model
from ceremony.documents.model import Block, Document, printable, qr_text

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(document: Document) -> bytes:
    """The document as HTML5, ASCII bytes."""
    marks = "".join(f'<p class="mark">{_text(mark)}</p>' for mark in document.marks)
    across = _text(document.marks[0]) if document.marks else ""
    body = "\n".join(_parts(document.blocks))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(document.title)}</title>
<style>
{_style(document)}</style>
</head>
<body>
<div class="across" aria-hidden="true">{across}</div>
<main>
<header>{marks}
<h1 class="title">{_text(document.title)}</h1>
<p class="subtitle">{_text(document.subtitle)}</p>
</header>
{body}
<footer>{_text(document.footer)}</footer>
</main>
</body>
</html>
"""
    return page.encode("ascii", "xmlcharrefreplace")


def _parts(blocks: Iterable[Block]) -> Iterator[str]:
    """The blocks, each part in a section of its own, which print keeps on a page if it fits.

    A page break belongs to the section that follows: beside it, a browser that finds the
    section too long for one page leaves the new page empty and begins on the next.
    """
    open_: list[int] = []
    breaks = False
    for block in blocks:
        if isinstance(block, model.Heading | model.PageBreak):
            level = block.level if isinstance(block, model.Heading) else 1
            while open_ and open_[-1] >= level:
                open_.pop()
                yield "</section>"
        if isinstance(block, model.PageBreak):
            breaks = True
            continue
        if isinstance(block, model.Heading):
            open_.append(block.level)
            yield '<section class="break">' if breaks else "<section>"
        elif breaks:
            yield '<div class="break"></div>'
        breaks = False
        yield _block(block)
    yield from ("</section>" for _ in open_)


def _style(document: Document) -> str:
    sheet = files("assets").joinpath("document.css").read_text(encoding="ascii")
    head = " - ".join((*document.marks, document.title))
    return sheet + (
        f"@page {{ @top-left {{ content: {_css(head)}; }}\n"
        f"  @bottom-left {{ content: {_css(document.footer)}; }} }}\n"
    )


def _css(text: str) -> str:
    """A CSS string; everything but letters, digits and spaces is a numeric escape.

    The space that ends an escape is part of it (CSS Syntax 3 §4.3.7), so each has its own.
    """
    safe = (c if c.isascii() and (c.isalnum() or c == " ") else f"\\{ord(c):06x} " for c in text)
    return '"' + "".join(safe) + '"'


def _text(text: str) -> str:
    return html.escape(printable(text))


@singledispatch
def _block(block: Block) -> str:
    """The HTML of one block."""
    raise TypeError(f"no HTML for {type(block).__name__}")


@_block.register
def _heading(block: model.Heading) -> str:
    level = block.level + 1
    return f"<h{level}>{_text(block.text)}</h{level}>"


@_block.register
def _paragraph(block: model.Paragraph) -> str:
    lead = f"<strong>{_text(block.lead)}</strong> " if block.lead else ""
    return f'<p class="{block.tone.value}">{lead}{_text(block.text)}</p>'


def _caption(caption: str) -> str:
    return f"<caption>{_text(caption)}</caption>" if caption else ""


@_block.register
def _facts(block: model.Facts) -> str:
    rows = "".join(
        f"<tr><th scope=row>{_text(label)}</th><td>{_text(value)}</td></tr>\n"
        for label, value in block.rows
    )
    return f'<table class="facts">{_caption(block.caption)}\n{rows}</table>'


def _columns(shares: Iterable[int]) -> str:
    shares = tuple(shares)
    whole = sum(shares)
    return "".join(f'<col style="width:{100 * share / whole:.2f}%">' for share in shares)


def _cells(block: model.Table, row: tuple[str, ...]) -> str:
    return "".join(
        f"<td{' class=mono' if column.mono else ''}>{_text(cell)}</td>"
        for column, cell in zip(block.columns, row, strict=True)
    )


@_block.register
def _table(block: model.Table) -> str:
    columns = _columns(column.share for column in block.columns)
    titles = "".join(f"<th scope=col>{_text(column.title)}</th>" for column in block.columns)
    rows = "".join(f"<tr>{_cells(block, row)}</tr>\n" for row in block.rows)
    tall = " tall" if block.tall else ""
    return (
        f'<table class="grid{tall}">{_caption(block.caption)}<colgroup>{columns}</colgroup>\n'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
    )


@_block.register
def _checklist(block: model.Checklist) -> str:
    items = "".join(f'<li><span class="box"></span>{_text(item)}</li>\n' for item in block.items)
    return f'<ul class="checklist">\n{items}</ul>'


@_block.register
def _steps(block: model.Steps) -> str:
    rows = "".join(
        f'<tr><td class="number">{_text(step.number)}</td><td>{_text(step.who)}</td>'
        f"<td>{_text(step.activity)}</td><td>{_text(step.expected)}</td>"
        + "<td></td>" * model.STEP_BLANKS
        + "</tr>\n"
        for step in block.rows
    )
    titles = "".join(f"<th scope=col>{title}</th>" for title in model.STEP_TITLES)
    return (
        f'<table class="grid tall steps"><colgroup>{_columns(model.STEP_SHARES)}</colgroup>\n'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
    )


@_block.register
def _print(block: model.Print) -> str:
    if block.fingerprint is None:
        rows = "".join(f"<tr><th>{letter}</th>" + "<td></td>" * 5 + "</tr>\n" for letter in LINES)
        code = ""
    else:
        rows = "".join(
            f"<tr><th>{letter}</th><td class=mono>{digits}</td>"
            + "".join(f"<td>{word}</td>" for word in spoken)
            + "</tr>\n"
            for letter, digits, spoken in block.fingerprint.lines
        )
        code = _qr(block.fingerprint)
    kind = "print" if block.fingerprint else "print blank"
    return (
        f'<figure class="{kind}"><figcaption>{_text(block.caption)}</figcaption>\n'
        f"<table>{rows}</table>{code}</figure>"
    )


def _qr(fingerprint: Fingerprint) -> str:
    text = qr_text(fingerprint)
    side = len(qr_matrix(text))
    path = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in dark_runs(text))
    return (
        f'<svg role="img" aria-label="QR code of the fingerprint" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#000" d="{path}"/></svg>'
    )


@_block.register
def _listing(block: model.Listing) -> str:
    lines = "\n".join(
        f"<span>{number:>4}</span>  {_text(line)}" for number, line in enumerate(block.lines, 1)
    )
    return f"<pre>{lines}</pre>"


@_block.register
def _write_in(block: model.WriteIn) -> str:
    lines = "<div></div>" * block.lines
    return f'<div class="write-in"><p>{_text(block.label)}</p>{lines}</div>'


@_block.register
def _signatures(block: model.Signatures) -> str:
    rows = "".join(
        f"<div class=signature><p>{_text(role)}</p><p class=line>{_text(name)}</p><p>Name</p>"
        "<p class=line></p><p>Signature</p><p class=line></p><p>Date, time (UTC)</p></div>\n"
        for role, name in block.rows
    )
    return f'<div class="signatures">\n{rows}</div>'
