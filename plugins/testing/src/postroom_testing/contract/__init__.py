"""The contract suite: about a hundred checks that a provider keeps what applications rely on.

Derive a test class from `SenderContract`, and say where the service is and what it answers.
"""

from postroom_testing.contract.arrived import Arrived, File
from postroom_testing.contract.cases import Case, Expected
from postroom_testing.contract.errors import ConnectionTests, Errors
from postroom_testing.contract.fidelity import Fidelity
from postroom_testing.contract.http_service import HttpService
from postroom_testing.contract.injection import Injection
from postroom_testing.contract.purity import Purity
from postroom_testing.contract.registration import Registration
from postroom_testing.contract.services import Place, Running, Service
from postroom_testing.contract.sharing import Receipts, Sharing
from postroom_testing.contract.smtp_service import SmtpService

__all__ = [
    "Arrived",
    "Case",
    "Expected",
    "File",
    "HttpService",
    "Place",
    "Running",
    "SenderContract",
    "Service",
    "SmtpService",
]


class SenderContract(Registration, Purity, Fidelity, Errors, ConnectionTests, Receipts, Sharing, Injection):
    """All checks. The author supplies `provider`, `server` and `settings`, and `expected` where errors are unusual."""
