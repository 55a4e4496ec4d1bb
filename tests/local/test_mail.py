"""The mail catcher: what SMTP brings is kept, survives a kill, and is shown safely."""

import asyncio
import json
import smtplib
from contextlib import closing
from email.message import EmailMessage

import pytest

from local.mail import Mail, Mailbox, MailPage, serve_smtp
from local.mail_page import render
from local.server import listen


def mail(to="ada@example.com", subject="Hello", text="", html=""):
    return Mail(to, "Parley <p@x>", subject, text, html, "2026-01-01T00:00:00.000Z")


def message(to, subject, text, html=None):
    found = EmailMessage()
    found["From"], found["To"], found["Subject"] = "Parley <p@x.example>", to, subject
    found.set_content(text)
    if html:
        found.add_alternative(html, subtype="html")
    return found


def get(mailbox, query="", accept="application/json"):
    sent = []

    async def send(part):
        sent.append(part)

    async def receive():
        return {"type": "http.request"}

    scope = {"headers": [(b"accept", accept.encode())], "query_string": query.encode()}
    asyncio.run(MailPage(mailbox)(scope, receive, send))
    return sent[1]["body"].decode()


def test_a_mail_that_arrives_by_smtp_is_shown(tmp_path):
    mailbox = Mailbox(tmp_path / "mails.jsonl")
    sock = listen(0)

    def deliver():
        with smtplib.SMTP("127.0.0.1", sock.getsockname()[1], timeout=10) as smtp:
            smtp.send_message(
                message("zoë@example.com, b@example.com", "Grüße", "Zum Link:\n\nhttps://x/?token=a_b-c\n")
            )
            smtp.send_message(message("ada@example.com", "Second", "plain", "<b>bold</b>"))

    async def run():
        server = await serve_smtp(mailbox, sock)
        await asyncio.to_thread(deliver)
        server.close()

    asyncio.run(run())
    shown = json.loads(get(mailbox))["data"]
    assert [m["subject"] for m in shown] == ["Second", "Grüße"]
    assert shown[0]["html"].strip() == "<b>bold</b>"
    assert "https://x/?token=a_b-c\n" in shown[1]["text"]
    assert shown[1]["to"] == "zoë@example.com, b@example.com"
    assert shown[1]["received_at"].endswith("Z")
    assert [m["subject"] for m in json.loads(get(mailbox, "to=B%40example.com"))["data"]] == ["Grüße"]
    mailbox.close()


class TestMailbox:
    def test_mails_survive_a_restart_and_a_line_half_written(self, tmp_path):
        file = tmp_path / "mails.jsonl"
        with closing(Mailbox(file)) as mailbox:
            mailbox.add(mail(subject="one"))
            mailbox.add(mail(subject="two"))
            file.write_text(file.read_text() + '{"to": "cut o')  # not closed yet, as after SIGKILL
            with closing(Mailbox(file)) as again:
                assert [m.subject for m in again.list()] == ["two", "one"]
                again.add(mail(subject="three"))
        with closing(Mailbox(file)) as again:
            assert [m.subject for m in again.list()] == ["three", "two", "one"]

    def test_only_the_newest_are_kept(self, tmp_path):
        file = tmp_path / "mails.jsonl"
        with closing(Mailbox(file, kept=2)) as mailbox:
            for number in range(4):
                mailbox.add(mail(subject=str(number)))
        with closing(Mailbox(file, kept=2)) as again:
            assert [m.subject for m in again.list()] == ["3", "2"]


class TestPage:
    def test_a_link_can_be_clicked_and_nothing_else_can_run(self):
        page = render([vars_of(mail(subject="<script>1</script>", text="See https://x/?token=a&b=c. <b>"))], "")
        assert '<a href="https://x/?token=a&amp;b=c" rel="noreferrer">' in page
        assert "<script>" not in page
        assert "&lt;b&gt;" in page

    def test_html_stays_in_a_sandbox(self):
        page = render([vars_of(mail(html='<img src=x onerror="alert(1)">'))], "")
        frame = page.partition("<iframe ")[2].partition(">")[0]
        assert frame.endswith('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"')
        allowed = frame.partition('sandbox="')[2].partition('"')[0].split()
        assert set(allowed) == {"allow-popups", "allow-popups-to-escape-sandbox"}

    def test_a_link_in_html_opens_a_tab_because_no_page_may_be_in_the_frame(self):
        page = render([vars_of(mail(html='<a href="https://x/">Confirm</a>'))], "")
        assert 'srcdoc="&lt;!doctype html&gt;&lt;base target=&quot;_blank&quot;&gt;&lt;a href' in page

    @pytest.mark.parametrize("to", ["", 'x"><script>'])
    def test_an_empty_box_says_so(self, to):
        page = render([], to)
        assert "No mail" in page
        assert "<script>" not in page

    def test_a_browser_gets_the_page(self, tmp_path):
        with closing(Mailbox(tmp_path / "m")) as mailbox:
            assert get(mailbox, accept="text/html,*/*").startswith("<!doctype html>")


def vars_of(found):
    return {"to": found.to, "from": found.sender, "subject": found.subject, "text": found.text, "html": found.html,
            "received_at": found.received_at}  # fmt: skip
