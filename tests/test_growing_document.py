"""Holds docs/growing.md to its word: its outbox sends."""

import pytest

from tests.documents import write_documented
from tests.project import connected, mostly_on

OUTBOX = """
import os
import smtplib
from run import app
from app.mail.models import Mail
from services import db

class SMTP:
    def __init__(self, host, port, timeout):
        self.steps = [host, port, timeout > 0]
        opened.append(self.steps)
    def starttls(self, context):
        self.steps.append(context.check_hostname)
    def login(self, *account):
        self.steps.append(account)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def send_message(self, message):
        if message["To"] == "none@example.com":
            raise smtplib.SMTPRecipientsRefused({})
        if message["Subject"] == "late" and len(taken) < 2:
            raise smtplib.SMTPServerDisconnected("away")
        assert message["Message-ID"].endswith("@example.com>") and message["Date"]
        taken.append((message["To"], message["Subject"], message.get_content()))

smtplib.SMTP, taken, opened = SMTP, [], []
with app.app_context():
    for recipient in ('"', "a\\n"):
        db.session.add(Mail(recipient=recipient, subject="no address", text="-"))
    for recipient, subject in (("me", "one"), ("none", "two"), ("you", "three"), ("me", "late")):
        db.session.add(Mail(recipient=f"{recipient}@example.com", subject=subject, text="Añil"))
    db.session.commit()
    db.session.add(Mail(recipient="me@example.com", subject="undone", text="-"))
    db.session.flush()
    db.session.rollback()
runner = app.test_cli_runner()
assert runner.invoke(args=["mail", "send"]).exit_code == 0
os.environ.update(MAIL_SERVER="smtp.example.com:587", MAIL_USER="shop", MAIL_PASSWORD="word")
assert runner.invoke(args=["mail", "send"]).exit_code == 0
provider = ["smtp.example.com", 587, True, True, ("shop", "word")]
assert opened == [["localhost", 25, True], provider], opened
assert [subject for _, subject, _ in taken] == ["one", "three", "late"], taken
assert taken[0] == ("me@example.com", "one", "Añil\\n")
with app.app_context():
    states = db.session.scalars(db.select(Mail.state).order_by(Mail.id)).all()
assert states == ["refused", "refused", "sent", "refused", "sent", "sent"], states
print("done")
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_outbox_of_the_document_sends_what_was_committed(scaffold, database_url):
    project = scaffold.on(database_url)
    write_documented(project, "docs/growing.md", "app/")
    project.install("app.mail")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.having(MAIL_SERVER="localhost").python("-c", OUTBOX).startswith("done")
    with connected(database_url) as connection:
        connection.exec_driver_sql("UPDATE mail_mail SET state = 'waiting' WHERE subject = 'one'")
    away = project.having(MAIL_SERVER="127.0.0.1:1").run("flask", "mail", "send")
    assert away.stderr.startswith("Error: MAIL_SERVER 127.0.0.1:1 cannot be used: "), away.stderr
    shown = project.run("flask", "mail", "send")
    assert "To: me@example.com\nSubject: one\n\nAñil\n" in shown.stdout, shown.stderr
