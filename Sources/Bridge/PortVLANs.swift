import Packet

/// Which frames a port of a bridge with VLANs admits, and with which tag frames leave by it: IEEE 802.1Q, 6.9 and 8.6.1 to 8.6.4, as the Linux bridge
/// implements it (net/bridge/br_vlan.c).
///
/// A handle on memory that is built completely before it is published and never changed afterwards. The VLAN of an admitted frame is in bits 48 and up of both
/// addresses of its record, where the forwarding database expects it; `FrameRecord.Flags.vlanTag` says that the frame's outermost tag is the tag of that VLAN.
@frozen
public struct PortVLANs: @unchecked Sendable {
    /// What each of the 4096 VLANs is to the port.
    public let forms: UnsafeMutablePointer<Form>
    /// For each VLAN the guest to which traffic of addresses without a guest belongs; nil if it is the same guest in all VLANs.
    public let guests: UnsafeMutablePointer<UInt16>?
    /// The VLAN of untagged and priority-tagged frames; 0 if the port does not admit them.
    public let native: UInt16
    /// Whether all frames belong to `native`, whatever tags they have: this is the customer's side of a provider bridge.
    public let takesAll: Bool
    @usableFromInline let hasServices: Bool
    /// Service tags arrive with the type 0x8100: the kernel hands tags to the driver separately from the frame, and the driver reinserts all of them with that
    /// type.
    @usableFromInline let losesTypes: Bool

    /// What a VLAN is to the port.
    @frozen
    public struct Form: OptionSet, Sendable {
        public var rawValue: UInt8
        @_noLocks @inlinable @inline(__always) public init(rawValue: UInt8) { self.rawValue = rawValue }
        // Not `OptionSet.contains`, for the reason given at `FrameRecord.Flags.has`.
        @_noLocks @inlinable @inline(__always) public func has(_ form: Form) -> Bool { rawValue & form.rawValue != 0 }

        @inlinable @inline(__always) public static var member: Form { @_noLocks get { Form(rawValue: 1) } }
        /// The port is a member, and frames leave with the VLAN's tag.
        @inlinable @inline(__always) public static var tagged: Form { @_noLocks get { Form(rawValue: 2) } }
        /// The VLAN is one of the bridge's service VLANs, whose tags have the type 0x88a8.
        @inlinable @inline(__always) public static var service: Form { @_noLocks get { Form(rawValue: 4) } }
        /// The port is a member and admits frames with the VLAN's tag: with the type 0x8100 (`admitsTag`) or 0x88a8 (`admitsServiceTag`).
        @inlinable @inline(__always) public static var admitsTag: Form { @_noLocks get { Form(rawValue: 8) } }
        @inlinable @inline(__always) public static var admitsServiceTag: Form { @_noLocks get { Form(rawValue: 16) } }
    }

    /// - Parameters:
    ///   - members: the VLANs that the port is a member of.
    ///   - untagged: those of them whose frames leave without a tag.
    ///   - native: the VLAN of untagged and priority-tagged frames; nil if the port does not admit them.
    ///   - takesAll: whether all frames belong to `native`, whatever tags they have.
    ///   - services: the VLANs of the bridge whose tags are service tags.
    ///   - losesTypes: whether service tags arrive with the type 0x8100.
    ///   - guests: the guest of each VLAN that has one of its own.
    ///   - otherwise: the guest of all other VLANs.
    public init(
        members: VLANSet, untagged: VLANSet, native: Int?, takesAll: Bool = false, services: VLANSet = VLANSet(), losesTypes: Bool = false,
        guests: [Int: UInt16] = [:], otherwise: UInt16 = 0
    ) {
        forms = .allocate(capacity: 4_096)
        forms.initialize(repeating: [], count: 4_096)
        for vlan in services.ids { forms[vlan] = .service }
        for vlan in members.ids { forms[vlan].formUnion([.member, services.contains(vlan) ? .admitsServiceTag : .admitsTag, untagged.contains(vlan) ? [] : .tagged]) }
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
        forms.deallocate()
        guests?.deallocate()
    }

    /// Whether the port is a member of a VLAN (0 to 4095).
    @_noLocks @inlinable @inline(__always)
    public func isMember(_ vlan: UInt16) -> Bool { form(vlan).has(.member) }

    @_noLocks @inlinable @inline(__always)
    func form(_ vlan: UInt16) -> Form { forms[Int(vlan & 0x0fff)] }

