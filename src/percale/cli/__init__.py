# SPDX-License-Identifier: Apache-2.0
"""The command line, compatible with calicoctl's (spec/cli.md): one module per verb, imported when the verb is called.

A verb's module has a ``COMMAND`` (`percale.cli.command.Command`: its flags and help) and ``run(call)``, which returns
the exit status; `percale.cli.verbs` names them all.
"""
