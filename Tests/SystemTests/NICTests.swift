import Foundation
import Testing

extension EndToEnd {
    /// NICs on a PCI bus, which QEMU emulates, driven over vfio-pci by a daemon inside the guest.
    @Suite("NICs on PCI", .needs(.hugepages, .tshark))
    struct NICTests {
        private static let fields = ["vlan.id", "vlan.priority", "tcp.dstport"]

        @Test("a virtio NIC carries frames, wakes a sleeping loop by interrupts, and sends iSCSI with its priority")
        func virtio() throws {
            try withLab { lab in
                let host = try SwitchHost(lab, device: "virtio-net-pci,disable-legacy=on,iommu_platform=on")
                try host.start(polling: "interrupt")

                let before = (interrupts: try host.interrupts(), woken: try host.core()["wakeups"]["traffic"].int ?? 0)
                let answers = try host.outside.run("busybox", "ping", "-c", "10", "-i", "0.2", "-W", "5", "10.0.0.2")
                #expect(answers.contains("10 packets transmitted, 10 packets received"), "\(answers)")
                // Some frames may come together, or while the loop is still awake, so there may be fewer interrupts than frames.
                #expect(try host.interrupts() >= before.interrupts + 5)
                #expect(try host.core()["wakeups"]["traffic"].int ?? 0 >= before.woken + 5)
                #expect(try host.core()["looked_at"].items.isEmpty)
                try sendsPriorities(lab, host)
            }
        }

        @Test("a NIC whose interrupts never come is found out and looked at, and sends iSCSI with its priority")
        func silent() throws {
            try withLab { lab in
                // DPDK's driver enables the interrupts of the 82574 but does not set their vector.
                let host = try SwitchHost(lab, device: "e1000e")
                try host.start(polling: "interrupt")

                // Frames come from outside while the loop is idle, and no interrupt announces them.
                try eventually("the loop looks at the NIC", within: 60) {
                    _ = try finish(["busybox", "ping", "-c", "2", "-i", "0.3", "-W", "2", "10.0.0.2"], namespace: host.outside.name)
                    return try host.core()["looked_at"].items.compactMap(\.string) == ["wire"]
                }
                #expect(try host.interrupts() == 0)
                #expect(try host.guest.run("sluice core show").contains("no receive interrupts at wire"))
                // From now on frames wait until the loop looks at the NIC again, and not until its longest sleep ends.
                let before = (frames: try received(host), looks: try host.core()["wakeups"]["time"].int ?? 0)
                try host.outside.run("busybox", "ping", "-c", "10", "-i", "0.2", "-W", "5", "10.0.0.2")
                #expect(try received(host) >= before.frames + 10)
                #expect(try host.core()["wakeups"]["time"].int ?? 0 > before.looks + 100)
                try sendsPriorities(lab, host)
            }
        }

        private func received(_ host: SwitchHost) throws -> Int { try host.show("port show wire")[0]["rx"]["frames"].int ?? 0 }

        /// What the tap's host sends to an iSCSI target has priority 4 on the wire, other traffic has 0.
        private func sendsPriorities(_ lab: Lab, _ host: SwitchHost) throws {
            let capture = try Capture(lab, "wire", fields: Self.fields, namespace: host.outside)
            _ = try host.guest.finish("nc -w 2 10.0.0.1 3260; nc -w 2 10.0.0.1 5001")
            for (port, priority) in [("3260", "4"), ("5001", "0")] {
                let frame = try capture.waitFor(1) { $0["tcp.dstport"] == port }[0]
                #expect(frame["vlan.priority"] == priority, "\(frame)")
                #expect(frame["vlan.id"] == "0", "\(frame)")
            }
        }
    }
}
