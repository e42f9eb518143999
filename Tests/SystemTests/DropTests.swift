import Foundation
import Testing

extension EndToEnd {
    @Suite("What is accepted and then dropped has a name, at its port", .needs(.hugepages, .testpmd))
    struct DropTests {
        private static let sink = "52:54:00:00:00:02"

        private func daemon(_ lab: Lab, _ guest: String) throws -> (Daemon, RawSocket) {
            let daemon = try Daemon(lab, """
                bridges: [{name: br0}]
                ports:
                  - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t}
                  - {name: vm, type: vhost, bridge: br0, socket: \(lab.path("vm")), mode: server}
                guests:
                  - {name: vm, port: vm, macs: ["\(Self.sink)"], \(guest)}
                """)
            try run("ip", "link", "set", "\(lab.tag)t", "up")
            return (daemon, try RawSocket("\(lab.tag)t"))
        }

        /// Starts dpdk-testpmd, which takes frames and discards them.
        private func startSink(_ lab: Lab, _ daemon: Daemon, _ device: String = "", _ options: [String] = []) throws -> Testpmd {
            let sink = try Testpmd(
                lab, "sink", devices: ["net_virtio_user0,path=\(lab.path("vm")),mac=\(Self.sink)\(device)"],
                options: ["-i", "--forward-mode=rxonly", "--no-lsc-interrupt"] + options, cpu: 0)
            try sink.waitFor("testpmd>")
            try daemon.waitUntil(port: "vm", is: "up")
            try sink.command("start", answer: "testpmd>")
            return sink
        }

        private func frame(_ length: Int) -> [UInt8] {
            // IEEE 802 local experimental EtherType 1.
            Frames.ethernet(to: Self.sink, from: "52:54:00:00:00:01", type: 0x88b5, [UInt8](repeating: 7, count: length - 14))
        }

        @Test("a frame longer than every buffer of a guest blocks its port for a moment only")
        func smallBuffers() throws {
            try withLab { lab in
                let (daemon, sender) = try daemon(lab, "inbound: {priority: 3}")
                // Each buffer holds 512 bytes of data, and the sink does not let frames use several.
                let sink = try startSink(lab, daemon, ",mrg_rxbuf=0,queue_size=256", ["--mbuf-size=640", "--max-pkt-len=400"])
                // Before the sink had offered buffers, frames of the host itself may have been dropped as not taken.
                func figures() throws -> (sent: Int, notTaken: Int) {
                    let port = try daemon.port("vm")
                    return (port["tx"]["frames"].int ?? 0, port["drops"]["not_taken"].int ?? 0)
                }
                _ = try daemon.atRest()
                let before = try figures()
                for length in [100, 1_400, 100, 1_400, 100] { try sender.send(frame(length)) }
                try eventually("the small frames pass, the large ones are dropped") {
                    let now = try figures()
                    return now.sent >= before.sent + 3 && now.notTaken >= before.notTaken + 2
                }
                #expect(try daemon.port("vm")["tx_full"].int ?? 0 > 0)
                #expect(try daemon.unaccountedFrames() == 0)
                #expect(try figures().notTaken == before.notTaken + 2)
                try sink.quit()
                daemon.stop()
            }
        }

