"""The values of a render, checked against the declared variables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from promptstore.errors import VariableError
from promptstore.model.messages import ROLES
from promptstore.model.names import near_matches
from promptstore.model.values import UnfitValueError, is_unicode, plain_json
from promptstore.model.variables import MISSING, Variable, VariableType


def fit(variable: Variable, value: Any) -> Any:
    """Check one value against a variable and copy it into plain JSON.

    Args:
        variable: The declaration.
        value: What a caller gave. Subclasses of str, int, float, list, tuple and mappings are
            taken for what they hold; any other object is refused, so that a template only ever
            sees data.

    Returns:
        A copy made of plain dict, list, str, int, float, bool and None.

    Raises:
        UnfitValueError: The value has another type, is none of the enum, or is not JSON.
    """
    plain = value if type(value) is str and value.isascii() else plain_json(value)
    _CHECKS[variable.type](plain)
    if variable.enum is not None and not any(_same(plain, allowed) for allowed in variable.enum):
        choices = ", ".join(repr(allowed) for allowed in variable.enum)
        raise UnfitValueError(f"is {_shown(plain)}, which is none of {choices}")
    return plain


def bind(
    values: Mapping[str, Any],
    declared: Mapping[str, Variable],
    *,
    required: Collection[str],
    used: Collection[str],
    undeclared: Collection[str] = (),
    name: str | None = None,
    ignore_unknown: bool = False,
) -> dict[str, Any]:
    """Turn the values of a render into what its templates see.

    Args:
        values: The caller's values by variable name.
        declared: The prompt's variables; empty where it declares none.
        required: Names that the templates cannot do without, declared or not.
        used: Every name that the templates read where none need be declared.
        undeclared: Names that the templates need although the prompt's declaration lacks them.
        name: The prompt's name, for the error.
        ignore_unknown: Whether values for other names are left out rather than refused.

    Returns:
        Plain JSON values by name, defaults filled in.

    Raises:
        VariableError: With every missing, unknown and wrong value at once.
    """
    known = dict.fromkeys([*declared, *used])
    missing = [
        key for key, variable in declared.items() if variable.needs_value and key not in values
    ]
    missing += [key for key in required if key not in declared and key not in values]
    bound: dict[str, Any] = {}
    invalid = dict.fromkeys(undeclared, "is used by the template but not declared in `variables:`")
    unknown = {
        str(key): near_matches(str(key), known)
        for key in values
        if key not in known and key not in invalid
    }
    for key in known:
        variable = declared.get(key, _ANY)
        value = values.get(key, variable.default)
        if value is MISSING:
            continue
        try:
            bound[key] = fit(variable, value)
        except UnfitValueError as unfit:
            invalid[key] = str(unfit)
    if missing or invalid or (unknown and not ignore_unknown):
        raise VariableError(
            name=name,
            missing=missing,
            unknown={} if ignore_unknown else unknown,
            invalid=invalid,
        )
    return bound


_ANY = Variable()


class Binder:
    """Binds values that need no second look: the way that most renders take.

    `bind` tells everything that is wrong, and takes ten times as long. This one only knows whether
    a value is plainly right: a text, a number or a boolean of the very type that was declared, or
    a list or dict that fits.

    Args:
        declared: The prompt's variables.
        used: Names that the templates read where none need be declared.
        undeclared: Names that the templates need although the declaration lacks them.
    """

    __slots__ = ("_checks", "_containers", "_count", "_defaults")

    def __init__(
        self, declared: Mapping[str, Variable], used: Iterable[str], undeclared: Collection[str]
    ) -> None:
        variables = {**dict.fromkeys(used, _ANY), **declared}
        self._defaults = _plain_defaults(variables)
        self._checks = {
            name: checks
            for name, variable in variables.items()
            if (checks := _plain_checks(variable)) is not None
        }
        self._containers = {
            name: variable for name, variable in variables.items() if variable.enum is None
        }
        # With one that may be missing, the numbers differ, and `bind` has its second look.
        self._count = -1 if undeclared else len(variables)

    def bind_plainly(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Bind values as `bind` does, or give None where that must look at them."""
        bound = self._defaults.copy()
        checks = self._checks
        for name, value in values.items():
            check = checks.get(name)
            if check is None or type(value) not in check[0]:
                copy = self._copy(name, value)
                if copy is None:
                    return None
                bound[name] = copy
                continue
            if type(value) is str and not value.isascii() and not is_unicode(value):
                return None
            if check[1] is not None and value not in check[1]:
                return None
            bound[name] = value
        return bound if len(bound) == self._count else None

    def _copy(self, name: str, value: Any) -> Any:
        """Copy a list or a dict that fits, or give None."""
        variable = self._containers.get(name)
        if variable is None or type(value) not in (list, dict):
            return None
        try:
            return fit(variable, value)
        except UnfitValueError:
            return None


_PLAIN: Final = frozenset({str, int, bool})
_PLAIN_TYPES: Final[dict[VariableType, frozenset[type]]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int}),
    "boolean": frozenset({bool}),
    "any": _PLAIN,
}


def _plain_defaults(variables: Mapping[str, Variable]) -> dict[str, Any]:
    """Give the defaults that every render may share: none that holds something."""
    defaults: dict[str, Any] = {}
    for name, variable in variables.items():
        if variable.has_default:
            with suppress(UnfitValueError):
                value = fit(variable, variable.default)
                if not value or not isinstance(value, (list, dict)):
                    defaults[name] = value
    return defaults


def _plain_checks(variable: Variable) -> tuple[frozenset[type], frozenset[Any] | None] | None:
    """Give the types that are plainly right and the values allowed, None where that is not told."""
    types = _PLAIN_TYPES.get(variable.type)
    if types is None:
        return None
    if variable.enum is None:
        return types, None
    # In Python 1 == True: only texts are the same whenever they are equal.
    if types == {str} and all(type(value) is str for value in variable.enum):
        return types, frozenset(variable.enum)
    return None


def _same(value: Any, allowed: Any) -> bool:
    # In Python 1 == True, in JSON they differ.
    return isinstance(value, bool) == isinstance(allowed, bool) and bool(value == allowed)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def _expect(wanted: str, *types: type) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if type(value) not in types:
            raise UnfitValueError(f"is {_kind(value)}, but must be {wanted}")

    return check


def _expect_messages(value: Any) -> None:
    if not isinstance(value, list):
        raise UnfitValueError(f"is {_kind(value)}, but must be a list of messages")
    for number, message in enumerate(value, 1):
        fault = _message_fault(message)
        if fault:
            raise UnfitValueError(f"is not a list of messages: message {number} {fault}")


def _message_fault(message: Any) -> str:
    if not isinstance(message, dict):
        return f"is {_kind(message)}, but must be an object with role and content"
    if message.get("role") not in ROLES:
        return f"has the role {_shown(message.get('role'))}; the roles are {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, str) or (content is None and message.get("tool_calls")):
        return ""
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("type"), str) for part in content
    ):
        return ""
    return "must have a content that is a text or a list of parts"


def _anything(_value: Any) -> None:
    pass


_CHECKS: Final[dict[VariableType, Callable[[Any], None]]] = {
    "string": _expect("a text", str),
    "integer": _expect("an integer", int),
    "number": _expect("a number", int, float),
    "boolean": _expect("a boolean", bool),
    "array": _expect("a list", list),
    "object": _expect("an object", dict),
    "messages": _expect_messages,
    "any": _anything,
}