    /// The VLAN that is part of an address of a record.
    @_noLocks @inlinable @inline(__always)
    public static func vlan(of address: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: address &>> 48) }

    // MARK: - In

    /// How a frame that comes in is treated.
    @frozen
    public struct Ingress: Equatable, Sendable {
        /// The frame's VLAN; 0 if the port does not admit the frame.
        public var vlan: UInt16
        /// Whether the frame's outermost tag is the tag of the VLAN.
        public var carriesTag = false
        /// Whether the frame's outermost tag is a priority tag, which is removed here (IEEE 802.1Q, 6.9.1).
        public var strips = false
        /// Whether that tag is a service tag that arrived with another type, so that its own type must be restored.
        public var restoresType = false

        @_noLocks @inlinable @inline(__always)
        init(_ vlan: UInt16, carriesTag: Bool = false, strips: Bool = false, restoresType: Bool = false) {
            self.vlan = vlan
            self.carriesTag = carriesTag
            self.strips = strips
            self.restoresType = restoresType
        }
    }

    /// The VLAN of a frame that `parse` has read into `record`. A tag of a type that the bridge's VLANs do not use counts as payload, and the frame as
    /// untagged.
    ///
    /// - Parameter bytes: the frame's first octet.
    @_noLocks
    public func ingress(_ bytes: UnsafeRawPointer, _ record: UnsafePointer<FrameRecord>) -> Ingress {
        if takesAll { return Ingress(native) }
        if record.pointee.tagCount == 0 {
            // The frame ends within its tag.
            let type = record.pointee.etherType
            if record.pointee.flags.has(.truncated), type == EtherType.vlan || type == EtherType.serviceVLAN && hasServices { return Ingress(0) }
            return Ingress(native)
        }
        let type = bytes.bigEndian16(12), vlan = record.pointee.vid
        let isService = type == EtherType.serviceVLAN
        if !isService && type != EtherType.vlan || isService && !hasServices { return Ingress(native) }
        if vlan == 0 { return Ingress(native, strips: native != 0) }
        let form = form(vlan), restores = form.has(.admitsServiceTag) && !isService && losesTypes
        guard form.has(isService ? .admitsServiceTag : .admitsTag) || restores else { return Ingress(0) }
        return Ingress(vlan, carriesTag: true, restoresType: restores)
    }

    // MARK: - Out

    /// Whether a frame that leaves by a port that sets no priorities keeps the tag that it came with. This is a shortcut for frequent frames: `egress` with
    /// `FrameRecord.noPCP` answers the same, and also for frames whose tag changes.
    @_noLocks @inlinable @inline(__always)
    public static func keepsTag(_ record: UnsafePointer<FrameRecord>, _ forms: UnsafePointer<Form>) -> Bool {
        let form = forms[Int(vlan(of: record.pointee.destination))]
        // `.vlanTag`, shifted by 8 bits, and `.tagged` are the same bit.
        return UInt8(truncatingIfNeeded: record.pointee.flags.rawValue &>> 8) & form.rawValue & Form.tagged.rawValue != 0
    }

    /// What happens to the tag of a frame that leaves by the port; nil if the port is not a member of the frame's VLAN.
    ///
    /// - Parameter pcp: the priority that the frame leaves with, 0 to 7; with `FrameRecord.noPCP` or more it keeps the priority that it came with.
    @_noLocks
    public func egress(_ record: UnsafePointer<FrameRecord>, pcp: UInt8) -> TagAction? {
        let vlan = Self.vlan(of: record.pointee.destination)
        let form = form(vlan)
        guard form.has(.member) else { return nil }
        let sets = pcp < FrameRecord.noPCP, carries = record.pointee.flags.has(.vlanTag)
        let priority = UInt16(pcp & 7) &<< 13
        if !form.has(.tagged) {
            if carries {
                // A port that sets priorities replaces the VLAN's tag by a priority tag.
                return sets && !form.has(.service) ? TagAction(.rewrite, tci: priority) : TagAction(.pop)
            }
            return sets && !takesAll && record.pointee.tagCount == 0 ? TagAction(.push, tci: priority) : TagAction(.keep)
        }
        if carries {
            let tci = record.pointee.tci & 0x1fff | priority
            return sets && tci != record.pointee.tci ? TagAction(.rewrite, tci: tci) : TagAction(.keep)
        }
        let came = record.pointee.flags.has(.priorityTagStripped) ? UInt16(record.pointee.pcp & 7) &<< 13 : 0
        return TagAction(form.has(.service) ? .pushService : .push, tci: (sets ? priority : came) | vlan)
    }
}
