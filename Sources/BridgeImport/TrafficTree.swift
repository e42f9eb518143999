import Configuration
import Packet

/// What the filters of a class ask for together, as far as Sluice can: an address, a protocol, or both.
struct Selector: Equatable {
    var mac: MACAddress?
    var match: ProtocolMatch?
    /// Whether only one family of frames matches, as libvirt's filters for IPv4 do.
    var isForFamilyOnly = false
    /// Why the filter has no counterpart; nil: it has one.
    var fault: String?
    var filter: TrafficFilter
}

extension Selector {
    /// - Parameter direction: inbound trees tell guests by destination, outbound ones by source.
    init(_ filter: TrafficFilter, _ direction: Direction) {
        self.filter = filter
        var type = filter.protocol == EtherTypes.all ? nil : Optional(filter.protocol), number: UInt8?, ports: [UInt16] = [], dscp: UInt8?
        for item in filter.matches {
            switch item {
            case .source(let mac) where direction == .outbound: self.mac = mac
            case .source: fault = "classes of this direction are told by the receiver's address, not by the sender's"
            case .destination(let mac) where direction == .inbound: self.mac = mac
            case .destination: fault = "classes of this direction are told by the sender's address, not by the receiver's"
            case .etherType(let value): type = value
            case .ipProtocol(let value): number = value
            case .destinationPort(let port), .sourcePort(let port): ports.append(port)
            case .dscp(let value): dscp = value
            case .mark(let mark): fault = "frames are marked by netfilter, which never sees Sluice's (mark \(mark))"
            case .other(let words): fault = "Sluice does not classify by this: \(words)"
            }
        }
        if fault != nil { return }
        let isIP = type == nil || type == EtherTypes.ipv4 || type == EtherTypes.ipv6
        if !isIP, let type {
            guard type >= 0x600, type != EtherTypes.vlan, number == nil, ports.isEmpty, dscp == nil else {
                fault = "Sluice does not classify by protocol \(TrafficWords.protocol(type))\(ports.isEmpty ? "" : " with ports")"
                return
            }
            match = .etherType(type)
        } else if ports.count == 1, ports[0] > 0 {
            switch number {
            case 6: match = .tcp(ports[0])
            case 17: match = .udp(ports[0])
            // A filter that does not ask for TCP or UDP: where one of them is known for the port, it is meant.
            case nil: match = ProtocolSettings.builtIn.contains { $0.matches.contains(.udp(ports[0])) } ? .udp(ports[0]) : .tcp(ports[0])
            default: fault = "Sluice knows ports of TCP and UDP, not of IP protocol \(number!)"
            }
            if dscp != nil { fault = "a protocol is told by a port or by a DSCP, not by both" }
        } else if !ports.isEmpty {
            fault = "a protocol is told by one port, of either side, not by two"
        } else if number != nil {
            fault = "Sluice does not classify by IP protocol alone"
        } else if let dscp {
            match = .dscp(dscp)
        } else if type != nil {
            isForFamilyOnly = true
            if mac == nil { fault = "Sluice does not classify by \(TrafficWords.protocol(type!)) alone" }
        }
    }

    /// A filter that every frame matches.
    var isForAll: Bool { mac == nil && match == nil && fault == nil }

    /// What a frame has to have that two filters, one above the other, ask for.
    func below(_ upper: Selector) -> Selector {
        var both = self
        both.mac = mac ?? upper.mac
        both.match = match ?? upper.match
        both.isForFamilyOnly = isForFamilyOnly || upper.isForFamilyOnly
        both.fault = fault ?? upper.fault
        if mac != nil, upper.mac != nil, mac != upper.mac { both.fault = "no frame has two addresses" }
        if match != nil, upper.match != nil, match != upper.match { both.fault = "a frame has one protocol" }
        return both
    }
}

/// A tree of HTB's classes, or the bands of prio, with what leads to each.
struct TrafficTree {
    struct Node {
        var item: TrafficClass
        var children: [Int] = []
        var parent: Int?
        var selectors: [Selector] = []
    }

    let root: QueueingDiscipline
    private(set) var nodes: [Node] = []
    private(set) var tops: [Int] = []
    /// The class that holds all others, if there is one: what it may send is what the tree may.
    let base: Int?
    /// The class of frames that no filter knows.
    let standard: Int?
    /// Filters that lead to no class of the tree.
    private(set) var strays: [Selector] = []

    init(_ root: QueueingDiscipline, _ traffic: TrafficControl, _ direction: Direction) {
        self.root = root
        let classes = traffic.classes.filter { $0.id.major == root.handle.major }.sorted { $0.id < $1.id }
        nodes = classes.map { Node(item: $0) }
        let places = Dictionary(classes.enumerated().map { ($1.id, $0) }) { first, _ in first }
        for index in nodes.indices {
            // A class that were its own ancestor would be no tree's; the kernel has none such, and the depth is bounded below.
            if let parent = places[nodes[index].item.parent], parent != index {
                nodes[index].parent = parent
                nodes[parent].children.append(index)
            } else {
                tops.append(index)
            }
        }
        base = tops.count == 1 && !nodes[tops[0]].children.isEmpty ? tops[0] : nil
        let minor: UInt32 = if case .htb(let minor, _) = root.kind { minor } else { 0 }
        standard = minor > 0 ? places[TrafficHandle(root.handle.major, UInt16(truncatingIfNeeded: minor))] : nil
        // Filters at the discipline or at the class that holds all others classify frames; those at another class classify what leads there.
        let all = traffic.filters.filter { $0.parent.major == root.handle.major }.sorted { $0.preference < $1.preference }
        for filter in all {
            let selector = Selector(filter, direction)
            guard let target = filter.target, let place = places[target] else {
                if filter.target != nil || !filter.actions.isEmpty { strays.append(selector) }
                continue
            }
            nodes[place].selectors.append(selector)
        }
        for index in nodes.indices {
            nodes[index].selectors = nodes[index].selectors.flatMap { selector -> [Selector] in
                guard let upper = places[selector.filter.parent], upper != index, !nodes[upper].selectors.isEmpty else { return [selector] }
                return nodes[upper].selectors.map { selector.below($0) }
            }
        }
    }

    /// The leaves below a class, itself if it is one. HTB's trees are at most eight deep (TC_HTB_MAXDEPTH).
    func leaves(below index: Int, depth: Int = 0) -> [Int] {
        if nodes[index].children.isEmpty || depth >= 8 { return [index] }
        return nodes[index].children.flatMap { leaves(below: $0, depth: depth + 1) }
    }
}
