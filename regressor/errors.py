"""The errors that a user can cause, each one sentence that says what is wrong and what to do."""


class PosecastError(Exception):
    """Its text is shown to users as it stands: on the command line, in JSON, in Blender."""


class VideoError(PosecastError):
    """The video can't be read, or holds nothing to read."""


class NoPersonError(PosecastError):
    """No person, or not the person asked for, was found."""


class FileFormatError(PosecastError):
    """A file is not what it should be: a body, a checkpoint, a Motion."""


def first_few(names: list[str], most: int = 8) -> str:
    """Names for a sentence: the first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
