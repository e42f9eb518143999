import Foundation

/// Receives the frames that arrive at interfaces of this namespace (packet(7)), byte by byte as they came. The kernel takes tags out of frames; they are put
/// back here.
final class RawReceiver {
    struct Arrival: Hashable, Sendable {
        /// The index of the interface, in the order in which they were given.
        var port: Int
        var frame: [UInt8]
    }

    private var sockets: [Int32] = []
    private let wanted: @Sendable ([UInt8]) -> Bool

    /// - Parameter wanted: whether a frame is to be reported.
    init(_ interfaces: [String], _ wanted: @escaping @Sendable ([UInt8]) -> Bool) throws {
        self.wanted = wanted
        for interface in interfaces {
            let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
            guard descriptor >= 0 else { throw LabError("packet socket: \(String(cString: strerror(errno)))") }
            sockets.append(descriptor)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            var on: Int32 = 1, room: Int32 = 8 << 20
            // The constants are SOL_PACKET and PACKET_AUXDATA.
            setsockopt(descriptor, 263, 8, &on, socklen_t(MemoryLayout<Int32>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
            var address = [UInt8](repeating: 0, count: 20)
            address.withUnsafeMutableBytes {
                $0.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
                // 3 is ETH_P_ALL.
                $0.storeBytes(of: UInt16(3).bigEndian, toByteOffset: 2, as: UInt16.self)
                $0.storeBytes(of: UInt32(if_nametoindex(interface)), toByteOffset: 4, as: UInt32.self)
            }
            let result = address.withUnsafeBytes { bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
            guard result == 0 else { throw LabError("bind to \(interface): \(String(cString: strerror(errno)))") }
        }
    }

    deinit { for descriptor in sockets { close(descriptor) } }

    /// The frames that arrive until none has arrived for `quiet` seconds, or until `isEnough` returns true.
    func take(quiet: Double, until isEnough: ([Arrival]) -> Bool = { _ in false }) -> [Arrival] {
        var result: [Arrival] = []
        var places = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while !isEnough(result), poll(&places, nfds_t(places.count), Int32(quiet * 1_000)) > 0 {
            for (port, place) in places.enumerated() where place.revents != 0 {
                while let frame = receive(place.fd) { if wanted(frame) { result.append(Arrival(port: port, frame: frame)) } }
            }
        }
        return result
    }

    /// The next frame; nil if there is none. Frames that were sent from here are left out.
    private func receive(_ descriptor: Int32) -> [UInt8]? {
        while true {
            var buffer = [UInt8](repeating: 0, count: 10_000), control = [UInt8](repeating: 0, count: 128), sender = [UInt8](repeating: 0, count: 20)
            let controlLength = control.count
            let count = buffer.withUnsafeMutableBytes { data in
                control.withUnsafeMutableBytes { control in
                    sender.withUnsafeMutableBytes { sender in
                        var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
                        return withUnsafeMutablePointer(to: &vector) { vector in
                            var message = msghdr(
                                msg_name: sender.baseAddress, msg_namelen: 20, msg_iov: vector, msg_iovlen: 1, msg_control: control.baseAddress,
                                msg_controllen: controlLength, msg_flags: 0)
                            return recvmsg(descriptor, &message, Int32(MSG_DONTWAIT))
                        }
                    }
                }
            }
            guard count >= 0 else { return nil }
            // The packet type (sll_pkttype) is PACKET_OUTGOING: the frame was sent from here.
            if sender[10] == 4 { continue }
            var frame = Array(buffer[..<count])
            // The control message consists of struct cmsghdr (length, level, type) and struct tpacket_auxdata (status, three words and two halves, TCI, TPID).
            control.withUnsafeBytes { bytes in
                let status = bytes.load(fromByteOffset: 16, as: UInt32.self)
                guard bytes.load(as: Int.self) >= 36, status & 0x10 != 0 else { return }
                let tci = bytes.load(fromByteOffset: 32, as: UInt16.self), type = status & 0x40 != 0 ? bytes.load(fromByteOffset: 34, as: UInt16.self) : 0x8100
                frame.insert(contentsOf: Frames.be(type) + Frames.be(tci), at: 12)
            }
            return frame
        }
    }
}
