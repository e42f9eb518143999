import Foundation
import Testing

extension EndToEnd {
    @Suite("Host taps that outlive the daemon", .needs(.hugepages))
    struct PersistentTapTests {
        /// The interface with its addresses of both families, and the routes over it.
        private func identity(_ interface: String) throws -> [String] {
            let link = try InterfaceIdentity(interface)
            let addresses = try run("ip", "-o", "addr", "show", "dev", interface).split(separator: "\n").compactMap { $0.split(separator: " ").first { $0.contains("/") } }
            let routes = try run("ip", "route", "show", "dev", interface).replacingOccurrences(of: " linkdown", with: "")
            return ([link.index, link.mac, link.mtu] + addresses.map(String.init)) + routes.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        }

        @Test("the interface, its MAC address, its addresses and its routes stay over a crash and over a restart, and go with the port")
        func survives() throws {
            try withLab { lab in
                let tap = "\(lab.tag)h", peer = try Namespace(lab, "peer"), wire = try VethPair(lab, "w", farIn: peer)
                lab.atClose { _ = try? run("ip", "link", "del", tap) }
                let yaml = """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host0, type: tap, bridge: br0, interface: \(tap), persistent: true}
                      - {name: wire, type: physical, bridge: br0, device: \(wire.near)}

                    """
                let daemon = try Daemon(lab, yaml)
                try run("ip", "addr", "add", "10.213.77.1/24", "dev", tap)
                try run("ip", "-6", "addr", "add", "fd00:213:77::1/64", "dev", tap, "nodad")
                try run("ip", "route", "add", "10.214.77.0/24", "via", "10.213.77.2", "dev", tap)
                try peer.configure(wire.far, address: "10.213.77.2/24")
                try peer.reaches("10.213.77.1")
                let before = try identity(tap), neighbour = try peer.run("ip", "neigh", "show", "10.213.77.1").split(separator: " ")[4]
                #expect(before.contains("10.213.77.1/24") && before.contains("fd00:213:77::1/64") && before.contains { $0.hasPrefix("10.214.77.0/24") })

                // How long the peer cannot reach the host is told, not judged. It asks ten times a second.
                let pings = try lab.start("busybox", "ping", "-i", "0.1", "10.213.77.1", namespace: peer)
                _ = try pings.waitForLine(in: pings.output, within: 10) { $0.contains("bytes from") }
                daemon.process.signal(SIGKILL)
                #expect(daemon.process.waitForExit(until: .after(20)) == .signal(SIGKILL))
                #expect(try identity(tap) == before)
                try daemon.crashAndRestart()
                #expect(try identity(tap) == before)
                let asked = pings.output.count
                _ = pings.output.wait(from: asked, until: .after(30)) { $0.contains("bytes from") ? true : nil }
                #expect(try peer.run("ip", "neigh", "show", "10.213.77.1").split(separator: " ")[4] == neighbour)
                pings.signal(SIGINT)
                _ = pings.waitForExit(until: .after(10))
                let summary = pings.output.text.split(separator: "\n").first { $0.contains("packets transmitted") }
                print("kill -9 and restart in \(Int(daemon.startSeconds * 1_000)) ms: \(summary ?? "")")

                // An orderly end leaves it alike.
                daemon.stop()
                #expect(try identity(tap) == before)
                let second = try Daemon(lab, yaml)
                #expect(try identity(tap) == before)
                try peer.reaches("10.213.77.1")

                // Another daemon cannot have it meanwhile.
                let other = try Daemon(lab, "bridges: [{name: br0}]\nports: [{name: host0, type: tap, bridge: br0, interface: \(tap), persistent: true}]\n", name: "other")
                #expect(try other.port("host0")["reason"].string?.contains("interface \(tap) is held by another process") == true)
                other.stop()
                #expect(try identity(tap) == before)

                try second.command("port", "del", "host0")
                #expect(if_nametoindex(tap) == 0)
                second.stop()
            }
        }

        @Test("it can be switched on and off while the port is open, a change that fails takes no interface along, and what is no tap of this kind is refused")
        func changes() throws {
            try withLab { lab in
                let tap = "\(lab.tag)h", made = "\(lab.tag)m"
                for name in [tap, made] { lab.atClose { _ = try? run("ip", "link", "del", name) } }
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports: [{name: host0, type: tap, bridge: br0, interface: \(tap)}]\n")
                let before = try InterfaceIdentity(tap)
                let set = try daemon.command("port", "set", "host0", "persistent", "on")
                #expect(set == "~ port host0 persistent default -> on\n")
                #expect(try InterfaceIdentity(tap) == before)

                func refusal(_ make: [String], _ options: String...) throws -> String {
                    _ = try finish(make)
                    let told = try finish(
                        [Build.program("sluice"), "-s", daemon.socket, "port", "add", "more", "type", "tap", "bridge", "br0", "interface", made] + options)
                    try run("ip", "link", "del", made)
                    return told.errors
                }
                #expect(try refusal(["ip", "tuntap", "add", "dev", made, "mode", "tap"], "persistent", "on").contains("has one queue only (made by `ip tuntap` without multi_queue)"))
                #expect(try refusal(["ip", "link", "add", made, "type", "veth"], "persistent", "on").contains("exists already and is no tap"))
                // What an earlier daemon has kept is found by a file that does not say so: the sentence names the key.
                let kept = ["ip", "tuntap", "add", "dev", made, "mode", "tap", "multi_queue"]
                #expect(try refusal(kept).contains("exists already: write `persistent: true` to take it up with its addresses"))
                #expect(try refusal(["ip", "link", "add", made, "type", "veth"]).contains("exists already: choose another name"))

                // One that was prepared is taken as it is, and given back if the change is not made.
                try run("ip", "tuntap", "add", "dev", made, "mode", "tap", "multi_queue")
                try run("ip", "link", "set", made, "address", "02:00:00:00:00:07")
                let prepared = try InterfaceIdentity(made)
                let file = try lab.write("next.yaml", """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host0, type: tap, bridge: br0, interface: \(tap), persistent: true}
                      - {name: more, type: tap, bridge: br0, interface: \(made), persistent: true}
                      - {name: none, type: physical, bridge: br0, device: \(lab.tag)no}

                    """)
                #expect(try daemon.sluice("apply", file).status != 0)
                #expect(try InterfaceIdentity(made) == prepared)
                try daemon.command("port", "add", "more", "type", "tap", "bridge", "br0", "interface", made, "persistent", "on")
                #expect(try InterfaceIdentity(made) == prepared)
                try daemon.command("port", "set", "more", "persistent", "off")

                daemon.stop()
                #expect(try InterfaceIdentity(tap) == before)
                #expect(if_nametoindex(made) == 0)
            }
        }

        @Test("a tap for which no MAC address is configured has the same at every start, and another interface has another")
        func stableAddress() throws {
            try withLab { lab in
                let yaml = "bridges: [{name: br0}]\nports:\n" + ["a", "b"].map { "  - {name: \($0), type: tap, bridge: br0, interface: \(lab.tag)\($0)}\n" }.joined()
                func addresses() throws -> [String] { try ["a", "b"].map { try InterfaceIdentity("\(lab.tag)\($0)").mac } }
                let first = try Daemon(lab, yaml), before = try addresses()
                #expect(Set(before).count == 2)
                first.stop()
                let second = try Daemon(lab, yaml)
                #expect(try addresses() == before)
                second.stop()
            }
        }
    }
}
