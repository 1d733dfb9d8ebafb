"""A process that drives meters: a command of nvml_child.py or adapter_child.py a line, each answered with JSON."""

import json


class Child:
    """`ask("open")` runs a command there, and gives its answer."""

    def __init__(self, process):
        self._process = process

    def ask(self, command):
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"it has ended: {self._process.wait()}: {self._process.stderr.read()}"
        return json.loads(answer)

    def ask_all(self, commands):
        """The answer to the last of these, which commas separate."""
        return [self.ask(command) for command in commands.split(", ")][-1]

    @property
    def said(self):
        """Ends it, and gives what it wrote to its standard error."""
        return self._process.communicate()[1]
