import Configuration
import Foundation

/// A UDP socket that is connected to a collector. Nothing here waits.
struct UDPSender: ~Copyable {
    /// What became of a datagram.
    enum Outcome {
        case sent
        /// It was sent, and the collector's host has answered to the one before that nobody listens there.
        case sentAfterRefusal
        /// A sentence says why it was not sent.
        case failed(String)
    }

    /// The address that datagrams are sent from, in 4 or 16 octets.
    let localAddress: [UInt8]
    private let descriptor: CInt
    private let collector: CollectorAddress

    /// - Throws: a sentence that says why nothing can be sent there.
    init(to collector: CollectorAddress) throws(ControlSocketError) {
        var hints = addrinfo(), found: UnsafeMutablePointer<addrinfo>?
        (hints.ai_flags, hints.ai_socktype) = (AI_NUMERICHOST | AI_NUMERICSERV, Int32(SOCK_DGRAM.rawValue))
        guard getaddrinfo(collector.host.description, String(collector.port), &hints, &found) == 0, let found else {
            throw ControlSocketError("nothing can be sent to \(collector): it is no address")
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var local = sockaddr_storage(), length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = descriptor >= 0 && connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0
            && withUnsafeMutableBytes(of: &local) { getsockname(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length) } == 0
        guard isConnected else {
            let sentence = Self.sentence(collector, errno)
            if descriptor >= 0 { close(descriptor) }
            throw ControlSocketError(sentence)
        }
        self.descriptor = descriptor
        self.collector = collector
        // Offsets of sin_addr and sin6_addr.
        let octets = collector.host.isIPv4 ? 4..<8 : 8..<24
        localAddress = withUnsafeBytes(of: &local) { Array($0[octets]) }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) -> Outcome {
        if Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count { return .sent }
        // This tells of an earlier datagram. This one has not been sent yet.
        guard errno == ECONNREFUSED else { return .failed(Self.sentence(collector, errno)) }
        return Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count ? .sentAfterRefusal : .failed(Self.sentence(collector, errno))
    }

    private static func sentence(_ collector: CollectorAddress, _ number: CInt) -> String {
        "nothing can be sent to \(collector): \(String(cString: strerror(number)))"
    }
}
