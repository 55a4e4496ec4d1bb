"""What our mails say in German."""

from chalicelib.mail.models import Template, Words

GERMAN = Words(
    plain_link="Falls die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:",
    unsubscribe="Abbestellen",
    visitor="Besucher",
    templates={
        "verify_email": Template(
            "Bestätigen Sie Ihre E-Mail-Adresse",
            "Jemand, hoffentlich Sie selbst, hat sich mit dieser Adresse bei Parley angemeldet. "
            "Bestätigen Sie sie, um die Anmeldung abzuschließen:",
            "Adresse bestätigen",
            "Der Link funktioniert einmal und 24 Stunden lang. Wenn Sie das nicht waren, tun Sie nichts: "
            "Es wird kein Konto angelegt.",
        ),
        "already_registered": Template(
            "Sie haben bereits ein Konto",
            "Jemand, hoffentlich Sie selbst, wollte sich mit dieser Adresse bei Parley anmelden. Zu ihr gibt es schon "
            "ein Konto. Melden Sie sich damit an; ein vergessenes Passwort können Sie dort neu setzen.",
            after="Wenn Sie das nicht waren, tun Sie nichts: Es hat sich nichts geändert.",
        ),
        "reset_password": Template(
            "Wählen Sie ein neues Passwort",
            "Jemand, hoffentlich Sie selbst, hat ein neues Passwort für Ihr Parley-Konto verlangt. "
            "Hier können Sie es wählen:",
            "Neues Passwort wählen",
            "Der Link funktioniert einmal und eine Stunde lang; danach müssen Sie sich überall neu anmelden. "
            "Wenn Sie das nicht waren, tun Sie nichts: Ihr Passwort bleibt, wie es ist.",
        ),
        "password_changed": Template(
            "Ihr Passwort wurde geändert",
            "Das Passwort Ihres Parley-Kontos wurde gerade geändert; alle anderen Sitzungen sind beendet.",
            after="Wenn Sie das nicht waren, verlangen Sie auf der Anmeldeseite sofort ein neues Passwort, "
            "und sagen Sie es Ihrem Administrator.",
        ),
        "totp_enabled": Template(
            "Ihr Konto hat jetzt einen zweiten Faktor",
            "Von nun an braucht die Anmeldung an Ihrem Parley-Konto einen Code Ihrer Authenticator-App. "
            "Bewahren Sie die Wiederherstellungscodes dort auf, wo Sie sie auch ohne die App finden.",
            after="Wenn Sie das nicht waren, ändern Sie sofort Ihr Passwort und sagen Sie es Ihrem Administrator.",
        ),
        "totp_disabled": Template(
            "Ihr Konto hat keinen zweiten Faktor mehr",
            "Die Anmeldung an Ihrem Parley-Konto braucht wieder nur das Passwort.",
            after="Wenn Sie das nicht waren, ändern Sie sofort Ihr Passwort und sagen Sie es Ihrem Administrator.",
        ),
        "recovery_code_used": Template(
            "Ein Wiederherstellungscode wurde benutzt",
            "Jemand, hoffentlich Sie selbst, hat sich mit einem Wiederherstellungscode an Ihrem Parley-Konto "
            "angemeldet. Er ist damit verbraucht; neue bekommen Sie in den Einstellungen Ihres Kontos.",
            after="Wenn Sie das nicht waren, ändern Sie sofort Ihr Passwort und sagen Sie es Ihrem Administrator.",
        ),
        "confirm_email": Template(
            "Bestätigen Sie Ihre neue E-Mail-Adresse",
            "Jemand, hoffentlich Sie selbst, möchte ein Parley-Konto auf diese Adresse umstellen. "
            "Bestätigen Sie sie, um das abzuschließen:",
            "Diese Adresse verwenden",
            "Der Link funktioniert einmal und eine Stunde lang. Wenn Sie das nicht waren, tun Sie nichts: "
            "Kein Konto wird umgestellt.",
        ),
        "address_in_use": Template(
            "Zu dieser Adresse gibt es schon ein Konto",
            "Jemand, hoffentlich Sie selbst, wollte ein anderes Parley-Konto auf diese Adresse umstellen. "
            "Zu ihr gibt es schon ein Konto.",
            after="Es hat sich nichts geändert. Damit das andere Konto diese Adresse haben kann, stellen Sie zuerst "
            "dieses hier auf eine andere um.",
        ),
        "email_change_requested": Template(
            "Jemand möchte Ihre E-Mail-Adresse ändern",
            "Jemand, hoffentlich Sie selbst, möchte Ihr Parley-Konto auf eine andere Adresse umstellen. Das geschieht, "
            "sobald der Link in einer Mail an jene Adresse geöffnet wird, spätestens nach einer Stunde nicht mehr.",
            after="Wenn Sie das nicht waren, kennt jemand Ihr Passwort: Ändern Sie es jetzt. Das macht den Link "
            "ungültig und beendet alle anderen Sitzungen.",
        ),
        "invitation": Template(
            "Einladung zu {tenant} auf Parley",
            "Sie sind eingeladen, auf Parley bei „{tenant}“ mitzuarbeiten (Rolle: {role}). Hier nehmen Sie an:",
            "Einladung annehmen",
            "Der Link funktioniert einmal und sieben Tage lang. Wenn Sie nicht wissen, wer Sie eingeladen hat, "
            "tun Sie nichts.",
        ),
        "webhook_failing": Template(
            "{tenant}: Webhooks an {host} kommen nicht an",
            "Seit {since} ist nichts angekommen, was Parley an den Webhook-Endpunkt {webhook} von „{tenant}“ bei "
            "{host} geschickt hat. GET /v1/webhooks/{webhook}/deliveries zeigt, was zurückkam.",
            after="Nach fünf Tagen ohne Erfolg wird der Endpunkt abgeschaltet. Was nicht angekommen ist, kann 30 Tage "
            "lang noch einmal geschickt werden.",
        ),
        "webhook_disabled": Template(
            "{tenant}: Der Webhook-Endpunkt bei {host} ist abgeschaltet",
            "Parley schickt nichts mehr an den Webhook-Endpunkt {webhook} von „{tenant}“ bei {host}: Er hat gemeldet, "
            "dass es ihn nicht mehr gibt (410), oder fünf Tage lang ist dort nichts angekommen.",
            after="Wenn er wieder funktioniert, schalten Sie ihn mit PATCH /v1/webhooks/{webhook} ein und lassen Sie "
            "noch einmal schicken, was ihm fehlt.",
        ),
        "trial_ending": Template(
            "{tenant}: Ihre Testzeit endet am {date}",
            "Die Testzeit von „{tenant}“ auf Parley endet am {date}. Ohne Abonnement geht es mit dem kostenlosen Tarif "
            "weiter: Nichts wird gelöscht, aber es kommt nicht mehr hinzu, als dieser Tarif erlaubt.",
            after="Ein Inhaber kann unter „Abrechnung“ einen Tarif wählen. Gibt es schon ein Abonnement, so wird es "
            "ab diesem Tag berechnet.",
        ),
        "payment_failed": Template(
            "{tenant}: Eine Zahlung ist fehlgeschlagen",
            "Die Zahlung für den Tarif {plan} von „{tenant}“ ließ sich nicht einziehen. In den nächsten Tagen wird es "
            "wieder versucht; bis dahin läuft alles weiter wie bisher.",
            after="Ein Inhaber kann die Zahlungsart im Abrechnungsportal ändern.",
        ),
        "subscription_unpaid": Template(
            "{tenant}: Das Abonnement ist nicht bezahlt",
            "Alle Versuche, die Zahlung für „{tenant}“ einzuziehen, sind fehlgeschlagen; nun gelten die Grenzen des "
            "kostenlosen Tarifs. Nichts wird gelöscht, und Ihre Besucher können weiter schreiben.",
            after="Ein Inhaber kann die offene Rechnung im Abrechnungsportal bezahlen; der Tarif gilt dann von selbst "
            "wieder.",
        ),
        "subscription_canceled": Template(
            "{tenant}: Das Abonnement ist beendet",
            "Das Abonnement von „{tenant}“ ist beendet; nun gelten die Grenzen des kostenlosen Tarifs. Nichts wird "
            "gelöscht, und Ihre Besucher können weiter schreiben.",
            after="Ein Inhaber kann unter „Abrechnung“ jederzeit wieder abonnieren.",
        ),
        "duplicate_canceled": Template(
            "{tenant}: Ein zweites Abonnement wurde beendet",
            "„{tenant}“ wurde zweimal abonniert, vielleicht in zwei Fenstern. Das zweite Abonnement ist beendet, und "
            "was dafür bezahlt wurde, geht auf die Karte zurück. Das erste läuft weiter, mit dem Tarif {plan}.",
            after="War der Tarif des zweiten gewollt? Ein Inhaber kann den Tarif unter „Abrechnung“ wechseln.",
        ),
        "limit_near": Template(
            "{tenant}: {used} von {allowed} Unterhaltungen sind verbraucht",
            "„{tenant}“ hat {used} der {allowed} Unterhaltungen begonnen, die der Tarif {plan} diesen Monat erlaubt.",
            after="Ihre Besucher kommen immer durch. Für mehr eigene kann ein Inhaber einen größeren Tarif wählen.",
        ),
        "limit_reached": Template(
            "{tenant}: Die Unterhaltungen dieses Monats sind verbraucht",
            "„{tenant}“ hat alle {allowed} Unterhaltungen begonnen, die der Tarif {plan} in diesem Monat erlaubt. Ihre "
            "Besucher können weiter schreiben, und Sie können alles lesen; um neue Unterhaltungen zu beantworten, "
            "wählen Sie einen größeren Tarif.",
            after="Das kann ein Inhaber unter „Abrechnung“. Sonst geht es weiter, wenn der Monat vorbei ist.",
        ),
        "assigned": Template(
            "{tenant}: Gespräch {number} gehört Ihnen",
            "Das Gespräch {number} von „{tenant}“ wurde Ihnen zugewiesen.",
            "Gespräch öffnen",
            footer="Sie bekommen diese Mail, weil Sie erfahren wollen, wenn Ihnen ein Gespräch zugewiesen wird.",
        ),
        "new_conversation": Template(
            "{tenant}: neues Gespräch {number}",
            "Ein Besucher hat das Gespräch {number} bei „{tenant}“ begonnen. Noch ist niemand dafür zuständig.",
            "Gespräch öffnen",
            footer="Sie bekommen diese Mail, weil Sie von jedem neuen Gespräch erfahren wollen.",
        ),
        "visitor_message": Template(
            "{tenant}: neue Nachricht im Gespräch {number}",
            "In Ihrem Gespräch {number} von „{tenant}“ hat der Besucher geschrieben, und noch niemand hat es gelesen.",
            "Gespräch öffnen",
            footer="Sie bekommen diese Mail, weil Sie von Nachrichten in Ihrer Abwesenheit erfahren wollen. "
            "Zu einem Gespräch kommt in jeder Viertelstunde höchstens eine.",
        ),
        "offline_messages": Template(
            "{tenant} hat Ihnen geantwortet",
            "Während Sie weg waren, hat „{tenant}“ in Ihrem Chat geantwortet:",
            "Chat fortsetzen",
            "Der Link öffnet sieben Tage lang Ihren eigenen Chat: Geben Sie ihn nicht weiter.",
            "Sie bekommen diese Mail, weil diese Adresse in einem Chat auf der Website von „{tenant}“ angegeben wurde. "
            "Wenn Sie das nicht waren, tun Sie nichts oder bestellen Sie ab: Dann kommen von „{tenant}“ keine "
            "Antworten mehr per Mail.",
        ),
        "transcript": Template(
            "Ihr Gespräch mit {tenant}",
            "Das ist das Gespräch {number} mit „{tenant}“:",
            after="Bei vielen Nachrichten sind das die neuesten.",
            footer="Sie bekommen diese Mail, weil sie mit dieser Adresse bestellt wurde. Wenn Sie abbestellen, kommen "
            "von „{tenant}“ keine Antworten und Mitschriften mehr per Mail.",
        ),
        "transcript_of_replies": Template(
            "Was {tenant} Ihnen geantwortet hat",
            "Das hat „{tenant}“ im Gespräch {number} gesagt. Was Sie selbst gesagt haben, steht nicht darin.",
            after="Bei vielen Nachrichten sind das die neuesten.",
            footer="Sie bekommen diese Mail, weil sie in einem Chat auf der Website von „{tenant}“ mit dieser Adresse "
            "bestellt wurde. Wenn Sie das nicht waren, tun Sie nichts oder bestellen Sie ab: Dann kommen von "
            "„{tenant}“ keine Antworten mehr per Mail.",
        ),
    },
)
