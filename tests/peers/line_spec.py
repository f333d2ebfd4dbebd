"""LINE's OpenAPI documents (tests/specs/line, Apache-2.0), made as strict as the LINE Platform is, and a checker on them.

The published files leave two holes that make a mock accept what the platform refuses: polymorphic schemas are a base with a
discriminator but no oneOf, so that a text message without text passes; and most limits stand only in the written reference.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

# schema -> {property: constraint}; from the Messaging API reference
LIMITS = {
    "TextMessage": {"text": {"minLength": 1, "maxLength": 5000}},
    "TextMessageV2": {"text": {"minLength": 1, "maxLength": 5000}},
    "TemplateMessage": {"altText": {"minLength": 1, "maxLength": 1500}},
    "FlexMessage": {"altText": {"minLength": 1, "maxLength": 1500}},
    "ImagemapMessage": {"altText": {"minLength": 1, "maxLength": 1500}},
    "ButtonsTemplate": {
        "title": {"maxLength": 40},
        "text": {"minLength": 1, "maxLength": 160},
        "actions": {"minItems": 1, "maxItems": 4},
    },
    "ConfirmTemplate": {
        "text": {"minLength": 1, "maxLength": 240},
        "actions": {"minItems": 2, "maxItems": 2},
    },
    "CarouselTemplate": {"columns": {"minItems": 1, "maxItems": 10}},
    "CarouselColumn": {
        "title": {"maxLength": 40},
        "text": {"minLength": 1, "maxLength": 120},
        "actions": {"minItems": 1, "maxItems": 3},
    },
    "FlexCarousel": {"contents": {"minItems": 1, "maxItems": 12}},
    "Action": {"label": {"maxLength": 40}},
    "MessageAction": {"text": {"minLength": 1, "maxLength": 300}},
    "PostbackAction": {"data": {"minLength": 1, "maxLength": 300}, "displayText": {"maxLength": 300}},
    "URIAction": {"uri": {"minLength": 1, "maxLength": 1000}},
    "DatetimePickerAction": {"data": {"minLength": 1, "maxLength": 300}},
    "QuickReply": {"items": {"minItems": 1, "maxItems": 13}},
    "PushMessageRequest": {"to": {"minLength": 1}, "messages": {"minItems": 1, "maxItems": 5}},
    "ReplyMessageRequest": {"replyToken": {"minLength": 1}, "messages": {"minItems": 1, "maxItems": 5}},
    "MulticastRequest": {"to": {"minItems": 1, "maxItems": 500}, "messages": {"minItems": 1, "maxItems": 5}},
}
SHORT = {
    "QuickReplyItem": "action",
    "ButtonsTemplate": "actions",
    "ConfirmTemplate": "actions",
    "CarouselColumn": "actions",
}
ERRORS = {  # example bodies, so that the mock answers as LINE does
    "400": {
        "message": "The request body has 1 error(s)",
        "details": [{"message": "invalid", "property": "messages[0]"}],
    },
    "403": {"message": "Not authorized"},
    "409": {
        "message": "The retry key is already accepted",
        "sentMessages": [{"id": "461230966842064897", "quoteToken": "q"}],
    },
    "429": {"message": "You have reached your monthly limit."},
    "500": {"message": "Internal server error"},
}


def props(schema):
    """Every 'properties' mapping of a schema, its allOf parts included."""
    if "properties" in schema:
        yield schema["properties"]
    for part in schema.get("allOf", []):
        if "properties" in part:
            yield part["properties"]


def strict(doc, limits=True):
    comps = doc["components"]["schemas"]
    for name, rules in LIMITS.items() if limits else ():
        for prop, rule in rules.items():
            hit = [p for p in props(comps[name]) if prop in p]
            assert hit, f"{name}.{prop} is not in this version of the file"
            for p in hit:
                if "$ref" not in p[prop]:
                    p[prop].update(rule)
    for name, prop in SHORT.items() if limits else ():  # here a label is required, of at most 20
        for p in props(comps[name]):
            if prop in p:
                label = {
                    "type": "object",
                    "required": ["label"],
                    "properties": {"label": {"type": "string", "minLength": 1, "maxLength": 20}},
                }
                both = {"allOf": [{"$ref": "#/components/schemas/Action"}, label]}
                if "items" in p[prop]:
                    p[prop]["items"] = both
                else:
                    p[prop] = both
    bases = {n: s["discriminator"] for n, s in comps.items() if "mapping" in s.get("discriminator", {})}
    for base, disc in bases.items():
        body = comps.pop(base)
        body.pop("discriminator")
        comps[f"{base}__Base"] = body
        subs = []
        for key, ref in disc["mapping"].items():
            sub = ref.rsplit("/", 1)[1]
            subs.append({"$ref": f"#/components/schemas/{sub}"})
            s = comps[sub]
            parts = [
                {"$ref": f"#/components/schemas/{base}__Base"}
                if p.get("$ref", "").endswith(f"/{base}")
                else p
                for p in s.get("allOf", [])
            ]
            s["allOf"] = [
                *parts,
                {
                    "type": "object",
                    "required": [disc["propertyName"]],
                    "properties": {disc["propertyName"]: {"type": "string", "enum": [key]}},
                },
            ]
        comps[base] = {"oneOf": subs}
    for path, ops in doc["paths"].items():
        for op in ops.values():
            if path.startswith("/v2/bot/message/") and isinstance(op, dict) and "requestBody" in op:
                for code, example in ERRORS.items():
                    if code in op["responses"] or code in ("400", "429", "500"):
                        op["responses"][code] = {
                            "description": code,
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                                    "example": example,
                                }
                            },
                        }
    return doc


SPECS = Path(__file__).parent.parent / "specs" / "line"


@cache
def document(name: str) -> dict[str, Any]:
    """`messaging-api.yml` or `webhook.yml`, strict."""
    loaded = yaml.load(
        (SPECS / name).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return strict(loaded, limits=name != "webhook.yml")


@cache
def _validator(name: str, ref: str) -> Draft7Validator:
    return Draft7Validator({"$ref": ref, "components": document(name)["components"]})


def problems(name: str, ref: str, value: Any) -> list[str]:
    """Why `value` is not what the schema at `ref` ("#/components/schemas/...") describes; empty: it is."""
    return [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
        for e in _validator(name, ref).iter_errors(value)
    ]


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    paths = document("messaging-api.yml")["paths"].items()
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations) for path, operations in paths
    ]


def request_problems(method: str, path: str, body: Any) -> list[str] | None:
    """What is wrong with a request to the Messaging API; None when there is no such operation."""
    for pattern, operations in _paths():
        operation = operations.get(method.lower())
        if operation is None or not pattern.fullmatch(path):
            continue
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        return problems("messaging-api.yml", content["schema"]["$ref"], body) if content else []
    return None
