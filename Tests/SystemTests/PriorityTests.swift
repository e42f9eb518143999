import Foundation
import Synchronization
import Testing

extension EndToEnd {
    @Suite("Traffic classes and pauses of a physical port", .needs(.hugepages))
    struct PriorityTests {
        /// Sends frames again and again, until it is stopped or has done so for a number of rounds.
        private final class Sender: Sendable {
            private let isOver = Atomic<Bool>(false)
            private let isDone = Atomic<Bool>(false)
            /// Whether all rounds are over.
            var hasEnded: Bool { isDone.load(ordering: .relaxed) }
            private let ended = DispatchSemaphore(value: 0)

            /// - Parameters:
            ///   - pause: microseconds between two rounds. Without them, the sender would take the CPU of those whom it sends to.
            ///   - isPunctual: whether the sender gets its CPU at once whenever a round is due, as a peer's hardware would.
            init(_ interface: String, _ frames: [[UInt8]], rounds: Int = .max, every pause: UInt32, isPunctual: Bool = false) throws {
                let socket = try RawSocket(interface)
                Thread.detachNewThread { [self] in
                    if isPunctual {
                        var priority = sched_param(sched_priority: 1)
                        pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority)
                    }
                    var round = 0
                    while round < rounds, !isOver.load(ordering: .relaxed) {
                        round += 1
                        // A socket that is full for a moment loses a frame, which does not matter.
                        for frame in frames { try? socket.send(frame) }
                        usleep(pause)
                    }
                    isDone.store(true, ordering: .relaxed)
                    ended.signal()
                }
            }

            func stop() {
                isOver.store(true, ordering: .relaxed)
                ended.wait()
            }
        }

        private static func frame(_ packet: [UInt8]) -> [UInt8] { Frames.ethernet(to: "02:00:00:00:00:99", from: "02:00:00:00:01:01", type: 0x0800, packet) }
        private static let data = [UInt8](repeating: 1, count: 1_400)
        /// Of priority 4, and of priority 0.
        private static let iscsi = frame(Frames.ipv4(6, Frames.tcp(to: 3260, data)))
        private static let plain = frame(Frames.ipv4(17, Frames.udp(to: 53_000, data)))
        /// Pauses priority 4 for the longest time, which is 3.4 ms at 10 Gbit/s.
        private static let pause = Frames.ethernet(
            to: "01:80:c2:00:00:01", from: "02:00:00:00:00:99", type: 0x8808, [1, 1, 0, 0x10] + [UInt8](repeating: 0xff, count: 16))

        /// Pauses the whole link for as long.
        private static let linkPause = Frames.ethernet(
            to: "01:80:c2:00:00:01", from: "02:00:00:00:00:99", type: 0x8808, [0, 1, 0xff, 0xff] + [UInt8](repeating: 0, count: 42))

        private func daemon(_ lab: Lab, _ wire: VethPair, _ tap: String, _ dcb: String) throws -> Daemon {
            let daemon = try Daemon(lab, """
                bridges: [{name: br0, static: [{mac: "02:00:00:00:00:99", port: uplink}]}]
                ports:
                  - {name: host, type: tap, bridge: br0, interface: \(tap)}
                  - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", rate: 50mbit, dcb: {\(dcb)}}
                guests: [{name: vm1, port: host, outbound: {limit: 10000, limit-delay: 1s}}]
                """)
            try daemon.waitUntil(port: "uplink", is: "up")
            return daemon
        }

        /// The bytes that traffic classes 0 and 1 have sent.
        private func sent(_ daemon: Daemon) throws -> (Int, Int) {
            let sent = try daemon.show("dcb", "show").items.first?["ets"]["sent"].items ?? []
            guard sent.count == 8 else { throw LabError("no traffic classes") }
            return (sent[0]["bytes"].int ?? 0, sent[1]["bytes"].int ?? 0)
        }

        /// The part of class 0 in the next `bytes` of both.
        private func share(_ daemon: Daemon, of bytes: Int = 4_000_000) throws -> Double {
            let before = try sent(daemon)
            let after = try eventually("\(bytes) bytes more have left", within: 60) { () -> (Int, Int)? in
                let now = try sent(daemon)
                return now.0 + now.1 - before.0 - before.1 >= bytes ? now : nil
            }
            return Double(after.0 - before.0) / Double(after.0 + after.1 - before.0 - before.1)
        }

