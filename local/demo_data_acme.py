"""Acme sells tents and backpacks; its customers write in English and German."""

from local.demo_data import (
    DAY,
    FIREFOX,
    HOUR,
    MAC,
    PHONE,
    Colleague,
    DemoTag,
    DemoTeam,
    DemoTenant,
    Guest,
    Story,
    admin,
    agent,
    note,
    owner,
    visitor,
)

_SHOP = "https://www.acme.example"

_STORIES = (
    Story(
        9 * DAY + 130,
        Guest(
            f"{_SHOP}/tents/ridge-2",
            "203.0.113.14",
            "Hannah Doyle",
            "hannah.doyle@mail.example",
            context={"customer": True, "orders": 3},
        ),
        (
            visitor(0, "Hi, is the Ridge 2 freestanding? I camp on rock a lot."),
            agent(
                4, "Hello Hannah! Yes, the inner tent stands without a single peg. The fly needs two for the vestibule."
            ),
            visitor(2, "Great. And the weight without the footprint?"),
            agent(1, "1.82 kg, poles and pegs included."),
            visitor(3, "Sold, thank you!"),
        ),
        status="closed",
        assignee="agent",
        tags=("presales",),
        subject="Ridge 2: freestanding?",
        rating=(5, "Quick and to the point."),
    ),
    Story(
        8 * DAY + 410,
        Guest(
            f"{_SHOP}/de/versand",
            "198.51.100.23",
            "Jonas Brandt",
            "j.brandt@post.example",
            "de-DE",
            FIREFOX,
            context={"customer": True, "order": "A-48113"},
        ),
        (
            visitor(
                0,
                "Guten Tag, meine Bestellung A-48113 sollte gestern kommen. Die Sendung steht seit drei Tagen.",
            ),
            agent(
                11,
                "Guten Tag Herr Brandt, das sehe ich auch. Ich frage beim Paketdienst nach und melde mich heute noch.",
            ),
            note("agent", 3, "Depot says the parcel was sorted wrongly. New parcel label, arrives tomorrow."),
            agent(
                95, "Das Paket war falsch einsortiert und ist jetzt unterwegs. Es kommt morgen zwischen 10 und 13 Uhr."
            ),
            visitor(20, "Danke fürs Kümmern."),
        ),
        status="closed",
        assignee="agent",
        tags=("shipping", "deutsch"),
        priority="medium",
        subject="A-48113 hängt im Versand",
        rating=(4, None),
    ),
    Story(
        7 * DAY + 55,
        Guest(
            f"{_SHOP}/account/returns",
            "203.0.113.77",
            "Marco Bellini",
            "marco@bellini.example",
            agent=MAC,
            context={"customer": True, "order": "A-47990"},
        ),
        (
            visitor(0, "I returned a backpack two weeks ago and have not seen the money yet."),
            admin(
                25, "Sorry to hear that, Marco. Your return reached us on Monday; I have released the refund just now."
            ),
            visitor(6, "How long until it is on my card?"),
            admin(2, "Two to four working days, depending on your bank."),
            visitor(4 * DAY, "It has arrived. Thanks."),
        ),
        status="closed",
        assignee="admin",
        tags=("refund",),
        subject="Refund for A-47990",
        rating=(3, "Fine in the end, but I had to ask."),
    ),
    Story(
        6 * DAY + 300,
        Guest(f"{_SHOP}/size-guide", "198.51.100.61", agent=PHONE, referrer="https://search.example/"),
        (
            visitor(0, "which back length do i need at 1.71 m"),
            agent(
                2,
                "Best measured: from the bone at your neck down to the top of your hips. To 47 cm S, to 52 cm M.",
            ),
        ),
        status="closed",
        assignee="agent",
        tags=("presales", "sizes"),
    ),
    Story(
        5 * DAY + 720,
        Guest(
            f"{_SHOP}/business",
            "203.0.113.120",
            "Priya Nair",
            "priya.nair@northwind-scouts.example",
            context={"company": "Northwind Scouts", "wanted": 24},
        ),
        (
            visitor(0, "We are a scout group and need 24 three-person tents by May. Is there a group price?"),
            owner(33, "Hello Priya, there is: 15 % from 20 tents on. May is no problem. Shall I send you an offer?"),
            visitor(14, "Yes please, to this address. We need it on paper for the city."),
            note("owner", 2, "Offer 2026-117 sent. Reserve 24 Meadow 3 until the end of the month."),
            owner(40, "The offer is in your mailbox, valid for four weeks."),
        ),
        status="pending",
        assignee="owner",
        tags=("b2b", "offer"),
        priority="high",
        subject="24 tents for Northwind Scouts",
    ),
    Story(
        4 * DAY + 200,
        Guest(
            f"{_SHOP}/de/pflege",
            "198.51.100.90",
            "Sabine Köhler",
            "sabine.koehler@post.example",
            "de-DE",
            context={"customer": True},
        ),
        (
            visitor(0, "Wie wasche ich die Daunenjacke, ohne dass sie klumpt?"),
            agent(
                8,
                "Mit flüssigem Daunenwaschmittel bei 30 Grad, dann mit zwei Tennisbällen in den Trockner.",
            ),
            visitor(5, "Tennisbälle? Im Ernst?"),
            agent(1, "Im Ernst. Sie klopfen die Daunen wieder locker. Zwei Durchgänge, dann ist sie wie neu."),
            visitor(DAY, "Hat funktioniert! Vielen Dank 😊"),
        ),
        status="closed",
        assignee="agent",
        tags=("care", "deutsch"),
        rating=(5, "Das mit den Tennisbällen stimmt wirklich."),
    ),
    Story(
        3 * DAY + 640,
        Guest(f"{_SHOP}/checkout", "203.0.113.201", "Tom Sørensen", "tom@fjell.example", agent=PHONE),
        (
            visitor(0, "Your checkout says “payment could not be started”. Tried two cards."),
            agent(6, "Thanks for telling us, Tom. Which browser is that? I am passing it on."),
            note("agent", 1, "Third report today, all on phones. @admin can you have a look?"),
            visitor(3, "Safari on an iPhone."),
            note("admin", 30, "Content blocker on the payment frame. Fix goes out on Thursday."),
        ),
        status="snoozed",
        wakes_in=20 * HOUR,
        assignee="admin",
        tags=("bug", "checkout"),
        priority="urgent",
        subject="Checkout fails on iPhone",
    ),
    Story(
        2 * DAY + 480,
        Guest(
            f"{_SHOP}/tents/meadow-3",
            "198.51.100.14",
            "Claire Fontaine",
            "claire.fontaine@mail.example",
            "fr-FR",
            context={"cart": {"items": 2, "total": "612.00 EUR"}},
        ),
        (
            visitor(0, "Hello, can you ship a tent to Switzerland, and who pays the customs?"),
            admin(
                18,
                "We can. The price in your cart includes customs and VAT for Switzerland, nothing is due at the door.",
            ),
            visitor(7, "Perfect. And if I have to send it back?"),
            admin(3, "The label in the box works from Switzerland too, within 30 days."),
        ),
        assignee="admin",
        tags=("presales", "shipping"),
    ),
    Story(
        DAY + 900,
        Guest(f"{_SHOP}/stoves/ember", "203.0.113.33", "Lukas Weiß", "lukas.weiss@post.example", "de-AT", FIREFOX),
        (
            visitor(0, "Der Kocher Ember zündet nicht mehr. Kaufdatum letzten März."),
            agent(15, "Das ist ein Garantiefall. Schicken Sie mir bitte ein Foto der Düse und die Rechnungsnummer?"),
        ),
        status="pending",
        assignee="agent",
        tags=("warranty", "deutsch"),
        priority="medium",
        subject="Ember zündet nicht",
    ),
    Story(
        DAY + 95,
        Guest(f"{_SHOP}/jobs", "198.51.100.200"),
        (visitor(0, "Do you take interns for the workshop in summer?"),),
        status="snoozed",
        wakes_in=3 * DAY,
        assignee="owner",
        tags=("jobs",),
        priority="low",
    ),
    Story(
        11 * HOUR,
        Guest(
            f"{_SHOP}/account/orders",
            "203.0.113.51",
            "Aisha Rahman",
            "aisha@rahman.example",
            context={"customer": True, "order": "A-48277"},
        ),
        (
            visitor(0, "Can I still change the address of A-48277? I typed the old flat number."),
            agent(2, "Just in time, it has not been packed. What is the right one?"),
            visitor(1, "14b instead of 41b, same street. Sorry!"),
        ),
        assignee="agent",
        tags=("shipping",),
        priority="high",
        subject="Address of A-48277",
        read=False,
    ),
    Story(
        4 * HOUR + 20,
        Guest(f"{_SHOP}/de/rucksaecke/nordwand-65", "198.51.100.77", locale="de-DE", agent=MAC),
        (visitor(0, "Passt in den Nordwand 65 eine 1,5-Liter-Trinkblase, und wo kommt der Schlauch heraus?"),),
        read=False,
    ),
    Story(
        50,
        Guest(
            f"{_SHOP}/repairs",
            "203.0.113.9",
            "Greta Lindqvist",
            "greta.lindqvist@mail.example",
            "sv-SE",
            context={"customer": True, "orders": 7},
        ),
        (
            visitor(
                0, "The zip of my Ridge 2 is stuck after six years. Do you repair that, or should I look for a tailor?"
            ),
            visitor(1, "I can bring it by on Saturday."),
        ),
        priority="medium",
        read=False,
    ),
    Story(30, Guest(f"{_SHOP}/sale", "198.51.100.5", agent=PHONE, referrer="https://deals.example/tents")),
    Story(
        3,
        Guest(f"{_SHOP}/tents", "203.0.113.88", referrer="https://search.example/"),
        (visitor(0, "Hi, I have a question about pricing."),),
        read=False,
    ),
)

ACME = DemoTenant(
    "Acme",
    "en",
    "#0f766e",
    {
        "owner": Colleague("Olivia Hart", "olivia@acme.example"),
        "admin": Colleague("Ben Okafor", "ben@acme.example"),
        "agent": Colleague("Mia Sommer", "mia@acme.example"),
        "viewer": Colleague("Paul Reyes", "paul@acme.example"),
    },
    (
        DemoTag("presales", "#2563eb", {"de": "vor dem kauf"}),
        DemoTag("shipping", "#b45309", {"de": "versand"}),
        DemoTag("refund", "#d93025", {"de": "erstattung"}),
    ),
    (
        DemoTeam("Sales", "Offers, sizes, large orders.", ("owner", "agent"), frozenset({"presales", "b2b"})),
        DemoTeam("Workshop", "Repairs, care and warranty.", ("admin",), frozenset({"warranty", "care"})),
    ),
    _STORIES,
)
