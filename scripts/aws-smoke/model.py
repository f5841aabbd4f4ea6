"""What the service model of botocore says of a request and of an answer, as checks.

`valid` makes a request's body that keeps every constraint; `violations` makes bodies that break one each,
with what the service has to say about it; `faults` lists what is wrong with an answer or an error.
"""

import copy
import re

# Patterns of the model, each with a text that does not match; Python's `re` does not know all of Java's.
BREAKS = {
    r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$": "two words",
    r"[!-~]+": "a b",
    r"\p{ASCII}*": "größe",
}


def valid(shape):
    """A value of a shape with all that is required and nothing else."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: valid(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [valid(shape.member) for _ in range(max(1, rules.get("min", 0)))]
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "a" * max(1, rules.get("min", 0))
    if kind == "boolean":
        return False
    return max(0, rules.get("min", 0))


def violations(shape, path=""):
    """(path, broken value, what is told of it) for each constraint of a shape and of what is in it. The
    value is one for the whole shape."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        base = valid(shape)
        for name in shape.required_members:
            broken = {key: value for key, value in base.items() if key != name}
            at = f"{path}.{name}".lstrip(".")
            yield at, broken, f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            for at, value, told in violations(member, f"{path}.{name}".lstrip(".")):
                yield at, {**base, name: value}, told
        return
    if kind == "list":
        if rules.get("min"):
            yield path, [], told_of(path, "[]", f"have length greater than or equal to {rules['min']}")
        if rules.get("max"):
            many = [valid(shape.member)] * (rules["max"] + 1)
            # How a list is quoted is Java's business; the constraint is ours.
            yield path, many, re.compile(
                rf"Value '\[.*\]' at '{re.escape(path)}' failed to satisfy constraint: "
                rf"Member must have length less than or equal to {rules['max']}"
            )
        for at, value, told in violations(shape.member, f"{path}.1.member"):
            yield at, [value], told
        return

    def quoted(value):
        return None if rules.get("sensitive") or shape.metadata.get("sensitive") else value

    if kind == "string":
        if getattr(shape, "enum", None):
            yield path, "nonsense", enum_told(path, "nonsense", shape.enum)
            return
        if rules.get("min"):
            told = told_of(path, quoted(""), f"have length greater than or equal to {rules['min']}")
            # The pattern of what may not be empty is broken by it, too.
            also = told_of(path, quoted(""), f"satisfy regular expression pattern: {rules.get('pattern')}")
            yield path, "", {told, also} if "pattern" in rules else told
        if "max" in rules:
            long = "a" * (rules["max"] + 1)
            yield path, long, told_of(
                path, quoted(long), f"have length less than or equal to {rules['max']}"
            )
        if "pattern" in rules:
            bad = BREAKS[rules["pattern"]]
            yield path, bad, told_of(
                path, quoted(bad), f"satisfy regular expression pattern: {rules['pattern']}"
            )
    elif kind in ("integer", "long", "float", "double"):
        if "min" in rules:
            number = rules["min"] - 1
            yield path, number, told_of(
                path, shown(kind, number), f"have value greater than or equal to {rules['min']}"
            )
        if "max" in rules:
            number = rules["max"] + 1
            yield path, number, told_of(
                path, shown(kind, number), f"have value less than or equal to {rules['max']}"
            )


def shown(kind, number):
    return f"{float(number)}" if kind in ("float", "double") else str(number)


def told_of(path, value, constraint):
    value = "" if value is None else f" '{value}'"
    return f"Value{value} at '{path}' failed to satisfy constraint: Member must {constraint}"


class enum_told:
    """The members of an enumeration are told in any order."""

    def __init__(self, path, value, names):
        self.start = told_of(path, value, "satisfy enum value set: [")
        self.names = set(names)

    def fits(self, message):
        if not (message.startswith(self.start) and message.endswith("]")):
            return False
        return set(message[len(self.start) : -1].split(", ")) == self.names

    def __repr__(self):
        return self.start + ", ".join(sorted(self.names)) + "]"


def same_message(expected, message):
    """Whether a message tells of exactly the expected violation, or the expected set of them."""
    if isinstance(expected, set):
        prefix = f"{len(expected)} validation errors detected: "
        return message.startswith(prefix) and set(message[len(prefix) :].split("; ")) == expected
    prefix = "1 validation error detected: "
    if not message.startswith(prefix):
        return False
    message = message[len(prefix) :]
    if isinstance(expected, str):
        return message == expected
    if isinstance(expected, re.Pattern):
        return expected.fullmatch(message) is not None
    return expected.fits(message)


WRONG_KIND = {
    "string": {"a": 1},
    "structure": "text",
    "list": "text",
    "boolean": "text",
    "integer": "text",
    "long": "text",
    "float": "text",
    "double": "text",
}


def wrong_kinds(shape):
    """Bodies with one member of a kind that JSON can't turn into the model's."""
    for name, member in shape.members.items():
        yield name, {**valid(shape), name: WRONG_KIND[member.type_name]}


def faults(shape, value, path="answer"):
    """What is wrong with a value that is to be of a shape."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{path} is not an object"]
        found = [
            f"{path}.{name} is missing" for name in shape.required_members if value.get(name) is None
        ]
        for name, member in value.items():
            if name not in shape.members:
                found.append(f"{path}.{name} is not in the model")
            elif member is not None:
                found += faults(shape.members[name], member, f"{path}.{name}")
        return found
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path} is not a list"]
        return [fault for i, v in enumerate(value) for fault in faults(shape.member, v, f"{path}[{i}]")]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{path} is not a map"]
        return [fault for k, v in value.items() for fault in faults(shape.value, v, f"{path}.{k}")]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    right = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "timestamp": number,
        "integer": isinstance(value, int) and number,
        "long": isinstance(value, int) and number,
        "float": number,
        "double": number,
    }[kind]
    if not right:
        return [f"{path} is not a {kind}: {value!r}"]
    found = []
    if kind == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            found.append(f"{path} is none of {shape.enum}: {value!r}")
        if not rules.get("min", 0) <= len(value) <= rules.get("max", len(value)):
            found.append(f"{path} has {len(value)} characters")
    elif number and kind != "timestamp":
        if not rules.get("min", value) <= value <= rules.get("max", value):
            found.append(f"{path} is out of range: {value}")
    return found


def error_faults(shape, body):
    """What is wrong with an error's body, whose `__type` is the name of the shape."""
    members = copy.copy(body)
    members.pop("__type", None)
    return faults(shape, members, "error")
