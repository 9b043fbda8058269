"""
Answer questions by graphql-core; this module is imported at the first question, since the library takes 16 MB.

A question may not be longer than the library reads in a moment, nor nest deeper than any page asks.
"""

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    execute,
    parse,
    validate,
)

from meshkit import log
from services.oracle.rest.graphql.job_kinds import JOB_KINDS
from services.oracle.rest.graphql.schema import SCHEMA

# The longest question of a page has 500; the one for the schema nests 15 levels.
_MOST_TOKENS: Final = 3000
_DEEPEST: Final = 20
_MOST_FIELDS: Final = 2000
_READ_ONLY: Final = "this node is read-only by GraphQL: change it by its REST API, its command line or its files"
_log = log.get_logger(__name__)
_schema = build_schema(SCHEMA + JOB_KINDS)


async def answer(
    root: object, query: str, variables: Mapping[str, Any] | None, operation: str | None
) -> dict[str, Any]:
    """Return data and errors of a question in GraphQL's form; nothing of it is raised."""
    try:
        document = parse(query, max_tokens=_MOST_TOKENS)
    except (GraphQLError, RecursionError) as error:
        return _refused(error if isinstance(error, GraphQLError) else GraphQLError("the question nests too deeply"))
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.operation is not OperationType.QUERY:
            return _refused(GraphQLError(_READ_ONLY, extensions={"code": "READ_ONLY"}))
    if fault := _too_much(document):
        return _refused(GraphQLError(fault))
    if faults := validate(_schema, document, max_errors=5):
        return _refused(*faults)
    found = execute(_schema, document, root, variable_values=dict(variables or {}), operation_name=operation)
    result = found if isinstance(found, ExecutionResult) else await found
    told = {"data": result.data}
    return told | {"errors": [_told(each) for each in result.errors]} if result.errors else told


def _told(error: GraphQLError) -> dict[str, Any]:
    """Return an error as it is shown; what fails inside goes to the log."""
    inner = error.original_error
    if inner is None or isinstance(inner, GraphQLError):
        return dict(error.formatted)
    _log.error("question_failed", path=error.path, exc_info=inner)
    return {**error.formatted, "message": "internal error"}


def _refused(*errors: GraphQLError) -> dict[str, Any]:
    return {"data": None, "errors": [dict(error.formatted) for error in errors]}


def _too_much(document: DocumentNode) -> str:
    """Return what is too much of a question, counting what its fragments stand for; nothing if it is not."""
    fragments = {
        each.name.value: each.selection_set for each in document.definitions if isinstance(each, FragmentDefinitionNode)
    }
    fields = 0
    for definition in document.definitions:
        if not isinstance(definition, OperationDefinitionNode):
            continue
        waiting: list[tuple[SelectionSetNode, int]] = [(definition.selection_set, 1)]
        while waiting:
            selected, depth = waiting.pop()
            if depth > _DEEPEST:
                return f"the question nests deeper than {_DEEPEST} levels"
            for each in selected.selections:
                fields += 1
                if fields > _MOST_FIELDS:
                    return f"the question has more than {_MOST_FIELDS} fields"
                if isinstance(each, FragmentSpreadNode):
                    below = fragments.get(each.name.value)
                elif isinstance(each, FieldNode | InlineFragmentNode):
                    below = each.selection_set
                else:
                    below = None
                if below is not None:
                    # A fragment that names itself comes to the deepest level, and is refused.
                    waiting.append((below, depth + 1))
    return ""
