import Foundation
import Testing

/// A buffer that is not given back is only missed when none is left; a test must not wait for that.
extension EndToEnd {
    @Suite("Every buffer comes back", .needs(.hugepages))
    struct BufferTests {
        @Test("of flooded frames and of frames of several buffers, sent, queued and dropped")
        func floodedAndJumbo() throws {
            try withLab { lab in
                let names = ["vm1", "vm2", "vm3"]
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 16384}\nbridges: [{name: br0}]\nports:\n" + names.map {
                    "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0)), mtu: 9000}\n"
                }.joined() + "guests: [{name: vm2, port: vm2, inbound: {ceiling: 20mbit, limit: 50}}]\n")
                // No port has the address that vm1 sends to, so all others get every frame, as far as vm2's queue is not a quarter full. The rest of the queue is
                // for what vm3 sends to vm2 alone.
                let scenario = try lab.write("scenario.yaml", "duration: 4s\nlearn: true\nports:\n" + names.map {
                    "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: true}\n"
                }.joined() + """
                    flows:
                      - {name: unknown, from: vm1, to: "52:54:00:00:00:50", at: vm3, size: [60, 3000, 9014], rate: 5kpps}
                      - {name: jumbo, from: vm3, to: vm2, size: 9014, rate: 1kpps}
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--no-bins")
                try eventually("frames wait, some in more than one buffer") {
                    let frames = try daemon.classStatus("br0", "vm2")["backlog"]["frames"].int ?? 0
                    return try frames > 8 && daemon.buffersInUse() > 2 * frames
                }
                #expect(generator.waitForExit(until: .after(60)) == .code(0), "\(generator.errors.text)")
                let stats = try daemon.atRest()
                let copied = stats["copied"]["frames"].int ?? 0, dropped = ["queue_limit", "flood_share"].map { stats["dropped"][$0].int ?? 0 }
                #expect(copied > 5_000 && dropped.allSatisfy { $0 > 1_000 }, "\(stats)")
                #expect(try daemon.unaccountedFrames() == 0)
                #expect(try daemon.buffersInUse() == 0)
                daemon.stop()
            }
        }

        @Test("of ports that are taken away, with what their rings hold")
        func taps() throws {
            try withLab { lab in
                let taps = (1...3).map { "\(lab.tag)t\($0)" }
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 16384}\nbridges: [{name: br0}]\nports:\n" + taps.map {
                    "  - {name: \($0), type: tap, bridge: br0, interface: \($0)}\n"
                }.joined())
                for tap in taps { try run("ip", "link", "set", tap, "up") }
                let sender = try RawSocket(taps[0])
                for number in 0..<2_000 {
                    let payload = [UInt8](repeating: UInt8(number % 256), count: number % 2 == 0 ? 46 : 1_400)
                    try sender.send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "02:00:00:00:00:01", type: 0x88b5, payload))
                }
                try eventually("frames were flooded") { try (daemon.show("stats", "show")["copied"]["frames"].int ?? 0) > 500 }
                #expect(try daemon.unaccountedFrames() == 0)
                for tap in taps { try daemon.command("port", "del", tap) }
                try daemon.waitUntilBuffersAreFree()
                daemon.stop()
            }
        }
    }
}
