"""The pages behind the links of these mails, in the language of the browser; they work without JavaScript."""

import base64
import hashlib
from html import escape

from chalicelib.core.frozen import frozen

_STYLE = """
:root{color-scheme:light dark}
body{margin:0;background:#f4f5f7;color:#1d2433;font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:10vh auto;padding:2rem;background:#fff;border-radius:.5rem}
h1{margin-top:0;font-size:1.3rem}
button{padding:.6rem 1.2rem;font:inherit;border:0;border-radius:.25rem;background:#2456d6;color:#fff}
@media (prefers-color-scheme:dark){body{background:#14171b;color:#e6e8eb}main{background:#1f242b}}
"""
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{form}
</main>
</body>
</html>
"""


@frozen
class _Words:
    title: str
    text: str
    button: str = ""  # posts to the page's own address


_WORDS = {
    "en": {
        "ask": _Words("Unsubscribe", "Do you want no more mails of this kind?", "Unsubscribe"),
        "done": _Words("Unsubscribed", "You get no more mails of this kind."),
        "wrong": _Words("This link is not whole", "Open the whole address of the link in your mail."),
        "over": _Words("This link is over", "Open the site again and go on there: the chat is where it was."),
    },
    "de": {
        "ask": _Words("Abbestellen", "Möchten Sie keine Mails dieser Art mehr?", "Abbestellen"),
        "done": _Words("Abbestellt", "Sie bekommen keine Mails dieser Art mehr."),
        "wrong": _Words("Dieser Link ist unvollständig", "Öffnen Sie die ganze Adresse des Links in Ihrer Mail."),
        "over": _Words(
            "Dieser Link ist abgelaufen", "Öffnen Sie die Website und machen Sie dort weiter: Der Chat ist noch da."
        ),
    },
}


def page(name: str, language: str) -> str:
    """Return a page's HTML. It asks no other host for anything."""
    words = _WORDS[language][name]
    form = f'<form method="post"><button>{escape(words.button)}</button></form>' if words.button else ""
    return _PAGE.format(language=language, title=escape(words.title), text=escape(words.text), style=_STYLE, form=form)


def security_headers() -> dict[str, str]:
    """Return the headers that keep the token in the page's address where it is, and all script off the page."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
