"""The registry: finding, loading, routing and observing, with distributions that a test writes."""

import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from distributions import write_pigeon
from postroom import (
    MailConfigError,
    MailError,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    Provider,
    ProviderConflictError,
    ProviderLoadError,
    ProviderRegistry,
    Receipt,
    Registration,
    SenderSettings,
    Skipped,
    UnknownProviderError,
    default_registry,
    hookimpl,
)
from postroom_testing import write_distribution

HEAD = "from postroom import *\n"
ROUTE = HEAD + "@hookimpl\ndef postroom_route(config):\n    return {!r}\n"


class Plain:
    """The least that a provider can build."""

    def send(self, message: MailMessage) -> None:
        """Send nothing."""

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def test_connection(self) -> bool:
        """Say yes."""
        return True


def a_provider(name: str) -> Provider:
    """Return a provider without settings of its own."""
    return Provider(name, SenderSettings, lambda settings: Plain())


def test_a_distribution_that_core_never_heard_of_sends(
    site: Path, registry: ProviderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that is only installed is found, configured by the variables of its prefix, and sends."""
    write_pigeon(site)
    for variable, value in {
        "MAIL_TYPE": "pigeon",
        "MAIL_DEFAULT_SEND_FROM": "Loft <loft@example.com>",
        "PIGEON_LOFT": "north",
        "PIGEON_RING": "r-1",
        "PIGEON_AT_NIGHT": "yes",
        "PIGEON_BREED": "tippler",
    }.items():
        monkeypatch.setenv(variable, value)
    sender = MailSenderFactory.create_from_dify_config(object(), registry=registry)
    assert sender is not None
    message = MailMessage("grace@example.com", "Hello", "<p>Hello</p>", tags=["welcome"])
    receipt = sender.deliver(message)
    assert (receipt.provider, receipt.accepted) == ("pigeon", ("grace@example.com",))
    assert "pigeon" in MailSenderFactory.get_supported_types(registry=registry)

    ((settings, sent),) = sys.modules["pigeon_plugin"].SENT
    assert (settings.loft, settings.ring.reveal(), settings.grains) == ("north", "r-1", 10)
    assert (settings.at_night, settings.breed) == (True, "tippler")
    assert (sent.id, str(sent.from_)) == (message.id, "Loft <loft@example.com>")


def test_names_imports_nothing(site: Path, registry: ProviderRegistry) -> None:
    """To list providers, no plugin is imported; to load one, only that one is."""
    write_pigeon(site)
    write_pigeon(site, "dove")
    assert {"pigeon", "dove", "smtp", "smtp-basic"} <= set(registry.names())
    assert [str(each) for each in registry.registrations if each.name == "dove"] == ["acme-dove 1.0"]
    assert registry.skipped == ()
    assert not {"pigeon_plugin", "dove_plugin"} & set(sys.modules)
    registry.provider("dove", {})
    assert "dove_plugin" in sys.modules
    assert "pigeon_plugin" not in sys.modules


def test_registrations_say_who_brings_what(site: Path, registry: ProviderRegistry) -> None:
    """Each entry point of the group is listed with its distribution, version and module, sorted by name."""
    write_distribution(site, "acme-birds", {"Pigeon": "birds.pigeon", "dove": "birds.dove"}, version="2.3")
    found = [each for each in registry.registrations if each.distribution == "acme-birds"]
    assert [(each.name, each.version, each.value) for each in found] == [
        ("dove", "2.3", "birds.dove"),
        ("pigeon", "2.3", "birds.pigeon"),
    ]


@pytest.mark.parametrize("asked", ["pigeon", "Pigeon", "PIGEON", "  pigeon\n"])
@pytest.mark.parametrize("written", ["pigeon", "pIgEoN"])
def test_names_are_matched_without_regard_to_case(
    site: Path, registry: ProviderRegistry, asked: str, written: str
) -> None:
    """A name is found in any case, as it is asked for and as the entry point spells it."""
    write_pigeon(site)
    entry_points = next(site.glob("*.dist-info")) / "entry_points.txt"
    entry_points.write_text(f"[mail.senders]\n{written} = pigeon_plugin\n")
    assert registry.provider(asked, {}).name == "pigeon"
    assert "pigeon" in registry.names()


BROKEN = {
    "no such module": ("acme_nowhere", None, "ModuleNotFoundError: No module named 'acme_nowhere'"),
    "a missing dependency": (
        "broken_plugin",
        "import acme_nowhere",
        "ModuleNotFoundError: No module named 'acme_nowhere'",
    ),
    "an import that fails": (
        "broken_plugin",
        "raise RuntimeError('over\\n  two lines')",
        "RuntimeError: over two lines",
    ),
    "a module that ends the process": ("broken_plugin", "import sys\nsys.exit('bye')", "SystemExit: bye"),
    "a syntax error": ("broken_plugin", "def", "SyntaxError: "),
    "no module path": ("not a module!", None, ""),
    "no such attribute": ("broken_plugin:plugin", "x = 1", "AttributeError: "),
    "no hook": ("broken_plugin", "x = 1", "implements no postroom_provider; expected postroom_provider"),
    "an attribute that is None": ("broken_plugin:x", "x = None", "implements no postroom_provider"),
    "a misspelt hook": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_providr():\n    pass\n",
        "unknown hook 'postroom_providr'",
    ),
    "a hook with an argument too many": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_provider(settings):\n    pass\n",
        "PluginValidationError: ",
    ),
    "a hook that raises": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_provider():\n    raise KeyError('x')\n",
        "postroom_provider failed: KeyError: 'x'",
    ),
    "a hook that returns something else": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_provider():\n    return 'broken'\n",
        "returned str; expected postroom_provider() to return a Provider",
    ),
    "a hook that returns None": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_provider():\n    pass\n",
        "implements no postroom_provider",
    ),
    "a provider of another name": (
        "broken_plugin",
        HEAD + "@hookimpl\ndef postroom_provider():\n    return Provider('other', SenderSettings, print)\n",
        "its Provider is named 'other', its entry point 'broken'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_provider_disturbs_nobody_else(site: Path, registry: ProviderRegistry, case: str) -> None:
    """What is wrong with one plugin is said when it is asked for, each time alike, and others load as ever."""
    value, source, reason = BROKEN[case]
    modules = {"broken_plugin": source} if source else {}
    write_distribution(site, "acme-broken", {"broken": value}, version="2.3", modules=modules)
    write_pigeon(site)
    assert {"broken", "pigeon"} <= set(registry.names())
    texts = set()
    for _ in range(3):
        with pytest.raises(ProviderLoadError) as caught:
            registry.provider("broken", {})
        texts.add(str(caught.value))
        assert (caught.value.name, caught.value.distribution) == ("broken", "acme-broken")
        assert registry.provider("pigeon", {}).name == "pigeon"
    (text,) = texts
    assert text.startswith(f"mail type broken (acme-broken 2.3, {value}) cannot be loaded: ")
    assert reason in text
    assert "\n" not in text
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, MailConfigError)
    if re.search("Error: ", reason):
        assert type(caught.value.__cause__).__name__ in text
    assert registry.skipped == ()


UNREADABLE = {
    "a line without a value": (b"[mail.senders]\nbroken\n", True),
    "bytes that are no text": (b"[mail.senders]\nbroken\xff = x\n", True),
    "no METADATA": (b"[mail.senders]\nbroken = x\n", False),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_distribution_is_passed_over(
    site: Path, registry: ProviderRegistry, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    """A distribution that mentions the group and cannot be read is named in `skipped` and in one WARNING."""
    entry_points, metadata = UNREADABLE[case]
    write_distribution(site, "acme-broken", entry_points, metadata=metadata)
    write_pigeon(site)
    assert "pigeon" in registry.names()
    assert "broken" not in registry.names()
    assert registry.provider("pigeon", {}).name == "pigeon"
    (skipped,) = registry.skipped
    assert re.search("acme[-_]broken", skipped.distribution)
    assert re.fullmatch(r"its metadata cannot be read \(\w+: .+\)", skipped.reason)
    assert "\n" not in skipped.reason
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "postroom.discovery")
    assert record.getMessage() == f"mail: {skipped.distribution} is passed over: {skipped.reason}"
    with pytest.raises(UnknownProviderError, match=re.escape(f"(unreadable: {skipped.distribution})")):
        registry.provider("broken", {})


def test_a_distribution_without_a_version_is_passed_over(site: Path, registry: ProviderRegistry) -> None:
    """A distribution whose metadata lacks a field that we name it by is passed over, by its name."""
    info = write_pigeon(site, "dove")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dove\n")
    write_pigeon(site)
    assert "pigeon" in registry.names()
    assert "dove" not in registry.names()
    assert [each.distribution for each in registry.skipped] == ["acme-dove"]


@pytest.mark.parametrize("entry_points", [b"[console_scripts]\nbroken\n", b"", None, b"[mail.readers]\nx = y\n"])
def test_a_distribution_that_does_not_mention_the_group_is_left_alone(
    site: Path, registry: ProviderRegistry, caplog: pytest.LogCaptureFixture, entry_points: bytes | None
) -> None:
    """What is wrong with a distribution that is none of ours is silent and harmless."""
    write_distribution(site, "acme-other", entry_points)
    write_pigeon(site)
    assert "pigeon" in registry.names()
    assert registry.skipped == ()
    assert caplog.records == []


def test_two_distributions_that_claim_one_name_are_a_conflict(site: Path, registry: ProviderRegistry) -> None:
    """A name that two distributions offer is an error that names both, for this name only, and imports neither."""
    write_pigeon(site, "pigeon", distribution="acme-pigeon", version="1.0")
    write_distribution(
        site, "zebra-pigeon", {"PIGEON": "zebra_plugin"}, version="2.0", modules={"zebra_plugin": "x = 1"}
    )
    write_pigeon(site, "dove")
    assert registry.names().count("pigeon") == 1
    for _ in range(2):
        with pytest.raises(ProviderConflictError) as caught:
            registry.provider("pigeon", {})
        assert caught.value.name == "pigeon"
        assert sorted(caught.value.distributions) == ["acme-pigeon", "zebra-pigeon"]
        assert re.fullmatch(
            r"mail type pigeon is claimed by (acme-pigeon 1\.0 and zebra-pigeon 2\.0|zebra-pigeon 2\.0 and acme-pigeon "
            r"1\.0): uninstall all but one of them",
            str(caught.value),
        )
    assert registry.provider("dove", {}).name == "dove"
    assert registry.skipped == ()
    assert not {"pigeon_plugin", "zebra_plugin"} & set(sys.modules)
    assert [each.distribution for each in registry.registrations if each.name == "pigeon"] == list(
        caught.value.distributions
    )


@pytest.mark.parametrize("second", ["acme-pigeon", "acme_pigeon", "Acme.Pigeon"])
def test_a_shadowed_copy_is_dropped(
    site: Path, registry: ProviderRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: str
) -> None:
    """Of two copies of one distribution, however its name is spelt, the first on the path counts, as for imports."""
    write_pigeon(site, distribution="acme-pigeon", version="1.0")
    write_pigeon(tmp_path / "first", distribution=second, version="2.0")
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    (found,) = (each for each in registry.registrations if each.name == "pigeon")
    assert str(found) == f"{second} 2.0"
    assert registry.provider("pigeon", {}).name == "pigeon"


def test_a_first_copy_without_the_entry_point_hides_the_second(
    site: Path, registry: ProviderRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A provider that the first copy on the path no longer offers is not taken from a copy that nobody imports."""
    write_pigeon(site, distribution="acme-pigeon", version="1.0")
    write_distribution(tmp_path / "first", "acme-pigeon", b"[mail.readers]\nx = y\n", version="2.0")
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    assert "pigeon" not in registry.names()


def test_an_unknown_name_says_what_to_install(registry: ProviderRegistry) -> None:
    """A name that nobody offers is a `LookupError` that lists what is installed and gives the pip command."""
    with pytest.raises(UnknownProviderError) as caught:
        registry.provider("Mailgun", {})
    assert caught.value.name == "mailgun"
    assert caught.value.installed == tuple(registry.names())
    assert str(caught.value) == (
        f"Unsupported mail type: mailgun. Installed: {', '.join(registry.names())}; "
        "install the distribution that brings it, for a provider of ours: pip install postroom-mailgun"
    )
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, ValueError)


