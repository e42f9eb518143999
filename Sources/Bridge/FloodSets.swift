import Packet

/// For each VLAN the ports of a bridge to which broadcasts, and frames to unknown addresses, are copied. VLANs with the same ports share a list.
///
/// A handle on memory that is built completely before it is published and never changed afterwards.
@frozen
public struct FloodSets: @unchecked Sendable {
    /// Index into `lists` for each VLAN.
    @usableFromInline let places: UnsafeMutablePointer<UInt16>
    /// The distinct lists; the first is empty.
    @usableFromInline let lists: UnsafeMutableBufferPointer<UnsafeMutableBufferPointer<UInt16>>

    /// - Parameter members: each port, with the VLANs that it is a member of.
    public init(_ members: [(port: UInt16, vlans: VLANSet)]) {
        var ports = [[UInt16]](repeating: [], count: 4_096)
        for member in members.sorted(by: { $0.port < $1.port }) { for vlan in member.vlans.ids { ports[vlan].append(member.port) } }
        var numbers: [[UInt16]: UInt16] = [[]: 0], distinct: [[UInt16]] = [[]]
        places = .allocate(capacity: 4_096)
        for (vlan, list) in ports.enumerated() {
            let number = numbers[list] ?? UInt16(distinct.count)
            if numbers[list] == nil {
                numbers[list] = number
                distinct.append(list)
            }
            (places + vlan).initialize(to: number)
        }
        lists = .allocate(capacity: distinct.count)
        for (index, list) in distinct.enumerated() {
            let copy = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: list.count)
            _ = copy.initialize(from: list)
            (lists.baseAddress! + index).initialize(to: copy)
        }
    }

    /// Frees the memory; no lcore may still read it.
    public func destroy() {
        for list in lists { list.deallocate() }
        lists.deallocate()
        places.deallocate()
    }

    /// The ports of a VLAN (0 to 4095) in ascending order.
    @_noLocks @inlinable @inline(__always)
    public func ports(of vlan: UInt16) -> UnsafeMutableBufferPointer<UInt16> { lists.baseAddress.unsafelyUnwrapped[Int(places[Int(vlan & 4_095)])] }
}
