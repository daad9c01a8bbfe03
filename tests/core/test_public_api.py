"""The public API: what `postroom` offers, and what importing it does not do."""

import ast
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import postroom

SOURCE = Path(postroom.__file__).parent
PROVIDERS = "resend|sendgrid|mailgun|postmark|office365|outlook|microsoft|gmail|google|amazon|smtp-?(basic|oauth2)"


def run(script: str) -> str:
    """Return what a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_all_is_sorted_and_true() -> None:
    """`__all__` is sorted, has no name twice, and each name is there."""
    assert postroom.__all__ == sorted(set(postroom.__all__))
    for name in postroom.__all__:
        assert getattr(postroom, name) is not None


def test_all_is_what_the_design_promises() -> None:
    """The names that applications and plugins rely on are all there, and nothing else is public."""
    assert set(postroom.__all__) == {
        # the message
        "Address", "Attachment", "MailMessage",
        # what sends, and what becomes of it
        "BatchTransport", "DeliveringSender", "MailSender", "Outcome", "Receipt", "Refusal", "Transport",
        # making a sender
        "DifySource", "MailSenderFactory", "ProviderRegistry", "Registration", "Skipped", "default_registry",
        # writing a provider
        "Capability", "Concealer", "Leaving", "Limit", "Lookup", "ProbeTransport", "Provider", "Rule", "Secret",
        "SenderSettings", "SettingInfo", "Step", "Symptom", "describe", "dial", "find_rule", "hookimpl", "setting",
        "whole_number",
        # errors
        "MailAuthError", "MailConfigError", "MailConnectionError", "MailError", "MailMessageError", "MailQuotaError",
        "MailRateLimitError", "MailRecipientsError", "MailRejectedError", "MailSendError", "MailSettingsError",
        "MailTimeoutError", "MailUnavailableError", "ProviderConflictError", "ProviderLoadError", "SettingProblem",
        "UnknownProviderError",
    }  # fmt: skip


def test_every_public_class_defined_in_core_is_exported() -> None:
    """What `__init__` imports is what it exports: no name is public by accident, and none is forgotten."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert imported == set(postroom.__all__)
    errors = {
        name
        for module in (postroom.errors, postroom.send_errors)
        for name, value in vars(module).items()
        if isinstance(value, type) and name.endswith("Error")
    }
    assert errors <= imported


def test_a_public_class_says_that_it_is_postrooms() -> None:
    """Pickled data name a class by `postroom` alone, so that they can be read after a file was renamed."""
    classes = [each for each in map(vars(postroom).get, postroom.__all__) if isinstance(each, type)]
    assert len(classes) > 30
    assert {each.__module__ for each in classes} == {"postroom"}
    assert b"send_errors" not in pickle.dumps(postroom.MailTimeoutError("lost"))


def test_listing_names_does_not_load_pluggy() -> None:
    """Pluggy is loaded with the first plugin; the name that it brings is there when somebody asks for it."""
    source = (
        "import sys, postroom\n"
        "postroom.MailSenderFactory.get_supported_types()\n"
        "print('pluggy' in sys.modules)\n"
        "from postroom import hookimpl\n"
        "print('pluggy' in sys.modules, hookimpl.project_name)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "postroom"]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = postroom.nothing


@pytest.mark.parametrize("name", sorted(postroom.__all__))
def test_every_public_name_has_a_docstring(name: str) -> None:
    """Each public name says in its first line what it is or does."""
    documented = getattr(postroom, name)
    if name == "hookimpl":  # pluggy's, an instance
        documented = type(documented)
    assert (documented.__doc__ or "").strip()


def test_every_sender_sends_many_and_few_transports_must() -> None:
    """`deliver_many` is promised by what the factory returns; of what providers write, a `BatchTransport` has it."""
    methods = {
        kind: {name for name in dir(kind) if not name.startswith("_")}
        for kind in (postroom.MailSender, postroom.DeliveringSender, postroom.Transport, postroom.BatchTransport)
    }
    assert "deliver_many" not in methods[postroom.MailSender]
    assert "deliver_many" in methods[postroom.DeliveringSender]
    assert methods[postroom.BatchTransport] - methods[postroom.Transport] == {"deliver_many"}


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.name)
def test_core_names_no_provider(path: Path) -> None:
    """Outside of docstrings and comments, where they are examples, core mentions no provider."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A string that stands alone says something to the reader, not to the program.
            node.body = [  # type: ignore[attr-defined]
                each for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ] or [ast.Pass()]
    assert re.findall(PROVIDERS, ast.unparse(tree), re.IGNORECASE) == []


def test_core_imports_nothing_heavy() -> None:
    """To import core, make a message and list the providers loads no TLS, no HTTP, no SMTP and no plugin."""
    loaded = run(
        """
        import sys
        import postroom
        from postroom import MailMessage, MailSenderFactory
        MailMessage("Grace <grace@example.com>", "Hello", "x")
        names = MailSenderFactory.get_supported_types()
        assert "smtp" in names, names
        print(" ".join(sorted(sys.modules)))
        """
    ).split()
    heavy = {"ssl", "smtplib", "requests", "urllib3", "msal", "http.client", "asyncio", "idna", "mimetypes", "unittest"}
    assert heavy & set(loaded) == set()
    assert [name for name in loaded if name.startswith("postroom_")] == []


def test_importing_core_does_no_work() -> None:
    """The import makes no registry, no thread and no warning, and asks nobody for distributions."""
    said = run(
        """
        import logging, sys, threading
        asked = []
        class Finder:
            @classmethod
            def find_spec(cls, *args): return None
            @classmethod
            def find_distributions(cls, *args):
                asked.append(args)
                return iter(())
        sys.meta_path.append(Finder)
        import postroom, postroom.factory
        assert postroom.factory._default == {}
        assert threading.active_count() == 1
        assert not logging.getLogger().handlers and not logging.getLogger("postroom").handlers
        assert asked == [], asked
        postroom.MailSenderFactory.get_supported_types()
        print(len(asked) > 0)
        """
    )
    assert said == "True"