def test_an_unknown_name_says_what_comes_close(site: Path, registry: ProviderRegistry) -> None:
    """A misspelt name gets the closest one that is installed."""
    write_pigeon(site)
    with pytest.raises(
        UnknownProviderError, match=r"^Unsupported mail type: pigoen\. Installed: .*; did you mean pigeon\?$"
    ):
        registry.provider("pigoen", {})


def test_without_any_provider_the_list_is_none() -> None:
    """A registry that finds nothing says so in the error."""
    registry = ProviderRegistry("acme.nobody")
    assert registry.names() == []
    with pytest.raises(UnknownProviderError, match=r"^Unsupported mail type: a b\. Installed: none; install"):
        registry.provider("a\nb", {})


def test_the_router_of_smtp_reaches_a_third_partys_provider(site: Path, registry: ProviderRegistry) -> None:
    """`MAIL_TYPE=smtp SMTP_AUTH_TYPE=ntlm` loads `smtp-ntlm`, whoever brings it, by the real router."""
    source = HEAD + (
        "import attrs\n"
        "from ntlm_sender import Sender\n"
        "@attrs.frozen(kw_only=True)\n"
        "class Settings(SenderSettings):\n"
        "    server: str = attrs.field(metadata=setting('server'))\n"
        "    auth_type: str = attrs.field(metadata=setting('chooses this provider'))\n"
        "@hookimpl\n"
        "def postroom_provider():\n"
        "    return Provider('smtp-ntlm', Settings, Sender, env_prefix='SMTP_')\n"
    )
    sender = (
        "class Sender:\n"
        "    def __init__(self, settings): self.settings = settings\n"
        "    def send(self, message): pass\n"
        "    def is_configured(self): return bool(self.settings.server)\n"
        "    def test_connection(self): return True\n"
    )
    write_distribution(site, "acme-ntlm", {"smtp-ntlm": "ntlm"}, modules={"ntlm": source, "ntlm_sender": sender})
    made = MailSenderFactory.create_from_dify_config(
        None,
        environ={"MAIL_TYPE": "SMTP", "SMTP_AUTH_TYPE": " NTLM ", "SMTP_SERVER": "mail.example.com"},
        registry=registry,
    )
    assert made is not None
    assert (made.provider, made.is_configured()) == ("smtp-ntlm", True)
    same = MailSenderFactory.create_sender("smtp", {"auth_type": "ntlm", "server": "x"}, registry=registry)
    assert same.provider == "smtp-ntlm"


