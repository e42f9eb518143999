import Foundation
import Testing

extension EndToEnd {
    @Suite("A guest that migrates under traffic", .needs(.qemu, .hugepages))
    struct MigrationTests {
        /// A guest's network card.
        struct Card: CustomTestStringConvertible, Sendable {
            var packed = false
            var queues = 1
            /// Whether the guest itself announces where it is; else QEMU has the switch announce it.
            var announces = true
            var testDescription: String {
                "\(packed ? "packed" : "split") rings, \(queues) queue pair\(queues == 1 ? "" : "s"), announced by the \(announces ? "guest" : "switch")"
            }
        }

        private static let mac = "52:54:00:00:00:01"
        /// A frame of this length takes several pages. Linux itself writes into the first only, and only so is seen what the switch does not log.
        private static let mtu = 9_000

        /// A host with the guest's port, and with a wire to the other one.
        private func host(_ lab: Lab, _ name: String, wire: String, edge: String? = nil, _ card: Card) throws -> Daemon {
            let daemon = try Daemon(lab, """
                daemon: {cpus: [1], buffers: 8192, polling: interrupt}
                bridges: [{name: br0, rate: 1gbit}]
                ports:
                  - {name: vm, type: vhost, bridge: br0, socket: \(lab.path(name)), mtu: \(Self.mtu), queues: \(card.queues)}
                  - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire)", mtu: \(Self.mtu), rate: 1gbit}
                \(edge.map { "  - {name: edge, type: physical, bridge: br0, device: \"net_af_packet1,iface=\($0)\", mtu: \(Self.mtu), rate: 1gbit}\n" } ?? "")
                guests:
                  - {name: vm, port: vm, macs: ["\(Self.mac)"], inbound: {floor: 100mbit, ceiling: 800mbit}, outbound: {floor: 100mbit}}
                """, name: name)
            for port in ["uplink"] + (edge == nil ? [] : ["edge"]) { try daemon.waitUntil(port: port, is: "up") }
            return daemon
        }

        /// The ports behind which a host has the guest's address. An address whose port has no guest is bound to it later (`static waiting`).
        private func places(_ daemon: Daemon) throws -> [String] {
            try daemon.show("fdb", "show").items.filter { $0["mac"].string == Self.mac && $0["bound"].bool != false }.compactMap { $0["port"].string }
        }

        /// Waits until the correspondent tells what `matches`.
        @discardableResult
        private func wait(_ load: ChildProcess, from offset: Int = 0, for what: String, _ matches: @escaping (JSON) -> Bool) throws -> JSON {
            let found = load.output.waitForLines(from: offset, until: .after(60)) { text in
                // The last line tells the most; the first may be a part of one.
                text.split(separator: "\n").last.flatMap { try? JSON(String($0)) }.flatMap { matches($0) ? $0 : nil }
            }
            guard let found else { throw LabError("not within 60 s: \(what); the correspondent told:\n\(load.output.text.suffix(500))\(load.errors.text)") }
            return found
        }

