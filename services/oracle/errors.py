"""
Errors of the node that a caller may see.

MeshError
├── InvalidInput
│   └── SettingInvalid        a field of config.toml, secrets.toml or apicredentials
├── Internal
│   ├── JobRefused            a job that the database refused: nothing was stored (500)
│   └── JobNotStarted         a job that is stored, but whose services did not start (500)
│       └── JobKeyMissing     because it names no key, or one that is gone (400)
├── FailedPrecondition
│   ├── JobMalformed          a job's text cannot be read, in the words of a real node (422)
│   ├── JobInvalid            a job's text breaks a rule, in the words of a real node (400)
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


class JobKeyMissing(JobNotStarted):
    """A job is stored, but a key that it needs is not there."""

    reason = "JOB_KEY_MISSING"
    status_name = "INVALID_ARGUMENT"
    http_status = 400


class JobMalformed(FailedPrecondition):
    """A job's text cannot be read; says why in the words of a real node."""

    reason = "JOB_MALFORMED"
    status_name = "INVALID_ARGUMENT"
    http_status = 422


class JobInvalid(FailedPrecondition):
    """A job's text can be read, but breaks a rule; says which in the words of a real node."""

    reason = "JOB_INVALID"
    status_name = "INVALID_ARGUMENT"
    http_status = 400


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