NTLM = HEAD + (
    "import attrs\n"
    "from postroom import Rule\n"
    "@attrs.frozen(kw_only=True)\n"
    "class Settings(SenderSettings):\n"
    "    server: str = attrs.field(metadata=setting('server'))\n"
    "class Sender:\n"
    "    def __init__(self, settings): self.settings = settings\n"
    "    def send(self, message): pass\n"
    "    def is_configured(self): return bool(self.settings.server)\n"
    "    def test_connection(self): return True\n"
    "RULE = Rule(meaning='No NTLM', remedy='Set {auth_type}', source='https://example.com', code='504')\n"
    "@hookimpl\n"
    "def postroom_provider():\n"
    "    return Provider('smtp-ntlm', Settings, Sender, env_prefix='PREFIX', rules=[RULE])\n"
)


@pytest.mark.parametrize("prefix", ["SMTP_", "SMTP_NTLM_"])
def test_what_a_route_has_decided_by_need_be_no_setting(
    site: Path, registry: ProviderRegistry, caplog: pytest.LogCaptureFixture, prefix: str
) -> None:
    """The chosen provider never hears of `auth_type`: no error, no WARNING, and a rule may still name its variable."""
    modules = {"ntlm": NTLM.replace("PREFIX", prefix)}
    write_distribution(site, "acme-ntlm", {"smtp-ntlm": "ntlm"}, modules=modules)
    by_name = MailSenderFactory.create_sender("smtp", {"auth_type": "ntlm", "server": "x"}, registry=registry)
    environ = {"MAIL_TYPE": "smtp", "SMTP_AUTH_TYPE": "ntlm", f"{prefix}SERVER": "x"}
    by_variables = MailSenderFactory.create_from_dify_config(None, environ=environ, registry=registry)
    assert by_variables is not None
    assert (by_name.provider, by_variables.provider) == ("smtp-ntlm", "smtp-ntlm")
    assert caplog.messages == []
    told = registry.provider("smtp", {"auth_type": "ntlm"}).diagnose(MailSendError("no", code=504))
    assert told is not None
    assert told.remedy == "Set SMTP_AUTH_TYPE"


