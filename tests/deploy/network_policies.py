"""Kubernetes' network policies as a cluster applies them: who reaches whom at which port."""

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]


def pods(objects: Iterable[Object]) -> dict[str, dict[str, str]]:
    """Return the labels of the pods that workloads make, by the workload's name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in objects
        if each["kind"] in ("Deployment", "StatefulSet")
    }


def reaches(
    objects: Iterable[Object], source: Mapping[str, str], target: Mapping[str, str], ports: Iterable[int]
) -> set[int]:
    """Return the TCP ports at which one pod, by its labels, reaches another of the same namespace."""
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    out = _applying(policies, source, "Egress")
    into = _applying(policies, target, "Ingress")
    return {
        port
        for port in ports
        if _passes(out, "egress", "to", target, port) and _passes(into, "ingress", "from", source, port)
    }


def reaches_address(objects: Iterable[Object], source: Mapping[str, str]) -> list[Object]:
    """Return the rules by which a pod reaches addresses."""
    policies = _applying([each for each in objects if each["kind"] == "NetworkPolicy"], source, "Egress")
    return [
        rule
        for policy in policies
        for rule in policy["spec"].get("egress", [])
        if any("ipBlock" in peer for peer in rule.get("to", []))
    ]


def _applying(policies: Iterable[Object], labels: Mapping[str, str], kind: str) -> list[Object]:
    return [
        policy
        for policy in policies
        if kind in policy["spec"]["policyTypes"] and _selects(policy["spec"]["podSelector"], labels)
    ]


def _passes(policies: list[Object], rules: str, ends: str, labels: Mapping[str, str], port: int) -> bool:
    if not policies:  # nobody restricts it
        return True
    return any(
        _names_port(rule, port) and any(_is_peer(peer, labels) for peer in rule.get(ends, []))
        for policy in policies
        for rule in policy["spec"].get(rules) or []
    )


def _names_port(rule: Object, port: int) -> bool:
    return any(
        each.get("protocol", "TCP") == "TCP" and each["port"] <= port <= each.get("endPort", each["port"])
        for each in rule.get("ports", [])
    )


def _is_peer(peer: Object, labels: Mapping[str, str]) -> bool:
    # One with a selector of namespaces is in another one, or a server of names.
    return "podSelector" in peer and "namespaceSelector" not in peer and _selects(peer["podSelector"], labels)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
