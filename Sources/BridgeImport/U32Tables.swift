// u32's hash tables (net/sched/cls_u32.c): a rule may lead to a table, whose rules then go on from what it matched.

extension TrafficFilter {
    /// Reads all filters that are attached to one discipline or class. Rules of u32 in a table that others lead to become one filter for each way there, which
    /// asks for all that the rules on the way ask for.
    /// - Parameter messages: the payloads of RTM_NEWTFILTER.
    public static func list(_ messages: [[UInt8]]) -> [TrafficFilter] {
        let found = messages.compactMap { message in read(message).map { (filter: $0, rule: U32Rule(message, $0)) } }
        let tables = Dictionary(grouping: found.compactMap(\.rule), by: \.table)
        let linked = Set(found.compactMap { $0.rule?.link })
        var room = U32Rule.most
        return found.flatMap { filter, rule -> [TrafficFilter] in
            guard let rule else { return [filter] }
            // The kernel begins with its own tables.
            if rule.table < U32Rule.ownTables { return linked.contains(rule.table) ? [] : [filter] }
            return rule.link == nil ? [filter] : rule.followed(tables, &room)
        }
    }
}

/// A rule of u32, with where it stands and where it leads.
struct U32Rule {
    /// The kernel numbers the tables with which it begins from here on: one for each preference and protocol.
    static let ownTables: UInt32 = 0x800
    /// The most filters that rules become, and the most tables on a way (the kernel's TC_U32_MAXDEPTH).
    static let most = 65_536, deepest = 8

    let filter: TrafficFilter
    let table: UInt32
    /// The table that the rule leads to.
    let link: UInt32?
    let keys: U32Match.Keys
    /// Where offsets of the table's rules begin.
    private enum Base { case network, transport, unknown }
    private let base: Base

    /// - Returns: nil for filters that are not u32's.
    init?(_ message: [UInt8], _ filter: TrafficFilter) {
        guard filter.name == "u32", let head = TrafficHead(message) else { return nil }
        let values = head.options.attributes
        self.filter = filter
        table = head.handle.value >> 20
        link = values[3 /* TCA_U32_LINK */]?.u32().map { $0 >> 20 }
        let selector = values[5 /* TCA_U32_SEL */]
        keys = selector.flatMap { U32Match.keys($0) } ?? U32Match.Keys()
        // struct tc_u32_sel: flags, shift, number of keys; mask, fixed offset, and place of an offset in the frame.
        let flags = selector?.u8(0) ?? 0, eats = flags & 8 != 0
        switch flags & 6 {
        case 0: base = .network
        // The length of the IPv4 header: the lower half of its first octet, in words of four bytes.
        case 4 where selector?.be16(4) == 0x0f00 && selector?.u8(1) == 6 && selector?.u16(6) == 0 && selector?.u16(8) == 0: base = eats ? .transport : .network
        // A header of five words, or IPv6's.
        case 2 where [20, 40].contains(selector?.u16(6)): base = eats ? .transport : .network
        default: base = .unknown
        }
    }

    func followed(_ tables: [UInt32: [U32Rule]], _ room: inout Int) -> [TrafficFilter] { followed(tables, keys, &room) }

    /// The filters that the rules of the table which this one leads to become.
    private func followed(
        _ tables: [UInt32: [U32Rule]], _ before: U32Match.Keys, _ room: inout Int, from origin: Base = .network, depth: Int = 1
    ) -> [TrafficFilter] {
        let base = base == .network ? origin : origin == .network ? base : .unknown
        guard let link, let rules = tables[link], depth <= Self.deepest, base != .unknown else { return [filter] }
        var result: [TrafficFilter] = []
        for rule in rules where room > 0 {
            room -= 1
            var both = before
            both.words += rule.keys.words
            if base == .network { both.octets.merge(rule.keys.octets) { $1 } } else { both.transport.merge(rule.keys.octets) { $1 } }
            both.transport.merge(rule.keys.transport) { $1 }
            if rule.link != nil {
                result += rule.followed(tables, both, &room, from: base, depth: depth + 1)
                continue
            }
            var one = rule.filter
            // A rule without keys relies on the bucket of the table that it is in.
            one.matches = rule.keys.words.isEmpty ? [.other("in hash table \(String(link, radix: 16)):")] : both.matches(filter.protocol)
            // A mark is no key.
            one.matches += rule.filter.matches.filter { if case .mark = $0 { true } else { false } }
            result.append(one)
        }
        return result
    }
}