def test_only_what_a_route_has_asked_for_is_its_business(site: Path, registry: ProviderRegistry) -> None:
    """A key that nobody looks at is still an error, and so is the route's key where no route is taken."""
    modules = {"ntlm": NTLM.replace("PREFIX", "SMTP_")}
    write_distribution(site, "acme-ntlm", {"smtp-ntlm": "ntlm"}, modules=modules)
    for name, config in (
        ("smtp", {"auth_type": "ntlm", "server": "x", "flavour": "sweet"}),
        ("smtp", {"auth_type": "ntlm", "server": "x", "client_id": "sweet"}),
        ("smtp-ntlm", {"auth_type": "ntlm", "server": "x"}),
    ):
        unknown = [*config][-1] if name == "smtp" else "auth_type"
        with pytest.raises(MailSettingsError, match=f"unknown setting '{unknown}'"):
            MailSenderFactory.create_sender(name, config, registry=registry)


def test_a_route_to_nobody_names_the_family(registry: ProviderRegistry) -> None:
    """A route to a provider that nobody offers says which family chose it."""
    with pytest.raises(UnknownProviderError) as caught:
        registry.provider("smtp", {"auth_type": "kerberos"})
    assert str(caught.value).startswith("Unsupported mail type: smtp-kerberos (chosen by smtp from its settings). ")
    assert caught.value.name == "smtp-kerberos"


