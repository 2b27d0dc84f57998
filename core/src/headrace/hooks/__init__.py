"""Discovery: what plugins offer, and how it is found."""

from headrace.hooks.providers import Provider
from headrace.hooks.specs import hookimpl

__all__ = ["Provider", "hookimpl"]
