"""Is the provider found by its installation, and does it say what an operator must know?"""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from postroom import (
    Capability,
    MailSenderFactory,
    MailSettingsError,
    ProviderRegistry,
    SenderSettings,
    SettingInfo,
    describe,
)
from postroom_testing.contract.base import Contract
from postroom_testing.contract.questions import MISTYPED, SYMPTOMS, answer, asked, doubted, summed
from postroom_testing.contract.services import Running

_LOOKS_SECRET = re.compile(r"(password|secret|token|api_?key|credential)s?$")
_HEAVY = {"ssl", "http.client", "smtplib", "asyncio", "email.message", "urllib.request"}
_LOAD = """
import sys
import postroom, postroom.hookspecs
before = set(sys.modules)
import {module}
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


class Registration(Contract):
    """The entry point, the settings, and what importing the plugin costs."""

    @property
    def _fields(self) -> list[SettingInfo]:
        return describe(self.registered.settings, self.registered.env_prefix)

    def test_one_entry_point_has_the_name(self) -> None:
        """The distribution claims the name in the group `mail.senders`, and nobody else does."""
        assert self.registration.name == self.provider.lower(), "MAIL_TYPE has no case: write the name in small letters"

    def test_the_entry_point_names_a_module(self) -> None:
        """Its value is a module with a `postroom_provider`, not an attribute of one."""
        assert ":" not in self.registration.value, f"write {self.registration.value.partition(':')[0]!r}"

    def test_the_provider_loads(self) -> None:
        """The plugin returns a `Provider` whose name is that of the entry point."""
        assert self.registered.name == self.provider

    def test_the_provider_is_listed(self) -> None:
        """`get_supported_types` has the name."""
        assert self.provider in MailSenderFactory.get_supported_types(registry=ProviderRegistry())

    def test_the_provider_has_a_title(self) -> None:
        """People read a name that they know."""
        assert self.registered.title.strip(), "Provider(title=...)"

    def test_capabilities_are_core_s(self) -> None:
        """What the provider declares are members of `Capability`."""
        assert all(isinstance(each, Capability) for each in self.registered.capabilities)

    def test_each_limit_has_a_source(self) -> None:
        """A rule that refuses mail can be looked up."""
        for limit in self.registered.limits:
            assert re.match(r"https?://", limit.source), f"Limit({limit.rule!r}, ..., source=): give the page's address"

    def test_each_rule_has_a_source(self) -> None:
        """What a failure means can be looked up."""
        for rule in self.registered.rules:
            assert re.match(r"https?://", rule.source), f"Rule(meaning={rule.meaning!r}, source=): give an address"

    def test_each_rule_names_settings_that_there_are(self) -> None:
        """A setting in braces is a field of the settings, so an operator reads its variable."""
        fields = {info.field for info in self._fields}
        for rule in self.registered.rules:
            unknown = sorted(rule.fields - fields)
            assert not unknown, f"Rule(meaning={rule.meaning!r}): the settings have no field {unknown}"

    def test_each_rule_reads_as_one_line(self) -> None:
        """Meaning and remedy are put into a line of a log, and into a sentence."""
        for rule in self.registered.rules:
            for name, text in (("meaning", rule.meaning), ("remedy", rule.remedy)):
                fits = text.isprintable() and text == text.strip() and text and not text.endswith(".")
                assert fits, f"Rule({name}={text!r}): write one printable line without a full stop at its end"

    def test_each_rule_can_be_asked(self) -> None:
        """A rule answers whatever is known of a failure: one that raises hides the failure that it is asked about."""
        for rule in self.registered.rules:
            for symptom in SYMPTOMS:
                said = answer(asked, rule, symptom)
                assert isinstance(said, tuple), f"Rule(meaning={rule.meaning!r}) cannot be asked: {said!r}"

    def test_the_settings_are_a_settings_class(self) -> None:
        """They derive from `SenderSettings`."""
        assert issubclass(self.registered.settings, SenderSettings)

    def test_the_settings_are_frozen(self, service: Running) -> None:
        """Settings do not change under a sender that is in use."""
        made = self.loaded(service.place)
        with pytest.raises(AttributeError):  # attrs says FrozenInstanceError, which is one
            made.timeout = 1.0  # type: ignore[misc]

    def test_each_setting_has_help(self) -> None:
        """The docs and the command line print it."""
        for info in self._fields:
            assert info.help.strip(), f"setting(help) of the field {info.field}"

    def test_each_variable_is_one(self) -> None:
        """A variable is in capitals, and no two fields share one."""
        names = [info.variable for info in self._fields]
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in names), f"env=: capitals, digits and _: {names}"
        assert len(set(names)) == len(names), f"two fields share a variable: {sorted(names)}"

    def test_what_looks_secret_is_secret(self) -> None:
        """A field named like a password is a `Secret`, and so hidden everywhere."""
        open_ = [info.field for info in self._fields if _LOOKS_SECRET.search(info.field) and not info.secret]
        assert not open_, f"annotate with Secret, converter=Secret, metadata=setting(..., secret=True): {open_}"

    def test_the_settings_show_no_secret(self, service: Running) -> None:
        """Neither the repr nor `attrs.asdict` of the settings has a secret in it."""
        made = self.loaded(service.place)
        shown = f"{made!r} {attrs.asdict(made)!r} {made.summary()!r} {[*made.doubts()]!r}"
        assert not [each for each in self.secrets(service.place) if each in shown]

    def test_settings_that_load_can_be_looked_at(self, service: Running) -> None:
        """Whatever a setting holds, `check`, `doubts` and `summary` answer: an operator mistypes each of them."""
        settings = self.registered.settings
        for info in self._fields:
            for raw in MISTYPED:
                where = f"when {info.field} is {raw!r}"
                try:
                    made = self.registered.load({**self.values(service.place), info.field: raw})
                except MailSettingsError as error:
                    failed = [problem.reason for problem in error.problems if problem.field == settings.__name__]
                    assert not failed, f"check() must yield what is wrong, and not raise, {where}: {failed}"
                    continue
                looked = answer(doubted, made)
                assert isinstance(looked, list), (
                    f"doubts() must yield names and texts, and not raise, {where}: {looked!r}"
                )
                looked = answer(summed, made)
                assert isinstance(looked, dict), f"summary() must return a dict, and not raise, {where}: {looked!r}"

    def test_a_missing_setting_is_named_with_its_variable(self) -> None:
        """Whoever sets nothing is told all that is needed, at once, with the variables to set."""
        required = {info.field: info.variable for info in self._fields if info.required}
        if not required:
            assert MailSenderFactory.create_sender(self.provider, {}, registry=ProviderRegistry()).is_configured()
            return
        with pytest.raises(MailSettingsError) as caught:
            MailSenderFactory.create_sender(self.provider, {}, registry=ProviderRegistry())
        named = {problem.variable for problem in caught.value.problems}
        assert set(required.values()) <= named, f"check() hides {set(required.values()) - named}"

    def test_a_misspelt_setting_is_refused(self, service: Running) -> None:
        """A key that is no field is an error, and not passed over."""
        with pytest.raises(MailSettingsError, match="unknown setting 'colour'"):
            MailSenderFactory.create_sender(
                self.provider, {**self.values(service.place), "colour": "red"}, registry=ProviderRegistry()
            )

    def test_variables_make_a_sender(self, service: Running) -> None:
        """The variables of an application like Dify do what the settings by name do."""
        variables = {info.field: info.variable for info in self._fields}
        values = self.values(service.place)
        environ = {variables[field]: _written(value) for field, value in values.items() if value is not None}
        made = MailSenderFactory.create_from_dify_config(
            None, environ={"MAIL_TYPE": self.provider, **environ}, registry=ProviderRegistry()
        )
        assert made is not None
        assert made.provider == self.provider
        made.close()

    def test_importing_the_plugin_loads_nothing_heavy(self) -> None:
        """Listing providers imports the plugin's module: no TLS, no HTTP client and no other package with it."""
        source = _LOAD.format(module=self.registration.value)
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        own = self.registration.value.partition(".")[0]
        allowed = {own, "postroom", *sys.stdlib_module_names, *(each for each in _BUILDING_BLOCKS)}
        loaded = json.loads(done.stdout)
        heavy = {each for each in loaded if each.partition(".")[0] not in allowed or each in _HEAVY}
        assert not heavy, f"import inside build(), not at the top of the plugin: {sorted(heavy)[:8]}"

    def test_the_package_is_typed(self) -> None:
        """Who uses the package has its types."""
        package = self.registration.value.partition(".")[0]
        found = sys.modules.get(package) or __import__(package)
        folder = Path(str(found.__file__)).parent
        assert (folder / "py.typed").is_file(), f"add an empty file py.typed to {package}"

    def test_the_distribution_requires_postroom(self) -> None:
        """An installer brings core, in a version that fits."""
        name = self.registration.distribution
        needed = [re.split(r"[^A-Za-z0-9._-]", each)[0].lower() for each in importlib.metadata.requires(name) or []]
        assert any(each.startswith("postroom") for each in needed), f'dependencies of {name}: add "postroom>=0.1,<1"'


_BUILDING_BLOCKS = ("postroom_smtp", "postroom_http", "attrs", "attr", "pluggy")


def _written(value: object) -> str:
    reveal = getattr(value, "reveal", None)
    return str(reveal() if reveal else value)
