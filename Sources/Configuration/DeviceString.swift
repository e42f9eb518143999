/// A DPDK device string, such as `net_af_packet0,iface=eth1`, and what its driver demands of frame sizes.
public struct DeviceString: Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    /// The value of a key in the string; nil if the key is not there.
    public func value(of key: String) -> String? {
        text.split(separator: ",").dropFirst().first { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.utf8.count + 1)) }
    }

    /// The same string with another interface as the value of `iface`.
    public func on(interface: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).enumerated().map { $0 > 0 && $1.hasPrefix("iface=") ? "iface=\(interface)" : String($1) }
            .joined(separator: ",")
    }

    public var isAFXDP: Bool { text.hasPrefix("net_af_xdp") }
    public var isAFPacket: Bool { text.hasPrefix("net_af_packet") }
    public var isMemif: Bool { text.hasPrefix("net_memif") }
    /// Whether the driver reports a constant as its largest frame, which says nothing about the frames that it can carry.
    public var statesConstant: Bool { isAFPacket || isMemif }

    /// The file of the socket on which a memif server listens. nil: the device is a memif client (the driver's default) or no memif at all, or its socket is an
    /// abstract one, without a file.
    public var memifServerSocket: String? {
        guard isMemif, let role = value(of: "role"), role.contains("server") || role.contains("master"), value(of: "socket-abstract") == "no" else { return nil }
        return value(of: "socket") ?? "/run/memif.sock"
    }

    /// Bytes of a frame besides the layer 3 packet: an Ethernet header and two VLAN tags.
    static let overhead = 22

    /// The largest MTU that AF_XDP carries with buffers of this size, in bytes. A frame must fit in a buffer together with the kernel's 256 bytes before it
    /// (XDP_PACKET_HEADROOM), and a buffer must fit in a page together with all that DPDK puts before it.
    public static func longestXDPMTU(bufferSize: Int) -> Int { min(bufferSize, 4_096 - 320) - 256 - overhead }

    /// The largest MTU that the device carries as its string is written, and advice on what to write for a larger one. nil: the string sets no limit, or the
    /// driver does not tell.
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

    /// The largest MTU that the device carries. nil: its driver does not tell.
    public func longestMTU(bufferSize: Int) -> Int? {
        if let limit = limit(bufferSize: bufferSize) { return limit.mtu }
        if isAFPacket { return PacketRing(mtu: 0).longestMTU }
        return isMemif ? Self.memifBuffer - Self.overhead : nil
    }

    /// The buffer size that memif's driver takes when the string has no `bsize`.
    private static let memifBuffer = 2_048

    /// The device string, extended by the arguments that let the driver carry frames of `mtu`, unless the string gives these arguments itself.
    public func carrying(mtu: Int) -> String {
        if isAFPacket, value(of: "framesz") == nil {
            let ring = PacketRing(mtu: mtu)
            return text + ring.arguments
        }
        // A frame that spans several of memif's buffers may be mixed up with another one when the ring is full (eth_memif_tx in DPDK 22.11), so a buffer is
        // made large enough for a frame.
        if isMemif, value(of: "bsize") == nil, value(of: "zero-copy") != "yes", mtu + Self.overhead > Self.memifBuffer {
            return text + ",bsize=\((mtu + Self.overhead + 63) / 64 * 64)"
        }
        return text
    }

    /// The least size of a receive buffer, in bytes; 0: any. AF_PACKET's driver wants each frame in a single buffer.
    public func bufferSize(mtu: Int) -> Int {
        guard isAFPacket else { return 0 }
        return value(of: "framesz").flatMap { Int($0) } ?? PacketRing(mtu: mtu).slot
    }
}

/// The rings of an AF_PACKET socket: frames lie in slots, and slots lie without gaps in blocks of whole pages (packet(7), packet_mmap.rst).
public struct PacketRing: Equatable, Sendable {
    /// Size of a slot in bytes: a frame and what the kernel puts before it.
    public let slot: Int
    private static let count = 512
    /// Bytes of a slot besides the layer 3 packet: the kernel's header (66 bytes before the frame), an Ethernet header with two tags, and one byte more, by
    /// which a frame that is too long is recognized.
    static let overhead = 66 + DeviceString.overhead + 1

    public init(mtu: Int) {
        let needed = mtu + Self.overhead
        slot = needed <= 2_048 ? 2_048 : (needed + 1_023) / 1_024 * 1_024
    }

    public var arguments: String { ",framesz=\(slot),blocksz=\(slot * 4),framecnt=\(Self.count)" }
    /// The largest MTU that a slot of this size carries.
    public var longestMTU: Int { slot - Self.overhead }
}
