"""The pages that our mails link to: a form each, that posts the link's token to the API and says what happened."""

import base64
import hashlib
import html
from functools import lru_cache

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
const done = document.getElementById("done"), failed = document.getElementById("failed");
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", location.pathname);
if (!token) { form.hidden = true; failed.textContent = "This address lacks its token. Open the link in your mail."; }
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
    failed.textContent = (await answer.json()).error.message;
  } catch {
    failed.textContent = "The server could not be reached. Try again.";
  }
  button.disabled = false;
});
"""

_PAGE = """<!doctype html>
<html lang="en">
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
<noscript><p>This page needs JavaScript.</p></noscript>
<form method="post" data-api="{api}" data-done="{done}">
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

_CHOICE = (
    '<label for="password">{label}</label>\n<input id="password" name="password" type="password" minlength="8" '
    'maxlength="128" autocomplete="new-password" aria-describedby="hint"{required}>\n'
    '<p class="hint" id="hint">{hint}</p>'
)
_NAME = '<label for="name">Your name</label>\n<input id="name" name="name" maxlength="200" autocomplete="name">'


@frozen
class _Form:
    title: str
    api: str
    button: str
    done: str
    fields: str = ""


_FORMS = {
    "verify-email": _Form(
        "Confirm your e-mail address",
        "/v1/auth/verify-email",
        "Confirm",
        "Your address is confirmed. You can log in now.",
    ),
    "confirm-email": _Form(
        "Use this e-mail address",
        "/v1/auth/confirm-email",
        "Confirm",
        "Your account has this address now. Log in with it from now on.",
    ),
    "reset-password": _Form(
        "Choose a new password",
        "/v1/auth/reset-password",
        "Set the password",
        "Your password is set. Log in with it.",
        _CHOICE.format(label="New password", hint="At least 8 characters.", required=" required"),
    ),
    "accept-invite": _Form(
        "Accept the invitation",
        "/v1/auth/accept-invite",
        "Accept",
        "You have joined. You can log in now.",
        _NAME
        + "\n"
        + _CHOICE.format(
            label="Password for a new account",
            hint="At least 8 characters. Leave it empty if you have an account.",
            required="",
        ),
    ),
}


@lru_cache(maxsize=len(_FORMS))
def page(name: str) -> str:
    """Return the page's HTML. It asks no other host for anything."""
    form = _FORMS[name]
    texts = {key: html.escape(getattr(form, key)) for key in ("title", "api", "button", "done")}
    return _PAGE.format(style=_STYLE, script=_SCRIPT, fields=form.fields, **texts)


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
