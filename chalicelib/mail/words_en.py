"""What our mails say in English.

No mail that anyone can cause to be sent to anyone repeats what that person typed: it would carry their spam.
"""

from chalicelib.mail.models import Template, Words

ENGLISH = Words(
    plain_link="If the button does not work, open this address:",
    unsubscribe="Unsubscribe",
    visitor="Visitor",
    templates={
        "verify_email": Template(
            "Confirm your e-mail address",
            "Somebody, hopefully you, has signed up to Parley with this address. Confirm it to finish:",
            "Confirm my address",
            "The link works once, for 24 hours. If it was not you, do nothing: no account is made.",
        ),
        "already_registered": Template(
            "You already have an account",
            "Somebody, hopefully you, has tried to sign up to Parley with this address, which has an account. "
            "Log in with it; if you forgot your password, ask for a new one there.",
            after="If it was not you, do nothing: nothing has changed.",
        ),
        "reset_password": Template(
            "Choose a new password",
            "Somebody, hopefully you, has asked for a new password for your Parley account. Choose one here:",
            "Choose a new password",
            "The link works once, for one hour, and ends all your sessions. If it was not you, do nothing: "
            "your password stays as it is.",
        ),
        "password_changed": Template(
            "Your password has been changed",
            "The password of your Parley account has just been changed, and all other sessions have been ended.",
            after="If it was not you, ask for a new password on the log-in page at once, and tell your administrator.",
        ),
        "totp_enabled": Template(
            "Your account has a second factor now",
            "From now on, logging in to your Parley account takes a code of your authenticator app. "
            "Keep the recovery codes where you find them without it.",
            after="If it was not you, change your password at once and tell your administrator.",
        ),
        "totp_disabled": Template(
            "Your account has no second factor any more",
            "Logging in to your Parley account takes only the password again.",
            after="If it was not you, change your password at once and tell your administrator.",
        ),
        "recovery_code_used": Template(
            "A recovery code has been used",
            "Somebody, hopefully you, has logged in to your Parley account with a recovery code. It works no more; "
            "new ones are made in your account's settings.",
            after="If it was not you, change your password at once and tell your administrator.",
        ),
        "confirm_email": Template(
            "Confirm your new e-mail address",
            "Somebody, hopefully you, wants to move their Parley account to this address. Confirm it to finish:",
            "Use this address",
            "The link works once, for one hour. If it was not you, do nothing: no account is moved.",
        ),
        "address_in_use": Template(
            "This address has an account already",
            "Somebody, hopefully you, has tried to move another Parley account to this address, which has its own.",
            after="Nothing has changed. To use this address for the other account, move this one elsewhere first.",
        ),
        "email_change_requested": Template(
            "Somebody wants to change your e-mail address",
            "Somebody, hopefully you, has asked to move your Parley account to another address. "
            "It is moved when the link in a mail to that address is opened within the hour.",
            after="If it was not you, somebody knows your password: change it now, which ends that link and all other "
            "sessions.",
        ),
        "invitation": Template(
            "You are invited to {tenant} on Parley",
            "You are invited to join “{tenant}” on Parley as {role}. Accept here:",
            "Accept the invitation",
            "The link works once, for seven days. If you don't know who invited you, do nothing.",
        ),
        "webhook_failing": Template(
            "{tenant}: webhooks to {host} do not arrive",
            "Since {since}, nothing that Parley sent to the webhook endpoint {webhook} of “{tenant}” at {host} has "
            "arrived. GET /v1/webhooks/{webhook}/deliveries shows what came back.",
            after="After five days without a success the endpoint is disabled. What was not delivered can be sent "
            "again for 30 days.",
        ),
        "webhook_disabled": Template(
            "{tenant}: the webhook endpoint at {host} is disabled",
            "Parley sends nothing more to the webhook endpoint {webhook} of “{tenant}” at {host}: it said that it is "
            "gone (410), or nothing had arrived there for five days.",
            after="When it works again, enable it with PATCH /v1/webhooks/{webhook}, and have sent again what it "
            "missed.",
        ),
        "trial_ending": Template(
            "{tenant}: your trial ends on {date}",
            "The trial of “{tenant}” on Parley ends on {date}. Without a subscription it goes on with the free plan: "
            "nothing is deleted, but no more can be added than that plan allows.",
            after="An owner can choose a plan under Billing. If there is a subscription already, it is charged from "
            "that day on.",
        ),
        "payment_failed": Template(
            "{tenant}: a payment failed",
            "We could not collect the payment for the {plan} plan of “{tenant}”. It will be tried again in the next "
            "days; until then everything goes on as before.",
            after="An owner can change the payment method in the billing portal.",
        ),
        "subscription_unpaid": Template(
            "{tenant}: the subscription is not paid",
            "All attempts to collect the payment for “{tenant}” failed, so the free plan's limits apply now. Nothing "
            "is deleted, and your visitors can go on writing.",
            after="An owner can pay the open invoice in the billing portal; the plan then comes back by itself.",
        ),
        "subscription_canceled": Template(
            "{tenant}: the subscription has ended",
            "The subscription of “{tenant}” has ended, and the free plan's limits apply now. Nothing is deleted, and "
            "your visitors can go on writing.",
            after="An owner can subscribe again under Billing at any time.",
        ),
        "duplicate_canceled": Template(
            "{tenant}: a second subscription was canceled",
            "“{tenant}” was subscribed to twice, perhaps from two windows. The second subscription is canceled, and "
            "what was paid for it goes back to the card. The first goes on, with the {plan} plan.",
            after="Did you want the second one's plan? An owner can change the plan under Billing.",
        ),
        "limit_near": Template(
            "{tenant}: {used} of {allowed} conversations are used",
            "“{tenant}” has opened {used} of the {allowed} conversations that the {plan} plan allows this month.",
            after="Your visitors are always let through. For more of your own, an owner can choose a larger plan.",
        ),
        "limit_reached": Template(
            "{tenant}: this month's conversations are used up",
            "“{tenant}” has opened all {allowed} conversations that the {plan} plan allows this month. Your visitors "
            "can go on writing, and you can read it all; to answer new conversations, choose a larger plan.",
            after="An owner can do that under Billing. Otherwise it goes on when the month is over.",
        ),
        "assigned": Template(
            "{tenant}: conversation {number} is yours",
            "Conversation {number} of “{tenant}” was assigned to you.",
            "Open the conversation",
            footer="You get this mail because you want to know when a conversation is assigned to you.",
        ),
        "new_conversation": Template(
            "{tenant}: new conversation {number}",
            "A visitor has begun conversation {number} of “{tenant}”. Nobody has it yet.",
            "Open the conversation",
            footer="You get this mail because you want to know of every new conversation.",
        ),
        "visitor_message": Template(
            "{tenant}: new message in conversation {number}",
            "The visitor has written in your conversation {number} of “{tenant}”, and nobody has read it yet.",
            "Open the conversation",
            footer="You get this mail because you want to know of messages while you are away. "
            "Of one conversation you hear at most once in a quarter of an hour.",
        ),
        "offline_messages": Template(
            "{tenant} has replied to you",
            "While you were away, “{tenant}” has replied in your chat:",
            "Go on with the chat",
            "The link opens your own chat for seven days: don't pass it on.",
            "You get this mail because this address was given in a chat on the site of “{tenant}”. "
            "If it was not you, do nothing, or unsubscribe: you then get no more replies from “{tenant}” by mail.",
        ),
        "transcript": Template(
            "Your conversation with {tenant}",
            "This is conversation {number} with “{tenant}”:",
            after="If there are many messages, these are the newest ones.",
            footer="You get this mail because it was asked for with this address. If you unsubscribe, you get no more "
            "replies and transcripts from “{tenant}” by mail.",
        ),
        "transcript_of_replies": Template(
            "What {tenant} has replied to you",
            "This is what “{tenant}” has said in conversation {number}. What you have said yourself is not in it.",
            after="If there are many messages, these are the newest ones.",
            footer="You get this mail because it was asked for with this address in a chat on the site of “{tenant}”. "
            "If it was not you, do nothing, or unsubscribe: you then get no more replies from “{tenant}” by mail.",
        ),
    },
)
