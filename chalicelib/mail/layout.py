"""The one look of our mails as HTML: readable without styles or images, in the dark, by ear, and in Outlook.

What mail programs support: https://www.caniemail.com. Styles stand on the elements, because some programs drop the
head; what the head adds is the dark look. Outlook's Word engine ignores widths of blocks, hence its own table.
"""

import re
from html import escape

from chalicelib.core.frozen import frozen
from chalicelib.mail.models import Quote


@frozen
class Content:
    """A mail's parts in the order in which they are read. An empty one is left out."""

    language: str
    subject: str
    before: str
    quotes: tuple[Quote, ...]
    link: str
    button: str
    plain_link: str
    after: str
    footer: str
    unsubscribe_label: str
    unsubscribe: str


_DIM = "color:#5b6475;font-size:14px"
_PAGE = """<!doctype html>
<html lang="{language}" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no">
<title>{subject}</title>
<style>
:root{{color-scheme:light dark;supported-color-schemes:light dark}}
a{{color:#2456d6}}
@media (prefers-color-scheme:dark){{
.page{{background:#14171b!important;color:#e6e8eb!important}}
.card{{background:#1f242b!important}}
.dim{{color:#a7afb9!important}}
.quote{{border-color:#4a5563!important}}
.page a{{color:#8fb0ff!important}}
.page a.button{{color:#fff!important}}
}}
@media (max-width:480px){{body{{padding:12px!important}}.card{{padding:20px 20px 4px!important}}}}
</style>
</head>
<body class="page" style="margin:0;padding:24px;background:#f4f5f7;color:#1d2433;\
font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div class="page" role="article" aria-roledescription="email" lang="{language}" dir="ltr" \
style="background:#f4f5f7;color:#1d2433;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="display:none;max-height:0;overflow:hidden;mso-hide:all" aria-hidden="true">{preheader}{filler}</div>
<!--[if mso]><table role="presentation" width="560" align="center"><tr><td><![endif]-->
<div class="card" style="max-width:496px;margin:0 auto;padding:32px 32px 16px;background:#ffffff;border-radius:8px">
<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3;overflow-wrap:anywhere">{subject}</h1>
{parts}
</div>
{footer}<!--[if mso]></td></tr></table><![endif]-->
</div>
</body>
</html>
"""
_BUTTON = """<table role="presentation" cellspacing="0" cellpadding="0" style="margin:24px 0"><tr>
<td style="border-radius:6px;background:#2456d6"><a class="button" href="{link}" \
style="display:inline-block;padding:12px 20px;border:1px solid #2456d6;border-radius:6px;background:#2456d6;\
color:#ffffff;font-weight:600;text-decoration:none">{button}</a></td>
</tr></table>
<p class="dim" style="margin:0 0 16px;{dim}">{plain_link}<br>
<a href="{link}" style="overflow-wrap:anywhere;word-break:break-all">{link}</a></p>"""
# Invisible, and wide enough that no mail list shows what comes behind the preheader.
_FILLER = "&#847;&zwnj;&nbsp;" * 60
_PREHEADER_LENGTH = 120


def page(content: Content) -> str:
    """Return the whole HTML document; every text in it is escaped."""
    parts = [_paragraphs(content.before), *(_quote(each) for each in content.quotes)]
    if content.link:
        parts.append(
            _BUTTON.format(
                link=escape(content.link),
                button=escape(content.button),
                plain_link=escape(content.plain_link),
                dim=_DIM,
            )
        )
    parts.append(_paragraphs(content.after))
    first = content.quotes[0].text if content.quotes else content.before
    return _PAGE.format(
        language=escape(content.language),
        subject=escape(content.subject),
        preheader=escape(" ".join(first.split())[:_PREHEADER_LENGTH]),
        filler=_FILLER,
        parts="\n".join(part for part in parts if part),
        footer=_footer(content),
    )


def _paragraphs(text: str) -> str:
    return f'<p style="margin:0 0 16px">{escape(text)}</p>' if text else ""


def _quote(quote: Quote) -> str:
    said = re.sub(r"\r\n|\r|\n", "<br>\n", escape(quote.text))
    return (
        '<blockquote class="quote" style="margin:0 0 16px;padding:0 0 0 12px;border-left:3px solid #c8ced8;'
        f'overflow-wrap:anywhere"><p class="dim" style="margin:0;{_DIM}">{escape(quote.author)}</p>\n'
        f'<p style="margin:0" dir="auto">{said}</p></blockquote>'
    )


def _footer(content: Content) -> str:
    if not content.footer:
        return ""
    link = ""
    if content.unsubscribe:
        link = f'<br>\n<a href="{escape(content.unsubscribe)}">{escape(content.unsubscribe_label)}</a>'
    style = f"max-width:496px;margin:16px auto 0;padding:0 32px;{_DIM}"
    return f'<p class="dim" style="{style}">{escape(content.footer)}{link}</p>\n'
