import Foundation

/// Debian's dpdk-testpmd: an independent program, used as the switch between vhost-user sockets, or as generator and sink behind them.
final class Testpmd {
    private let child: ChildProcess

    init(_ lab: Lab, _ name: String, devices: [String], options: [String], cpu: Int = 1) throws {
        let prefix = "\(lab.tag)\(name)"
        lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/\(prefix)") }
        // It has two lcores on one CPU, because testpmd does not forward on its main lcore.
        var arguments = [
            "stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--no-huge", "-m", "256", "--file-prefix", prefix,
            "--lcores", "0@\(cpu),1@\(cpu)", "--no-telemetry",
        ]
        for device in devices { arguments += ["--vdev", device] }
        arguments += ["--", "--total-num-mbufs=16384"] + options
        child = try ChildProcess(arguments, keepsInput: true)
        let child = child
        lab.atClose { child.stop() }
    }

    /// Waits until its output contains a text.
    func waitFor(_ text: String, within seconds: Double = 30) throws {
        let found: Bool? = child.output.wait(until: .after(seconds)) { $0.contains(text) ? true : nil }
        if found == nil { throw LabError("dpdk-testpmd did not say '\(text)':\n\(child.output.text)\(child.errors.text)") }
    }

    /// Enters a command and waits until the output that follows contains `answer`.
    @discardableResult
    func command(_ line: String, answer: String, within seconds: Double = 30) throws -> String {
        let offset = child.output.count
        try child.write(line + "\n")
        let said: String? = child.output.wait(from: offset, until: .after(seconds)) { $0.contains(answer) ? $0 : nil }
        guard let said else { throw LabError("dpdk-testpmd did not answer '\(line)':\n\(child.output.text(from: offset))\(child.errors.text)") }
        return said
    }

    /// Ends testpmd as a user would, so that it completes the files that it writes.
    func quit() throws {
        try child.write("quit\n")
        guard child.waitForExit(until: .after(30)) == .code(0) else { throw LabError("dpdk-testpmd did not quit:\n\(child.output.text)\(child.errors.text)") }
    }
}
