import Testing

extension EndToEnd {
    @Suite("FIP snooping", .needs(.hugepages))
    struct FIPTests {
        private static let nodes = ["02:00:00:00:00:01", "02:00:00:00:00:02"], forwarder = "02:00:00:00:00:fc"
        private static let everybody = "01:10:18:01:00:04"

        private static func vnPort(_ mac: String) -> [UInt8] { [11, 5] + Frames.mac(mac) + [0] + Frames.mac(mac)[3...] + [UInt8](repeating: 0x20, count: 8) }
        private static func address(_ mac: String) -> [UInt8] { [2, 2] + Frames.mac(mac) }
        private static func service(_ command: UInt8, to: String) -> [UInt8] {
            [7, 8, 0, 0, 0x22] + Frames.mac(to)[3...] + [UInt8](repeating: 0, count: 12) + [0, 1, 0xff, 0xff, 0, 0, 0, 0, command, 0, 0, 0]
        }
        private static func fip(_ operation: UInt8, _ subcode: UInt8, from: String, to: String, _ descriptors: [UInt8]) -> [UInt8] {
            Frames.ethernet(to: to, from: from, type: 0x8914, [0x10, 0, 0, operation, 0, subcode, 0, UInt8(descriptors.count / 4), 0, 0] + descriptors)
        }
        private static func fcoe(from: String, to: String) -> [UInt8] { Frames.ethernet(to: to, from: from, type: 0x8906, [UInt8](repeating: 7, count: 60)) }

        /// What is told of two guests, at the ports a and b, of which one was granted an address and the other has claimed one.
        private func shown(_ daemon: Daemon, granted: (mac: String, node: Int), claimed: (mac: String, node: Int)) throws {
            let grants = try daemon.show("dcb", "fip", "show").items, ports = ["a", "b"]
            #expect(grants.map(\.["address"].string) == [granted.mac, claimed.mac] && grants.map(\.["port"].string) == [ports[granted.node], ports[claimed.node]])
            #expect(grants.map(\.["fcf"].string) == [Self.forwarder, nil] && grants.map(\.["node"].string) == [Self.nodes[granted.node], Self.nodes[claimed.node]])
            #expect(grants.map(\.["guest"].string) == ["vm2", "a"] && grants[0]["time_left"].double ?? 0 > 200 && grants[1]["time_left"].double ?? 99 < 21)
            #expect(try daemon.show("dcb", "fip", "show", "port", "a").items.count == 1 && daemon.command("dcb", "fip").contains("dev b master br0 guest vm2 node"))
            func explain(_ frame: [UInt8], from port: String) throws -> (verdict: String?, drop: String?, sentence: String) {
                let hex = frame.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                let told = try JSON(daemon.command("explain", "-j", "from", port, "hex", hex))
                return (told["fip"]["verdict"].string, told["drop"].string, told["fip"]["sentence"].string ?? "")
            }
            let data = Self.fcoe(from: granted.mac, to: Self.forwarder)
            let mine = try explain(data, from: "b"), others = try explain(data, from: "a")
            let nobodys = try explain(Self.fcoe(from: "0e:fc:00:01:02:04", to: Self.forwarder), from: "a")
            #expect(mine.verdict == "granted" && mine.drop != "fcoe_not_granted", "\(mine)")
            #expect(mine.sentence.contains("forwarder \(Self.forwarder) has granted \(granted.mac)"), "\(mine)")
            #expect(others.verdict == "not_granted" && others.drop == "fcoe_not_granted" && others.sentence.contains("\(granted.mac) is port b's"), "\(others)")
            #expect(nobodys.verdict == "not_granted" && nobodys.sentence.contains("is nobody's"), "\(nobodys)")
            #expect(try explain(Self.fcoe(from: claimed.mac, to: Self.forwarder), from: "a").verdict == "wrong_destination")
            let taking = Self.fip(5, 3, from: Self.nodes[1], to: Self.everybody, Self.address(Self.nodes[1]) + Self.vnPort(claimed.mac))
            let clearing = Self.fip(3, 2, from: Self.forwarder, to: Self.nodes[1], Self.vnPort(granted.mac))
            #expect(try explain(taking, from: "b").verdict == "taken" && explain(clearing, from: "b").verdict == "forwarders_only")
            #expect(try explain(clearing, from: "uplink").verdict == "ends")
            #expect(try explain(Frames.ethernet(to: Self.forwarder, from: Self.nodes[0], type: 0x0800, []), from: "a").verdict == nil)
            #expect(try daemon.command("explain", "from", "b", "mac", granted.mac, "to", Self.forwarder, "fcoe").contains("fip       it may pass: forwarder"))
            // Nothing was changed by that, and nothing counted.
            #expect(try daemon.show("dcb", "fip", "show").items.count == 2)
        }

