"""Checks a Bot API request against the machine-readable spec in tests/specs/telegram/api.json (data of PaulSonOfLars, MIT).

`Spec(path).check(method, params)` returns a list of violations (empty: fine). `params` maps names to str (as form fields
arrive), bytes (an uploaded file) or JSON values (a JSON body).
"""

from __future__ import annotations

import html
import json
import re

_SIZE = re.compile(r"(\d+)-(\d+) (characters|bytes)")
_MAX = re.compile(r"(?:up to|at most|maximum(?: of)?) (\d+) (characters|bytes)", re.I)
_COUNT = re.compile(
    r"(?:At most|must include) (\d+)(?:-(\d+))? (?:of the )?(?:bot )?(?:commands|items|elements)", re.I
)
_TAG = re.compile(r"<[^>]*>")


class Spec:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            raw = json.load(f)
        self.version = raw["version"]
        self.methods = {k.lower(): v for k, v in raw["methods"].items()}
        self.types = raw["types"]

    def check(self, method: str, params: dict) -> list[str]:
        m = self.methods.get(method.lower())
        if m is None:
            return [f"{method}: no such method in {self.version}"]
        out: list[str] = []
        fields = {f["name"]: f for f in m.get("fields", [])}
        for name, f in fields.items():
            if f["required"] and params.get(name) in (None, ""):
                out.append(f"{method}.{name}: required, missing or empty")
        for name, value in params.items():
            f = fields.get(name)
            if f is None:
                if not (isinstance(value, (bytes, bytearray))):  # attach:// parts have free names
                    out.append(f"{method}.{name}: unknown parameter")
                continue
            out += self._field(
                f"{method}.{name}", f, self._decode(f["types"], value), params.get("parse_mode")
            )
        return out

    # a form field is a string: decode it where the spec wants something else
    def _decode(self, types, value):
        if not isinstance(value, str) or types == ["String"]:
            return value
        if "String" in types and "InputFile" not in types:
            if "Integer" in types and re.fullmatch(r"-?\d+", value):
                return int(value)
            return value
        if "InputFile" in types:
            return value
        try:
            return json.loads(value)
        except ValueError:
            return value

    def _field(self, where, f, value, parse_mode):
        out = min((self._errors(where, t, value) for t in f["types"]), key=len)
        desc = f.get("description", "")
        if isinstance(value, str):
            m = _SIZE.search(desc)
            lo, hi, unit = (int(m[1]), int(m[2]), m[3]) if m else (None, None, None)
            if hi is None and (m := _MAX.search(desc)):
                lo, hi, unit = 0, int(m[1]), m[2]
            if hi is not None:
                text = value
                if "after entities parsing" in desc and parse_mode == "HTML":
                    text = html.unescape(_TAG.sub("", value))
                n = len(text.encode()) if unit == "bytes" else len(text.strip() if lo else text)
                if not lo <= n <= hi:
                    out.append(f"{where}: {n} {unit}, allowed {lo}-{hi}")
        if isinstance(value, list) and (m := _COUNT.search(desc)):
            hi = int(m[2] or m[1])
            if len(value) > hi:
                out.append(f"{where}: {len(value)} items, allowed {hi}")
        return out

    def _errors(self, where, t, v) -> list[str]:
        """Why v is not of type t (empty: it is)."""
        if t.startswith("Array of "):
            if not isinstance(v, list):
                return [f"{where}: not a list ({t})"] * 3
            return [e for i, x in enumerate(v) for e in self._errors(f"{where}[{i}]", t[9:], x)]
        plain = {
            "Integer": int,
            "Float": (int, float),
            "Boolean": bool,
            "True": bool,
            "String": str,
            "InputFile": (bytes, bytearray, str),
        }.get(t)
        if plain is not None:
            ok = isinstance(v, plain) and (plain is bool or not isinstance(v, bool))
            return [] if ok else [f"{where}: {json.dumps(v, default=str)[:60]} is not of type {t}"]
        if not isinstance(v, dict):
            return [f"{where}: not an object ({t})"] * 3
        best = None
        for name in self.types.get(t, {}).get("subtypes") or [t]:
            fields = {f["name"]: f for f in self.types.get(name, {}).get("fields", [])}
            errs = [
                f"{where}.{n}: required by {name}, missing"
                for n, f in fields.items()
                if f["required"] and n not in v
            ]
            for n, x in v.items():
                if n in fields:
                    errs += self._field(f"{where}.{n}", fields[n], x, None)
                else:
                    errs.append(f"{where}.{n}: not a field of {name}")
            if best is None or len(errs) < len(best):
                best = errs
        return best

    def returns(self, method: str) -> list[str]:
        m = self.methods.get(method.lower())
        return m["returns"] if m else []
