"""Header fields of what is read already, and has an effect in a later release."""

from __future__ import annotations

from trickster.config.checks.fields import check_fields, check_name
from trickster.config.document.problems import Problems
from trickster.config.options.model import Configuration


def check_hereafter(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told of header fields that rules, rewriters and tracers can never see
        or send.
    """
    for name, rule in configuration.rules.items():
        if rule.input_source == "header":
            check_name(f"rules.{name}.input_key", rule.input_key, problems)
    for name, rewriter in configuration.request_rewriters.items():
        for number, words in enumerate(rewriter.instructions):
            if words[:1] == ("header",) and len(words) > 2:
                check_name(f"request_rewriters.{name}.instructions[{number}]", words[2], problems)
    for name, tracer in configuration.tracing.items():
        check_fields(f"tracing.{name}.headers", tracer.headers, problems)
