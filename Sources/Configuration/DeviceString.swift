/// A DPDK device string, such as `net_af_packet0,iface=eth1`, and the frames that its driver carries.
public struct DeviceString: Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    /// The value of a key; nil where it is not given.
    public func value(of key: String) -> String? {
        text.split(separator: ",").dropFirst().first { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.utf8.count + 1)) }
    }

    /// The same string for another interface.
    public func on(interface: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).enumerated().map { $0 > 0 && $1.hasPrefix("iface=") ? "iface=\(interface)" : String($1) }
            .joined(separator: ",")
    }

    public var isAFXDP: Bool { text.hasPrefix("net_af_xdp") }
    public var isAFPacket: Bool { text.hasPrefix("net_af_packet") }
    public var isMemif: Bool { text.hasPrefix("net_memif") }
    /// Its driver states a constant for its longest frame, whatever it carries.
    public var statesConstant: Bool { isAFPacket || isMemif }

    /// The socket's file that a memif server listens on; nil: it is a client, which it is unless it says otherwise, or its socket has no file.
    public var memifServerSocket: String? {
        guard isMemif, let role = value(of: "role"), role.contains("server") || role.contains("master"), value(of: "socket-abstract") == "no" else { return nil }
        return value(of: "socket") ?? "/run/memif.sock"
    }

    /// What a frame has besides the packet: an Ethernet header and two tags.
    static let overhead = 22

    /// Largest mtu that AF_XDP carries: a frame and the kernel's 256 bytes before it (XDP_PACKET_HEADROOM) fit a buffer, and a buffer with all that
    /// DPDK puts before it fits a page.
    public static func longestXDPMTU(bufferSize: Int) -> Int { min(bufferSize, 4_096 - 320) - 256 - overhead }

    /// Largest mtu that the device carries as it is written, and what to write for a larger one; nil: its driver does not say.
    func limit(bufferSize: Int) -> (mtu: Int, advice: String)? {
        if isAFXDP {
            let interface = value(of: "iface") ?? "eth1"
            return (Self.longestXDPMTU(bufferSize: bufferSize), "or the interface's name as the device (`device: \(interface)`), which AF_PACKET drives then")
        }
        if isAFPacket, let size = value(of: "framesz").flatMap({ Int($0) }) {
            return (size - PacketRing.overhead, "or leave framesz and blocksz out, which sluiced sets by the mtu")
        }
        if isMemif, value(of: "zero-copy") == "yes" { return (bufferSize - Self.overhead, "or raise daemon.buffer-size, or leave zero-copy out") }
        if isMemif, let size = value(of: "bsize").flatMap({ Int($0) }) {
            return (size - Self.overhead, "or leave bsize out, which sluiced sets by the mtu")
        }
        return nil
    }

    /// Largest mtu that the device carries; nil: its driver does not say.
    public func longestMTU(bufferSize: Int) -> Int? {
        if let limit = limit(bufferSize: bufferSize) { return limit.mtu }
        if isAFPacket { return PacketRing(mtu: 0).longestMTU }
        return isMemif ? Self.memifBuffer - Self.overhead : nil
    }

    /// What memif's driver takes for `bsize` by itself.
    private static let memifBuffer = 2_048

    /// The string with what it takes to carry frames of `mtu`, where it does not say that itself.
    public func carrying(mtu: Int) -> String {
        if isAFPacket, value(of: "framesz") == nil {
            let ring = PacketRing(mtu: mtu)
            return text + ring.arguments
        }
        // A frame in several of memif's buffers may be mixed up with another where the ring is full (eth_memif_tx in DPDK 22.11).
        if isMemif, value(of: "bsize") == nil, value(of: "zero-copy") != "yes", mtu + Self.overhead > Self.memifBuffer {
            return text + ",bsize=\((mtu + Self.overhead + 63) / 64 * 64)"
        }
        return text
    }

    /// Bytes that a receive buffer must have room for. AF_PACKET's driver wants each frame in one.
    public func bufferSize(mtu: Int) -> Int {
        guard isAFPacket else { return 0 }
        return value(of: "framesz").flatMap { Int($0) } ?? PacketRing(mtu: mtu).slot
    }
}

/// The rings of an AF_PACKET socket: frames lie in slots, slots in blocks of whole pages without a gap (packet(7), packet_mmap.rst).
public struct PacketRing: Equatable, Sendable {
    /// Bytes of a frame and what the kernel puts before it.
    public let slot: Int
    private static let count = 512
    /// Of a slot: the kernel's header (66 bytes before the frame), Ethernet's with two tags; and one, so that what is too long is seen to be.
    static let overhead = 66 + DeviceString.overhead + 1

    public init(mtu: Int) {
        let needed = mtu + Self.overhead
        slot = needed <= 2_048 ? 2_048 : (needed + 1_023) / 1_024 * 1_024
    }

    public var arguments: String { ",framesz=\(slot),blocksz=\(slot * 4),framecnt=\(Self.count)" }
    /// Largest mtu that it carries.
    public var longestMTU: Int { slot - Self.overhead }
}
