import Foundation
import Testing

/// What wakes a sleeping poll loop if no frame does. Bursts hold one frame only, so a late frame is not made up for by a later one.
extension EndToEnd {
    @Suite("Sleeping poll loops wake by themselves", .needs(.hugepages, .testpmd))
    struct DueTimeTests {
        private static let sleeping = ["adaptive", "interrupt"]

        private func core(_ daemon: Daemon) throws -> JSON { try daemon.show("core", "show")[0] }

        /// The milliseconds in which frames of the flow arrived.
        private func arrivals(_ report: JSON, _ flow: String) throws -> [Int] {
            let windows = try Generator.flow(report, flow)["bins"]["receivedFrames"].items
            return windows.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element.int ?? 0) }
        }

        /// What is wrong with frames that were due every `period` ms; nil if nothing is. One in ten may be late because a CPU was not available. A window is 1
        /// ms long.
        private func fault(_ arrivals: [Int], period: Double) -> String? {
            let gaps = zip(arrivals.dropFirst(), arrivals).map { $0 - $1 }.sorted()
            guard gaps.count > 80 else { return "only \(arrivals.count) frames" }
            if Double(gaps[gaps.count * 9 / 10]) > 1.5 * period { return "one frame in ten came \(gaps[gaps.count * 9 / 10]) ms and more after the one before it" }
            let usual = Double(gaps[gaps.count / 2])
            return abs(usual - period) > 0.1 * period ? "frames came every \(usual) ms, not every \(period)" : nil
        }

        @Test("for every frame of a class or a pace, with nothing else to do", arguments: sleeping, ["ceiling", "pace"])
        func lone(_ mode: String, _ limit: String) throws {
            try withLab { lab in
                let held = limit == "ceiling" ? "guests: [{name: vm1, port: vm1, inbound: {ceiling: 500kbit, ceiling-burst: 1514b, limit-delay: 10s}}]\n" : ""
                let pace = limit == "pace" ? ", pace: {average: 500kbit, burst: 1514b}" : ""
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384, polling: \(mode)}
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: src, type: vhost, bridge: br0, socket: \(lab.path("src"))\(pace)}

                    """ + held)
                // What is sent in 150 ms takes three seconds to pass; nothing else is sent during that time.
                let scenario = """
                    duration: 4s
                    bin: 1ms
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true}
                      - {name: src, device: "virtio_user:\(lab.path("src"))", server: true}
                    flows: [{name: a, from: src, to: vm1, size: 1514, rate: 10mbit, stop: 150ms}]
                    """
                // The milliseconds that 1514 bytes take at 500 kbit/s.
                let period = 24.224
                var found: String?
                // The measurement is repeated because other programs may have used the CPU of the loop or of the generator.
                for _ in 1...3 {
                    let before = try core(daemon)["wakeups"]["time"].int ?? 0
                    let arrivals = try arrivals(Generator.run(lab, scenario, bins: true), "a")
                    let woken = try (core(daemon)["wakeups"]["time"].int ?? 0) - before
                    found = fault(Array(arrivals.dropFirst()), period: period) ?? (woken < 80 ? "its time woke the loop only \(woken) times" : nil)
                    guard let found else { break }
                    print("measured again: \(found)")
                    for port in ["vm1", "src"] { try daemon.waitUntil(port: port, is: "waiting") }
                }
                #expect(found == nil)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("to look whether a full output has room again", arguments: sleeping)
        func fullOutput(_ mode: String) throws {
            try withLab { lab in
                let sinkAddress = "52:54:00:00:00:02"
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384, polling: \(mode)}
                    bridges: [{name: br0, static: [{mac: "\(sinkAddress)", port: vm}]}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t}
                      - {name: vm, type: vhost, bridge: br0, socket: \(lab.path("vm")), mode: server}
                    """)
                try run("ip", "link", "set", "\(lab.tag)t", "up")
                let sender = try RawSocket("\(lab.tag)t")
                // This guest has offered its buffers but takes no frames out of them yet.
                let sink = try Testpmd(
                    lab, "sink", devices: ["net_virtio_user0,path=\(lab.path("vm")),mac=\(sinkAddress),queue_size=256"],
                    options: ["-i", "--forward-mode=rxonly", "--no-lsc-interrupt"], cpu: 0)
                try sink.waitFor("testpmd>")
                try daemon.waitUntil(port: "vm", is: "up")
                func backlog() throws -> Int { try daemon.classStatus("br0", "vm")["backlog"]["frames"].int ?? 0 }
                try eventually("frames wait for the guest") {
                    for _ in 0..<64 { try sender.send(Frames.ethernet(to: sinkAddress, from: "02:00:00:00:00:01", type: 0x88b5, [1])) }
                    return try backlog() > 100
                }
                _ = try daemon.atRest()
                // Without frames to send, the loop would sleep for 100 ms at a time, and this many sleeps would take twice as long as allowed.
                let before = try core(daemon)["sleeps"].int ?? 0
                try eventually("it naps and looks", within: 10) { try (core(daemon)["sleeps"].int ?? 0) >= before + 200 }
                #expect(try backlog() > 0)
                try sink.command("start", answer: "testpmd>")
                try eventually("the guest has got all") { try backlog() == 0 }
                #expect(try daemon.unaccountedFrames() == 0)
                try sink.quit()
                daemon.stop()
            }
        }
    }
}
