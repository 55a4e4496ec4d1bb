"""What the pages say that our mails link to, in English and German."""

from collections.abc import Mapping

from chalicelib.core.frozen import frozen


@frozen
class Form:
    """The words of one page; `password` and `hint` where it asks for a password."""

    title: str
    button: str
    done: str
    password: str = ""
    hint: str = ""


@frozen
class Words:
    """All pages in one language. `failures` are by code; for a code that is not there, the API's message is shown."""

    name: str
    no_script: str
    no_token: str
    unreachable: str
    forms: Mapping[str, Form]
    failures: Mapping[str, str]


ENGLISH = Words(
    name="Your name",
    no_script="This page needs JavaScript.",
    no_token="This address lacks its token. Open the link in your mail.",  # noqa: S106 - words, no token
    unreachable="The server could not be reached. Try again.",
    forms={
        "verify-email": Form(
            "Confirm your e-mail address", "Confirm", "Your address is confirmed. You can log in now."
        ),
        "confirm-email": Form(
            "Use this e-mail address", "Confirm", "Your account has this address now. Log in with it from now on."
        ),
        "reset-password": Form(
            "Choose a new password",
            "Set the password",
            "Your password is set. Log in with it.",
            password="New password",  # noqa: S106 - a label
            hint="At least 8 characters.",
        ),
        "accept-invite": Form(
            "Accept the invitation",
            "Accept",
            "You have joined. You can log in now.",
            password="Password for a new account",  # noqa: S106 - a label
            hint="At least 8 characters. Leave it empty if you have an account.",
        ),
    },
    failures={},  # the API's messages are English
)

GERMAN = Words(
    name="Ihr Name",
    no_script="Diese Seite braucht JavaScript.",
    no_token="In dieser Adresse fehlt etwas. Öffnen Sie den Link in Ihrer Mail.",  # noqa: S106 - words, no token
    unreachable="Der Server ist nicht zu erreichen. Versuchen Sie es noch einmal.",
    forms={
        "verify-email": Form(
            "E-Mail-Adresse bestätigen", "Bestätigen", "Ihre Adresse ist bestätigt. Sie können sich jetzt anmelden."
        ),
        "confirm-email": Form(
            "Diese E-Mail-Adresse verwenden",
            "Bestätigen",
            "Ihr Konto hat jetzt diese Adresse. Melden Sie sich von nun an mit ihr an.",
        ),
        "reset-password": Form(
            "Neues Passwort wählen",
            "Passwort setzen",
            "Ihr Passwort ist gesetzt. Melden Sie sich damit an.",
            password="Neues Passwort",  # noqa: S106 - a label
            hint="Mindestens 8 Zeichen.",
        ),
        "accept-invite": Form(
            "Einladung annehmen",
            "Annehmen",
            "Sie gehören jetzt dazu und können sich anmelden.",
            password="Passwort für ein neues Konto",  # noqa: S106 - a label
            hint="Mindestens 8 Zeichen. Lassen Sie es leer, wenn Sie schon ein Konto haben.",
        ),
    },
    failures={
        "invalid_token": "Dieser Link gilt nicht oder nicht mehr. Fordern Sie einen neuen an.",
        "token_used": "Dieser Link wurde schon benutzt. Melden Sie sich an, oder fordern Sie einen neuen an.",
        "address_taken": "Zu dieser Adresse gibt es inzwischen ein eigenes Konto; Ihres bleibt, wo es ist.",
        "invitation_not_found": "Diese Einladung gibt es nicht, sie wurde zurückgezogen, oder es gibt einen neueren "
        "Link.",
        "invitation_already_accepted": "Diese Einladung ist schon angenommen. Melden Sie sich an.",
        "invitation_expired": "Diese Einladung ist abgelaufen. Bitten Sie um eine neue.",
        "already_member": "Sie gehören schon dazu. Melden Sie sich an.",
        "membership_limit_reached": "Sie gehören schon zu so vielen Organisationen, wie möglich sind.",
        "plan_limit_reached": "Diese Organisation kann mit ihrem Tarif niemanden mehr aufnehmen.",
        "tenant_suspended": "Diese Organisation ist gesperrt oder wird gelöscht. Fragen Sie den Betreiber.",
        "login_is_elsewhere": "Hier meldet man sich über den Cognito-User-Pool des Betreibers an, der auch die "
        "Passwörter hat.",
        "rate_limited": "Das waren zu viele Anfragen. Warten Sie etwas, und versuchen Sie es noch einmal.",
        "wrong_region": "Dieser Link gehört zu einer anderen Region. Öffnen Sie ihn aus der Mail.",
        "contention": "Das ist gerade nicht möglich. Versuchen Sie es in einem Moment noch einmal.",
        "unavailable": "Das ist gerade nicht möglich. Versuchen Sie es in einem Moment noch einmal.",
        "internal_error": "Da ist bei uns etwas schiefgegangen. Versuchen Sie es noch einmal.",
        "required": "Wählen Sie ein Passwort: Zu dieser Adresse gibt es noch kein Konto.",
        "password_too_common": "Das ist eines der häufigsten Passwörter. Wählen Sie ein anderes.",
        "password_is_email": "Wählen Sie etwas anderes als Ihre E-Mail-Adresse.",
        "string_too_short": "Das Passwort ist zu kurz: mindestens 8 Zeichen.",
        "string_too_long": "Das ist zu lang.",
    },
)
