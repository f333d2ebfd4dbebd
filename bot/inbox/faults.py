"""What a log may hold of an error."""

import traceback
from pathlib import Path


def fault(err: BaseException) -> dict[str, object]:
    """Its kind and where it arose. Its message may quote a patient."""
    frames = traceback.extract_tb(err.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/bot/" in f.filename][-3:]
    return {"error": type(err).__name__, "where": where, "ours": ours}
