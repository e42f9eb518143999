import Packet

/// What a port of a bridge with VLANs lets in, and how frames leave by it: IEEE 802.1Q, 6.9 and 8.6.1 to 8.6.4, as the Linux bridge has it
/// (net/bridge/br_vlan.c).
///
/// A handle on one block of memory, made whole before it is published and never changed after. The VLAN of an admitted frame stands in bits 48 and up of
/// both addresses of its record, where the forwarding database wants it; `FrameRecord.Flags.vlanTag` says that the frame's outermost tag is that of the VLAN.
@frozen
public struct PortVLANs: @unchecked Sendable {
    /// By VLAN, 4096 of them.
    public let forms: UnsafeMutablePointer<Form>
    /// By VLAN: the guest that traffic of addresses without a guest belongs to; nil: it is the same in all.
    public let guests: UnsafeMutablePointer<UInt16>?
    /// The VLAN of frames without a tag and of priority-tagged ones; 0: they are not let in.
    public let native: UInt16
    /// All frames belong to `native`, whatever tags they have: the customer's side of a provider bridge.
    public let takesAll: Bool
    @usableFromInline let hasServices: Bool
    /// Service tags come in with the type 0x8100: the driver, to which the kernel gives tags apart, puts all back with that.
    @usableFromInline let losesTypes: Bool

    /// What a VLAN is to the port.
    @frozen
    public struct Form: OptionSet, Sendable {
        public var rawValue: UInt8
        @_noLocks @inlinable @inline(__always) public init(rawValue: UInt8) { self.rawValue = rawValue }
        // As `FrameRecord.Flags.has`.
        @_noLocks @inlinable @inline(__always) public func has(_ form: Form) -> Bool { rawValue & form.rawValue != 0 }

        @inlinable @inline(__always) public static var member: Form { @_noLocks get { Form(rawValue: 1) } }
        /// The port is a member, and frames leave with the VLAN's tag.
        @inlinable @inline(__always) public static var tagged: Form { @_noLocks get { Form(rawValue: 2) } }
        /// One of the bridge's service VLANs, whose tags have the type 0x88a8.
        @inlinable @inline(__always) public static var service: Form { @_noLocks get { Form(rawValue: 4) } }
        /// The port is a member, and frames come in with the VLAN's tag, which has the type 0x8100 or 0x88a8.
        @inlinable @inline(__always) public static var admitsTag: Form { @_noLocks get { Form(rawValue: 8) } }
        @inlinable @inline(__always) public static var admitsServiceTag: Form { @_noLocks get { Form(rawValue: 16) } }
    }

    /// - Parameters:
    ///   - members: what the port is a member of.
    ///   - untagged: of these, what leaves without a tag.
    ///   - services: VLANs of the bridge whose tags are service tags.
    ///   - guests: guests by VLAN, where these have one of their own; others are `otherwise`'s.
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

    /// Whether the port is a member of a VLAN, 0 to 4095.
    @_noLocks @inlinable @inline(__always)
    public func isMember(_ vlan: UInt16) -> Bool { form(vlan).has(.member) }

    @_noLocks @inlinable @inline(__always)
    func form(_ vlan: UInt16) -> Form { forms[Int(vlan & 0x0fff)] }

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
        let form = form(vlan), restores = form.has(.admitsServiceTag) && !isService && losesTypes
        guard form.has(isService ? .admitsServiceTag : .admitsTag) || restores else { return Ingress(0) }
        return Ingress(vlan, carriesTag: true, restoresType: restores)
    }

    // MARK: - Out

    /// Whether a frame keeps the tag that it came with, by a port that sets no priorities: `egress` with `FrameRecord.noPCP` says the same, and says it for others, too.
    @_noLocks @inlinable @inline(__always)
    public static func keepsTag(_ record: UnsafePointer<FrameRecord>, _ forms: UnsafePointer<Form>) -> Bool {
        let form = forms[Int(vlan(of: record.pointee.destination))]
        // `.vlanTag` and `.tagged` in the same place.
        return UInt8(truncatingIfNeeded: record.pointee.flags.rawValue &>> 8) & form.rawValue & Form.tagged.rawValue != 0
    }

    /// What happens to the tag of a frame that leaves by the port; nil: the port is no member of its VLAN.
    ///
    /// - Parameter pcp: the priority that it is to leave with, 0 to 7; `FrameRecord.noPCP` or more: the one it came with.
    @_noLocks
    public func egress(_ record: UnsafePointer<FrameRecord>, pcp: UInt8) -> TagAction? {
        let vlan = Self.vlan(of: record.pointee.destination)
        let form = form(vlan)
        guard form.has(.member) else { return nil }
        let sets = pcp < FrameRecord.noPCP, carries = record.pointee.flags.has(.vlanTag)
        let priority = UInt16(pcp & 7) &<< 13
        if !form.has(.tagged) {
            if carries {
                // A priority tag in its place, where there is to be one.
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
