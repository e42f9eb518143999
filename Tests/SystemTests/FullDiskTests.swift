import Foundation
import Testing

extension EndToEnd {
    /// The state file is on a small disk that only the daemon can see.
    @Suite("Disks that take nothing", .needs(.hugepages))
    struct FullDiskTests {
        enum Fault: String, CaseIterable { case full = "No space left on device", readOnly = "Read-only file system" }

        private static let yaml = "bridges: [{name: br0, rate: 1gbit}]\n"

        /// A daemon whose state file is on such a disk, together with what an earlier daemon left there.
        private func started(_ lab: Lab, _ fault: Fault, isConfigured: Bool) throws -> Daemon {
            let before = try Daemon(lab, Self.yaml)
            try before.command("bridge", "set", "br0", "rate", "2gbit")
            before.stop()
            let disk = lab.path("disk")
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
            let spoil = switch fault {
            case .full: "{ head -c 2m /dev/zero >\(disk)/filler || true; } 2>/dev/null"
            case .readOnly: "mount -o remount,ro \(disk)"
            }
            let script = "mount -t tmpfs -o size=1m tmpfs \(disk) && cp \(before.state) \(disk)/state.json && \(spoil) && exec \"$@\""
            return try Daemon(
                lab, Self.yaml, name: "second", limitedBy: ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"], state: "\(disk)/state.json",
                isConfigured: isConfigured)
        }

        private func heal(_ lab: Lab, _ daemon: Daemon, _ fault: Fault) throws {
            switch fault {
            case .full: try FileManager.default.removeItem(atPath: seen(daemon, lab.path("disk/filler")))
            case .readOnly: try run("nsenter", "-t", "\(daemon.process.pid)", "-m", "mount", "-o", "remount,rw", lab.path("disk"))
            }
        }

        /// A path in the file system as the daemon sees it.
        private func seen(_ daemon: Daemon, _ path: String) -> String { "/proc/\(daemon.process.pid)/root\(path)" }

        private func saved(_ daemon: Daemon) throws -> String? { try JSON(String(contentsOfFile: seen(daemon, daemon.state), encoding: .utf8))["yaml"].string }

        @Test("the daemon starts with what it can read, says that nothing can be changed, and saves at the first change that the disk takes",
            arguments: Fault.allCases)
        func start(_ fault: Fault) throws {
            try withLab { lab in
                let daemon = try started(lab, fault, isConfigured: false)
                let before = try daemon.configuration()
                #expect(before.contains("2gbit"))
                let remedy = fault == .full ? "make room on its disk" : "mount its disk for writing"
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) {
                    $0.contains(" error ") && $0.contains(lab.path("disk/state.json")) && $0.contains(fault.rawValue) && $0.contains(remedy)
                        && $0.contains("Until then nothing can be changed")
                }
                let status = try daemon.command("status")
                #expect(status.contains("not saved: ") && status.contains(fault.rawValue) && status.contains(remedy), "\(status)")
                for words in [["bridge", "set", "br0", "rate", "3gbit"], ["bridge", "add", "br1"]] {
                    let refused = try daemon.sluice(words)
                    #expect(refused.status == 1 && refused.errors.contains("this is not done, because a restart would forget it"), "\(refused.errors)")
                    #expect(refused.errors.contains(remedy), "\(refused.errors)")
                }
                #expect(try daemon.configuration() == before)
                try heal(lab, daemon, fault)
                try daemon.command("bridge", "set", "br0", "rate", "4gbit")
                #expect(try !daemon.command("status").contains("not saved"))
                try eventually("the change is in the state file") { try saved(daemon)?.contains("4gbit") == true }
                daemon.stop()
            }
        }

        @Test("what runs is saved by itself once there is room", arguments: Fault.allCases)
        func heals(_ fault: Fault) throws {
            try withLab { lab in
                let daemon = try started(lab, fault, isConfigured: true)
                #expect(try daemon.configuration().contains("1gbit"))
                #expect(try saved(daemon)?.contains("2gbit") == true)
                try heal(lab, daemon, fault)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 60) { $0.contains("what runs is saved again") }
                #expect(try saved(daemon)?.contains("1gbit") == true)
                #expect(try !daemon.command("status").contains("not saved"))
                daemon.stop()
            }
        }

        @Test("a daemon whose disk never takes anything ends cleanly, and says that what ran is not saved")
        func end() throws {
            try withLab { lab in
                let daemon = try started(lab, .full, isConfigured: true)
                daemon.stop()
                #expect(daemon.log.contains("what ran is not in the state file, and the next start finds what was saved before: "), "\(daemon.log)")
            }
        }
    }
}
