"""What pydantic says of a file that has not the shape -> what staff read: the place, what came, what is allowed."""

from typing import Any

from pydantic import BaseModel, ValidationError
from rapidfuzz import fuzz, process

from intents.faq.shape import FaqFile
from intents.strict_yaml import Document, Path, Problem


def translated(err: ValidationError, document: Document) -> list[Problem]:
    """pydantic's errors -> ours: place, what came, what is allowed."""
    found = {}
    for item in err.errors(include_url=False):
        loc: Path = tuple(part for part in item["loc"] if part != "[key]")
        at = document.place(
            (*loc, "?") if item["type"] == "extra_forbidden" or "[key]" in item["loc"] else loc
        )
        where = name_of(loc)
        came = item["input"] if isinstance(item["input"], str) else None
        match item["type"]:
            case "extra_forbidden":
                message = f'the key "{loc[-1]}" is not known here{closest(str(loc[-1]), _siblings(loc))}'
            case "missing":
                message = f'"{loc[-1]}" is missing in {name_of(loc[:-1])}'
            case "string_too_short" | "too_short":
                message = f"{where} is empty; write the text or remove the key"
            case "string_too_long" | "too_long":
                message = (
                    f"{where} is too long ({len(came or '')} characters); at most {item['ctx']['max_length']}"
                )
            case "literal_error" | "enum":
                expected = str(item["ctx"]["expected"]).replace("'", '"')
                message = f"{where}: came {_shown(came)}; allowed: {expected}"
            case "string_pattern_mismatch":
                wanted = item["ctx"]["pattern"]
                message = f"{where}: came {_shown(came)}; allowed: {_PATTERNS.get(wanted, wanted)}"
            case "value_error":
                message = f"{where}: came {_shown(came)}; {item['ctx']['error']}"
            case _:
                what = _shown(came) if came is not None else _kind(item["input"])
                message = f"{where}: came {what}; {_TYPES.get(item['type'], item['msg'])}"
        found[(at, message)] = Problem(*at, message)
    return list(found.values())


_PATTERNS = {
    r"^[A-Za-z][A-Za-z0-9_]{0,47}$": "letters, digits and _ (such as smile_pain)",
    r"^[A-Z]{2}$": "a country's two capital letters (such as JP)",
}
_TYPES = {
    "string_type": "a text is wanted here",
    "list_type": "a list (lines that start with -) is wanted here",
    "dict_type": "a map (key: value) is wanted here",
    "model_type": "a map (key: value) is wanted here",
    "model_attributes_type": "a map (key: value) is wanted here",
}


def _shown(value: str | None) -> str:
    return "nothing" if not value else f'"{value[:60]}{"..." if len(value) > 60 else ""}"'


def _kind(value: Any) -> str:
    return "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else "something else"


def name_of(path: Path) -> str:
    words = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in path)
    return words or "the file"


def in_words(path: Path, file: FaqFile) -> str:
    """The same with an entry's id in place of its number, as staff know it."""
    if path[0] == "entries" and isinstance(path[1], int):
        return f"{file.entries[path[1]].id}.{name_of(path[2:])}"
    return name_of(path)


def _siblings(path: Path) -> list[str]:
    """The keys allowed where `path` stands, found by walking the models; empty when they are free."""
    model: Any = FaqFile
    for part in path[:-1]:
        if isinstance(part, int) or not hasattr(model, "model_fields") or part not in model.model_fields:
            continue
        model = _model_of(model.model_fields[part].annotation)
    return list(getattr(model, "model_fields", {}))


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_of(arg) for arg in getattr(annotation, "__args__", ())]
    return next((model for model in inner if model), None)


def closest(word: str, allowed: list[str]) -> str:
    best = process.extractOne(word, allowed, scorer=fuzz.ratio, score_cutoff=60)
    if best:
        return f'; did you mean "{best[0]}"?'
    return f"; allowed: {', '.join(allowed)}" if allowed and len(allowed) < 20 else ""
