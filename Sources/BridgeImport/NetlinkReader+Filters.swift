import Packet

// Filters of the messages of rtnetlink(7): struct tcmsg and attributes (linux/pkt_cls.h).

extension TrafficFilter {
    /// - Parameter message: the payload of RTM_NEWTFILTER.
    /// - Returns: nil for what is no filter: the head of a list of filters, and hash tables of u32.
    public static func read(_ message: [UInt8]) -> TrafficFilter? {
        guard let head = TrafficHead(message), head.handle.value != 0 || head.kind == "fw" || head.kind == "matchall" else { return nil }
        var filter = TrafficFilter(
            head.kind, parent: head.parent, preference: UInt16(head.info >> 16), protocol: UInt16(bigEndian: UInt16(truncatingIfNeeded: head.info)))
        let values = head.options.attributes
        func target(_ type: UInt16) { filter.target = values[type]?.u32().map { TrafficHandle($0) } }
        func act(_ type: UInt16) { if let list = values[type] { filter.actions += TrafficAction.list(list) } }
        func police(_ type: UInt16) { if let found = values[type].flatMap({ Policer($0) }) { filter.actions.append(.police(found)) } }
        switch head.kind {
        case "u32":
            if values[4 /* TCA_U32_DIVISOR */] != nil { return nil }
            target(1 /* TCA_U32_CLASSID */)
            act(7 /* TCA_U32_ACT */)
            police(6 /* TCA_U32_POLICE */)
            filter.matches = values[5 /* TCA_U32_SEL */].map { U32Match.matches($0, filter.protocol) } ?? []
            if values[3 /* TCA_U32_LINK */] != nil { filter.matches.append(.other("link to another hash table")) }
            // The kernel numbers the tables with which it begins from 800 (gen_new_htid, net/sched/cls_u32.c): one for each preference and protocol.
            if head.handle.value >> 20 < 0x800 { filter.matches.append(.other("in hash table \(String(head.handle.value >> 20, radix: 16)):")) }
            if let mark = values[10 /* TCA_U32_MARK */], let value = mark.u32(0), let mask = mark.u32(4), mask != 0 {
                filter.matches.append(mask == .max ? .mark(value) : .other("match mark 0x\(String(value, radix: 16)) 0x\(String(mask, radix: 16))"))
            }
            if let device = values[8 /* TCA_U32_INDEV */] { filter.matches.append(.other("indev \(device.text)")) }
        case "flower":
            target(1)
            act(3)
            filter.matches = FlowerMatch.matches(head.options)
        case "fw":
            target(1)
            act(4)
            police(2 /* TCA_FW_POLICE */)
            let mask = values[5 /* TCA_FW_MASK */]?.u32() ?? .max
            if head.handle.value == 0, head.options.count == 0 { return nil }
            filter.matches = [mask == .max ? .mark(head.handle.value) : .other("handle 0x\(String(head.handle.value, radix: 16))/0x\(String(mask, radix: 16))")]
        case "matchall":
            if head.options.count == 0 { return nil }
            target(1)
            act(2)
        case "basic":
            target(1)
            act(3)
            police(4 /* TCA_BASIC_POLICE */)
            // An empty tree of ematches matches every frame. What others ask is not read.
            if let tree = values[2 /* TCA_BASIC_EMATCHES */], tree.attributes[1]?.u16(0) != 0 { filter.matches = [.other("an ematch")] }
        default:
            target(head.kind == "bpf" ? 3 : 1)
            filter.matches = [.other("of kind \(head.kind)")]
        }
        return filter
    }
}

extension TrafficAction {
    /// The most actions that a filter has (TCA_ACT_MAX_PRIO).
    private static let most = 32

    /// Reads a list of actions: each is nested below its number, with TCA_ACT_KIND and TCA_ACT_OPTIONS.
    static func list(_ reader: NetlinkReader) -> [TrafficAction] {
        reader.list.prefix(most).compactMap { item in
            let values = item.value.attributes
            guard let kind = values[1]?.text else { return nil }
            if kind == "police", let police = values[2].flatMap({ Policer($0) }) { return .police(police) }
            return .other(kind)
        }
    }
}

extension Policer {
    /// Reads TCA_POLICE_TBF (struct tc_police) and TCA_POLICE_RATE64.
    init?(_ reader: NetlinkReader) {
        let values = reader.attributes
        guard let parameters = values[1], let action = parameters.i32(4), let burst = parameters.u32(12), let rate = RateSpecification(parameters, 20),
            let peak = RateSpecification(parameters, 32)
        else { return nil }
        let bytes = values[8]?.u64() ?? UInt64(rate.rate)
        // A policer of packets has no rate of bytes.
        guard bytes > 0 else { return nil }
        self.init(rate: bytes, burst: Ticks.sizes(burst, at: bytes), peak: values[9]?.u64() ?? UInt64(peak.rate), drops: action == 2 /* TC_ACT_SHOT */)
    }
}

/// What u32 looks at: words of a frame at offsets from its network header, so that the Ethernet header has negative ones.
enum U32Match {
    private static let sizeOfKey = 16, sizeOfSelector = 16

    typealias Octets = [Int: (value: UInt8, mask: UInt8)]