def test_a_route_is_asked_each_time(registry: ProviderRegistry, site: Path) -> None:
    """One family leads to different providers, by the configuration of each sender."""
    source = HEAD + "@hookimpl\ndef postroom_route(config):\n    return config.get('kind')\n"
    write_distribution(site, "acme-birds", {"bird": "birds"}, modules={"birds": source})
    write_pigeon(site)
    write_pigeon(site, "dove")
    assert registry.provider("bird", {"kind": "pigeon"}).name == "pigeon"
    assert registry.provider("bird", {"kind": " DOVE "}).name == "dove"
    assert registry.provider("bird", {"kind": "pigeon"}).name == "pigeon"
    with pytest.raises(ProviderLoadError, match="implements no postroom_provider"):
        registry.provider("bird", {})
    registry.add(a_provider("owl"))
    assert registry.provider("bird", {"kind": "Owl"}).name == "owl"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (ROUTE.format(5), "postroom_route returned int, not a name"),
        (ROUTE.format(["pigeon"]), "postroom_route returned list, not a name"),
        (HEAD + "@hookimpl\ndef postroom_route(config):\n    return {}[config.get('kind')]\n", "failed: KeyError"),
        (HEAD + "@hookimpl\ndef postroom_route(name):\n    return name\n", "PluginValidationError: "),
    ],
)
def test_a_broken_route_is_said(site: Path, registry: ProviderRegistry, source: str, reason: str) -> None:
    """A route that raises or returns no name is an error that names its distribution, and quotes no setting."""
    write_distribution(site, "acme-birds", {"bird": "birds"}, version="2.3", modules={"birds": source})
    for _ in range(2):
        with pytest.raises(ProviderLoadError) as caught:
            registry.provider("bird", {"kind": "hunter2"})
        assert str(caught.value).startswith("mail type bird (acme-birds 2.3, birds) cannot be loaded: ")
        assert reason in str(caught.value)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("target", ["birds", "bird"], ids=["another route", "itself"])
def test_a_chain_of_routes_is_refused(site: Path, registry: ProviderRegistry, target: str) -> None:
    """A route leads to a provider, not to another route nor to itself."""
    modules = {"one": ROUTE.format(target), "two": ROUTE.format("pigeon")}
    write_distribution(site, "acme-birds", {"bird": "one", "birds": "two"}, modules=modules)
    write_pigeon(site)
    with pytest.raises(ProviderLoadError, match=rf"mail type {target} \(acme-birds 1.0, .*\) .* no postroom_provider"):
        registry.provider("bird", {})


def test_registries_live_side_by_side(site: Path) -> None:
    """What is added to, registered with or loaded by one registry is unknown to another."""
    write_pigeon(site)
    write_distribution(site, "acme-other", b"[acme.senders]\nowl = owl_plugin\n")
    one, two, other = ProviderRegistry(), ProviderRegistry(), ProviderRegistry(group="acme.senders")
    observer = Observer()
    one.register(observer)
    one.add(a_provider("dove"))
    assert "dove" in one.names()
    assert "dove" not in two.names()
    assert other.names() == ["owl"]
    assert one.load("pigeon") is two.load("pigeon")
    two.observe("postroom_message_sent", message=None, receipt=None)
    assert observer.calls == []
    assert one.provider("pigeon", {}) is not two.provider("pigeon", {})


