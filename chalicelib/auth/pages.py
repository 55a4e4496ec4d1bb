"""The pages that our mails link to: a form each, that posts the link's token to the API and says what happened."""

import base64
import hashlib
import json
from functools import lru_cache
from html import escape

from chalicelib.auth.page_words import ENGLISH, GERMAN, Words
from chalicelib.core.frozen import frozen

_STYLE = """
body{margin:0;background:#f4f5f7;color:#1d2433;font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:10vh auto;padding:2rem;background:#fff;border-radius:.5rem}
h1{margin-top:0;font-size:1.3rem}
label{display:block;margin:1rem 0 .25rem}
input{width:100%;box-sizing:border-box;padding:.5rem;font:inherit;border:1px solid #767e8c;border-radius:.25rem}
button{margin-top:1.5rem;padding:.6rem 1.2rem;font:inherit;border:0;border-radius:.25rem;background:#2456d6;color:#fff}
button:disabled{background:#767e8c}
.hint{color:#5b6475;font-size:.9rem}
[role=alert]{color:#a61b1b}
"""

# The token leaves the address bar, and with it the history and any copied address, as soon as the page has read it.
_SCRIPT = """
const form = document.querySelector("form"), button = form.querySelector("button");
const words = JSON.parse(form.dataset.words);
const done = document.getElementById("done"), failed = document.getElementById("failed");
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", location.pathname);
if (!token) { form.hidden = true; failed.textContent = words.no_token; }
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  failed.textContent = "";
  const body = { token };
  for (const [name, value] of new FormData(form)) if (value) body[name] = value;
  try {
    const answer = await fetch(form.dataset.api, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (answer.ok) {
      form.hidden = true;
      done.textContent = form.dataset.done;
      return;
    }
    const { code, errors, message } = (await answer.json()).error;
    failed.textContent = words[errors[0]?.code] || words[code] || message;
  } catch {
    failed.textContent = words.unreachable;
  }
  button.disabled = false;
});
"""

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} – Parley</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<noscript><p>{no_script}</p></noscript>
<form method="post" data-api="/v1/auth/{name}" data-done="{done}" data-words="{words}">
{fields}
<button type="submit">{button}</button>
</form>
<p id="done" role="status"></p>
<p id="failed" role="alert"></p>
</main>
<script>{script}</script>
</body>
</html>
"""

_NAME = '<label for="name">{label}</label>\n<input id="name" name="name" maxlength="200" autocomplete="name">\n'
_CHOICE = (
    '<label for="password">{label}</label>\n<input id="password" name="password" type="password" minlength="8" '
    'maxlength="128" autocomplete="new-password" aria-describedby="hint"{required}>\n'
    '<p class="hint" id="hint">{hint}</p>'
)


@frozen
class _Fields:
    """What a form asks for besides the token."""

    name: bool = False
    password: bool = False
    required: bool = False


_FORMS = {
    "verify-email": _Fields(),
    "confirm-email": _Fields(),
    "reset-password": _Fields(password=True, required=True),
    "accept-invite": _Fields(name=True, password=True),
}
_LANGUAGES = {"en": ENGLISH, "de": GERMAN}


@lru_cache(maxsize=len(_FORMS) * len(_LANGUAGES))
def page(name: str, language: str) -> str:
    """Return the page's HTML. It asks no other host for anything."""
    words = _LANGUAGES[language]
    form = words.forms[name]
    said = {"no_token": words.no_token, "unreachable": words.unreachable, **words.failures}
    return _PAGE.format(
        name=name,
        language=language,
        style=_STYLE,
        script=_SCRIPT,
        fields=_fields(_FORMS[name], words, form.password, form.hint),
        title=escape(form.title),
        button=escape(form.button),
        done=escape(form.done),
        no_script=escape(words.no_script),
        words=escape(json.dumps(said)),
    )


def _fields(asked: _Fields, words: Words, label: str, hint: str) -> str:
    name = _NAME.format(label=escape(words.name)) if asked.name else ""
    if not asked.password:
        return name
    required = " required" if asked.required else ""
    return name + _CHOICE.format(label=escape(label), hint=escape(hint), required=required)


@lru_cache(maxsize=1)
def security_headers() -> dict[str, str]:
    """Return the headers that keep the token on the page and everybody else's script off it."""
    policy = (
        f"default-src 'none'; script-src '{_digest(_SCRIPT)}'; style-src '{_digest(_STYLE)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
