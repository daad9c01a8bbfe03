"""The hooks, which are contracts: who calls them, when, and what an exception does.

A plugin is the module that an entry point of the group `mail.senders` names. It implements `postroom_provider`, or
`postroom_route` if it stands for a family. Observers implement the other two.
"""

import pluggy

from postroom.errors import MailError
from postroom.message import MailMessage
from postroom.provider import Provider
from postroom.receipt import Receipt
from postroom.settings import Lookup

PROJECT = "postroom"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def postroom_provider() -> Provider:  # type: ignore[empty-body]  # a specification has no body
    """Return the registration of the provider.

    The registry asks one plugin, the one whose entry point carries the name it looks for, once. `Provider.name` must
    equal the entry point's name. Whatever is raised becomes `ProviderLoadError`, `SystemExit` included; no other
    provider notices.
    """


@hookspec
def postroom_route(config: Lookup) -> str:  # type: ignore[empty-body]  # a specification has no body
    """Return the name of the provider to load instead of this one: `smtp` returns `smtp-` and the auth type.

    The registry asks the plugin whose name was asked for, and no other, each time a sender is made. `config.get(name)`
    gives the raw, unvalidated setting or None; do not keep it. What is asked for need not be a setting of the provider
    that is chosen. One hop: the name returned must be a provider, not a route. Whatever is raised becomes
    `ProviderLoadError`, without its text.
    """


@hookspec
def postroom_message_sent(message: MailMessage, receipt: Receipt) -> None:
    """Observe an accepted message. Called in the sending thread, before `send` returns, on every observer.

    The order of observers is not defined. An observer that raises, `SystemExit` included, is logged and the others are
    still called: the mail stays sent. `receipt.refused` names recipients who did not get it.
    """


@hookspec
def postroom_message_failed(message: MailMessage, error: MailError) -> None:
    """Observe a message that was not sent, or not certainly. Called like `postroom_message_sent`.

    `error` is what the caller is about to see; `MailSendError.outcome` tells not sent from unknown.
    """
