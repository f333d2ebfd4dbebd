"""What a negation covers: "no fever, just sore" speaks of soreness. Spans of folded text that are denied.

Only denials of existence that stand before their noun count ("no", "without", 没有): in "can't breathe" or 動かない the denial
is the report itself. In Japanese the noun stands before は or も and the denial after it; with が the lack is often the report
(感覚がない). For Korean n-grams measured better than such rules.
Whatever is denied is still a feature, but another one than the thing asserted, so the model learns both.

And which parts a message has: a sign of danger is often said by the way, after a question about something else.
"""

import re

_CLAUSE = r"[^,.;:!?、。，！？\n]"
_CJK_CLAUSE = r"[^,.;:!?、。，！？\s]"  # spaces end a clause where words are not spaced
_STOP = r"(?=\b(?:but|just|only|though|and (?:now|then|my|the|i)|however)\b|[,.;:!?\n]|$)"
_MATTER = "什么|啥|大?事|大碍|关系|所谓"  # what is waved away rather than denied
_PATTERNS = (  # one of these words must stand in a text that is worth a closer look, and the look
    # English: no / without / never / neither ... up to the end of the clause; "no big deal, my mouth hangs" denies nothing
    (
        ("n", "zero", "without"),
        re.compile(
            rf"\b(?:no|without|never|neither|nor|haven't|havent|hasn't|hadn't|don't have|dont have|didn't have|isn't any|not any|zero)\b"
            rf"(?!\s+(?:longer|idea|one|way|matter|feeling|sensation|movement|control|big|biggie|worries|rush|panic|drama|offen[cs]e|stress)\b)({_CLAUSE}{{1,48}}?){_STOP}"
        ),
    ),
    # Japanese: noun + は / も + ない / ありません / なし / 出ていません
    (
        ("な", "せん", "無し"),
        re.compile(
            r"([^。、!?！？\s]{1,14}?)[はも](?:全然|まったく|全く|特に|とくに|一切|別に)?"
            r"(?:ありません|ございません|ないです|ない(?=[。、でし!?！？]|$)|なし|無し|なく|出て(?:い)?(?:ません|ない))"
        ),
    ),
    # Chinese: 没有 / 无 / 冇 + noun; 没事, 没什么 and 冇嘢 wave the matter away and then tell it
    (
        ("没", "无", "冇", "并非", "不是"),
        re.compile(
            rf"(?:没有(?!{_MATTER})|没(?!有|法|办|力|知觉|反应|感觉|{_MATTER})|(?:没|没有)(?:什么|啥)(?!{_MATTER}|[啦吧呀啊的,]|就|但|不过|只|$)"
            rf"|无(?!法|力|所谓)|冇(?!力|知觉|感觉|嘢|野|乜|{_MATTER})|并非|不是)({_CJK_CLAUSE}{{1,8}})"
        ),
    ),
)

_BY_THE_WAY = (
    r"\b(?:also|by the way|btw|anyway|oh and|plus)\b|(?:あと|それと|ちなみに|そういえば|ところで)(?=[、,\s])"
    r"|(?:참고로|그리고|근데|그런데|아 그리고)\s|顺便|順便|另外|还有|還有|对了|對了"
)
# How a question begins that stands beside a remark in one sentence: "throat a bit tight, can I eat soup".
_MAY_I = "能|可以|可唔可以|可不可以|得唔得|飲唔飲得|做唔做得"
_ASKING = (
    r"(?:(?:and|but|so) )?(?:can|could|may|should|shall|is|are|will|do|does|when|what|how|where|why|ok)\b"
    rf"|{_MAY_I}|要不要|还能|還能|仲|几时|幾時|什么时候|什麼時候"
)
# And how a remark ends that a question follows.
_BESIDE = r"(?<=けど)[、,\s]*|(?<=ですが)[、,\s]*|(?<=ますが)[、,\s]*|(?<=のに)[、,\s]+|(?<=데)[,\s]+|(?<=데요)[,\s]+|(?<=지만)[,\s]+"
_SENTENCE = rf"(?<=[.!?。！？…;；\n])\s*|[,，、\s](?={_BY_THE_WAY})"
_PART = re.compile(_SENTENCE, re.I)
_REMARK = re.compile(
    rf"{_SENTENCE}|[,，、]\s*(?={_ASKING})|\s(?={_MAY_I})|{_BESIDE}",
    re.I,
)
PARTS = 8  # of a message that are looked at one by one
_AND_ASKS = re.compile(
    r",?\s+(?:and|or)\s+(?=(?:can|could|may|should|is|are|will|do|does|when|what|how|where|why)\b)", re.I
)
# Also where the question mark is left out.
_ASKS = re.compile(r"(?:[?？]|か|(?:나요|까요|가요|지요|죠|니까)|[吗嗎呢么])[\s.。~!ㅠㅜ…]*$")
QUESTIONS = 3  # of a message that are answered one by one


def parts(text: str) -> list[str]:
    """The sentences of raw `text`, and what stands after a "by the way" as one of its own; at most PARTS, the last ones.

    None where it is all one.
    """
    return _split(_PART, text)


def clauses(text: str) -> list[str]:
    """The same, and what a question stands beside in one sentence: "throat a bit tight, can I eat soup"."""
    return _split(_REMARK, text)


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    found = [part for piece in pattern.split(text) if (part := piece.strip())]
    return found[-PARTS:] if len(found) > 1 else []


def questions(text: str) -> list[str]:
    """What raw `text` asks, where it asks several things or says other things too: at most QUESTIONS, the last ones."""
    said = parts(text)
    asked = [question for part in said or [text] if _ASKS.search(part) for question in _AND_ASKS.split(part)]
    return asked[-QUESTIONS:] if said or len(asked) > 1 else []


def denied(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of folded `text` that a negation covers, in order and apart from each other."""
    spans = sorted(
        match.span(1)
        for words, pattern in _PATTERNS
        if any(map(text.__contains__, words))
        for match in pattern.finditer(text)
    )
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def split(text: str) -> tuple[str, str]:
    """(what is asserted, what is denied)."""
    spans = denied(text)
    if not spans:
        return text, ""
    asserted, last = [], 0
    for start, end in spans:
        asserted.append(text[last:start])
        last = end
    asserted.append(text[last:])
    return " ".join(asserted), " ".join(text[start:end] for start, end in spans)