def test_an_added_provider_goes_before_an_installed_one(site: Path, registry: ProviderRegistry) -> None:
    """An application's own provider is taken instead of an installed one of its name, which is not imported."""
    write_pigeon(site)
    mine = a_provider("Pigeon")
    registry.add(mine)
    assert registry.provider("PIGEON", {}) is mine
    assert registry.names().count("pigeon") == 1
    assert "pigeon_plugin" not in sys.modules


def test_one_provider_is_loaded_once_by_many_threads(site: Path, registry: ProviderRegistry) -> None:
    """Threads that ask for one provider at the same time get the same one, scanned and imported once."""
    source = HEAD + (
        "import sys\n"
        "sys.acme_imports = getattr(sys, 'acme_imports', 0) + 1\n"
        "MADE = Provider('crowd', SenderSettings, print)\n"
        "@hookimpl\n"
        "def postroom_provider():\n"
        "    return MADE\n"
    )
    write_distribution(site, "acme-crowd", {"crowd": "crowd_plugin"}, modules={"crowd_plugin": source})
    found: list[Provider] = []
    start = threading.Barrier(32)

    def ask() -> None:
        start.wait()
        found.append(registry.provider("crowd", {}))

    threads = [threading.Thread(target=ask) for _ in range(32)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(found) == 32
        assert {id(provider) for provider in found} == {id(sys.modules["crowd_plugin"].MADE)}
        assert sys.acme_imports == 1  # type: ignore[attr-defined]
    finally:
        del sys.acme_imports  # type: ignore[attr-defined]


def test_the_default_registry_is_lazy_and_single() -> None:
    """No registry exists before somebody asks, and 32 threads that ask first at the same time get the same one."""
    script = (
        "import threading, postroom.factory as factory\n"
        "assert factory._default == {}\n"
        "start, found = threading.Barrier(32), []\n"
        "def ask():\n"
        "    start.wait()\n"
        "    found.append(factory.default_registry())\n"
        "threads = [threading.Thread(target=ask) for _ in range(32)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert len(found) == 32 and len(set(map(id, found))) == 1\n"
        "assert found[0]._scanned == {}, 'it has scanned'\n"
        "print('single')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("single\n", "")


def test_the_default_registry_is_used_when_none_is_given(site: Path) -> None:
    """The factory looks in the default registry unless it is given another."""
    assert default_registry() is default_registry()
    assert MailSenderFactory.get_supported_types() == default_registry().names()
    assert default_registry().group == "mail.senders"


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    @hookimpl
    def postroom_message_sent(self, message: object, receipt: object) -> None:
        """Keep both."""
        self.calls.append((message, receipt))


class Brief:
    """Takes fewer arguments than the hook offers."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    @hookimpl
    def postroom_message_sent(self, receipt: object) -> None:
        """Keep the receipt."""
        self.calls.append(receipt)


class Failing:
    """Always fails."""

    @hookimpl
    def postroom_message_sent(self) -> None:
        """Fail."""
        raise RuntimeError("observer is down")


class Misspelt:
    """Implements a hook that does not exist, besides one that does."""

    calls = 0

    @hookimpl
    def postroom_message_sent(self) -> None:
        """Count."""
        self.calls += 1

    @hookimpl
    def postroom_message_send(self) -> None:
        """Never run."""


def test_every_observer_is_called(registry: ProviderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises is logged with its traceback, and all others are called, with what they ask for."""
    before, brief, after = Observer(), Brief(), Observer()
    for observer in (before, Failing(), brief, Failing(), after):
        registry.register(observer)
    receipt = Receipt("<1@example.com>", "pigeon")
    registry.observe("postroom_message_sent", message="m", receipt=receipt)
    assert before.calls == after.calls == [("m", receipt)]
    assert brief.calls == [receipt]
    assert len(caplog.records) == 2
    for record in caplog.records:
        assert (record.levelno, record.name) == (logging.ERROR, "postroom.registry")
        assert re.fullmatch(r"mail: observer Failing \d+ failed in postroom_message_sent", record.getMessage())
        assert "observer is down" in caplog.text


def test_a_misspelt_observer_is_refused(registry: ProviderRegistry) -> None:
    """An observer of a hook that does not exist is refused, is not called, and does not spoil the registry."""
    misspelt, good = Misspelt(), Observer()
    for _ in range(2):
        with pytest.raises(MailConfigError, match="cannot register Misspelt: unknown hook 'postroom_message_send'"):
            registry.register(misspelt)
    registry.register(good)
    registry.observe("postroom_message_sent", message="m", receipt="r")
    assert misspelt.calls == 0
    assert good.calls == [("m", "r")]


def test_an_observer_is_registered_once(registry: ProviderRegistry) -> None:
    """A second registration is refused, and the first one stays."""
    observer = Observer()
    registry.register(observer)
    with pytest.raises(MailConfigError, match=r"^cannot register Observer: it is registered already$"):
        registry.register(observer)
    registry.observe("postroom_message_sent", message="m", receipt="r")
    assert observer.calls == [("m", "r")]


def test_an_observer_that_is_named_like_a_provider_is_not_taken_for_it(site: Path, registry: ProviderRegistry) -> None:
    """An observer with a provider's name stays an observer, and the provider is found."""
    write_pigeon(site)
    observer = Observer()
    observer.__name__ = "pigeon"  # type: ignore[attr-defined]
    registry.register(observer)
    assert registry.provider("pigeon", {}).name == "pigeon"


def test_a_plugin_may_observe_too(site: Path, registry: ProviderRegistry) -> None:
    """A plugin that implements an observer's hook is called once it has been loaded."""
    source = HEAD + (
        "CALLS = []\n"
        "@hookimpl\n"
        "def postroom_provider():\n"
        "    return Provider('nosy', SenderSettings, print)\n"
        "@hookimpl\n"
        "def postroom_message_sent(receipt):\n"
        "    CALLS.append(receipt)\n"
    )
    write_distribution(site, "acme-nosy", {"nosy": "nosy_plugin"}, modules={"nosy_plugin": source})
    registry.observe("postroom_message_sent", message="m", receipt=1)
    registry.provider("nosy", {})
    registry.observe("postroom_message_sent", message="m", receipt=2)
    assert sys.modules["nosy_plugin"].CALLS == [2]


def test_skipped_is_a_value() -> None:
    """What is passed over can be compared and shown."""
    assert Skipped("acme", "why") == Skipped("acme", "why")
    assert repr(Skipped("acme", "why")) == "Skipped(distribution='acme', reason='why')"


def test_no_observer_is_lost_when_many_threads_register_first(registry: ProviderRegistry) -> None:
    """Whoever registers at the same time as others, before anything was loaded, is called as they are."""
    called: list[int] = []

    class Observer:
        def __init__(self, number: int) -> None:
            self.number = number

        @hookimpl
        def postroom_message_failed(self, error: MailError) -> None:
            called.append(self.number)

    start = threading.Barrier(16)

    def register(number: int) -> None:
        start.wait(30)
        registry.register(Observer(number))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    message = MailMessage("grace@example.com", "Hello", "x")
    registry.observe("postroom_message_failed", message=message, error=MailError("no"))
    assert sorted(called) == [*range(16)]


@pytest.mark.parametrize(
    ("value", "loaded"),
    [("json", "json"), ("json.decoder", "json.decoder"), ("json : decoder", "json.decoder"), ("json [extra]", "json")],
)
def test_a_registration_loads_what_it_names(value: str, loaded: str) -> None:
    """The value of an entry point is a module or an attribute of one; extras, which are of old, are passed over."""
    assert Registration("pigeon", "acme-pigeon", "1.0", value).load() is sys.modules[loaded]


@pytest.mark.parametrize("line", ["broken", "= x", "broken =", "[mail.senders\nbroken"])
def test_a_line_that_is_no_entry_point_is_told(site: Path, registry: ProviderRegistry, line: str) -> None:
    """The distribution is passed over as a whole, with the line that is wrong."""
    write_distribution(site, "acme-broken", f"# a comment\n[mail.senders]\n; another\ngood = json\n{line}\n")
    assert "good" not in registry.names()
    (skipped,) = registry.skipped
    assert "in entry_points.txt is not NAME = MODULE" in skipped.reason


def test_lines_of_other_groups_are_nobodys_business(site: Path, registry: ProviderRegistry) -> None:
    """A malformed line in a group of somebody else's does not take the provider away."""
    write_distribution(
        site, "acme-good", "broken\n[console_scripts]\nbroken\n[mail.senders]\ngood = json\n[x]\nbroken\n"
    )
    assert "good" in registry.names()
    assert registry.skipped == ()
