// Addresses and routes of the messages of rtnetlink(7), as ip(8) takes them.

/// An address of an interface.
public struct KernelAddress: Equatable, Sendable {
    public var index: Int
    /// Address and length of the prefix, such as `192.0.2.5/24`.
    public var text: String
    /// Whether it is one that the kernel gives the interface by itself: an IPv6 link-local address.
    public var isAutomatic: Bool

    /// - Parameter message: the payload of RTM_NEWADDR: struct ifaddrmsg and attributes (linux/if_addr.h).
    public init?(_ message: [UInt8]) {
        guard let head = NetlinkReader(message, skipping: 0), let family = head.u8(0), let length = head.u8(1), let index = head.u32(4),
            let attributes = NetlinkReader(message, skipping: 8)?.attributes,
            let bytes = (attributes[2 /* IFA_LOCAL */] ?? attributes[1 /* IFA_ADDRESS */])?.bytes,
            let address = AddressWords.text(Array(bytes), family)
        else { return nil }
        self.index = Int(index)
        text = "\(address)/\(length)"
        isAutomatic = family == 10 && bytes.starts(with: [0xfe, 0x80])
    }
}

/// A route over an interface.
public struct KernelRoute: Equatable, Sendable {
    public var index: Int
    /// The route as `ip route add` takes it, with `dev` and a name that is given at reading.
    public var text: String
    /// Whether it comes and goes with an address.
    public var isAutomatic: Bool

    /// - Parameters:
    ///   - message: the payload of RTM_NEWROUTE: struct rtmsg and attributes (linux/rtnetlink.h).
    ///   - name: the interface of an index.
    public init?(_ message: [UInt8], name: (Int) -> String?) {
        guard let head = NetlinkReader(message, skipping: 0), let family = head.u8(0), let length = head.u8(1), let table = head.u8(4), let origin = head.u8(5),
            let type = head.u8(7), let attributes = NetlinkReader(message, skipping: 12)?.attributes,
            let index = attributes[4 /* RTA_OIF */]?.u32().map(Int.init),
            let device = name(index), family == 2 || family == 10
        else { return nil }
        self.index = index
        // Local, broadcast, anycast and multicast routes come with addresses.
        isAutomatic = origin == 2 /* RTPROT_KERNEL */ || type != 1 /* RTN_UNICAST */ || origin == 9 /* RTPROT_RA */
        var words = family == 10 ? ["-6"] : []
        words.append(attributes[1 /* RTA_DST */].flatMap { AddressWords.text(Array($0.bytes), family) }.map { "\($0)/\(length)" } ?? "default")
        if let gateway = attributes[5 /* RTA_GATEWAY */].flatMap({ AddressWords.text(Array($0.bytes), family) }) { words += ["via", gateway] }
        words += ["dev", device]
        if let source = attributes[7 /* RTA_PREFSRC */].flatMap({ AddressWords.text(Array($0.bytes), family) }) { words += ["src", source] }
        if let metric = attributes[6 /* RTA_PRIORITY */]?.u32(), metric != 0, !(family == 10 && metric == 1_024) { words += ["metric", "\(metric)"] }
        let number = attributes[15 /* RTA_TABLE */]?.u32() ?? UInt32(table)
        if number != 254 { words += ["table", "\(number)"] }
        text = words.joined(separator: " ")
    }
}

enum AddressWords {
    /// - Parameter family: AF_INET or AF_INET6.
    static func text(_ bytes: [UInt8], _ family: UInt8) -> String? {
        if family == 2, bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        guard family == 10, bytes.count == 16 else { return nil }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        // The longest run of two or more zeros is written as :: (RFC 5952, 4.2).
        var best = 0..<0, start: Int?
        for place in 0...8 {
            if place < 8, groups[place] == 0 {
                start = start ?? place
            } else if let first = start {
                if place - first > max(best.count, 1) { best = first..<place }
                start = nil
            }
        }
        func part(_ groups: some Sequence<UInt16>) -> String { groups.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? part(groups) : "\(part(groups[..<best.lowerBound]))::\(part(groups[best.upperBound...]))"
    }
}
