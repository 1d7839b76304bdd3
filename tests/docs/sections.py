"""Docstrings in Google's style: their sections, and what is wrong with them."""

import builtins
import inspect
import re

import msgspec

from icm_ray import errors

TITLES = ("Args", "Attributes", "Returns", "Raises", "Warns", "Examples")
ITEM = re.compile(r"^    (\*{0,2}\w+)(?: \(.+?\))?: \S")


def sections(text):
    """By title the lines of each section, under "" those before the first, of a docstring as inspect.getdoc has it."""
    found = {"": []}
    title = ""
    for line in text.splitlines():
        if re.fullmatch(r"\w+:", line):
            title = line[:-1]
            found[title] = []
        else:
            found[title].append(line)
    return found


def items(lines):
    """What a section describes, name by name, in its order."""
    return [match[1] for line in lines if (match := ITEM.match(line))]


def parameters(found):
    """The parameters that users give to a definition, in order; none where a class only inherits its constructor."""
    if isinstance(found, property):
        return []
    if inspect.isclass(found) and "__init__" not in vars(found) and not issubclass(found, msgspec.Struct):
        return []
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    given = inspect.signature(found).parameters.values()
    names = [stars.get(parameter.kind, "") + parameter.name for parameter in given]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def faults(found, text):
    """What the docstring `text` of a definition lacks or has too much of, in words."""
    parts = sections(text)
    told = []
    unknown = [title for title in parts if title and title not in TITLES]
    if unknown or [title for title in TITLES if title in parts] != [title for title in parts if title]:
        told.append(f"sections {list(parts)[1:]}; they are {TITLES}, in this order")
    if not (parts[""][0].endswith(".") and (len(parts[""]) == 1 or not parts[""][1])):
        told.append("the first line is no sentence of its own")
    if re.search(r"\b(Errors|Raises)\b:? `", "\n".join(parts[""])):
        told.append("errors outside of the section Raises")
    fields = inspect.isclass(found) and issubclass(found, msgspec.Struct)  # which are rendered as attributes
    described, there = items(parts.get("Attributes" if fields else "Args", [])), parameters(found)
    if described != there:
        told.append(f"it describes {described} where the parameters are {there}")
    for title, kind in (("Raises", Exception), ("Warns", Warning)):
        for name in items(parts.get(title, [])):
            error = getattr(errors, name, None) or getattr(builtins, name, None)
            if not (inspect.isclass(error) and issubclass(error, kind)):
                told.append(f"{title}: {name} is none of the errors")
    lists = [title for title in ("Args", "Attributes", "Raises", "Warns") if title in parts]
    told += [f"{title}: nothing is described" for title in lists if not items(parts[title])]
    if _gives(found) and "Returns" not in parts:
        told.append("what it returns is not said")
    return told


def _gives(found):
    """Whether it is a function or method that returns something, and none that an operator calls."""
    if not inspect.isfunction(found) or found.__name__.startswith("__"):
        return False
    return found.__annotations__.get("return") not in {"None", "NoReturn"}
