// tc's own words for what was read, which remarks quote.

extension QueueingDiscipline: CustomStringConvertible {
    public var description: String {
        let place = parent == .root ? "root" : parent == .ingress ? "parent ffff:fff1" : "parent \(parent)"
        let head = "qdisc \(name) \(handle) \(place)"
        switch kind {
        case .htb(let standard, let r2q): return "\(head) r2q \(r2q) default 0x\(String(standard, radix: 16))"
        case .tbf(let rate, let burst, let peak, let limit):
            return "\(head) rate \(TrafficWords.rate(rate)) burst \(burst)b\(peak > 0 ? " peakrate \(TrafficWords.rate(peak))" : "") limit \(limit)b"
        case .prio(let bands, let map): return "\(head) bands \(bands) priomap \(map.map(String.init).joined(separator: " "))"
        case .ets(let bands, let strict): return "\(head) bands \(bands) strict \(strict)"
        case .fifo(let limit): return "\(head) limit \(limit)p"
        case .codel(_, let target, let interval, let limit): return "\(head) limit \(limit)p target \(target)us interval \(interval)us"
        case .ingress, .clsact, .other: return head
        }
    }
}

extension TrafficClass: CustomStringConvertible {
    public var description: String {
        let head = "class \(name) \(id) \(parent == .root ? "root" : "parent \(parent)")"
        guard let htb else { return head }
        return "\(head) prio \(htb.priority) rate \(TrafficWords.rate(htb.rate)) ceil \(TrafficWords.rate(htb.ceiling))"
            + " burst \(TrafficWords.roundest(htb.burst))b cburst \(TrafficWords.roundest(htb.ceilingBurst))b"
    }
}

extension TrafficFilter: CustomStringConvertible {
    public var description: String {
        var words = "filter parent \(parent) protocol \(TrafficWords.protocol(self.protocol)) pref \(preference) \(name)"
        for match in matches { words += " \(match)" }
        if let target { words += " flowid \(target)" }
        for action in actions { words += " \(action)" }
        return words
    }
}

extension TrafficMatch: CustomStringConvertible {
    public var description: String {
        switch self {
        case .source(let mac): "src_mac \(mac)"
        case .destination(let mac): "dst_mac \(mac)"
        case .etherType(let type): "eth_type 0x\(TrafficWords.hex(type))"
        case .ipProtocol(let number): "ip_proto \(number == 6 ? "tcp" : number == 17 ? "udp" : String(number))"
        case .destinationPort(let port): "dst_port \(port)"
        case .sourcePort(let port): "src_port \(port)"
        case .dscp(let value): "dscp \(value)"
        case .mark(let mark): "fw handle 0x\(String(mark, radix: 16))"
        case .other(let words): words
        }
    }
}

extension TrafficAction: CustomStringConvertible {
    public var description: String {
        switch self {
        case .police(let police): "\(police)"
        case .other(let name): "action \(name)"
        }
    }
}

extension Policer: CustomStringConvertible {
    public var description: String {
        "police rate \(TrafficWords.rate(rate)) burst \(TrafficWords.roundest(burst))b"
            + (peak > 0 ? " peakrate \(TrafficWords.rate(peak))" : "") + (drops ? " action drop" : "")
    }
}

enum TrafficWords {
    /// A rate in bytes a second, in tc's words, such as `100Mbit`.
    static func rate(_ bytes: UInt64) -> String {
        let bits = bytes.multipliedReportingOverflow(by: 8)
        guard !bits.overflow else { return "\(bytes)bps" }
        for (name, worth) in [("Tbit", 1_000_000_000_000), ("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("Kbit", 1_000)] as [(String, UInt64)] {
            if bits.partialValue >= worth, bits.partialValue.isMultiple(of: worth) { return "\(bits.partialValue / worth)\(name)" }
        }
        return "\(bits.partialValue)bit"
    }

    static func hex(_ value: UInt16) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    static func `protocol`(_ type: UInt16) -> String {
        switch type {
        case EtherTypes.all: "all"
        case EtherTypes.ipv4: "ip"
        case EtherTypes.ipv6: "ipv6"
        case EtherTypes.vlan: "802.1Q"
        case 0x0806: "arp"
        default: "0x\(hex(type))"
        }
    }

    /// Of the sizes that tc would have encoded alike, the one that somebody is most likely to have written.
    static func roundest(_ sizes: ClosedRange<UInt64>) -> UInt64 {
        for unit in [1 << 20, 1 << 10, 1_000, 100, 64] as [UInt64] {
            let last = sizes.upperBound / unit * unit
            if last >= sizes.lowerBound, last > 0 { return last }
        }
        return sizes.upperBound
    }
}
