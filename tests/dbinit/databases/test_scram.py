"""What PostgreSQL stores of a password."""

import base64
import hmac

from services.dbinit.databases.scram import verifier

# The example exchange of RFC 7677, section 3.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
AUTH_MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}"
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_server_key_signs_as_in_the_rfc() -> None:
    """The verifier's server key makes the server signature of RFC 7677's example."""
    scheme, parameters, keys = verifier("pencil", SALT).split("$")
    server_key = base64.b64decode(keys.split(":")[1])

    assert ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==") == (scheme, parameters)
    assert SERVER_SIGNATURE == base64.b64encode(hmac.digest(server_key, AUTH_MESSAGE.encode(), "sha256")).decode()


def test_salts_differ() -> None:
    """Two verifiers of one password are different texts."""
    assert verifier("pencil") != verifier("pencil")