    /// What one rule or several ask for: octets by their offsets from the network header and from the transport header, and the kernel's words.
    struct Keys {
        var octets: Octets = [:], transport: Octets = [:]
        var words: [String] = []

        /// - Returns: one match that says what is asked for, if it means nothing that is known here.
        func matches(_ etherType: UInt16) -> [TrafficMatch] {
            var octets = octets, transport = transport
            return understand(&octets, &transport, etherType) ?? [.other(words.joined(separator: " "))]
        }
    }

    /// - Parameter selector: struct tc_u32_sel with its keys.
    static func matches(_ selector: NetlinkReader, _ etherType: UInt16) -> [TrafficMatch] {
        guard let keys = keys(selector) else { return [.other("a match that was cut short")] }
        return keys.matches(etherType)
    }

    /// - Returns: nil if the message was cut short.
    static func keys(_ selector: NetlinkReader) -> Keys? {
        guard let count = selector.u8(2) else { return Keys() }
        var octets: Octets = [:], transport: Octets = [:]
        var words: [String] = []
        for number in 0..<Int(count) {
            let place = sizeOfSelector + number * sizeOfKey
            guard let mask = selector.be32(place), let value = selector.be32(place + 4), let offset = selector.i32(place + 8),
                let offsetMask = selector.i32(place + 12)
            else { return nil }
            words.append("match \(hex(value))/\(hex(mask)) at \(offsetMask != 0 ? "nexthdr+" : "")\(offset)")
            for position in 0..<4 {
                let shift = UInt32(24 - 8 * position)
                let octet = (value: UInt8(truncatingIfNeeded: value >> shift), mask: UInt8(truncatingIfNeeded: mask >> shift))
                guard octet.mask != 0 else { continue }
                if offsetMask != 0 { transport[Int(offset) + position] = octet } else { octets[Int(offset) + position] = octet }
            }
        }
        return Keys(octets: octets, transport: transport, words: words)
    }

    private static func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The matches that the octets stand for; nil if some of them mean nothing that is known here.
    private static func understand(_ octets: inout Octets, _ transport: inout Octets, _ etherType: UInt16) -> [TrafficMatch]? {
        var matches: [TrafficMatch] = []
        func take(_ from: inout Octets, _ range: Range<Int>) -> UInt64? {
            guard range.allSatisfy({ from[$0]?.mask == 0xff }) else { return nil }
            return range.reduce(0) { $0 << 8 | UInt64(from.removeValue(forKey: $1)!.value) }
        }
        if let mac = take(&octets, -14 ..< -8) { matches.append(.destination(MACAddress(value: mac))) }
        if let mac = take(&octets, -8 ..< -2) { matches.append(.source(MACAddress(value: mac))) }
        let type = take(&octets, -2..<0).map { UInt16($0) }
        if let type { matches.append(.etherType(type)) }
        let isIPv6 = (type ?? etherType) == EtherTypes.ipv6
        let header = isIPv6 ? 40 : 20
        if let number = take(&octets, isIPv6 ? 6..<7 : 9..<10) { matches.append(.ipProtocol(UInt8(number))) }
        if !isIPv6, let tos = octets[1], tos.mask == 0xfc {
            octets[1] = nil
            matches.append(.dscp(tos.value >> 2))
        }
        // The length of the IPv4 header that the offsets of ports assume: version 4, five words.
        if !isIPv6, let first = octets[0], first.value & first.mask == 0x45 & first.mask { octets[0] = nil }
        if let port = take(&octets, header..<header + 2) ?? take(&transport, 0..<2) { matches.append(.sourcePort(UInt16(port))) }
        if let port = take(&octets, header + 2..<header + 4) ?? take(&transport, 2..<4) { matches.append(.destinationPort(UInt16(port))) }
        return octets.isEmpty && transport.isEmpty ? matches : nil
    }
}

/// What flower looks at.
enum FlowerMatch {
    static func matches(_ options: NetlinkReader) -> [TrafficMatch] {
        let values = options.attributes
        var matches: [TrafficMatch] = []
        func isWhole(_ type: UInt16) -> Bool { values[type]?.bytes.allSatisfy { $0 == 0xff } ?? true }
        for (type, value) in options.list {
            let match: TrafficMatch?
            switch type {
            case 1, 3, 22, 86: continue  // the class, actions, flags, a count of hardware's
            case 4: match = isWhole(5) ? value.mac.map { .destination($0) } : nil
            case 6: match = isWhole(7) ? value.mac.map { .source($0) } : nil
            case 8: match = value.be16().map { .etherType($0) }
            case 9: match = value.u8().map { .ipProtocol($0) }
            case 18, 20: match = isWhole(type == 18 ? 35 : 37) ? value.be16().map { .sourcePort($0) } : nil
            case 19, 21: match = isWhole(type == 19 ? 36 : 38) ? value.be16().map { .destinationPort($0) } : nil
            case 73: match = values[74]?.u8() == 0xfc ? value.u8().map { .dscp($0 >> 2) } : nil
            // Masks of values that are read with them.
            case 5, 7, 35, 36, 37, 38, 74: continue
            default: match = .other("flower key \(type) \(value.bytes.prefix(16).map { TrafficWords.hex(UInt16($0)).suffix(2) }.joined())")
            }
            matches.append(match ?? .other("flower key \(type) with a mask"))
        }
        return matches
    }
}
