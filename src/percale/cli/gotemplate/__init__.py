# SPDX-License-Identifier: Apache-2.0
"""Go's text/template language, as far as people use it with ``get -o go-template`` (spec/cli.md section 9)."""

from percale.cli.gotemplate.evaluation import render
from percale.cli.gotemplate.lexer import TemplateError

__all__ = ["TemplateError", "render"]
