import Filters

/// Filter rules made from a port's `addresses`, `dhcp-guard` and `ra-guard`. They judge frames that come in by the port.
extension PortSettings {
    /// The largest number of addresses and networks that a port's `addresses` may list.
    static let mostAddresses = 256

    /// The rules of a port whose `addresses` is not empty: they let in only frames from these addresses, and no other frame of IPv4, IPv6, ARP or RARP. Two
    /// kinds of frames are let in besides: those from the link-local address that a station derives from its own MAC address (RFC 4291, appendix A), and those
    /// that a station without an address must send (ARP probes, DHCP requests, duplicate address detection and MLD reports). Empty if the port has no
    /// `addresses`.
    public var addressRules: [FilterRule] {
        let addresses = options.addresses
        if addresses.isEmpty { return [] }
        let ipv4 = addresses.filter(\.isIPv4), ipv6 = addresses.filter { !$0.isIPv4 }
        var rules: [FilterRule] = []
        func allow(_ expression: String) { rules.append(FilterRule(.allow, expression)) }
        /// Writes one rule for every 16 addresses, so that no rule's BPF program becomes too long.
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
        // A neighbour advertisement is judged by the target address that it announces, whatever its source address is; every other IPv6 packet is judged by its
        // source address.
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

    /// The rules of a port with `dhcp-guard` or `ra-guard`: they refuse what only a DHCP server or a router sends. Empty if the port has neither.
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

    /// Matches IPv6 packets that may hide a router or neighbour advertisement behind extension headers (RFC 7113). Receivers accept such an advertisement only
    /// with a hop limit of 255 (RFC 4861), and no other packet with extension headers needs that hop limit, so all of these packets can be refused.
    private static let hiddenNeighbours = "ip6 and ip6[7] = 255 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60)"

    /// A condition that the IPv6 address at `offset` is in fe80::/64 and that its interface identifier is derived from the frame's source MAC address (RFC
    /// 4291, appendix A).
    private static func isOwnLinkLocal(at offset: Int) -> String {
        """
        ip6[\(offset):4] = 0xfe800000 and ip6[\(offset + 4):4] = 0 and ip6[\(offset + 8)] = ether[6] ^ 2 and ip6[\(offset + 9):2] = ether[7:2] \
        and ip6[\(offset + 11):2] = 0xfffe and ip6[\(offset + 13)] = ether[9] and ip6[\(offset + 14):2] = ether[10:2]
        """
    }
}