        @Test("a guest sends Fibre Channel frames from the addresses that it claimed or was granted, and from no other, until they end")
        func addresses() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), taps = ["\(lab.tag)a", "\(lab.tag)b"]
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), fip-snooping: on}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1]), fip-snooping: on}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    guests: [{name: vm2, port: b}]
                    """)
                for port in ["a", "b", "uplink"] { try daemon.waitUntil(port: port, is: "up") }
                let guests = try taps.map { try RawSocket($0) }, peer = try RawSocket(wire.far)
                let fibre: @Sendable ([UInt8]) -> Bool = { frame in
                    let type = frame[12] == 0x81 ? frame[16...17] : frame[12...13]
                    return Array(type) == [0x89, 0x06] || Array(type) == [0x89, 0x14]
                }
                let beyond = try RawReceiver([wire.far], fibre), inside = try RawReceiver(taps, fibre)
                var refused = 0
                func passes(_ frame: [UInt8], from guest: Int) throws -> Bool {
                    try guests[guest].send(frame)
                    // A frame that is not to pass is counted, one that is arrives.
                    let arrived = try eventually("the frame has arrived or was dropped") { () -> Bool? in
                        if !beyond.take(quiet: 0.02, until: { !$0.isEmpty }).isEmpty { return true }
                        let drops = try ["a", "b"].map { try daemon.port($0)["drops"]["fcoe_not_granted"].int ?? 0 }.reduce(0, +)
                        if drops > refused {
                            refused = drops
                            return false
                        }
                        return nil
                    }
                    return arrived
                }
                func answer(_ frame: [UInt8]) throws {
                    _ = inside.take(quiet: 0.1)
                    try peer.send(frame)
                    #expect(!inside.take(quiet: 5, until: { !$0.isEmpty }).isEmpty)
                    _ = beyond.take(quiet: 0.05)
                }
                let claimed = "0e:fd:00:00:47:11", granted = "0e:fc:00:01:02:03"
                let data = Self.fcoe(from: claimed, to: "0e:fd:00:00:00:09"), claim = { (node: Int) in
                    Self.fip(5, 3, from: Self.nodes[node], to: Self.everybody, Self.address(Self.nodes[node]) + Self.vnPort(claimed))
                }
                #expect(try !passes(data, from: 0) && passes(claim(0), from: 0) && passes(data, from: 0))
                #expect(try !passes(claim(1), from: 1) && !passes(data, from: 1))
                #expect(try !passes(Self.fcoe(from: claimed, to: Self.forwarder), from: 0))
                #expect(try !passes(Frames.ethernet(to: Self.forwarder, from: claimed, type: 0x0800, Frames.ipv4(17, Frames.udp(to: 9))), from: 0))
                // A login through the wire.
                let stored = Self.fcoe(from: granted, to: Self.forwarder)
                #expect(try !passes(stored, from: 1))
                #expect(try passes(Self.fip(2, 1, from: Self.nodes[1], to: Self.forwarder, Self.service(4, to: "00:00:00:ff:ff:fe") + Self.address("00:00:00:00:00:00")), from: 1))
                try answer(Self.fip(2, 2, from: Self.forwarder, to: Self.nodes[1], Self.service(2, to: granted) + Self.address(granted)))
                #expect(try passes(stored, from: 1) && !passes(stored, from: 0))
                try shown(daemon, granted: (granted, 1), claimed: (claimed, 0))
                try answer(Self.fip(3, 2, from: Self.forwarder, to: Self.nodes[1], Self.vnPort(granted)))
                #expect(try !passes(stored, from: 1) && passes(data, from: 0))
                #expect(try daemon.port("a")["guards"].items.map(\.string) == ["fip"])
                try daemon.command("port", "set", "b", "fip-snooping", "off")
                #expect(try passes(stored, from: 1) && passes(data, from: 0) && daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
