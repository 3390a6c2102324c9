"""Pages that need no other file and no network: pictures, videos and plots are inside."""

import base64
import html
from collections.abc import Mapping, Sequence

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; color: #222; padding: 0 1em }
table { border-collapse: collapse; font-size: 13px; margin: 0.5em 0 } td, th { padding: 3px 9px; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f3f3f3 }
figure { margin: 1em 0; overflow-x: auto } figcaption, .made { color: #666; font-size: 12px }
figure img, video { max-width: 100% } .frames { display: flex; flex-wrap: wrap; gap: 8px } .frames figure { margin: 0 }
.frames img { width: 150px; image-rendering: pixelated } select, input { font: inherit } code, pre { font-size: 12px }
pre { overflow-x: auto; background: #f6f6f6; padding: 0.6em } .plots { display: flex; flex-wrap: wrap; gap: 12px }
.plots figure { margin: 0 } .strips img { width: 380px } summary { cursor: pointer }
"""


def page(title: str, body: Sequence[str], scripts: str = "") -> str:
    """A whole page; `body` and `scripts` are HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{''.join(body)}{scripts}</body></html>\n"
    )


def facts_table(facts: Mapping[str, str]) -> str:
    """Names and values, a row each."""
    rows = (f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in facts.items())
    return f"<table>{''.join(rows)}</table>"


def picture(content: bytes, caption: str, kind: str = "image/png") -> str:
    """A figure of an encoded picture."""
    text = html.escape(caption)
    return f'<figure><img src="{data_url(content, kind)}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def data_url(content: bytes, kind: str) -> str:
    """A file's content as an address, `kind` being its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
