"""Which language a reader gets."""

LANGUAGES = ("en", "de")


def language_for(*wishes: str | None) -> str:
    """Return the first of our languages that somebody wishes for, else English.

    A wish is a tag such as `de-AT` (BCP 47) or a whole `Accept-Language` header (RFC 9110 §12.5.4).
    """
    for wish in wishes:
        for tag in _by_weight(wish or ""):
            primary = tag.lower().replace("_", "-").partition("-")[0]
            if primary in LANGUAGES:
                return primary
    return LANGUAGES[0]


def _by_weight(header: str) -> list[str]:
    weighed = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), tag))
        except ValueError:
            continue
    weighed.sort(key=lambda pair: pair[0], reverse=True)  # stable: what comes first wins a tie
    return [tag for weight, tag in weighed if weight > 0]
