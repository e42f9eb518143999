import Filters

/// What ports promise about their guests' addresses, as rules.
extension PortSettings {
    /// Most addresses of a port.
    static let mostAddresses = 256

    /// Of a port with `addresses`: what may come in by it, and nothing else. An IPv6 address that a station makes of its own MAC address (RFC 4291, appendix A) is
    /// always its own, as are the sources of who has none yet: of ARP probes, DHCP, duplicate address detection and MLD.
    public var addressRules: [FilterRule] {
        let addresses = options.addresses
        if addresses.isEmpty { return [] }
        let ipv4 = addresses.filter(\.isIPv4), ipv6 = addresses.filter { !$0.isIPv4 }
        var rules: [FilterRule] = []
        func allow(_ expression: String) { rules.append(FilterRule(.allow, expression)) }
        /// In pieces, so that no program is too long.
        func allow(_ all: [IPPrefix], _ condition: String, at offset: Int, of header: String) {
            for begin in stride(from: 0, to: all.count, by: 16) {
                let some = all[begin..<min(begin + 16, all.count)].map { "(\($0.expression(at: offset, of: header)))" }
                allow("\(condition) and (\(some.joined(separator: " or ")))")
            }
        }
        allow(ipv4, "ip", at: 12, of: "ip")
        allow("ip src host 0.0.0.0 and udp src port 68 and udp dst port 67")
        allow("arp and arp[14:4] = 0 and arp[4:2] = 0x0604")
        allow(ipv4, "arp and arp[4:2] = 0x0604", at: 14, of: "arp")
        rules.append(FilterRule(.deny, Self.hiddenNeighbours))
        // An advertisement says whose address it is, whatever its source; anything else is judged by its source.
        let advertisement = "icmp6 and ip6[40] = 136"
        allow(ipv6, advertisement, at: 48, of: "ip6")
        allow("\(advertisement) and \(Self.isOwnLinkLocal(at: 48))")
        rules.append(FilterRule(.deny, advertisement))
        allow(ipv6, "ip6", at: 8, of: "ip6")
        allow("ip6 and \(Self.isOwnLinkLocal(at: 8))")
        let unspecified = "ip6 and ip6[8:4] = 0 and ip6[12:4] = 0 and ip6[16:4] = 0 and ip6[20:4] = 0"
        allow("\(unspecified) and ip6[6] = 58 and ip6[40] = 135")
        allow("\(unspecified) and ip6[6] = 0 and ip6[40] = 58 and (ip6[48] = 131 or ip6[48] = 143)")
        allow("rarp and rarp[14:4] = 0")
        allow("not ip and not ip6 and not arp and not rarp")
        return rules
    }

    /// Of a port with `dhcp-guard` or `ra-guard`: what may not come in by it.
    public var guardRules: [FilterRule] {
        var rules: [FilterRule] = []
        if options.dhcpGuard {
            rules.append(FilterRule(.deny, "ip and (udp src port 67 or udp dst port 68)"))
            rules.append(FilterRule(.deny, "ip6 and (udp src port 547 or udp dst port 546)"))
        }
        if options.raGuard {
            rules.append(FilterRule(.deny, "icmp6 and ip6[40] = 134"))
            rules.append(FilterRule(.deny, Self.hiddenNeighbours))
        }
        return rules
    }

    /// Router and neighbour advertisements behind extension headers (RFC 7113): what they are in must have a hop limit of 255 (RFC 4861), which nothing else that has
    /// such headers needs.
    private static let hiddenNeighbours = "ip6 and ip6[7] = 255 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60)"

    /// That the address there is fe80::/64 with the identifier of the frame's own source (RFC 4291, appendix A).
    private static func isOwnLinkLocal(at offset: Int) -> String {
        """
        ip6[\(offset):4] = 0xfe800000 and ip6[\(offset + 4):4] = 0 and ip6[\(offset + 8)] = ether[6] ^ 2 and ip6[\(offset + 9):2] = ether[7:2] \
        and ip6[\(offset + 11):2] = 0xfffe and ip6[\(offset + 13)] = ether[9] and ip6[\(offset + 14):2] = ether[10:2]
        """
    }
}
