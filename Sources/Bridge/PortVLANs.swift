import Packet

/// What a port of a bridge with VLANs lets in, and how frames leave by it: IEEE 802.1Q, 6.9 and 8.6.1 to 8.6.4, as the Linux bridge has it
/// (net/bridge/br_vlan.c).
///
/// A handle on one block of memory, made whole before it is published and never changed after. The VLAN of an admitted frame stands in bits 48 and up of
/// both addresses of its record, where the forwarding database wants it; `FrameRecord.Flags.vlanTag` says that the frame's outermost tag is that of the VLAN.
@frozen
public struct PortVLANs: @unchecked Sendable {
    /// 64 words each: VLANs that the port is a member of, of these those that leave untagged, and the bridge's service VLANs, whose tags have
    /// the type 0x88a8.
    @usableFromInline let words: UnsafeMutablePointer<UInt64>
    /// By VLAN: the guest that traffic of addresses without a guest belongs to; nil: it is the same in all.
    public let guests: UnsafeMutablePointer<UInt16>?
    /// The VLAN of frames without a tag and of priority-tagged ones; 0: they are not let in.
    public let native: UInt16
    /// All frames belong to `native`, whatever tags they have: the customer's side of a provider bridge.
    public let takesAll: Bool
    @usableFromInline let hasServices: Bool
    /// Service tags come in with the type 0x8100: the driver, to which the kernel gives tags apart, puts all back with that.
    @usableFromInline let losesTypes: Bool

    /// - Parameters:
    ///   - members: what the port is a member of.
    ///   - untagged: of these, what leaves without a tag.
    ///   - services: VLANs of the bridge whose tags are service tags.
    ///   - guests: guests by VLAN, where these have one of their own; others are `otherwise`'s.
    public init(
        members: VLANSet, untagged: VLANSet, native: Int?, takesAll: Bool = false, services: VLANSet = VLANSet(), losesTypes: Bool = false,
        guests: [Int: UInt16] = [:], otherwise: UInt16 = 0
    ) {
        words = .allocate(capacity: 192)
        for (index, word) in (members.words + untagged.words + services.words).enumerated() { (words + index).initialize(to: word) }
        self.native = native.map { UInt16($0) } ?? 0
        self.takesAll = takesAll
        hasServices = !services.isEmpty
        self.losesTypes = losesTypes
        if guests.isEmpty {
            self.guests = nil
        } else {
            let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 4_096)
            table.initialize(repeating: otherwise, count: 4_096)
            for (vlan, guest) in guests { table[vlan] = guest }
            self.guests = table
        }
    }

    /// Frees the block; no lcore may still read it.
    public func destroy() {
        words.deallocate()
        guests?.deallocate()
    }

    /// Whether the port is a member of a VLAN, 0 to 4095.
    @_noLocks @inlinable @inline(__always)
    public func isMember(_ vlan: UInt16) -> Bool { bit(vlan, from: 0) }

    @_noLocks @inlinable @inline(__always)
    func bit(_ vlan: UInt16, from first: Int) -> Bool { words[first &+ Int(vlan &>> 6 & 63)] &>> UInt64(vlan & 63) & 1 != 0 }

    /// The VLAN in a record's address.
    @_noLocks @inlinable @inline(__always)
    public static func vlan(of address: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: address &>> 48) }

    // MARK: - In

    /// What becomes of a frame that comes in.
    @frozen
    public struct Ingress: Equatable, Sendable {
        /// 0: the port does not let it in.
        public var vlan: UInt16
        /// Its outermost tag is that of the VLAN.
        public var carriesTag = false
        /// Its outermost tag is a priority tag, which ends here (IEEE 802.1Q, 6.9.1).
        public var strips = false
        /// That tag is a service tag that came with another type, and is to get its own back.
        public var restoresType = false

        @_noLocks @inlinable @inline(__always)
        init(_ vlan: UInt16, carriesTag: Bool = false, strips: Bool = false, restoresType: Bool = false) {
            self.vlan = vlan
            self.carriesTag = carriesTag
            self.strips = strips
            self.restoresType = restoresType
        }
    }

    /// The VLAN of a frame that `parse` has read into `record`. A tag of a type that the bridge's VLANs do not have is payload, and the frame untagged.
    ///
    /// - Parameter bytes: the frame's first octet.
    @_noLocks
    public func ingress(_ bytes: UnsafeRawPointer, _ record: UnsafePointer<FrameRecord>) -> Ingress {
        if takesAll { return Ingress(native) }
        if record.pointee.tagCount == 0 {
            // A tag that is not there whole.
            let type = record.pointee.etherType
            if record.pointee.flags.has(.truncated), type == EtherType.vlan || type == EtherType.serviceVLAN && hasServices { return Ingress(0) }
            return Ingress(native)
        }
        let type = bytes.bigEndian16(12), vlan = record.pointee.vid
        let isService = type == EtherType.serviceVLAN
        if !isService && type != EtherType.vlan || isService && !hasServices { return Ingress(native) }
        if vlan == 0 { return Ingress(native, strips: native != 0) }
        let isServiceVLAN = bit(vlan, from: 128), restores = isServiceVLAN && !isService && losesTypes
        guard isMember(vlan), isServiceVLAN == isService || restores else { return Ingress(0) }
        return Ingress(vlan, carriesTag: true, restoresType: restores)
    }

    // MARK: - Out

    /// What happens to the tag of a frame that leaves by the port; nil: the port is no member of its VLAN.
    ///
    /// - Parameter pcp: the priority that it is to leave with, 0 to 7; `FrameRecord.noPCP` or more: the one it came with.
    @_noLocks
    public func egress(_ record: UnsafePointer<FrameRecord>, pcp: UInt8) -> TagAction? {
        let vlan = Self.vlan(of: record.pointee.destination)
        guard isMember(vlan) else { return nil }
        let sets = pcp < FrameRecord.noPCP, carries = record.pointee.flags.has(.vlanTag)
        let priority = UInt16(pcp & 7) &<< 13
        if bit(vlan, from: 64) {
            if carries {
                // A priority tag in its place, where there is to be one.
                return sets && !bit(vlan, from: 128) ? TagAction(.rewrite, tci: priority) : TagAction(.pop)
            }
            return sets && !takesAll && record.pointee.tagCount == 0 ? TagAction(.push, tci: priority) : TagAction(.keep)
        }
        if carries {
            let tci = record.pointee.tci & 0x1fff | priority
            return sets && tci != record.pointee.tci ? TagAction(.rewrite, tci: tci) : TagAction(.keep)
        }
        let came = record.pointee.flags.has(.priorityTagStripped) ? UInt16(record.pointee.pcp & 7) &<< 13 : 0
        return TagAction(bit(vlan, from: 128) ? .pushService : .push, tci: (sets ? priority : came) | vlan)
    }
}