        @Test("a flood that may queue without end takes no buffer that a quiet guest needs, in frames of one buffer and of several", arguments: [60, 9_000])
        func floodedBuffers(_ length: Int) throws {
            try withLab { lab in
                // Each loop may use 3/8 of the buffers. At half of what its tree may hold, the flood alone would exceed that.
                let names = ["source", "flooded", "quiet"]
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [0, 1], buffers: 16384}
                    bridges: [{name: br0}]
                    ports:
                    \(names.map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0)), cpus: [1], mtu: 9000}" }.joined(separator: "\n"))
                    guests:
                      - {name: flooded, port: flooded, inbound: {ceiling: 20mbit, limit: 1000000, limit-delay: 10s}}
                      - {name: quiet, port: quiet, inbound: {ceiling: 20mbit}}
                    """)
                let report = try Generator.run(lab, """
                    duration: 4s
                    learn: true
                    ports:
                    \(names.enumerated().map {
                        "  - {name: \($1), device: \"virtio_user:\(lab.path($1))\", server: true, mac: \"52:54:00:00:00:0\($0 + 1)\"}"
                    }.joined(separator: "\n"))
                    flows:
                      - {name: flood, from: source, to: flooded, size: \(length), rate: \(length > 1_000 ? "20kpps" : "200kpps")}
                      - {name: quiet, from: source, to: quiet, size: 600, rate: 1kpps}
                    expect:
                      - {name: quiet, flows: [quiet], intact: true, loss-at-most: 0%}
                    """)
                #expect(Generator.missed(report) == [])
                #expect(Generator.faults(report) == Generator.noFaults)
                let drops = try daemon.port("flooded")["drops"]
                #expect(drops["buffer_share"].int ?? 0 > 0)
                #expect(try daemon.port("quiet")["drops"].members.isEmpty)
                #expect(try daemon.classStatus("br0", "flooded")["drops"]["buffer_share"].int == drops["buffer_share"].int)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("what a frame is charged changes while the output is full")
        func overheadOfAFullOutput() throws {
            try withLab { lab in
                let (daemon, sender) = try daemon(lab, "inbound: {priority: 3}")
                // This guest has offered its buffers but takes no frames out of them.
                let sink = try Testpmd(
                    lab, "sink", devices: ["net_virtio_user0,path=\(lab.path("vm")),mac=\(Self.sink),queue_size=256"],
                    options: ["-i", "--forward-mode=rxonly", "--no-lsc-interrupt"], cpu: 0)
                try sink.waitFor("testpmd>")
                try daemon.waitUntil(port: "vm", is: "up")
                func fill(_ frames: Int) throws { for _ in 0..<frames { try sender.send(frame(100)) } }
                func backlog() throws -> Int { try daemon.classStatus("br0", "vm")["backlog"]["frames"].int ?? 0 }
                try eventually("frames wait for the guest") {
                    try fill(64)
                    return try backlog() > 100
                }
                let sent = try daemon.classStatus("br0", "vm")["sent"]["frames"].int ?? 0
                try daemon.command("bridge", "set", "br0", "overhead", "24")
                // The backlog, the counters and the order remain those of the class.
                #expect(try backlog() > 0)
                #expect(try daemon.classStatus("br0", "vm")["sent"]["frames"].int ?? 0 >= sent)
                try fill(600)
                try sink.command("start", answer: "testpmd>")
                try eventually("the guest has taken all") { try backlog() == 0 }
                #expect(try daemon.unaccountedFrames() == 0)
                #expect(try (daemon.atRest()["dropped"]["class_removed"].int ?? 0) == 0)
                try sink.quit()
                daemon.stop()
            }
        }

        @Test("a guest that gets its first protocol class, and loses it again, is never without a class, made with one or not", arguments: [false, true])
        func firstProtocolClass(_ isMadeWithOne: Bool) throws {
            try withLab { lab in
                let protocols = isMadeWithOne ? ", protocols: {iscsi: {inbound: {priority: 2}}}" : ""
                let (daemon, sender) = try daemon(lab, "inbound: {priority: 3}" + protocols)
                let sink = try startSink(lab, daemon)
                let load = Load()
                let sending = Thread { [frame = frame(100)] in load.run { try sender.send(frame) } }
                sending.start()
                do {
                    defer { load.stop() }
                    var counted = 0
                    for turn in 0..<20 {
                        // The changes must happen while there is traffic, or the test would show nothing.
                        let sent = load.sent
                        try eventually("frames are sent") { load.sent > sent }
                        let changes = [["set", "vm/iscsi", "dir", "inbound", "priority", "2"], ["del", "vm/iscsi", "dir", "inbound"]]
                        for words in isMadeWithOne ? changes.reversed() : changes {
                            try daemon.command(["class"] + words)
                            // What a guest has been sent must never decrease.
                            let now = try daemon.guest("vm")["inbound"]["frames"].int ?? 0
                            #expect(now >= counted, "turn \(turn)")
                            counted = now
                        }
                    }
                    #expect(counted > 20)
                }
                let stats = try daemon.atRest()
                #expect(try #require(stats["received"]["frames"].int) > 20)
                // The frames that wait in a removed class go to the class that takes its place.
                #expect(stats["dropped"]["no_class"].int ?? 0 == 0 && stats["dropped"]["class_removed"].int ?? 0 == 0)
                #expect(try daemon.guest("vm")["inbound"]["frames"].int == daemon.classStatus("br0", "vm")["sent"]["frames"].int)
                #expect(try daemon.unaccountedFrames() == 0)
                try sink.quit()
                daemon.stop()
            }
        }

        @Test("CoDel's drops, and the backlog of a class that is removed")
        func givenUp() throws {
            try withLab { lab in
                let (daemon, sender) = try daemon(lab, "inbound: {ceiling: 1mbit, limit-delay: 10s, queue: codel, codel-target: 1ms, codel-interval: 2ms}")
                _ = try startSink(lab, daemon)
                #expect(try daemon.classStatus("br0", "vm")["codel_target_microseconds"].int == 1_000)
                for _ in 0..<300 { try sender.send(frame(1_400)) }
                try eventually("CoDel drops") { try (daemon.port("vm")["drops"]["codel"].int ?? 0) > 2 }
                #expect(try (daemon.classStatus("br0", "vm")["drops"]["codel"].int ?? 0) > 2)
                // While frames wait, each flow is given a queue of its own and loses it again.
                for _ in 0..<100 { try sender.send(frame(1_400)) }
                try daemon.command("class", "set", "vm", "dir", "inbound", "queue", "fq-codel")
                for _ in 0..<100 { try sender.send(frame(1_400)) }
                try eventually("flows wait") {
                    let status = try daemon.classStatus("br0", "vm")
                    return (status["new_flows"].int ?? 0) + (status["old_flows"].int ?? 0) > 0
                }
                try daemon.command("class", "set", "vm", "dir", "inbound", "queue", "tail", "codel-target", "none", "codel-interval", "none")
                for _ in 0..<300 { try sender.send(frame(1_400)) }
                try eventually("frames wait") { try (daemon.classStatus("br0", "vm")["backlog"]["frames"].int ?? 0) > 100 }
                let less = try lab.write("less.yaml", "bridges: [{name: br0}]\nports: [{name: host, type: tap, bridge: br0, interface: \(lab.tag)t}]\n")
                try daemon.command("apply", less)
                let dropped = try daemon.atRest()["dropped"]
                #expect(dropped["class_removed"].int ?? 0 > 0 && dropped["codel"].int ?? 0 > 2, "\(dropped)")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}

/// Sends on a thread of its own until it is stopped.
private final class Load: @unchecked Sendable {
    private let condition = NSCondition()
    private var isStopping = false, hasEnded = false, frames = 0

    /// The number of frames that the kernel accepted so far. It may refuse some when the tap's queue is full.
    var sent: Int { condition.withLock { frames } }

    /// What the thread executes.
    func run(_ send: () throws -> Void) {
        while !condition.withLock({ isStopping }) {
            if (try? send()) != nil { condition.withLock { frames += 1 } }
        }
        condition.withLock {
            hasEnded = true
            condition.signal()
        }
    }

    /// Stops the sending and returns when the thread sends no more.
    func stop() {
        condition.withLock {
            isStopping = true
            while !hasEnded { condition.wait() }
        }
    }
}