        /// Has a migrating guest get a single frame while nothing else writes into its packed ring: under load, the guest's own writes hide that the switch's
        /// are not logged. (QEMU itself takes all of a split ring's used part for written.)
        private func receiveOne(_ load: ChildProcess, _ source: MigratingGuest, _ host: Daemon) throws {
            try load.write("p")
            _ = try host.atRest()
            // The ring is copied once more after the next pass has begun, and before the one behind it begins. Then the migration is to copy next to nothing.
            let pass = try source.monitor.call("query-migrate")["ram"]["dirty-sync-count"].int ?? 0
            try source.monitor.wait(for: "MIGRATION_PASS") { $0["pass"].int ?? 0 >= pass + 2 }
            try source.monitor.call("migrate-set-parameters", #"{"max-bandwidth":100000}"#)
            let before = try host.port("vm")["tx"]["frames"].int ?? 0
            try load.write("h")
            try eventually("the guest has the frame") { try host.port("vm")["tx"]["frames"].int == before + 1 }
        }

        @Test(
            "its memory is the same on both hosts, no frame is damaged or doubled, both switches know where it is, and its classes count what it gets",
            arguments: [Card(), Card(packed: true, announces: false), Card(queues: 2, announces: false), Card(packed: true, queues: 2)])
        func migrates(_ card: Card) throws {
            try withLab { lab in
                let image = try MigratingGuest.image(lab)
                let between = try VethPair(lab, "w"), edge = try VethPair(lab, "e")
                for end in [between.near, between.far, edge.near, edge.far] { try run("ip", "link", "set", end, "mtu", "\(Self.mtu)") }
                let old = try host(lab, "old", wire: between.near, edge: edge.near, card), new = try host(lab, "new", wire: between.far, card)
                let options = card.announces ? "" : ",guest_announce=off"
                func nic(_ socket: String) -> Guest.NIC {
                    Guest.NIC(mac: Self.mac, socket: lab.path(socket), queues: card.queues, packed: card.packed, mtu: Self.mtu)
                }
                let source = try MigratingGuest(lab, "m0", nic("old"), options: options, image: image.initramfs)
                let target = try MigratingGuest(lab, "m1", nic("new"), options: options, image: image.initramfs, incoming: lab.path("to"))
                try source.guest.booted()
                try target.guest.pin()
                if card.queues > 1 { try source.guest.run("ethtool -L eth0 combined \(card.queues)") }
                try source.echo()

                // More frames are on their way than a ring of the guest holds, so it always has some.
                let load = try lab.start(image.program, "load", edge.far, Self.mac, "1", "400", "\(Self.mtu + 14)", cpus: "0", keepsInput: true)
                try wait(load, for: "the guest answers") { $0["answered"].int ?? 0 > 2_000 }
                #expect(try places(old) == ["vm"])

                // With so short a downtime, the migration copies several times what was written since it copied it last.
                try source.monitor.call("migrate-set-capabilities", #"{"capabilities":[{"capability":"events","state":true}]}"#)
                try source.monitor.call("migrate-set-parameters", #"{"max-bandwidth":80000000,"downtime-limit":1}"#)
                let begun = load.output.count
                let before = try wait(load, from: begun, for: "the correspondent runs") { _ in true }["answered"].int ?? 0
                try source.monitor.call("migrate", #"{"uri":"unix:\#(lab.path("to"))"}"#)
                try wait(load, from: begun, for: "the guest answers while it migrates") { $0["answered"].int ?? 0 > before + 1_000 }
                try source.monitor.wait(for: "MIGRATION_PASS") { $0["pass"].int ?? 0 >= 3 }
                if card.packed {
                    // The guest's program writes so much that the migration does not end meanwhile.
                    try source.monitor.call("migrate-set-parameters", #"{"max-bandwidth":30000000}"#)
                    try receiveOne(load, source, old)
                }
                try source.monitor.call("migrate-set-parameters", #"{"max-bandwidth":1000000000,"downtime-limit":20000}"#)
                try source.monitor.wait(for: "MIGRATION") {
                    if $0["status"].string == "failed" { throw LabError("the migration has failed:\n\(source.guest.errors)\(target.guest.errors)") }
                    return $0["status"].string == "completed"
                }
                let different = try source.differences(to: target)
                #expect(different.isEmpty, "pages of the guest's memory that differ between the hosts: \(different.count), such as \(different.prefix(10))")

                let resumed = load.output.count
                try target.monitor.call("cont")
                try target.monitor.wait(for: "RESUME")
                try load.write("r")
                source.guest.pullThePlug()
                let sent = try wait(load, from: resumed, for: "the correspondent runs") { _ in true }["sent"].int ?? .max
                let after = try wait(load, from: resumed, for: "the guest answers at the new host what was sent since it is there") {
                    $0["latest"].int ?? 0 > sent + 2_000
                }
                #expect(after["announced"].int ?? 0 > 0)
                try old.waitUntil(port: "vm", is: "waiting")
                #expect(try places(old) == ["uplink"])
                #expect(try places(new) == ["vm"])

                load.closeInput()
                _ = load.waitForExit(until: .after(60))
                let told = try wait(load, for: "the end") { _ in true }
                #expect(told["twice"].int == 0 && told["corrupt"].int == 0, "\(told)")
                let report = try target.report()
                #expect(report["received"].int ?? 0 >= told["answered"].int ?? .max)
                #expect(report["held"].int ?? 0 > 0)
                for fault in ["twice", "corrupt", "held_twice", "held_corrupt", "kept_corrupt", "pages_corrupt"] {
                    #expect(report[fault].int == 0, "\(fault): \(report)")
                }

                for daemon in [old, new] { #expect(try daemon.unaccountedFrames() == 0) }
                // All that the guest got and sent at the new host is in its classes there. A ring that is full may refuse what a class has sent.
                let port = try new.port("vm"), drops = port["drops"].members.values.reduce(0) { $0 + ($1.int ?? 0) }
                let inbound = try new.classStatus("br0", "vm"), outbound = try new.classStatus("uplink", "vm")
                let given = inbound["sent"]["frames"].int ?? 0, got = port["tx"]["frames"].int ?? .max
                #expect(got <= given && given <= got + drops, "\(inbound) \(port)")
                let sentOn = (outbound["sent"]["frames"].int ?? 0) + (outbound["dropped"]["frames"].int ?? 0)
                #expect(sentOn == port["rx"]["frames"].int, "\(outbound) \(port)")
                #expect(given > 2_000)
                print("\(card.testDescription): \(told)")
                for daemon in [old, new] { daemon.stop() }
            }
        }
    }
}
