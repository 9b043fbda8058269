"""A configuration of which some values are wrong, so that the others can be checked as well."""

import copy
from collections.abc import Iterable
from typing import Any, Final

from pydantic import ValidationError

from meshkit.configuration.faults.problem import Place
from meshkit.configuration.solution import Configuration

_MOST_TRIES: Final = 50
# In the place of what has no default. Nothing that follows from them is told.
_STAND_INS: Final[dict[str, object]] = {
    "pgPassword": "stand-in-stand-in",
    "chainlinkEmail": "stand@in",
    "chainlinkPassword": "stand-in-stand-in",
    "chainlinkKeystorePassword": "stand-in-stand-in",
    "chainlinkChainId": 1,
    "chainlinkRpcWsUrl": "wss://stand-in.invalid",
    "chainlinkRpcHttpUrl": "https://stand-in.invalid",
    "faucetPrivateKey": "1" * 64,
}


def without_faults(document: Any, places: Iterable[Place]) -> tuple[Configuration | None, frozenset[Place]]:
    """
    Return the configuration with defaults in the place of what is wrong, and the places that were changed.

    None where nothing of it is an object.
    """
    if not isinstance(document, dict) or not isinstance(document.get("solution"), dict):
        return None, frozenset()
    document = copy.deepcopy(document)
    changed: set[Place] = set()
    wrong = list(places)
    for _ in range(_MOST_TRIES):
        for place in wrong:
            changed.add(_mend(document, place))
        try:
            return Configuration.model_validate(document), frozenset(changed)
        except ValidationError as error:
            wrong = [fault["loc"] for fault in error.errors(include_input=False, include_url=False)]
    return None, frozenset(changed)


def concerns(place: Place, other: Place) -> bool:
    """Tell whether one of two places is the other or below it."""
    return place[: len(other)] == other or other[: len(place)] == place


def _mend(document: Any, location: Place) -> Place:
    """Take out what is at a place, or what holds it where it cannot be taken out; return what was."""
    place = location
    while len(place) > 1:
        above = _at(document, place[:-1])
        name = place[-1]
        if isinstance(above, dict):
            if name in above:
                del above[name]
                _fill(document, place)
                return place
            if len(place) == 2 and name in _STAND_INS:
                _fill(document, place)
                return place
        # An entry of a list, or something that has to be there: its section goes as a whole.
        place = place[:-1]
    document.clear()
    document["solution"] = dict(_STAND_INS)
    return place


def _fill(document: Any, place: Place) -> None:
    if len(place) == 2 and place[-1] in _STAND_INS:
        document["solution"][place[-1]] = _STAND_INS[str(place[-1])]


def _at(document: Any, place: Place) -> Any:
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document
