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

        @Test("a NIC with several queues delivers frames for a guest on the loop that serves it, by rules of its own")
        func rules() throws {
            try withLab { lab in
                let host = try SwitchHost(lab, device: "virtio-net-pci,disable-legacy=on,iommu_platform=on")
                let macs = ["02:00:00:00:00:02", "02:00:00:00:00:04"]
                try host.start([
                    "daemon: {cpus: [0, 1], buffers: 8192, polling: interrupt}",
                    "bridges: [{name: br0}]",
                    "ports:",
                    // DPDK's tap driver has such rules, which the kernel carries out.
                    "  - {name: up, type: physical, bridge: br0, device: \"net_tap_up\", queues: 2}",
                    "  - {name: host0, type: tap, bridge: br0, interface: host0, cpus: [0]}",
                    "  - {name: host1, type: tap, bridge: br0, interface: host1, cpus: [1]}",
                    "guests:",
                    "  - {name: vm0, port: host0, macs: [\"\(macs[0])\"]}",
                    "  - {name: vm1, port: host1, macs: [\"\(macs[1])\"]}",
                ])
                try host.guest.run("ip link set host0 up; ip link set host1 up; ip addr add 10.9.0.1/24 dev dtap0; ip link set dtap0 up")
                for (number, mac) in macs.enumerated() { try host.guest.run("arp -i dtap0 -s 10.9.0.\(number + 2) \(mac)") }
                func steering() throws -> JSON { try host.show("port show up")[0]["steering"] }
                func hasRules(_ count: Int) throws -> Bool { try steering()["rules"].int == count && steering()["addresses"].int == count }
                try eventually("both addresses have rules", within: 60) { try hasRules(2) }
                #expect(try steering()["reason"].string == nil)
                // Either guest's frames are counted on the loop that polls its port.
                for number in [0, 1, 1, 0] {
                    let before = try frames(host)
                    _ = try host.guest.finish("ping -c 20 -i 0.05 -W 1 10.9.0.\(number + 2)")
                    let after = try frames(host)
                    #expect(after[number] - before[number] >= 20, "\(before) \(after)")
                    #expect(after[1 - number] - before[1 - number] < 10, "\(before) \(after)")
                }
                // The rule goes with the guest, and follows its port to another loop.
                try host.guest.run("sluice guest del vm0")
                try eventually("the removed guest has no rule", within: 60) { try hasRules(1) }
                try host.guest.run("sluice port set host1 cpus 0")
                try eventually("the rule follows the port") {
                    let before = try frames(host)
                    _ = try host.guest.finish("ping -c 20 -i 0.05 -W 1 10.9.0.3")
                    let after = try frames(host)
                    return after[0] - before[0] >= 20 && after[1] - before[1] < 10
                }
            }
        }

        /// The frames that each loop has handled.
        private func frames(_ host: SwitchHost) throws -> [Int] { try host.show("core show").items.map { $0["frames"].int ?? 0 } }

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
