"""The mail catcher's page: plain HTML, no script; a mail's own HTML stays in a frame that can only open links."""

import re
from collections.abc import Mapping, Sequence
from html import escape

_LINK = re.compile(r"https?://[^\s<>\"']+")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Mail – Parley on this machine</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --dim: #5f666e; --card: #fff; --page: #f5f6f8; --ink: #1b1f24 }}
@media (prefers-color-scheme: dark) {{ :root {{ --card: #1d2127; --page: #14171b; --ink: #e6e8eb; --dim: #9aa1a9 }} }}
body {{ margin: 0 auto; max-width: 46rem; padding: 2rem 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.3rem; margin: 0 }}
form {{ margin: 1rem 0 1.5rem; display: flex; gap: .5rem }}
input {{ flex: 1; font: inherit; padding: .4rem .6rem; border: 1px solid var(--dim); border-radius: .4rem }}
button {{ font: inherit; padding: .4rem .9rem; border: 1px solid var(--dim); border-radius: .4rem }}
article {{ background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.2rem;
  margin-bottom: 1rem }}
h2 {{ font-size: 1.05rem; margin: 0 0 .2rem; overflow-wrap: anywhere }}
.about {{ color: var(--dim); font-size: .85rem; margin: 0 0 .8rem; overflow-wrap: anywhere }}
pre {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }}
iframe {{ width: 100%; min-height: 24rem; border: 1px solid var(--line); border-radius: .4rem; background: #fff }}
summary {{ cursor: pointer; color: var(--dim); font-size: .85rem; margin-top: .8rem }}
.none {{ color: var(--dim) }}
</style>
</head>
<body>
<main>
<h1>Mail</h1>
<p class="about">Everything Parley sent from this machine, newest first. None of it left the machine.</p>
<form><input name="to" type="search" placeholder="Only mails to this address" aria-label="Only mails to this address"
 value="{to}"><button>Show</button></form>
{mails}
</main>
</body>
</html>
"""
# A mail's links open in a tab of their own: our policy, and that of the pages they lead to, keep them out of the frame.
_TAB = '<!doctype html><base target="_blank">'


def render(mails: Sequence[Mapping[str, str]], to: str) -> str:
    """The page with these mails; `to` is the address it was asked for."""
    shown = "\n".join(_article(mail) for mail in mails)
    if not shown:
        shown = f'<p class="none">No mail{" to " + escape(to) if to else " yet"}. Reload to look again.</p>'
    return _PAGE.format(to=escape(to), mails=shown)


def _article(mail: Mapping[str, str]) -> str:
    html = ""
    if mail["html"]:
        frame = (
            '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="The mail as HTML" '
            f'srcdoc="{escape(_TAB + mail["html"])}"></iframe>'
        )
        html = f"<details{'' if mail['text'] else ' open'}><summary>As HTML</summary>{frame}</details>"
    moment = mail["received_at"][:19].replace("T", " ")
    return (
        f"<article><h2>{escape(mail['subject']) or '(no subject)'}</h2>"
        f'<p class="about">to {escape(mail["to"])} · from {escape(mail["from"])} · '
        f'<time datetime="{escape(mail["received_at"])}">{escape(moment)} UTC</time>'
        f"</p><pre>{_with_links(mail['text'])}</pre>{html}</article>"
    )


def _with_links(text: str) -> str:
    parts, end = [], 0
    for found in _LINK.finditer(text):
        url = found[0].rstrip(".,;:!?)")
        parts.append(escape(text[end : found.start()]))
        parts.append(f'<a href="{escape(url)}" rel="noreferrer">{escape(url)}</a>')
        end = found.start() + len(url)
    return "".join(parts) + escape(text[end:])
