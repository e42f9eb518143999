import Foundation
import Testing

extension EndToEnd {
    @Suite("UDP segmentation that guests leave to the switch", .needs(.hugepages))
    struct DatagramSegmentTests {
        @Test("a long datagram goes whole to a guest that takes it, and cut to all others", arguments: [false, true])
        func longDatagram(_ isIPv6: Bool) throws {
            try withLab { lab in
                let tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges:
                      - name: br0
                        static: [{mac: "52:54:00:00:00:09", port: host}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap)}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), mode: server}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), mode: server}
                      - {name: vm3, type: vhost, bridge: br0, socket: \(lab.path("vm3")), mode: server}
                    guests:
                      - {name: vm2, port: vm2, macs: ["52:54:00:00:00:02"]}
                      - {name: vm3, port: vm3, macs: ["52:54:00:00:00:03"]}
                    """)
                // The kernel's own multicasts would be flooded to the guests.
                try "1".write(toFile: "/proc/sys/net/ipv6/conf/\(tap)/disable_ipv6", atomically: false, encoding: .utf8)
                try run("ip", "link", "set", tap, "up")
                // The bits are VIRTIO_NET_F_CSUM (0), GUEST_CSUM (1), GUEST_USO4 (54), GUEST_USO6 (55) and HOST_USO (56).
                let sender = try Frontend(lab.path("vm1"), fromGuest: 16), whole = try Frontend(lab.path("vm2")), cut = try Frontend(lab.path("vm3"))
                try sender.start(features: [0, 56])
                try whole.start(features: [1, 54, 55])
                try cut.start(features: [1])
                for guest in [whole, cut] { guest.offer(ring: 0, bufferBytes: 2_048, count: 256) }
                for name in ["vm1", "vm2", "vm3"] { try daemon.waitUntil(port: name, is: "up") }

                let data = (0..<9_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }, size = 1_448, pieces = 7
                let udp = Frames.udp(to: 4_433, data), l3 = 14, l4 = l3 + (isIPv6 ? 40 : 20)
                func frame(to number: Int) -> [UInt8] {
                    Frames.ethernet(
                        to: "52:54:00:00:00:0\(number)", from: "52:54:00:00:00:01", type: isIPv6 ? 0x86dd : 0x0800, isIPv6 ? Frames.ipv6(17, udp) : Frames.ipv4(17, udp))
                }
                // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP_L4, and little-endian lengths and places (virtio 1.3, 5.1.6).
                let header: [UInt8] = [1, 5, UInt8(l4 + 8), 0, UInt8(size & 255), UInt8(size >> 8), UInt8(l4), 0, 6, 0]
                var sent: UInt16 = 0
                func send(to number: Int) {
                    sent += 1
                    // Buffers of exactly the frame's length.
                    let room = 12 + frame(to: number).count
                    sender.write(frame(to: number), header: header + [0, 0], buffers: 16, bufferBytes: room)
                    sender.offer(ring: 1, bufferBytes: room, count: sent)
                    sender.kick(ring: 1)
                }
                /// The data of frames that must each be a datagram of its own, in order.
                func datagrams(_ frames: [[UInt8]]) -> [UInt8] {
                    #expect(frames.count == pieces)
                    return frames.flatMap { bytes -> [UInt8] in
                        let length = bytes.count - l4
                        #expect(length <= 8 + size && Array(bytes[l4 + 4..<l4 + 6]) == Frames.be(UInt16(length)))
                        if !isIPv6 { #expect(Frames.checksum(Array(bytes[l3..<l4])) == 0 && Array(bytes[l3 + 2..<l3 + 4]) == Frames.be(UInt16(20 + length))) }
                        let addresses = Array(bytes[(isIPv6 ? l3 + 8 : l3 + 12)..<l4])
                        #expect(Frames.checksum(addresses + [0, 17] + Frames.be(UInt16(length)) + bytes[l4...]) == 0)
                        return Array(bytes[(l4 + 8)...])
                    }
                }

                let receiver = try RawReceiver([tap]) { Array($0[6..<12]) == Frames.mac("52:54:00:00:00:01") }
                send(to: 9)
                #expect(datagrams(receiver.take(quiet: 10) { $0.count == pieces }.map(\.frame)) == data)

                send(to: 2)
                // It takes five buffers of 2 KiB.
                try eventually("the datagram arrives whole") { whole.taken == 5 }
                let received = whole.read(ring: 0, bytes: 12 + frame(to: 2).count)
                #expect(received == header + [5, 0] + frame(to: 2))

                send(to: 3)
                try eventually("the datagrams arrive") { cut.taken == UInt16(pieces) }
                let buffers = cut.read(ring: 0, bytes: pieces * 2_048)
                let last = l4 + 8 + data.count - (pieces - 1) * size
                let frames = (0..<pieces).map { Array(buffers[($0 * 2_048 + 12)..<($0 * 2_048 + 12 + ($0 + 1 == pieces ? last : l4 + 8 + size))]) }
                // This guest finishes checksums by itself, so they are not checked here.
                #expect(frames.flatMap { $0[(l4 + 8)...] } == data)
                for (index, bytes) in frames.enumerated() {
                    #expect(Array(bytes[l4 + 4..<l4 + 6]) == Frames.be(UInt16(bytes.count - l4)) && buffers[index * 2_048] == 1 && buffers[index * 2_048 + 1] == 0)
                }

                let status = try daemon.show("stats", "show")
                #expect(status["copied"]["frames"].int == 2 * (pieces - 1))
                #expect(try daemon.port("vm2")["tx"]["frames"].int == 1 && daemon.port("vm3")["tx"]["frames"].int == pieces)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
