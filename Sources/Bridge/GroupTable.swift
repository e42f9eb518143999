import Packet

/// The ports of a bridge to which frames to group addresses go, by VLAN and group: the result of IGMP and MLD snooping (RFC 4541, 2.1.2; the Linux bridge's
/// `br_mdb_get` and `br_multicast_querier_exists`).
///
/// A handle on memory that is built completely before it is published and never changed afterwards.
@frozen
public struct GroupTable: @unchecked Sendable {
    /// A list of ports: those of a group's members and of routers, or those of routers alone, for groups that no port has joined.
    @usableFromInline typealias Ports = UnsafeMutableBufferPointer<UInt16>

    @usableFromInline let slots: UnsafeMutableBufferPointer<Slot>
    @usableFromInline let lists: UnsafeMutableBufferPointer<Ports>
    /// For each VLAN, first for IPv4 and then for IPv6, the index of the list of router ports. It is `nobody` in a VLAN without a querier: what is known there
    /// about members is outdated, so frames to groups are flooded.
    @usableFromInline let routers: UnsafeMutablePointer<UInt16>
    @usableFromInline let seed: UInt64

    @frozen @usableFromInline
    struct Slot {
        @usableFromInline var high: UInt64
        @usableFromInline var low: UInt64
        @usableFromInline var vlan: UInt16
        /// Index of the ports in `lists`; `nobody` if the slot is free.
        @usableFromInline var list: UInt16
    }

    @inlinable @inline(__always) static var nobody: UInt16 { @_noLocks get { .max } }

    /// A group and the ports that want it.
    public struct Group: Sendable {
        public var vlan: UInt16
        /// The group's address, as in `GroupTraffic`.
        public var high: UInt64
        public var low: UInt64
        public var ports: [UInt16]

        public init(vlan: UInt16, high: UInt64, low: UInt64, ports: [UInt16]) {
            self.vlan = vlan
            self.high = high
            self.low = low
            self.ports = ports
        }

        var isIPv6: Bool { high != 0 }
    }

    /// The ports of the routers of a VLAN that has a querier.
    public struct Routers: Sendable {
        public var vlan: UInt16
        public var isIPv6: Bool
        public var ports: [UInt16]

        public init(vlan: UInt16, isIPv6: Bool, ports: [UInt16]) {
            self.vlan = vlan
            self.isIPv6 = isIPv6
            self.ports = ports
        }
    }

    /// - Parameters:
    ///   - groups: each group once, at most 32768. A group has no effect if `routers` has no element for its VLAN and IP version.
    ///   - seed: seed of the hash function, random so that whoever chooses group addresses cannot foresee their slots.
    public init(groups: [Group], routers: [Routers], seed: UInt64 = .random(in: .min ... .max)) {
        self.seed = seed
        self.routers = .allocate(capacity: 2 * 4_096)
        self.routers.initialize(repeating: Self.nobody, count: 2 * 4_096)
        var numbers: [[UInt16]: UInt16] = [:], distinct: [[UInt16]] = []
        func list(_ ports: Set<UInt16>) -> UInt16 {
            let sorted = ports.sorted()
            if let number = numbers[sorted] { return number }
            let number = UInt16(distinct.count)
            numbers[sorted] = number
            distinct.append(sorted)
            return number
        }
        var asking: [Int: Set<UInt16>] = [:]
        for item in routers {
            let place = Self.place(item.vlan, item.isIPv6)
            asking[place] = Set(item.ports)
            self.routers[place] = list(Set(item.ports))
        }
        let known = groups.filter { asking[Self.place($0.vlan, $0.isIPv6)] != nil }
        var size = 16
        while size < 2 * known.count { size *= 2 }
        slots = .allocate(capacity: size)
        slots.initialize(repeating: Slot(high: 0, low: 0, vlan: 0, list: Self.nobody))
        for group in known {
            var place = Self.first(group.high, group.low, group.vlan, seed) & (size - 1)
            while slots[place].list != Self.nobody { place = (place + 1) & (size - 1) }
            let ports = asking[Self.place(group.vlan, group.isIPv6)]!.union(group.ports)
            slots[place] = Slot(high: group.high, low: group.low, vlan: group.vlan, list: list(ports))
        }
        lists = .allocate(capacity: distinct.count)
        for (index, ports) in distinct.enumerated() {
            let copy = Ports.allocate(capacity: ports.count)
            _ = copy.initialize(from: ports)
            (lists.baseAddress! + index).initialize(to: copy)
        }
    }

    /// Frees the memory; no lcore may still read it.
    public func destroy() {
        for list in lists { list.deallocate() }
        lists.deallocate()
        slots.deallocate()
        routers.deallocate()
    }

    /// The ports that a frame goes to, in ascending order; nil if it is flooded like a broadcast.
    @_noLocks
    public func ports(_ traffic: GroupTraffic, vlan: UInt16) -> UnsafeMutableBufferPointer<UInt16>? {
        if traffic.kind != .data && traffic.kind != .report { return nil }
        let routers = routers[Self.place(vlan, traffic.isIPv6)]
        if routers == Self.nobody { return nil }
        if traffic.kind == .report { return lists.baseAddress.unsafelyUnwrapped[Int(routers)] }
        var place = Self.first(traffic.high, traffic.low, vlan, seed) & (slots.count &- 1)
        while true {
            let slot = slots.baseAddress.unsafelyUnwrapped + place
            if slot.pointee.list == Self.nobody { return lists.baseAddress.unsafelyUnwrapped[Int(routers)] }
            if slot.pointee.low == traffic.low, slot.pointee.high == traffic.high, slot.pointee.vlan == vlan {
                return lists.baseAddress.unsafelyUnwrapped[Int(slot.pointee.list)]
            }
            place = (place &+ 1) & (slots.count &- 1)
        }
    }

    @_noLocks @inline(__always)
    private static func place(_ vlan: UInt16, _ isIPv6: Bool) -> Int { Int(vlan & 4_095) &+ (isIPv6 ? 4_096 : 0) }

    @_noLocks @inline(__always)
    private static func first(_ high: UInt64, _ low: UInt64, _ vlan: UInt16, _ seed: UInt64) -> Int {
        var value = (low ^ seed) &* 0x9e37_79b9_7f4a_7c15
        value = (value ^ value &>> 29 ^ high ^ UInt64(vlan) &<< 40) &* 0xbf58_476d_1ce4_e5b9
        return Int(truncatingIfNeeded: value &>> 32)
    }
}
