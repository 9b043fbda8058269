"""Times as people read them."""


def duration(seconds: float) -> str:
    """Return seconds as people read them: 7s, 3m 5s, 2h 10m."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"
