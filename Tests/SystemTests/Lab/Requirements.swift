import Foundation
import Testing

/// What a test needs of the machine. If it is missing, the test is skipped and says why; on CI it fails instead, so that it cannot go unnoticed.
enum Requirement {
    case root, hugepages, qemu, testpmd, tshark, tgt, iperf3, libvirt, lldpd

    var missing: String? {
        switch self {
        case .root: geteuid() == 0 ? nil : "needs root"
        case .hugepages:
            Hugepages.free >= 128 ? nil : "needs 128 free hugepages of 2 MiB (sysctl vm.nr_hugepages=512), has \(Hugepages.free)"
        case .qemu: absent("qemu-system-x86_64", package: "qemu-system-x86") ?? absent("busybox", package: "busybox-static")
        case .testpmd: absent("dpdk-testpmd", package: "dpdk-dev")
        case .tshark: absent("tshark", package: "tshark")
        case .tgt: absent("tgtd", package: "tgt") ?? absent("iscsi-perf", package: "libiscsi-bin") ?? absent("qemu-img", package: "qemu-utils")
        case .iperf3: absent("iperf3", package: "iperf3")
        case .lldpd: absent("lldpd", package: "lldpd")
        case .libvirt: absent("libvirtd", package: "libvirt-daemon libvirt-daemon-driver-qemu") ?? absent("virsh", package: "libvirt-clients")
        }
    }

    private func absent(_ program: String, package: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
        let folders = path.split(separator: ":").map(String.init)
        return folders.contains { access("\($0)/\(program)", X_OK) == 0 } ? nil : "needs \(program) (apt-get install \(package))"
    }
}

enum Hugepages {
    static var free: Int { number("free_hugepages") }
    static var total: Int { number("nr_hugepages") }
    private static func number(_ file: String) -> Int {
        let text = try? String(contentsOfFile: "/sys/kernel/mm/hugepages/hugepages-2048kB/\(file)", encoding: .utf8)
        return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? 0
    }
}

extension Trait where Self == ConditionTrait {
    static func needs(_ requirements: Requirement...) -> Self {
        let missing = requirements.compactMap(\.missing)
        guard !missing.isEmpty else { return .enabled(if: true) }
        let reason = missing.joined(separator: ", ")
        let onCI = ProcessInfo.processInfo.environment["CI"].map { !$0.isEmpty } ?? false
        if !onCI { print("SKIPPED for want of something on this machine: \(reason)") }
        return .enabled("\(reason)") {
            if onCI { throw LabError(reason) }
            return false
        }
    }
}
