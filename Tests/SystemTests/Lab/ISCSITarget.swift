import Foundation

/// Debian's userspace iSCSI target (tgt), serving one disk, as a host behind the switch.
final class ISCSITarget {
    static let name = "iqn.2024-01.example:disk"
    private let lab: Lab
    private let environment: [String: String]

    /// Serves a disk of `mib` MiB on port 3260 of `namespace`.
    init(_ lab: Lab, in namespace: Namespace, mib: Int) throws {
        self.lab = lab
        environment = ["TGT_IPC_SOCKET": lab.path("tgt")]
        let disk = lab.path("disk")
        guard FileManager.default.createFile(atPath: disk, contents: nil), truncate(disk, mib << 20) == 0 else { throw LabError("no \(disk)") }
        // tgtd does not end on SIGTERM while it has sessions. The lab ends it by SIGKILL, which leaves its control socket behind.
        let tgtd = try lab.start("tgtd", "-f", namespace: namespace, cpus: "0", environment: environment)
        try eventually("tgtd answers") {
            guard tgtd.isRunning else { throw LabError("tgtd ended: \(tgtd.errors.text)") }
            return try admin("--lld", "iscsi", "--op", "show", "--mode", "target").status == 0
        }
        try must("--lld", "iscsi", "--op", "new", "--mode", "target", "--tid", "1", "-T", ISCSITarget.name)
        try must("--lld", "iscsi", "--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", disk)
        try must("--lld", "iscsi", "--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
    }

    static func url(_ address: String) -> String { "iscsi://\(address)/\(name)/1" }

    private func admin(_ words: String...) throws -> Finished { try finish(["tgtadm"] + words, environment: environment) }
    private func must(_ words: String...) throws {
        let result = try finish(["tgtadm"] + words, environment: environment)
        guard result.status == 0 else { throw LabError("tgtadm \(words.joined(separator: " ")): \(result.output)\(result.errors)") }
    }
}
