import Testing

extension EndToEnd {
    @Suite("What one port floods leaves room in everybody's queues", .needs(.hugepages))
    struct FloodShareTests {
        private static let receiver = "52:54:00:00:00:02"

        @Test("A storm of broadcasts fills a quarter of a queue, and what is sent to its guest alone finds the rest; few broadcasts are as good as any frame")
        func storm() throws {
            try withLab { lab in
                // The receiver's queue empties so slowly that it nearly stays as it was filled.
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: storm, type: tap, bridge: br0, interface: \(lab.tag)s}
                      - {name: peer, type: tap, bridge: br0, interface: \(lab.tag)p}
                      - {name: vm, type: tap, bridge: br0, interface: \(lab.tag)v}
                    guests: [{name: vm, port: vm, macs: ["\(Self.receiver)"], inbound: {ceiling: 250kbit, limit: 200, limit-delay: 10s}}]
                    """)
                for suffix in ["s", "p", "v"] { try run("ip", "link", "set", "\(lab.tag)\(suffix)", "up") }
                let storm = try RawSocket("\(lab.tag)s"), peer = try RawSocket("\(lab.tag)p")
                // IEEE 802 local experimental EtherType 1.
                func frame(to destination: String, from source: String) -> [UInt8] {
                    Frames.ethernet(to: destination, from: source, type: 0x88b5, [UInt8](repeating: 7, count: 1_486))
                }
                func drops() throws -> (share: Int, limit: Int) {
                    let port = try daemon.port("vm")
                    return (port["drops"]["flood_share"].int ?? 0, port["drops"]["queue_limit"].int ?? 0)
                }
                func figures() throws -> JSON { try JSON(daemon.command("class", "show", "vm", "dir", "inbound", "-j")).items[0] }
                func backlog() throws -> Int { try figures()["backlog"]["frames"].int ?? 0 }
                func send(_ count: Int, _ sender: RawSocket, to destination: String, from source: String) throws {
                    let port = source == "52:54:00:00:00:0a" ? "storm" : "peer", before = try daemon.port(port)["rx"]["frames"].int ?? 0
                    for _ in 0..<count { try sender.send(frame(to: destination, from: source)) }
                    try eventually("they have arrived") { try daemon.port(port)["rx"]["frames"].int ?? 0 >= before + count }
                }
                try send(1_000, storm, to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:0a")
                // 64 KiB are within the share, whatever the queue holds; it was empty, and what exceeds a quarter is not queued.
                try eventually("the queue is a quarter full") { try drops().share >= 800 && backlog() <= 60 }
                #expect(try drops().limit == 0)
                // Of another port, a few broadcasts go into any queue, and frames for the guest alone fill it.
                try send(10, peer, to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:0b")
                try send(100, peer, to: Self.receiver, from: "52:54:00:00:00:0b")
                #expect(try drops().limit == 0)
                try eventually("the queue is full") {
                    try send(50, peer, to: Self.receiver, from: "52:54:00:00:00:0b")
                    return try drops().limit > 0
                }
                #expect(try backlog() > 150)
                func guestCycles() throws -> Int { try daemon.guest("vm")["inbound_cycles"].int ?? 0 }
                try eventually("the class and its guest tell what its frames took") {
                    try send(10, peer, to: Self.receiver, from: "52:54:00:00:00:0b")
                    return try figures()["cycles"].int ?? 0 > 0 && guestCycles() > 0
                }
                // In another group the guest has another class, and goes on counting.
                let before = try guestCycles()
                try daemon.command("group", "add", "g", "bridge", "br0")
                try daemon.command("guest", "set", "vm", "group", "g")
                #expect(try guestCycles() >= before)
                daemon.stop()
            }
        }
    }
}
