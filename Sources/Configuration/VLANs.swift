import Packet

/// A port's place among its bridge's VLANs (IEEE 802.1Q).
public enum PortVLAN: Hashable, Sendable {
    /// In one VLAN; its frames have no tag for it.
    case access(Int)
    /// In several, told by tags of type 0x8100, or 0x88a8 for those that are service VLANs on their bridge. Frames of `native` have no tag; nil: frames without
    /// one are not let in.
    case trunk(VLANSet, native: Int?)
    /// The customer's side of a provider bridge: all its frames belong to one VLAN, whatever tags they have, which are carried as they are.
    case service(Int)
}

/// What a port of a bridge with VLANs lets in, and what leaves by it.
public struct PortMembership: Equatable, Sendable {
    public var members: VLANSet
    /// Of these, those whose frames leave without a tag.
    public var untagged: VLANSet
    /// The VLAN of frames without a tag and of priority-tagged ones; nil: they are not let in.
    public var native: Int?
    /// All frames belong to `native`.
    public var takesAll = false

    /// - Parameter vlan: nil: the port says nothing, on a bridge with VLANs.
    public init(_ vlan: PortVLAN?) {
        switch vlan ?? .access(Self.standard) {
        case .access(let id): (members, untagged, native) = (VLANSet([id]), VLANSet([id]), id)
        case .service(let id): (members, untagged, native, takesAll) = (VLANSet([id]), VLANSet([id]), id, true)
        case .trunk(let list, let own):
            let untagged = VLANSet(own.map { [$0] } ?? [])
            (members, self.untagged, native) = (list.union(untagged), untagged, own)
        }
    }

    /// The VLAN of ports that name none, as the Linux bridge's `default_pvid`.
    public static let standard = 1
}

extension Model {
    /// Bridges of which a port names a VLAN.
    public var bridgesWithVLANs: Set<String> { Set(ports.lazy.filter { $0.vlan != nil }.map(\.bridge)) }

    /// VLANs of a bridge whose tags are service tags.
    public func serviceVLANs(of bridge: String) -> VLANSet {
        VLANSet(ports.lazy.filter { $0.bridge == bridge }.compactMap { if case .service(let id) = $0.vlan { id } else { nil } })
    }
}

extension VLANSet {
    /// `10,20-29`
    public var text: String { ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",") }
}

extension ProblemList {
    /// `10,20-29`, or a list of such.
    mutating func vlans(_ element: Element) -> VLANSet? {
        let before = count
        var result = VLANSet()
        let items: [Element] = if case .list(let items) = element.content { items } else { [element] }
        for item in items {
            guard let text = text(item, example: "10, or a range such as 20-29") else { continue }
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { Int($0.trimmingPrefix(" ")) }
                guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, VLANSet.identifiers.contains(first),
                    VLANSet.identifiers.contains(last)
                else {
                    add(item, "'\(part)' is no VLAN, 1 to 4094, and no range of them: write 10, or 20-29")
                    continue
                }
                for id in first...last { result.insert(id) }
            }
        }
        return count == before ? result : nil
    }
}

extension Field<PortDraft> {
    static var vlan: Field { optional("vlan", \.vlan, PortVLAN.kind, help: "its VLAN, those of a trunk, or the service VLAN of what it sends") }
}

extension PortVLAN {
    private typealias Draft = (trunk: VLANSet?, native: Int?, service: Int?)

    /// `10`, `{trunk: [10, 20-29], native: 1}` or `{service: 100}`
    fileprivate static var kind: ValueKind<PortVLAN> {
        let trunk: [Field<Draft>] = [
            .optional("trunk", \.trunk, .vlans, help: "VLANs that are told by tags").lasting.required.form("trunk ID[-ID],..."),
            .optional("native", \.native, .vlan, help: "the VLAN of frames without a tag; by default they are not let in"),
        ]
        let service: [Field<Draft>] = [.optional("service", \.service, .vlan, help: "the VLAN of all its frames, whatever tags they have").lasting.required]
        let map = MapKind<PortVLAN, Draft>(
            noun: "vlan", empty: (nil, nil, nil), fields: trunk + service,
            value: { draft in
                switch draft {
                case (let trunk?, let native, nil): .trunk(trunk, native: native)
                case (nil, nil, let service?): .service(service)
                default: nil
                }
            },
            draft: { vlan in
                switch vlan {
                case .access: (nil, nil, nil)
                case .trunk(let vlans, let native): (vlans, native, nil)
                case .service(let id): (nil, nil, id)
                }
            },
            missing: "a port has one VLAN, a trunk's or a service VLAN: write 10, {trunk: [10, 20-29], native: 1} or {service: 100}")
        return ValueKind(
            takes: .either([ValueKind.vlan.takes, .map(trunk.map(\.about)), .map(service.map(\.about))]),
            read: { element, problems in
                if case .map = element.content { map.read(element, &problems) } else { ValueKind.vlan.read(element, &problems).map { .access($0) } }
            },
            write: { vlan in if case .access(let id) = vlan { ValueKind.vlan.write(id) } else { map.write(vlan) } })
    }
}

extension ValueKind<VLANSet> {
    /// `10,20-29`, or a list of such.
    fileprivate static var vlans: Self {
        let some = FieldValue.either([ValueKind<Int>.vlan.takes, .text(.vlans)])
        return ValueKind(
            takes: .either([.list(some), some]), read: { $1.vlans($0) },
            write: { .list($0.ranges.map { $0.count == 1 ? .number(Int64($0.lowerBound)) : .text("\($0.lowerBound)-\($0.upperBound)") }) })
    }
}
