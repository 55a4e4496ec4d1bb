"""Mails rendered: one look, as text and as HTML, in each language."""

from collections.abc import Mapping

from chalicelib.core.frozen import frozen
from chalicelib.mail import layout
from chalicelib.mail.layout import Content
from chalicelib.mail.models import Mail, Quote, Template, Words
from chalicelib.mail.words_de import GERMAN
from chalicelib.mail.words_en import ENGLISH

WORDS: Mapping[str, Words] = {"en": ENGLISH, "de": GERMAN}


@frozen
class Rendered:
    """A mail ready to send."""

    subject: str
    text: str
    html: str


def render(mail: Mail) -> Rendered:
    """Render a mail; raises KeyError for an unknown template or a missing parameter."""
    language = mail.language if mail.template in _templates(mail.language) else "en"
    words, template = WORDS[language], WORDS[language].templates[mail.template]
    content = Content(
        language=language,
        subject=one_line(template.subject.format_map(mail.params)),
        before=template.before.format_map(mail.params),
        quotes=tuple(Quote(each.author or words.visitor, each.text) for each in mail.quotes),
        link=mail.params["link"] if template.button else "",
        button=template.button,
        plain_link=words.plain_link,
        after=template.after.format_map(mail.params),
        footer=template.footer.format_map(mail.params),
        unsubscribe_label=words.unsubscribe,
        unsubscribe=mail.unsubscribe,
    )
    return Rendered(content.subject, _text(content), layout.page(content))


def one_line(text: str) -> str:
    """Return `text` without anything that could end a header: a tenant's name may stand in a subject."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _templates(language: str) -> Mapping[str, Template]:
    return WORDS[language].templates if language in WORDS else {}


def _text(content: Content) -> str:
    """Return the plain text. Links stand alone on their lines; what is quoted is marked, so it cannot pose as one."""
    parts = [content.before, *(_quoted(each) for each in content.quotes), content.link, content.after]
    if content.footer:
        parts += ["-- \n" + content.footer]
        if content.unsubscribe:
            parts += [f"{content.unsubscribe_label}:\n{content.unsubscribe}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _quoted(quote: Quote) -> str:
    return "\n".join([f"{quote.author}:", *(f"> {line}".rstrip() for line in quote.text.splitlines())])
