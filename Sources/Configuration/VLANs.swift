import Packet

/// Which VLANs of its bridge a port belongs to, and how its frames are tagged (IEEE 802.1Q).
public enum PortVLAN: Hashable, Sendable {
    /// The port is in one VLAN, and its frames have no tag for it.
    case access(Int)
    /// The port is in several VLANs, told apart by tags of type 0x8100, or of type 0x88a8 for VLANs that are service VLANs on the bridge. Frames of the VLAN
    /// `native` have no tag; nil: frames without a tag are not let in.
    case trunk(VLANSet, native: Int?)
    /// The port is the customer's side of a provider bridge: all its frames belong to one VLAN, and any tags that they have are carried unchanged.
    case service(Int)
}

/// What a port of a bridge with VLANs lets in, and with which tags frames leave by it.
public struct PortMembership: Equatable, Sendable {
    public var members: VLANSet
    /// The VLANs among `members` whose frames leave without a tag.
    public var untagged: VLANSet
    /// The VLAN of frames without a tag and of priority-tagged frames; nil: such frames are not let in.
    public var native: Int?
    /// Whether all frames belong to `native`, whatever tags they have.
    public var takesAll = false

    /// - Parameter vlan: the port's setting; nil: the port says nothing, and is on a bridge with VLANs.
    public init(_ vlan: PortVLAN?) {
        switch vlan ?? .access(Self.standard) {
        case .access(let id): (members, untagged, native) = (VLANSet(of: id), VLANSet(of: id), id)
        case .service(let id): (members, untagged, native, takesAll) = (VLANSet(of: id), VLANSet(of: id), id, true)
        case .trunk(let list, let own):
            let untagged = VLANSet(of: own)
            (members, self.untagged, native) = (list.union(untagged), untagged, own)
        }
    }

    /// The VLAN of ports that name none, like `default_pvid` of the Linux bridge.
    public static let standard = 1
}

extension Model {
    /// The bridges on which some port names a VLAN.
    public var bridgesWithVLANs: Set<String> { Set(ports.lazy.filter { $0.vlan != nil }.map(\.bridge)) }

    /// The VLANs of a bridge that are service VLANs, whose tags are of type 0x88a8.
    public func serviceVLANs(of bridge: String) -> VLANSet {
        ports.lazy.filter { $0.bridge == bridge }.reduce(VLANSet()) { set, port in
            if case .service(let id) = port.vlan { set.union(VLANSet(of: id)) } else { set }
        }
    }
}

extension VLANSet {
    /// The set of one VLAN; empty for nil, and for a number that is no VLAN: a model made in code may have one, which `Model.problems` tells.
    fileprivate init(of id: Int?) { self.init(id.flatMap { Self.identifiers.contains($0) ? [$0] : nil } ?? []) }

    /// The set as it is written, such as `10,20-29`.
    public var text: String { ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",") }
}

extension ProblemList {
    /// Reads a set of VLANs, written as `10,20-29` or as a list of such texts.
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

    /// A port's VLANs, written as `10`, `{trunk: [10, 20-29], native: 1}` or `{service: 100}`.
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
            missing: "a port has one VLAN, a trunk's or a service VLAN: write 10, {trunk: [10, 20-29], native: 1} or {service: 100};"
                + " in a command, vlan 10, vlan trunk 10,20-29 native 1 or vlan service 100")
        return ValueKind(
            takes: .either([ValueKind.vlan.takes, .map(trunk.map(\.about)), .map(service.map(\.about))]),
            read: { element, problems in
                if case .map = element.content { map.read(element, &problems) } else { ValueKind.vlan.read(element, &problems).map { .access($0) } }
            },
            write: { vlan in if case .access(let id) = vlan { ValueKind.vlan.write(id) } else { map.write(vlan) } },
            check: { vlan, path, problems in
                if case .access(let id) = vlan { ValueKind.vlan.check?(id, path, &problems) } else { map.check(vlan, path, &problems) }
            })
    }
}

extension ValueKind<VLANSet> {
    /// A set of VLANs, written as `10,20-29` or as a list of such texts.
    fileprivate static var vlans: Self {
        let some = FieldValue.either([ValueKind<Int>.vlan.takes, .text(.vlans)])
        return ValueKind(
            takes: .either([.list(some), some]), read: { $1.vlans($0) },
            write: { .list($0.ranges.map { $0.count == 1 ? .number(Int64($0.lowerBound)) : .text("\($0.lowerBound)-\($0.upperBound)") }) }, check: nil)
    }
}
