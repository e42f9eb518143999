"""QEMU's monitor (QMP)."""
import json
import socket

from lab import Failure, eventually


class QMP:
    """QEMU's monitor. Events have the time that QEMU gave them, in seconds of the clock of day."""

    def __init__(self, path, process):
        self.process = process
        self.socket = socket.socket(socket.AF_UNIX)
        eventually("QEMU's monitor is there", lambda: self._connect(path))
        self.file = self.socket.makefile("rw")
        self.events = []
        self.file.readline()
        self("qmp_capabilities")

    def _connect(self, path):
        try:
            self.socket.connect(path)
            return True
        except OSError:
            return False

    def __call__(self, command, **arguments):
        try:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.file.flush()
        except OSError:
            raise self.end(command)
        while True:
            line = self.file.readline()
            if not line:
                raise self.end(command)
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure("%s: %s" % (command, answer["error"]["desc"]))
            else:
                return answer["return"]

    def end(self, command):
        return Failure("QEMU ended with %d before %s; it said:\n%s" % (self.process.process.wait(20), command, self.process.text[-3000:]))

    def when(self, event):
        """The time of the latest event of this name; nothing: there was none."""
        self("query-status")
        times = [item["timestamp"]["seconds"] + item["timestamp"]["microseconds"] * 1e-6 for item in self.events if item["event"] == event]
        return times[-1] if times else None
