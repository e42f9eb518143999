import Foundation

/// Debian's dpdk-testpmd: a second opinion, as the switch between two vhost-user sockets or as generator and sink behind one.
final class Testpmd {
    private let child: ChildProcess

    init(_ lab: Lab, _ name: String, devices: [String], options: [String], cpu: Int = 1) throws {
        // Two lcores on one CPU: testpmd keeps its main lcore out of forwarding.
        let prefix = "\(lab.tag)\(name)"
        lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/\(prefix)") }
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

    func started() throws -> Testpmd {
        _ = try child.waitForLine(in: child.output, within: 30) { $0.contains("Press enter to exit") || $0.contains("testpmd>") || $0.contains("start packet forwarding") }
        return self
    }

    func command(_ line: String) throws { try child.write(line + "\n") }
    var said: String { child.output.text + child.errors.text }

    func stop() { child.stop() }
}
