"""The extension: `Mail(app)`, or `Mail()` and `init_app(app)` (https://flask.palletsprojects.com/extensiondev/)."""

import logging
from typing import TYPE_CHECKING

from postroom import (
    DeliveringSender,
    MailConfigError,
    MailMessage,
    MailMessageError,
    MailSenderFactory,
    MailSettingsError,
)
from postroom_flask.client import Client
from postroom_flask.wording import in_words_of_dify

if TYPE_CHECKING:
    from flask import Flask

_log = logging.getLogger("postroom.flask")


class Mail:
    """Sends the mail of one configuration: make one for each app whose settings differ.

    It may be shared by threads, greenlets and forked workers.
    """

    def __init__(self, app: "Flask | None" = None, config: object = None) -> None:
        """Take no app yet, or do what `init_app` does."""
        # Dify's code and tests know these two by their names.
        self._client: Client | None = None
        self._default_send_from: str | None = None
        if app is not None:
            self.init_app(app, config)

    def init_app(self, app: "Flask", config: object = None) -> None:
        """Make the sender that `MAIL_TYPE` names. Nothing touches the network. A second call begins anew.

        Args:
            app: Finds this object under `app.extensions["postroom"]`.
            config: Object whose attributes are the variables, or a mapping of them; `app.config` when None. What is
                not set there is looked for in the environment of the process.

        Raises:
            MailConfigError: The provider is unknown or broken, or the settings are wrong; see its subclasses.
        """
        given = [app.config if config is None else config]
        del config  # it may hold secrets, and error trackers show the local variables of this frame
        try:
            sender = MailSenderFactory.create_from_dify_config(given.pop())
        except MailSettingsError as error:
            raise in_words_of_dify(error) from error
        if self._client is not None:
            self._client.sender.close()
        self._client = None if sender is None else Client(sender)
        self._default_send_from = None if sender is None else sender.default_from
        app.extensions["postroom"] = self
        if sender is None:
            _log.warning("mail: MAIL_TYPE is not set: no mail will be sent")
        elif self._default_send_from is None:
            _log.warning(
                "mail: %s: MAIL_DEFAULT_SEND_FROM is not set: a mail that names no sender will be refused",
                sender.provider,
            )

    def is_inited(self) -> bool:
        """Return True if there is something to send with."""
        return self._client is not None

    @property
    def sender(self) -> DeliveringSender:
        """What sends: it also delivers with a receipt, and many messages at once.

        Raises:
            MailConfigError: `MAIL_TYPE` is not set, or `init_app` was not called.
        """
        return self._ready().sender

    def send(self, to: str, subject: str, html: str, from_: str | None = None) -> None:
        """Send an HTML mail; return only if every recipient was accepted.

        Args:
            to: One address or several, separated by commas.
            subject: Subject.
            html: Body.
            from_: Sender; `MAIL_DEFAULT_SEND_FROM` when None or empty.

        Raises:
            MailConfigError: There is nothing to send with.
            MailMessageError: The mail cannot be sent as it is.
            MailSendError: It was not, or not wholly, or not certainly sent; see `outcome`.
        """
        client = self._ready()
        from_ = from_ or self._default_send_from
        for value, what in ((from_, "from"), (to, "to"), (subject, "subject"), (html, "html")):
            if not value:
                advice = "; pass from_, or set MAIL_DEFAULT_SEND_FROM" if what == "from" else ""
                raise MailMessageError(f"mail {what} is not set{advice}")
        client.send({"from": from_, "to": to, "subject": subject, "html": html})

    def send_message(self, message: MailMessage) -> None:
        """Send a message of any kind; return only if every recipient was accepted.

        Raises:
            MailConfigError: There is nothing to send with.
            MailMessageError: The message cannot be sent as it is.
            MailSendError: It was not, or not wholly, or not certainly sent; see `outcome`.
        """
        self.sender.send(message)

    def _ready(self) -> Client:
        if self._client is None:
            raise MailConfigError("Mail client is not initialized: MAIL_TYPE is not set, or init_app was not called")
        return self._client
