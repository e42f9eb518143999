import Foundation

/// Sends frames byte by byte through an interface of this namespace (packet(7)).
final class RawSocket: Sendable {
    private let descriptor: Int32

    /// - Parameter fanoutGroup: the number of a group of sockets that share what arrives at the interface (packet(7), PACKET_FANOUT); nil: nothing is received.
    init(_ interface: String, fanoutGroup: UInt16? = nil) throws {
        let index = if_nametoindex(interface)
        guard index > 0 else { throw LabError("no interface \(interface)") }
        descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        guard descriptor >= 0 else { throw LabError("packet socket: \(String(cString: strerror(errno)))") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // struct sockaddr_ll: family, protocol (network order), interface index, and an address, which sending does not need.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
            // 3 is ETH_P_ALL.
            if fanoutGroup != nil { $0.storeBytes(of: UInt16(3).bigEndian, toByteOffset: 2, as: UInt16.self) }
            $0.storeBytes(of: UInt32(index), toByteOffset: 4, as: UInt32.self)
        }
        let result = address.withUnsafeBytes {
            bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard result == 0 else { throw LabError("bind to \(interface): \(String(cString: strerror(errno)))") }
        if let fanoutGroup {
            // The constants are SOL_PACKET and PACKET_FANOUT; the mode is PACKET_FANOUT_HASH, 0.
            var group = UInt32(fanoutGroup)
            guard setsockopt(descriptor, 263, 18, &group, 4) == 0 else { throw LabError("fanout group: \(String(cString: strerror(errno)))") }
        }
    }

    deinit { close(descriptor) }

    func send(_ frame: [UInt8]) throws {
        let count = frame.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
        guard count == frame.count else { throw LabError("sending a frame: \(String(cString: strerror(errno)))") }
    }
}
