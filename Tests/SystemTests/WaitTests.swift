import Foundation
import Testing

/// What `sluice class show` says about classes that want more than they get.
extension EndToEnd {
    @Suite("Why a class waits, for whom, and who lends to it", .needs(.hugepages))
    struct WaitTests {
        private func daemon(_ lab: Lab, _ bridge: String, _ groupsAndGuests: String, cpus: String = "[1]", senders: [String] = ["src"]) throws -> Daemon {
            let ports = ["vm1", "vm2"].map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0))}\n" }
                + senders.enumerated().map { "  - {name: \($1), type: vhost, bridge: br0, socket: \(lab.path($1)), cpus: [\(1 - $0)]}\n" }
            return try Daemon(
                lab, "daemon: {cpus: \(cpus), buffers: 16384}\nbridges: [{name: br0\(bridge)}]\nports:\n" + ports.joined() + groupsAndGuests)
        }

        /// Each sender sends 80 Mbit/s in all to both guests, for a second and a half.
        private func load(_ lab: Lab, senders: [String] = ["src"]) throws {
            var scenario = "duration: 1500ms\nlearn: true\nports:\n"
            for name in ["vm1", "vm2"] + senders { scenario += "  - {name: \(name), device: \"virtio_user:\(lab.path(name))\", server: true}\n" }
            scenario += "flows:\n"
            for from in senders { for to in ["vm1", "vm2"] { scenario += "  - {name: \(from)-\(to), from: \(from), to: \(to), size: 1514, rate: 40mbit}\n" } }
            #expect(Generator.faults(try Generator.run(lab, scenario)) == Generator.noFaults)
        }

        /// A list of ancestors as pairs of class and amount.
        private func pairs(_ list: JSON, _ figure: String) -> [(class: String, amount: Int)] {
            list.items.map { ($0["class"].string ?? "?", $0[figure].int ?? 0) }
        }

        /// Checks that the parts add up to the number of waits for ancestors and to the bytes borrowed.
        private func expectSums(_ status: JSON, sourceLocation: SourceLocation = #_sourceLocation) {
            let waits = pairs(status["held_by"], "waits").reduce(0) { $0 + $1.amount }
            #expect(waits == status["holds"]["ancestor_ceiling"].int ?? 0, "\(status)", sourceLocation: sourceLocation)
            let bytes = pairs(status["borrowed_from"], "bytes").reduce(0) { $0 + $1.amount }
            #expect(bytes == status["borrowed_bytes"].int, "\(status)", sourceLocation: sourceLocation)
        }

        @Test("its own ceiling holds it, and the limit of its queue drops the rest")
        func ownCeiling() throws {
            try withLab { lab in
                let daemon = try daemon(lab, "", "guests: [{name: vm1, port: vm1, inbound: {ceiling: 10mbit, limit: 50}}]\n")
                try load(lab)
                _ = try daemon.atRest()
                let held = try daemon.classStatus("br0", "vm1")
                #expect(held["holds"].members.keys.sorted() == ["own_ceiling"] && (held["holds"]["own_ceiling"].int ?? 0) > 100, "\(held)")
                #expect(held["drops"].members.keys.sorted() == ["queue_limit"] && (held["drops"]["queue_limit"].int ?? 0) > 100, "\(held)")
                #expect(pairs(held["borrowed_from"], "bytes").map(\.class) == ["br0"])
                expectSums(held)
                let free = try daemon.classStatus("br0", "vm2")
                #expect(free["holds"].members.isEmpty && free["held_by"].items.isEmpty && free["drops"].members.isEmpty, "\(free)")
                daemon.stop()
            }
        }

        @Test("the ceiling of the group above it holds it, which is named")
        func groupCeiling() throws {
            try withLab { lab in
                let daemon = try daemon(lab, ", rate: 200mbit", """
                    groups: [{name: tenant-a, bridge: br0, inbound: {floor: 15mbit, ceiling: 30mbit}}]
                    guests:
                      - {name: vm1, port: vm1, group: tenant-a, inbound: {floor: 5mbit}}
                      - {name: vm2, port: vm2, group: tenant-a, inbound: {floor: 5mbit}}
                    """)
                try load(lab)
                _ = try daemon.atRest()
                for path in ["tenant-a/vm1", "tenant-a/vm2"] {
                    let held = try daemon.classStatus("br0", path)
                    #expect(pairs(held["held_by"], "waits").map(\.class) == ["tenant-a"] && (held["holds"]["ancestor_ceiling"].int ?? 0) > 100, "\(held)")
                    #expect(held["holds"]["own_ceiling"].int == nil, "\(held)")
                    #expect(pairs(held["borrowed_from"], "bytes").map(\.class) == ["tenant-a", "br0"], "\(held)")
                    expectSums(held)
                }
                let group = try daemon.classStatus("br0", "tenant-a")
                #expect((group["holds"]["own_ceiling"].int ?? 0) > 100 && group["held_by"].items.isEmpty, "\(group)")
                #expect(pairs(group["borrowed_from"], "bytes").map(\.class) == ["br0"], "\(group)")
                expectSums(group)
                let text = try daemon.command("class", "show", "tenant-a/vm1", "dir", "inbound")
                #expect(text.contains(/held by tenant-a \d+\n/) && text.contains(/borrowed from tenant-a \d+b, br0 \d+b\n/), "\(text)")
                daemon.stop()
            }
        }

        /// A root lends up to its ceiling, so a class that finds nothing to borrow waits for the root's ceiling.
        @Test("with nothing left to lend, the root is what holds it")
        func nothingLeft() throws {
            try withLab { lab in
                let daemon = try daemon(lab, ", rate: 30mbit", """
                    guests:
                      - {name: vm1, port: vm1, inbound: {floor: 10mbit}}
                      - {name: vm2, port: vm2, inbound: {floor: 5mbit}}
                    """)
                try load(lab)
                _ = try daemon.atRest()
                for path in ["vm1", "vm2"] {
                    let held = try daemon.classStatus("br0", path)
                    #expect(held["holds"].members.keys.sorted() == ["ancestor_ceiling"] && (held["holds"]["ancestor_ceiling"].int ?? 0) > 100, "\(held)")
                    #expect(held["held_by"][0]["id"].int == 1, "the root")
                    #expect(pairs(held["held_by"], "waits").map(\.class) == ["br0"] && pairs(held["borrowed_from"], "bytes").map(\.class) == ["br0"], "\(held)")
                    expectSums(held)
                }
                daemon.stop()
            }
        }

        @Test("two loops' figures are added up")
        func twoLoops() throws {
            try withLab { lab in
                let senders = ["src", "other"]
                let daemon = try daemon(lab, ", rate: 200mbit", """
                    groups: [{name: tenant-a, bridge: br0, inbound: {floor: 15mbit, ceiling: 30mbit}}]
                    guests:
                      - {name: vm1, port: vm1, group: tenant-a, inbound: {floor: 5mbit}}
                      - {name: vm2, port: vm2, group: tenant-a, inbound: {floor: 5mbit}}
                    """, cpus: "[0, 1]", senders: senders)
                try load(lab, senders: senders)
                _ = try daemon.atRest()
                for path in ["tenant-a/vm1", "tenant-a/vm2", "tenant-a", ""] { expectSums(try daemon.classStatus("br0", path)) }
                let held = try daemon.classStatus("br0", "tenant-a/vm1")
                #expect(pairs(held["held_by"], "waits").map(\.class) == ["tenant-a"], "\(held)")
                #expect(pairs(held["borrowed_from"], "bytes").map(\.class) == ["tenant-a", "br0"], "\(held)")
                daemon.stop()
            }
        }
    }
}