        @Test("classes get their percentages, also when these change under load; a class alone gets all")
        func shares() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try daemon(lab, wire, tap, "ets: {tc-tsa: [ets, ets], tc-bw: [70, 30], prio-tc: [0, 0, 0, 0, 1, 0, 0, 0]}")
                // Several times what the link carries, so that frames of both classes soon wait, and do so even while the sender has no CPU.
                let both = try Sender(tap, [Self.iscsi, Self.plain, Self.iscsi, Self.plain, Self.iscsi, Self.plain, Self.iscsi, Self.plain], every: 100)
                func waiting() throws {
                    try eventually("frames of both classes wait", within: 30) {
                        try ["vm1/iscsi", "vm1/default"].allSatisfy { try daemon.classStatus("uplink", $0)["backlog"]["bytes"].int ?? 0 > 1_000_000 }
                    }
                }
                try waiting()
                let first = try share(daemon)
                #expect(abs(first - 0.7) < 0.01, "\(first)")
                try daemon.command("port", "set", "uplink", "dcb", "ets", "tc-bw", "20,80")
                try waiting()
                let second = try share(daemon)
                #expect(abs(second - 0.2) < 0.01, "\(second)")
                both.stop()
                let one = try Sender(tap, [Self.iscsi], every: 100)
                // What is left of class 0, in its queue and in the tap's, goes first.
                try eventually("class 1 alone gets all", within: 30) { try share(daemon, of: 1_000_000) == 0 }
                one.stop()
                try eventually("all is sent", within: 30) { try daemon.unaccountedFrames() == 0 }
                daemon.stop()
            }
        }

        /// Has the peer send pause frames until for twenty of them the traffic classes have sent what `isRight` wants: the bytes of each class.
        private func pause(_ daemon: Daemon, _ wire: VethPair, _ frame: [UInt8], _ what: String, _ isRight: ([Int]) -> Bool) throws {
            // The command line would take too long to look, as the pauses last for less than 200 ms.
            let client = try ControlClient(daemon.socket)
            func look() throws -> (pauses: Int, isStorming: Bool, sent: [Int]) {
                client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dcb.show\"}\n")
                let status = try JSON(client.line() ?? "")["result"].items[0], received = status["pfc"]["received"]
                return (received["pauses"].items[4].int ?? 0, !received["storming"].items.isEmpty, status["ets"]["sent"].items.map { $0["bytes"].int ?? 0 })
            }
            // The peer does not always get its CPU in time, so that a pause may have breaks; then it is tried again.
            try eventually("for twenty pauses, \(what)", within: 30) {
                try eventually("pauses are followed", within: 30) { try !look().isStorming }
                let start = try look().pauses, pauser = try Sender(wire.far, [frame], rounds: 150, every: 500, isPunctual: true)
                defer { pauser.stop() }
                let before = try eventually("the pause has begun", within: 30) { try look().pauses > start ? look() : nil }
                let after = try eventually("it goes on, or is over", within: 30) { try look().pauses >= before.pauses + 20 || pauser.hasEnded ? look() : nil }
                return after.pauses >= before.pauses + 20 && after.pauses < start + 150 && isRight(zip(after.sent, before.sent).map { $0 - $1 })
            }
        }

        @Test("a port that negotiates nothing stops for PAUSE of IEEE 802.3, and only for that")
        func linkPauses() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try daemon(lab, wire, tap, "pause: on")
                let traffic = try Sender(tap, [Self.iscsi, Self.plain], every: 100)
                try eventually("frames leave", within: 30) { try sent(daemon).0 > 200_000 }
                try pause(daemon, wire, Self.linkPause, "nothing leaves") { $0.allSatisfy { $0 == 0 } }
                let before = try sent(daemon).0
                try eventually("frames leave again", within: 30) { try sent(daemon).0 > before + 200_000 }
                traffic.stop()
                try eventually("all is sent", within: 30) { try daemon.unaccountedFrames() == 0 }
                daemon.stop()
            }
        }

        @Test("a priority that the peer pauses sends nothing and others go on; a pause without end is told of, ended, and followed again later")
        func pauses() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try daemon(lab, wire, tap, "ets: {tc-tsa: [ets, ets], tc-bw: [50, 50], prio-tc: [0, 0, 0, 0, 1, 0, 0, 0]}, pfc: {prio-pfc: [4]}")
                func received() throws -> JSON {
                    guard let status = try daemon.show("dcb", "show").items.first else { throw LabError("no port") }
                    return status["pfc"]["received"]
                }
                let traffic = try Sender(tap, [Self.iscsi, Self.plain], every: 100)
                try eventually("both classes send", within: 30) { try sent(daemon).0 > 200_000 && sent(daemon).1 > 200_000 }
                try pause(daemon, wire, Self.pause, "class 0 sends and class 1 does not") { $0[0] > 0 && $0[1] == 0 }
                let pauser = try Sender(wire.far, [Self.pause], every: 500, isPunctual: true)
                try eventually("a pause without end is a storm", within: 60) { try received()["storms"].items[4].int ?? 0 > 0 }
                let before = try sent(daemon)
                try eventually("class 1 sends again although the peer goes on", within: 30) { try sent(daemon).1 > before.1 + 100_000 }
                #expect(try received()["storming"].items.map(\.int) == [4] && daemon.command("dcb", "show").contains("pauses of 4 are ignored"))
                pauser.stop()
                try eventually("pauses are followed again", within: 30) { try received()["storming"].items.isEmpty }
                #expect(try received()["paused_nanoseconds"].items[4].int ?? 0 >= 200_000_000 && received()["pauses"].items[0].int == 0)
                traffic.stop()
                try eventually("all is sent", within: 30) { try daemon.unaccountedFrames() == 0 }
                // The log is written a moment later.
                try eventually("the log tells both", within: 30) {
                    daemon.log.contains("has paused priority 4 for 200 ms") && daemon.log.contains("may pause priority 4 again")
                }
                daemon.stop()
            }
        }
    }
}
