"""
Errors of the node that a caller may see.

MeshError
├── InvalidInput
│   └── SettingInvalid        a field of config.toml, secrets.toml or apicredentials
├── Internal
│   ├── JobRefused            a job that the database refused: nothing was stored (500)
│   └── JobNotStarted         a job that is stored, but whose services did not start (500)
├── FailedPrecondition
│   ├── FeatureDisabled       the feature is off in config.toml (501)
│   └── KeyringLocked         the keyring of the database belongs to another keystore password
└── Unavailable
    └── DatabaseUnavailable   PostgreSQL did not answer before the deadline
"""

from meshkit.errors import FailedPrecondition, Internal, InvalidInput, Unavailable


class SettingInvalid(InvalidInput):
    """A field of one of the node's files has a value that is not allowed, or is missing."""

    reason = "SETTING_INVALID"


class JobRefused(Internal):
    """A job was refused on storing; nothing of it remains."""

    reason = "JOB_REFUSED"


class JobNotStarted(Internal):
    """A job is stored, but its services did not start; its errors say why."""

    reason = "JOB_NOT_STARTED"


class FeatureDisabled(FailedPrecondition):
    """A feature is off in config.toml."""

    reason = "FEATURE_DISABLED"
    status_name = "UNIMPLEMENTED"
    http_status = 501


class KeyringLocked(FailedPrecondition):
    """The keyring does not open with this keystore password."""

    reason = "KEYRING_LOCKED"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL did not answer before the deadline."""

    reason = "DATABASE_UNAVAILABLE"
