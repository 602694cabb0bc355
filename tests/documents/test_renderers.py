import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from ceremony.core.fingerprints import Fingerprint
from ceremony.documents import model
from ceremony.documents.html import render_html
from ceremony.documents.pdf import render_pdf
from ceremony.documents.text import WIDTH, render_text
from tests.documents.paper import codes, pages, words_outside

VALUE = Fingerprint.from_hex("78e1b1452d62b075d5658ac652ad6eeccf15a81d25d63f55b9fc983463ba91d4")
HOSTILE = "</td><script src=//x>\x1b]0;t\x07{nb}\u202e]]>&amp;\"'|\ufeff"


def _every_block(text: str) -> tuple[model.Block, ...]:
    column = model.Column(title=text)
    return (
        model.Heading(text=text),
        model.Heading(text=text, level=2),
        model.Heading(text=text, level=3),
        model.Paragraph(text=text, lead=text),
        model.Paragraph(text=text, tone=model.Tone.NOTICE, lead=text),
        model.Facts(rows=((text, text), (text, "")), caption=text),
        model.Table(columns=(column, column), rows=((text, text), ("", text)), caption=text),
        model.Checklist(items=(text,)),
        model.Steps(rows=(model.Step(number="1.1", who=text, activity=text, expected=text),)),
        model.Print(caption=text, fingerprint=VALUE),
        model.Print(caption=text),
        model.Listing(lines=(text, "")),
        model.WriteIn(label=text, lines=2),
        model.Signatures(rows=((text, text), (text, ""))),
        model.PageBreak(),
    )


def _document(blocks: tuple[model.Block, ...], text: str = "Some title") -> model.Document:
    return model.Document(
        title=text, subtitle=text, footer=text, marks=("REHEARSAL",), blocks=blocks
    )


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "col"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_samples_hold_every_kind_of_block() -> None:
    assert {type(block) for block in _every_block("x")} == set(get_args(model.Block))


@pytest.mark.parametrize("render", [render_html, render_text, render_pdf])
def test_same_document_same_bytes(render: object) -> None:
    assert callable(render)
    document = _document(_every_block("text"))
    assert render(document) == render(document)
    assert render(document) != render(_document(_every_block("other")))


def test_9_foreign_text_is_harmless_in_html() -> None:
    raw = render_html(_document(_every_block(HOSTILE), HOSTILE))
    assert b"\x1b" not in raw
    assert raw.isascii()
    page = _Page()
    page.feed(raw.decode("ascii"))
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not page.attributes & {"src", "href", "onload"}
    assert "&amp;amp;" in raw.decode("ascii")


def test_9_foreign_text_cannot_leave_a_css_string() -> None:
    raw = render_html(_document((), 'a"; } body { background: url(//x) } </style><p>'))
    style = raw.decode("ascii").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    strings = re.findall(r'content: "([^"]*)"', style)
    assert all(re.fullmatch(r"[A-Za-z0-9 \\]*", string) for string in strings[-2:])
    assert style.count("{") == style.count("}")


def test_header_and_footer_of_the_printed_page_say_what_was_to_be_said() -> None:
    footer = 'Plan - "a\\b" - create-2026'
    style = render_html(_document((), footer)).decode("ascii")
    *_, written = re.findall(r'@bottom-left \{ content: "([^"]*)"', style)
    # CSS Syntax 3 §4.3.7: one white space behind the digits belongs to the escape.
    read = re.sub(r"\\([0-9a-f]{1,6}) ?", lambda found: chr(int(found[1], 16)), written)
    assert read == footer


def test_a_page_break_in_print_is_the_sections_own_so_that_no_page_stays_empty() -> None:
    long = model.Checklist(items=("x",) * 99)
    raw = render_html(_document((model.PageBreak(), model.Heading(text="Long"), long)))
    assert b'<section class="break">\n<h2>Long</h2>' in raw
    assert b'<div class="break">' not in raw
    assert b'<div class="break">' in render_html(_document((model.PageBreak(), long)))


def test_9_foreign_text_is_harmless_in_text() -> None:
    raw = render_text(_document(_every_block(HOSTILE), HOSTILE))
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in raw)


def test_9_foreign_text_is_shown_escaped_in_pdf(tmp_path: Path) -> None:
    told = "\n".join(pages(render_pdf(_document(_every_block(HOSTILE), HOSTILE)), tmp_path))
    assert "\\x1b]0;t\\x07{nb}\\u202e" in told


def test_a_page_loads_nothing_from_elsewhere() -> None:
    raw = render_html(_document(_every_block("text"))).decode("ascii")
    assert "default-src 'none'" in raw
    assert "http:" not in raw
    assert "https:" not in raw
    assert "@import" not in raw
    assert "url(" not in raw


def test_text_is_never_wider_than_a_line() -> None:
    long = "word " * 60 + "x" * 300
    assert max(map(len, render_text(_document(_every_block(long))).decode().split("\n"))) <= WIDTH


def test_each_page_names_itself_its_mark_and_its_footer(tmp_path: Path) -> None:
    found = pages(render_pdf(_document(_every_block("text " * 400), "The title")), tmp_path)
    assert len(found) > 4
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page
        assert "REHEARSAL" in page
        assert page.count("The title") >= 2


def test_nothing_is_drawn_beyond_the_page(tmp_path: Path) -> None:
    blocks = _every_block("word " * 150 + "x" * 200)[:12]
    plain = model.Document(title="t", subtitle="s", footer="f", blocks=blocks)
    assert words_outside(render_pdf(plain), tmp_path) == []


def test_a_cell_longer_than_a_page_loses_no_word(tmp_path: Path) -> None:
    words = [f"w{number:04d}" for number in range(2500)]
    table = model.Table(
        columns=(model.Column(title="a"), model.Column(title="b")), rows=(("x", " ".join(words)),)
    )
    told = "".join(pages(render_pdf(_document((table,))), tmp_path))
    assert [word for word in words if word not in told] == []


def test_the_code_of_a_fingerprint_reads_from_the_page_with_a_mark_across(tmp_path: Path) -> None:
    document = _document((model.Print(caption="x", fingerprint=VALUE),) * 5)
    assert codes(render_pdf(document), tmp_path) == [f"QR-Code:{VALUE.hex.upper()}"[8:]] * 5


def test_the_time_in_a_pdf_is_the_documents_own() -> None:
    blocks = (model.Paragraph(text="x"),)
    undated = model.Document(title="t", subtitle="s", footer="f", blocks=blocks)
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    dated = model.Document(title="t", subtitle="s", footer="f", blocks=blocks, created=at)
    assert b"D:19700101000000" in render_pdf(undated)
    assert b"D:20260102030405" in render_pdf(dated)


def test_a_narrow_column_of_a_text_table_takes_room_rather_than_break_a_word() -> None:
    columns = (
        model.Column(title="Result", share=4),
        model.Column(title="Time (UTC)", share=20),
        model.Column(title="What", share=100),
    )
    rows = (("PASS", "2026-11-23T12:44:19Z", "the clock says the time " * 6),)
    told = render_text(_document((model.Table(columns=columns, rows=rows),))).decode()
    assert "2026-11-23T12:44:19Z" in told
    assert re.search(r"^Result +Time \(UTC\) +What$", told, re.MULTILINE)
    assert max(map(len, told.splitlines())) <= WIDTH
